"""What an estimate and a dry run know of a row's documents, of long texts and of a first stage."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.settings import TrainSettings
from workbench.training import dry_run, estimate
from workbench.workspace import Workspace, new_folder

WIDE = [{"layers": 12, "hidden": 768}]


@pytest.fixture
def long_texts(workspace: Workspace) -> Collection:
    with new_folder(workspace.collection("long")) as folder, CollectionWriter(folder) as writer:
        for number in range(4):
            query, document = Item(text=f"query {number}"), Item(text=f"{number} " * 20_000)
            writer.judge(writer.add("queries", query), writer.add("corpus", document))
        writer.finish("long", labels={"query": "q", "document": "d"}, source={"kind": "test"})
    return open_collection(workspace, "long")


def peak(collection: Collection, kind: str, objective: str, **settings: Any) -> float:
    spec = {"kind": kind, "objective": objective}
    wanted = TrainSettings(batch_size=16, **settings)
    return estimate.peak_range(collection, spec, wanted, 100_000_000, WIDE, 16)[1]


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (("embedder", "contrastive", {}), ("embedder", "contrastive", {"mined_negatives": 8})),
        (("embedder", "similarity", {}), ("embedder", "distillation", {})),
        (("embedder", "distillation", {}), ("embedder", "distillation", {"mined_negatives": 20})),
        (("embedder", "contrastive", {}), ("embedder", "graded", {})),
    ],
)
def test_documents_beside_a_pair_are_counted(long_texts: Collection, less: Any, more: Any) -> None:
    (*few, settings), (*many, others) = less, more
    assert peak(long_texts, *many, **others) > 1.5 * peak(long_texts, *few, **settings)


def test_a_text_is_as_long_as_the_model_reads(long_texts: Collection) -> None:
    settings = TrainSettings()
    short, unknown, long = (
        estimate.tokens_of_a_pair(long_texts, settings, [WIDE[0] | more])[1]
        for more in ({"positions": 128}, {}, {"positions": 8192})
    )
    assert short < unknown < 600 < 8192 <= long


def test_a_guide_is_held_beside_the_model(demo_workspace: Workspace) -> None:
    from workbench.training.spec import train_spec

    def low(**overrides: Any) -> int:
        spec = train_spec(demo_workspace, collection="demo", model="starter", overrides=overrides)
        return int(estimate.estimate(demo_workspace, spec)["peak_range"][0])

    assert low(guide_model="starter") > low() + 1e6


def test_the_first_stage_is_counted_once_and_by_all_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first stage that takes a second an item, and a reranker that takes a tenth a document."""
    clock = [0.0]
    monkeypatch.setattr(dry_run.time, "perf_counter", lambda: clock[0])

    def direction(queries: int, documents: int) -> Any:
        return SimpleNamespace(source_rows=np.arange(queries), target_rows=np.arange(documents))

    def score(*, quick: bool) -> Any:
        clock[0] += (14.0 if not clock[0] else 0.0) + 4 * 10 * 0.1
        return SimpleNamespace(per_query=np.zeros(4))

    recipe = SimpleNamespace(score=score, direction="all", held=SimpleNamespace(directions={"all": direction(4, 10)}))
    full: Any = SimpleNamespace(directions={"all": direction(1000, 5000)})
    found = dry_run.second_stage_seconds(recipe, full, TrainSettings(evaluation_queries=300))
    assert found["scoring_seconds"] == pytest.approx(300 * 20 * 0.1 + (5000 + 300) / 2)
    assert found["quick_seconds"] == pytest.approx(100 * 20 * 0.1)
