"""The number format that a run computes in: its steps and its scorings alike, so that all of them can be compared."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from workbench.errors import WorkbenchError
from workbench.models.load import best_device
from workbench.settings import TrainSettings


def half_format(settings: TrainSettings) -> str | None:
    """`bf16` or `fp16` where steps compute in it, None where they compute in 32 bits.

    Raises WorkbenchError for a format that the device has not.
    """
    device = best_device()
    if settings.precision == "fp16" and device == "cpu":
        raise WorkbenchError("The number format fp16 needs a GPU, and there is none here. Choose auto, fp32 or bf16.")
    if words := lacks_format(settings):
        raise WorkbenchError(words)
    if settings.precision == "auto":
        return "bf16" if device == "cuda" and computes_bf16() else None
    return settings.precision if settings.precision != "fp32" else None


def lacks_format(settings: TrainSettings) -> str:
    """Why the GPU here cannot compute in bf16, where that is asked of it; empty where nothing is in the way."""
    if settings.precision != "bf16" or best_device() != "cuda" or computes_bf16():
        return ""
    return "This GPU cannot compute in bf16, it would only imitate it. Choose auto, fp32 or fp16."


def computes_bf16() -> bool:
    """Whether the GPU itself computes in bf16: older ones imitate it, more slowly than they compute in 32 bits."""
    import torch

    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)


def computing(settings: TrainSettings) -> AbstractContextManager[Any]:
    """Within it a model computes as it does in the steps of a run with these settings."""
    import torch

    half = half_format(settings)
    formats = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return torch.autocast(best_device(), dtype=formats.get(half or ""), enabled=half is not None)


def learns_in_full(settings: TrainSettings) -> bool:
    """Whether all weights must be held in 32 bits: a base that only carries adapters may stay as it was saved, where
    the steps compute in half precision anyway."""
    return not settings.lora_rank or half_format(settings) is None
