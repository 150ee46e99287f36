"""Which of two ways to search people pick, and when that shows a difference."""

from __future__ import annotations

import pytest

from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index.build import build_index
from workbench.index.preference import Pipeline, prefer, preference, preferences, score_of
from workbench.workspace import Workspace

SMALL, WHOLE = Pipeline("words", 8), Pipeline("words")


@pytest.fixture
def indexed(workspace: Workspace, toy: ToyEmbedder) -> Workspace:
    make_collection(workspace, "words", texts(20))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    return workspace


def test_the_interval_is_the_exact_one_and_decides_what_is_shown() -> None:
    """Against the published table: 15 of 20 gives [0.509, 0.913], 14 of 20 [0.457, 0.881]."""
    shown, not_shown = score_of(5, 15), score_of(6, 14)
    assert shown.interval == pytest.approx((0.5090, 0.9134), abs=1e-4) and shown.better == 2
    assert not_shown.interval == pytest.approx((0.4572, 0.8811), abs=1e-4) and not_shown.better == 0
    assert score_of(15, 5).better == 1
    assert (shown.p is not None and shown.p < 0.05) and (not_shown.p is not None and not_shown.p > 0.05)
    assert score_of(0, 0, 7).interval is None and score_of(0, 0, 7).better == 0


def test_a_question_counts_once_by_its_last_pick_whichever_side_it_stood_on(indexed: Workspace) -> None:
    for _ in range(5):
        prefer(indexed, SMALL, WHOLE, Item(text="tea"), 1)
    assert preference(indexed, SMALL, WHOLE).first == 1
    score = prefer(indexed, WHOLE, SMALL, Item(text="tea"), 1)
    assert (score.first, score.second) == (1, 0)
    prefer(indexed, SMALL, WHOLE, Item(text="cake"), 2)
    prefer(indexed, SMALL, WHOLE, Item(text="milk"), 0)
    score = preference(indexed, SMALL, WHOLE)
    assert (score.first, score.second, score.ties) == (0, 2, 1)
    (told,) = preferences(indexed)
    assert {told["a picked"], told["b picked"]} == {0, 2} and told["no difference"] == 1 and told["preferred"] == ""


def test_half_a_line_of_a_crash_spoils_no_other(indexed: Workspace) -> None:
    prefer(indexed, SMALL, WHOLE, Item(text="tea"), 2)
    path = indexed.index / "preferences.jsonl"
    path.write_bytes(path.read_bytes() + b'{"pair": ["a')
    prefer(indexed, SMALL, WHOLE, Item(text="cake"), 2)
    assert preference(indexed, SMALL, WHOLE).second == 2


def test_an_index_that_another_model_reads_is_another_way_to_search(indexed: Workspace) -> None:
    prefer(indexed, SMALL, WHOLE, Item(text="tea"), 2)
    newer = ToyEmbedder(fingerprint="toy-2")
    newer.reference = "newer"
    build_index(indexed, "words", "words", "newer", embedder=newer)
    assert preference(indexed, SMALL, WHOLE).second == 0
    assert len(preferences(indexed)) == 1


def test_the_same_twice_is_refused(indexed: Workspace) -> None:
    with pytest.raises(WorkbenchError, match="Both sides are the same"):
        prefer(indexed, WHOLE, Pipeline("words", 32), Item(text="tea"), 1)


@pytest.mark.parametrize("pipeline", [WHOLE, SMALL, Pipeline("words", 8, "run:a:b"), Pipeline("words", 0, "a/b")])
def test_a_pipeline_reads_back_what_it_wrote(pipeline: Pipeline) -> None:
    assert Pipeline.read(pipeline.write()) == pipeline
    for told in ("", ":8:", "../x:8:", "words:8:" + "x" * 301):
        assert Pipeline.read(told) is None
