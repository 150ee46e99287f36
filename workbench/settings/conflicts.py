"""Settings that cannot work with another, with the device or with the model, in words and before the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.settings import TrainSettings


@dataclass(frozen=True)
class ModelFacts:
    """What of a model decides which settings work with it. None and empty mean unknown."""

    kind: str = "embedder"
    modalities: tuple[str, ...] = ()
    dimension: int | None = None


def conflicts(
    settings: TrainSettings, *, device: str = "cpu", model: ModelFacts | None = None
) -> list[tuple[str, str]]:
    """The settings that cannot work as they stand: (field, sentence) pairs, in the order of the form.

    device: "cpu", "cuda" or "mps". model: what is known of the base model.
    """
    found: list[tuple[str, str]] = []
    if settings.precision == "fp16" and device == "cpu":
        found.append(("precision", "fp16 needs a GPU, and there is none here. Choose auto, fp32 or bf16."))
    return found
