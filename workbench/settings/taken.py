"""Which kinds of run and which objectives make use of a setting; set for any other, it would silently do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.settings.lesson import OBJECTIVES

if TYPE_CHECKING:
    from workbench.settings import TrainSettings

# How an objective's batch can be read with the same result: by the loss itself in mini-batches, or in pieces whose
# gradients are averaged. Every other one compares the whole batch at once.
BY_LOSS: dict[str, tuple[str, ...]] = {
    "embedder": ("contrastive", "contrastive-guided", "graded"),
    "reranker": ("contrastive", "lambda", "listwise"),
    "late-interaction": ("contrastive", "distillation"),
}
IN_PIECES: dict[str, tuple[str, ...]] = {"reranker": ("bce", "distillation")}
# Documents that a teacher scores beside each right one, where the settings name no number.
DISTILLED = 4
TAKEN_BY: dict[str, dict[str, tuple[str, ...]]] = {
    "mini_batch_size": {kind: names + IN_PIECES.get(kind, ()) for kind, names in BY_LOSS.items()},
    "temperature": {
        "embedder": ("contrastive", "contrastive-guided", "similarity", "graded", "distillation"),
        "late-interaction": ("distillation",),
    },
    "matryoshka_dimensions": {"embedder": OBJECTIVES["embedder"]},
    "matryoshka_weights": {"embedder": OBJECTIVES["embedder"]},
    "negatives_per_query": {"reranker": OBJECTIVES["reranker"]},
    "mined_negatives": {
        "embedder": ("contrastive", "contrastive-guided", "margin", "distillation"),
        "late-interaction": OBJECTIVES["late-interaction"],
    },
}
INSTEAD = {
    ("mini_batch_size", "embedder"): "To hold less in memory, lower the batch.",
    ("mini_batch_size", "reranker"): "To hold less in memory, lower the batch.",
    ("negatives_per_query", "embedder"): "Wrong answers beside each pair are Mined negatives.",
    ("negatives_per_query", "late-interaction"): "Wrong answers beside each pair are Mined negatives.",
    ("mined_negatives", "reranker"): "A reranker looks for its own wrong answers: set Negatives per query.",
}


def of_no_use(settings: TrainSettings, kind: str) -> Iterator[tuple[str, str]]:
    """The settings that were set and that a run of this kind and objective has no use for, and what to do.

    While the objective is auto, those that no objective of the kind uses.
    """
    objective = settings.objective
    for name, by_kind in TAKEN_BY.items():
        default = type(settings).model_fields[name].default
        takers = by_kind.get(kind, ())
        if getattr(settings, name) == default or objective in takers or (objective == "auto" and takers):
            continue
        who = f"The objective {objective}" if takers else f"A run of the kind {kind}"
        leave = f"Leave it at {default}." if default != [] else "Leave it empty."
        yield name, " ".join(part for part in (f"{who} has no use for this.", INSTEAD.get((name, kind)), leave) if part)
