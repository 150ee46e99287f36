"""Presets fit the collection, the model and the kind of run."""

from __future__ import annotations

import pytest
from training.planted import planted

from workbench.collection.editing import edit_collection
from workbench.collection.store import Collection, Item, open_collection
from workbench.errors import WorkbenchError
from workbench.settings import PRESETS, check_settings, parse_overrides
from workbench.training.presets import learnt_from, preset_settings
from workbench.training.shape import shape_of
from workbench.workspace import Workspace


def steps(pairs: int, preset: str) -> float:
    settings = preset_settings(preset, "embedder", pairs, 1_700_000)
    return settings.epochs * pairs / settings.batch_size


@pytest.mark.parametrize("pairs", [100, 2_000, 100_000])
def test_each_preset_takes_more_steps_than_the_one_before(pairs: int) -> None:
    counts = [steps(pairs, preset) for preset in PRESETS]
    assert counts == sorted(counts) and counts[0] < counts[-1]


def test_a_large_pretrained_model_learns_at_a_gentle_rate() -> None:
    assert preset_settings("quick", "embedder", 1000, 2_000_000_000).learning_rate == 2e-5
    assert preset_settings("quick", "embedder", 1000, 0).learning_rate == 2e-5


def test_a_tiny_collection_gets_a_batch_that_leaves_several_a_pass() -> None:
    assert preset_settings("quick", "embedder", 20, 0).batch_size == 5


def test_what_the_user_set_wins() -> None:
    settings = preset_settings(
        "best", "embedder", 1000, 0, parse_overrides(["epochs=2", "matryoshka_dimensions=64,32"])
    )
    assert settings.epochs == 2 and settings.matryoshka_dimensions == [64, 32]


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(WorkbenchError, match="Choose quick, balanced, best"):
        preset_settings("fast", "embedder", 1000, 0)


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(WorkbenchError) as caught:
        check_settings({"epochs": -1, "batch_size": "many", "colour": 3})
    assert len(caught.value.problems) == 3
    assert "Known settings" in caught.value.problems[2]


def test_a_setting_without_an_equals_sign_says_how_to_write_it() -> None:
    with pytest.raises(WorkbenchError, match="Write it as key=value"):
        parse_overrides(["epochs"])


def answered(workspace: Workspace, queries: int, answers: int) -> Collection:
    """Queries with so many right documents each, all of them for training but the last query's."""
    rows = [
        (Item(text=f"query {query}"), Item(text=f"answer {query} {answer}"), 1.0, "train" if query else "eval")
        for query in range(queries)
        for answer in range(answers)
    ]
    return planted(workspace, "answered", rows)


def test_documents_known_to_be_wrong_make_no_run_shorter(workspace: Workspace) -> None:
    collection = answered(workspace, 9, 3)
    before = learnt_from(collection, shape_of(collection))
    queries, documents = collection.queries["id"][:], collection.corpus["id"][:]
    with edit_collection(workspace, "answered", "Mined") as edit:
        for row in range(1, 9):
            for other in range(4):
                edit.judge(queries[row], documents[(3 * row + 3 + other) % 27], 0.0, "train", "mined")
    mined = open_collection(workspace, "answered")
    assert len(mined.judged("train")) > 24
    assert learnt_from(mined, shape_of(mined)) == before == (24, 8)


def test_a_batch_is_no_larger_than_the_queries_that_can_stand_beside_each_other() -> None:
    crowded = preset_settings("quick", "embedder", 504, 1_700_000, None, 42)
    assert crowded.batch_size == 42
    roomy = preset_settings("quick", "embedder", 504, 1_700_000)
    assert crowded.epochs == roomy.epochs, "as many pairs are seen, in smaller batches"
    labels = preset_settings("quick", "embedder", 100_000, 1_700_000, None, 10)
    assert labels.epochs * 100_000 / labels.batch_size == pytest.approx(1_200, rel=0.05)
    assert preset_settings("quick", "reranker", 504, 1_700_000, None, 42).batch_size == 126


def test_a_longer_run_is_scored_more_often() -> None:
    counts = [preset_settings(preset, "embedder", 2_000, 0).evaluations for preset in PRESETS]
    assert counts == sorted(set(counts))
