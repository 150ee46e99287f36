"""What a cross-encoder learns from: easy wrong documents first, never a held-out one."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.collection.store import Collection
from workbench.models import load_embedder
from workbench.settings import TrainSettings
from workbench.training.lessons import Lessons, lessons, mined_negatives
from workbench.training.pairs import training_pairs
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
