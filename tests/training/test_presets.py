"""Presets fit the collection, the model and the kind of run."""

from __future__ import annotations

import pytest

from workbench.errors import WorkbenchError
from workbench.settings import PRESETS, check_settings, parse_overrides
from workbench.training.presets import preset_settings


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
