from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import WorkbenchError
from workbench.evaluation.evaluate import evaluate
from workbench.evaluation.results import (
    list_evaluations,
    load_evaluation,
    open_queries,
    remove_evaluation,
    vector_cache,
)
from workbench.evaluation.scoring import score_embedder


def folders(workspace):
    return sorted(path.name for path in vector_cache(workspace).iterdir() if path.is_dir())


def test_the_numbers_of_every_query_come_back_as_they_were(workspace, collection, toy):
    evaluate(workspace, "scenes", ["toy"], load=lambda _, name: toy(name, noise=1.5), name="e")
    scores = score_embedder(toy(noise=1.5), collection)
    kept = open_queries(workspace, load_evaluation(workspace, "e"))
    for cell, values in scores.per_query.items():
        ndcg, first_ranks = kept.cell("toy", *cell)
        assert np.allclose(ndcg, values["ndcg@10"], atol=1e-6)
        assert np.array_equal(first_ranks, scores.first_ranks[cell])


def test_a_cell_that_is_not_there_is_named(workspace, collection, toy):
    evaluate(workspace, "scenes", ["toy"], load=lambda _, name: toy(name), name="e")
    with pytest.raises(WorkbenchError, match="at 7 dimensions"):
        open_queries(workspace, load_evaluation(workspace, "e")).cell("toy", 7)


def test_evaluations_are_listed_newest_first_and_by_collection(workspace, make_scenes, toy):
    make_scenes(workspace)
    make_scenes(workspace, name="others")
    for name, collection in (("a", "scenes"), ("b", "others"), ("c", "scenes")):
        evaluate(workspace, collection, ["toy"], load=lambda _, name: toy(name), name=name)
    (workspace.evaluations / "broken.json").write_text('{"half": ')
    assert [card.name for card in list_evaluations(workspace)] == ["c", "b", "a"]
    (card,) = list_evaluations(workspace, "others")
    assert (card.models, card.best) == (["toy"], {"toy": pytest.approx(1.0)})


def test_removing_an_evaluation_removes_the_vectors_that_no_other_uses(workspace, collection, toy):
    def load(_, name):
        return toy(name)

    evaluate(workspace, "scenes", ["one", "two"], load=load, name="both")
    evaluate(workspace, "scenes", ["one"], load=load, name="single")
    assert len(folders(workspace)) == 2
    remove_evaluation(workspace, "both")
    assert len(folders(workspace)) == 1
    remove_evaluation(workspace, "single")
    assert folders(workspace) == []
    assert list_evaluations(workspace) == []


def test_what_is_not_there_or_cannot_be_read_is_said(workspace):
    with pytest.raises(WorkbenchError, match="no evaluation named"):
        load_evaluation(workspace, "nothing")
    with pytest.raises(WorkbenchError, match="no evaluation named"):
        remove_evaluation(workspace, "nothing")
    workspace.evaluation("broken").write_text('{"half": ')
    with pytest.raises(WorkbenchError, match="cannot be read"):
        load_evaluation(workspace, "broken")
    workspace.evaluation("old").write_text('{"schema": 0}')
    with pytest.raises(WorkbenchError, match="another version"):
        load_evaluation(workspace, "old")
