"""A teacher is asked once: it can be stopped between batches, and goes on where it was."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from training.planted import pair_rows, planted

from workbench.collection.store import Collection, Item
from workbench.errors import Stopped, WorkbenchError
from workbench.training import teacher
from workbench.training.teacher import Teacher
from workbench.workspace import Workspace


class Reader:
    """A reranker that scores by the length of both texts, and counts the queries it was asked."""

    def __init__(self, score: float | None = None) -> None:
        self.asked: list[str] = []
        self.fixed = score

    def score(self, query: Item, documents: list[Item]) -> np.ndarray:
        self.asked.append(str(query.text))
        return np.array(
            [self.fixed or (len(str(query.text)) + len(str(one.text))) / 100 for one in documents], np.float32
        )


@pytest.fixture
def pairs(workspace: Workspace) -> Collection:
    return planted(workspace, "pairs", pair_rows()[:12])


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    made = Reader()
    monkeypatch.setattr(teacher, "load_reranker", lambda *_, **__: made)
    monkeypatch.setattr(teacher, "find", lambda *_, **__: SimpleNamespace(kind="reranker"))
    return made


def every_pair(collection: Collection) -> tuple[np.ndarray, np.ndarray]:
    """Each query with all documents."""
    queries, documents = len(collection.queries), len(collection.corpus)
    return np.arange(queries), np.tile(np.arange(documents), (queries, 1))


def test_a_teacher_that_was_stopped_is_asked_for_the_rest_alone(
    workspace: Workspace, pairs: Collection, reader: Reader, tmp_path: Path
) -> None:
    queries, documents = every_pair(pairs)
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int, note: str) -> None:
        told.append((done, total))
        if len(told) == 5:
            raise Stopped

    with pytest.raises(Stopped):
        Teacher(workspace, "large", tmp_path, progress=progress).scores(pairs, queries, documents)
    assert told == [(12 * number, 144) for number in range(5)] and len(reader.asked) == 4
    scores = Teacher(workspace, "large", tmp_path).scores(pairs, queries, documents)
    assert len(reader.asked) == len(set(reader.asked)) == 12
    lengths = [[len(str(pairs.item(side, row).text)) for row in range(12)] for side in ("queries", "corpus")]
    np.testing.assert_allclose(scores, np.add.outer(*lengths) / 100, rtol=1e-6)
    Teacher(workspace, "large", tmp_path).scores(pairs, queries[:3], documents[:3])
    assert len(reader.asked) == 12, "it was asked again for what it had said"


def test_another_teacher_is_not_taken_for_the_first(
    workspace: Workspace, pairs: Collection, reader: Reader, tmp_path: Path
) -> None:
    queries, documents = every_pair(pairs)
    Teacher(workspace, "large", tmp_path).scores(pairs, queries[:2], documents[:2])
    Teacher(workspace, "other", tmp_path).scores(pairs, queries[:2], documents[:2])
    assert len(reader.asked) == 4


def test_scores_that_are_no_numbers_are_refused(
    workspace: Workspace, pairs: Collection, reader: Reader, tmp_path: Path
) -> None:
    reader.fixed = float("nan")
    with pytest.raises(WorkbenchError, match="“large” gave scores that are not numbers"):
        Teacher(workspace, "large", tmp_path).scores(pairs, *every_pair(pairs))


def test_an_embedder_as_a_teacher_tells_how_far_it_is_and_keeps_its_vectors(
    workspace: Workspace, pairs: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int, str]] = []
    queries, documents = every_pair(pairs)
    first = Teacher(workspace, "starter", tmp_path, progress=lambda *given: told.append(given))
    scores = first.scores(pairs, queries, documents)
    assert told[0] == (0, 24, teacher.NOTE) and told[-1][0] == 24 and np.abs(scores).max() <= 1.001
    loaded: Any = teacher.load_embedder(workspace, "starter")
    monkeypatch.setattr(loaded, "_encode", lambda *_: pytest.fail("its vectors were not kept"))
    monkeypatch.setattr(teacher, "load_embedder", lambda *_, **__: loaded)
    (tmp_path / teacher.FILE).unlink()
    assert np.array_equal(Teacher(workspace, "starter", tmp_path).scores(pairs, queries, documents), scores)
