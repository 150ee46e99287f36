"""Presets: settings that fit a collection's size, a model and a device, for somebody who wants to choose none."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.errors import WorkbenchError
from workbench.models.join import never_trained
from workbench.models.vectors import halvings
from workbench.settings import (
    PRESETS,
    Kind,
    ModelFacts,
    TrainSettings,
    asks_for_a_device,
    check_settings,
    conflicts,
)
from workbench.training.precision import lacks_format
from workbench.training.shape import Shape
from workbench.workspace import Workspace

SMALL_MODEL_PARAMETERS = 10_000_000
# Steps that a run takes at least and at most, by preset: a small collection is passed over more often.
STEPS = {"quick": (150, 400), "balanced": (400, 2_000), "best": (1_000, 10_000)}
EPOCHS = {"quick": 1.0, "balanced": 3.0, "best": 8.0}
# A longer run on little data begins to learn it by heart: its best moment is found only by looking often enough.
EVALUATIONS = {"quick": 5, "balanced": 10, "best": 20}
# A joined model learns its new projections alone for this share of its first run, and at a rate of their own.
FIRST_SHARE, PROJECTION_RATE = 0.3, 1e-3
# A second stage must tell near misses apart, each time another one: it wants more passes, and its steps are cheaper.
SECOND_STAGE_FACTOR = 4
# How many times the steps there may be where the batches are smaller than they should be.
SMALLER_STEPS = 3


def preset_settings(
    preset: str,
    kind: Kind,
    pairs: int,
    parameters: int,
    overrides: dict[str, Any] | None = None,
    most_in_a_batch: int = 0,
) -> TrainSettings:
    """The settings of a preset.

    pairs: training pairs of the collection; parameters: of the model, 0 if unknown; overrides: what the user set.
    most_in_a_batch: the most pairs that a batch without conflicts can hold, 0 if any may meet. The smaller batches that
    this makes are cheaper steps, and there are more of them: as many pairs are seen, up to three times the steps.
    Raises WorkbenchError for an unknown preset or setting.
    """
    if preset not in PRESETS:
        raise WorkbenchError(f"There is no preset “{preset}”. Choose {', '.join(PRESETS)}.")
    small = 0 < parameters < SMALL_MODEL_PARAMETERS
    batch = 32 if kind == "late-interaction" else 128 if small else 64
    whole = max(2, min(batch, pairs // 4))
    crowded = bool(most_in_a_batch) and kind != "reranker"
    batch = max(2, min(whole, most_in_a_batch)) if crowded else whole
    least, most = STEPS[preset]
    more = 1 if kind == "embedder" else SECOND_STAGE_FACTOR
    steps = min(max(EPOCHS[preset] * more * pairs / whole, least), most * more)
    steps = min(steps * whole / batch, SMALLER_STEPS * most * more)
    values: dict[str, Any] = {
        "batch_size": batch,
        "epochs": round(steps * batch / max(pairs, 1), 2),
        "learning_rate": _learning_rate(kind, small),
        "evaluations": EVALUATIONS[preset],
    }
    if kind == "late-interaction":
        values["max_grad_norm"] = 30.0
    if small:
        values["weight_decay"] = 0.01
    return check_settings(values | (overrides or {}))


def learnt_from(collection: Collection, shape: Shape) -> tuple[int, int]:
    """How many pairs a pass goes over, and the most of them in a batch: 0 where any may meet.

    What is wrong stands beside a pair and is none itself, unless few of the single pairs judged are right. In-batch
    learning wants no query and no document twice in a batch.
    """
    if shape.is_float or shape.has_few_right:
        return shape.told, 0
    judged = collection.judged("train")
    right = judged.scores > 0
    return int(right.sum()), min(len(np.unique(rows[right])) for rows in (judged.queries, judged.documents))


def first_lesson(workspace: Workspace, model: str, kind: str, overrides: dict[str, Any] | None) -> dict[str, Any]:
    """The settings that a model joined here needs in its first run, with those that the user set; else those alone."""
    told = dict(overrides or {})
    if kind != "embedder" or str(told.get("lora_rank") or 0) != "0" or not never_trained(workspace, model):
        return told
    return {"thaw_after": FIRST_SHARE, "part_learning_rates": [f"projections={PROJECTION_RATE}"], **told}


def conflicts_here(settings: TrainSettings, kind: str, about: dict[str, Any]) -> list[tuple[str, str]]:
    """The settings that cannot work on this machine with this model: (field, sentence) pairs, as `conflicts` gives.

    about: what `describe` says of the model. A device is looked for only where a setting asks for one.
    """
    from workbench.models.load import best_device

    dimension = about.get("dimension")
    facts = ModelFacts(
        kind, tuple(about.get("modalities") or ()), dimension, tuple(halvings(int(dimension))) if dimension else ()
    )
    found = conflicts(settings, device=best_device() if asks_for_a_device(settings) else "cpu", model=facts)
    return [*found, *([("precision", words)] if (words := lacks_format(settings)) else [])]


def check_conflicts(settings: TrainSettings, kind: str, about: dict[str, Any]) -> None:
    """Raise WorkbenchError that names every setting that cannot work, and why."""
    if found := conflicts_here(settings, kind, about):
        titles = {name: field.title for name, field in TrainSettings.model_fields.items()}
        raise WorkbenchError(
            "Some settings cannot work together:", [f"{titles[name]} ({name}): {words}" for name, words in found]
        )


def _learning_rate(kind: Kind, small: bool) -> float:
    """A small model made from configuration learns at a rate that would wreck a large pretrained one."""
    if small:
        return 5e-4 if kind == "reranker" else 1e-3
    return 2e-5
