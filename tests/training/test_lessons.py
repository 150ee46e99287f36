"""What a cross-encoder learns from: easy wrong documents first, never a held-out one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from workbench.collection.store import Collection
from workbench.errors import WorkbenchError
from workbench.models import load_embedder
from workbench.settings import TrainSettings
from workbench.training.lessons import (
    Lessons,
    _random_documents,
    _wrong_documents,
    graded,
    lessons,
    mined_negatives,
)
from workbench.training.material import taught_pairs
from workbench.training.pairs import Pairs, training_pairs
from workbench.workspace import Workspace


@pytest.fixture(scope="module")
def made(demo_workspace: Workspace, demo: Collection) -> Lessons:
    embedder = load_embedder(demo_workspace, "starter", device="cpu")
    return lessons(demo, training_pairs(demo), embedder, TrainSettings(epochs=2, negatives_per_query=3))


def test_each_right_pair_comes_with_its_wrong_ones(made: Lessons, demo: Collection) -> None:
    train = demo.judged("train")
    assert len(made.labels) == 2 * len(train) * 4
    assert made.labels.mean() == pytest.approx(0.25)
    right = set(zip(train.queries.tolist(), train.documents.tolist(), strict=True))
    for query, document, label in zip(made.queries.tolist(), made.documents.tolist(), made.labels, strict=True):
        assert ((query, document) in right) == bool(label)


def test_held_out_documents_are_never_shown(made: Lessons, demo: Collection) -> None:
    assert not set(made.documents.tolist()) & set(demo.judged("eval").documents.tolist())


def test_a_wrong_document_has_the_modality_of_the_right_one(made: Lessons, demo: Collection) -> None:
    kinds = demo.document_modalities[made.documents].reshape(-1, 4)
    assert (kinds == kinds[:, :1]).all()


def test_the_second_half_is_harder_than_the_first(made: Lessons, demo_workspace: Workspace, demo: Collection) -> None:
    mined = mined_negatives(demo, load_embedder(demo_workspace, "starter", device="cpu"))
    hard = np.array(
        [document in mined.get(query, []) for query, document in zip(made.queries, made.documents, strict=True)]
    )
    half = len(hard) // 2
    assert hard[half:].mean() > 3 * hard[:half].mean()


def test_documents_of_other_grades_stand_in_one_list() -> None:
    judged = SimpleNamespace(
        queries=np.array([0, 0, 0, 0, 1]),
        documents=np.array([0, 1, 2, 3, 4]),
        scores=np.array([3.0, 1.0, 2.0, 2.0, 1.0]),
    )
    kinds = np.array(["text"] * 9, dtype=object)
    kinds[3] = "image"
    collection: Any = SimpleNamespace(judged=lambda split: judged, document_modalities=kinds)
    found = Lessons(
        np.array([0, 0, 0, 0, 1, 1]),
        np.array([5, 0, 6, 7, 4, 8]),
        np.array([0, 1, 0, 0, 1, 0], np.float32),
        np.array([0, 0, 0, 0, 1, 1]),
    )
    seen = graded(collection, found, seed=0)
    assert sorted(seen.labels[:4].tolist()) == [0, 1, 2, 3] and {0, 1, 2} < set(seen.documents[:4].tolist())
    grades = {0: 3.0, 1: 1.0, 2: 2.0}
    assert [grades.get(document, 0.0) for document in seen.documents[:4].tolist()] == seen.labels[:4].tolist()
    assert seen.documents[4:].tolist() == [4, 8] and seen.labels[4:].tolist() == [1, 0]


def test_a_list_shows_no_wrong_document_twice() -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        told, mined = np.array([1, 2]), np.array([2, 1, 3])
        assert sorted(_wrong_documents([told, mined], 4, generator)) == [1, 2, 3]
        pool, right = np.arange(5), np.array([0])
        assert sorted(_random_documents(pool, right, [1, 2], 2, generator)) == [3, 4]
        assert sorted(_random_documents(pool, right, [1, 2], 3, generator)) == [3, 4]


def test_where_every_document_is_right_for_every_query_a_teacher_has_nothing_to_say() -> None:
    collection: Any = SimpleNamespace(document_modalities=np.array(["text", "text"], dtype=object))
    pairs = [Pairs("text->text", np.array([0, 0]), np.array([0, 1]))]
    with pytest.raises(WorkbenchError, match="nothing to tell apart"):
        taught_pairs(collection, pairs, {}, None, TrainSettings())  # type: ignore[arg-type]
