"""Training settings, declared once: they become the form, ``--set key=value``, job.json and docs/training.md.

Each field says its unit, its group and what more of it does. A preset fills the fields that depend on the
collection's size and on how long the user wants to wait.
"""

from __future__ import annotations

import typing
from typing import Any, Literal

from pydantic import ConfigDict, ValidationError

from workbench.errors import WorkbenchError
from workbench.settings.conflicts import ModelFacts, asks_for_a_device, conflicts
from workbench.settings.declare import GROUPS
from workbench.settings.learning import BatchSettings, LearningSettings, TimeSettings, WatchingSettings
from workbench.settings.lesson import OBJECTIVES, LearntSettings, NegativesSettings, ObjectiveSettings
from workbench.settings.machine import InputSettings, MemorySettings

__all__ = [
    "GROUPS",
    "KINDS",
    "OBJECTIVES",
    "PRESETS",
    "PRESET_WORDS",
    "Kind",
    "ModelFacts",
    "Preset",
    "TrainSettings",
    "asks_for_a_device",
    "check_settings",
    "conflicts",
    "is_list",
    "parse_overrides",
]

Kind = Literal["embedder", "reranker", "late-interaction"]
KINDS: tuple[Kind, ...] = ("embedder", "reranker", "late-interaction")
Preset = Literal["quick", "balanced", "best"]
PRESETS: tuple[Preset, ...] = ("quick", "balanced", "best")
PRESET_WORDS: dict[str, tuple[str, str]] = {
    "quick": ("Quick look", "A few passes over the pairs. Tells you whether the data works."),
    "balanced": ("Balanced", "More passes at a gentler pace. What most people want."),
    "best": ("Best quality", "Many passes; the best checkpoint is kept. For the model you ship."),
}


# Pydantic takes the fields of the last base first, so the bases stand in the reverse order of the form.
class TrainSettings(
    WatchingSettings,
    InputSettings,
    MemorySettings,
    LearntSettings,
    NegativesSettings,
    ObjectiveSettings,
    LearningSettings,
    BatchSettings,
    TimeSettings,
):
    """Every setting of a fine-tuning run."""

    model_config = ConfigDict(extra="forbid", validate_default=True)


def check_settings(values: dict[str, Any]) -> TrainSettings:
    """Validate settings; raises WorkbenchError that names every wrong one, what it got and what it takes."""
    try:
        return TrainSettings(**values)
    except ValidationError as error:
        problems = []
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"])
            known = (
                ""
                if problem["loc"][0] in TrainSettings.model_fields
                else f" Known settings: {', '.join(TrainSettings.model_fields)}."
            )
            problems.append(f"{name} = {problem['input']!r}: {problem['msg']}.{known}")
        raise WorkbenchError("Some settings cannot be used:", problems) from error


def is_list(name: str) -> bool:
    """Whether a setting holds several values."""
    field = TrainSettings.model_fields.get(name)
    return field is not None and typing.get_origin(field.annotation) is list


def parse_overrides(pairs: list[str]) -> dict[str, Any]:
    """Read ``--set key=value`` words. Lists are written with commas. Values are checked by `check_settings`."""
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise WorkbenchError(f"“{pair}” is not a setting. Write it as key=value, for example epochs=3.")
        values[key] = [part.strip() for part in value.split(",") if part.strip()] if is_list(key) else value
    return values
