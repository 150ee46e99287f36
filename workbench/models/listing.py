"""The catalogue and the user's own models as one list, searched by what they read, their size and their licence."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from workbench.errors import WorkbenchError
from workbench.models.added import added_models
from workbench.models.catalogue import CatalogueEntry, entries
from workbench.models.families import family_of
from workbench.settings import KINDS
from workbench.workspace import Workspace

MODALITIES = ("text", "image", "audio", "video")
WEIGHT_BYTES = 4
# A weight, its gradient and Adam's two averages, all in float32.
TRAINED_WEIGHT_BYTES = 16
# What the libraries and a small batch take beside the weights.
BESIDE_BYTES = 1_000_000_000


def find_models(
    workspace: Workspace,
    *,
    modalities: list[str] | None = None,
    kind: str = "",
    licence: str = "",
    most_parameters: float = 0,
    device_bytes: int | None = None,
) -> list[dict[str, Any]]:
    """The models that fit every condition given, the user's own first.

    modalities: all of them must be read. licence: part of its name, in any case. device_bytes: only those that can be
    trained in so much memory. Each is a row as of `describe`, with "added", "note", and "bytes" to use and to train it.
    Raises WorkbenchError for a modality or a kind that there is not.
    """
    unknown = [modality for modality in modalities or [] if modality not in MODALITIES]
    if unknown:
        raise WorkbenchError(f"There is no modality “{unknown[0]}”. Choose {', '.join(MODALITIES)}.")
    if kind and kind not in KINDS:
        raise WorkbenchError(f"There is no kind of model “{kind}”. Choose {', '.join(KINDS)}.")
    return [
        row
        for row in all_models(workspace)
        if set(modalities or []) <= set(row["modalities"])
        and kind in ("", row["kind"])
        and licence.lower() in row["licence"].lower()
        and (not most_parameters or row["parameters"] <= most_parameters)
        and (device_bytes is None or row["bytes"]["train"] <= device_bytes)
    ]


def all_models(workspace: Workspace) -> list[dict[str, Any]]:
    """Every model once: those that were added, then those of the catalogue."""
    added = {one.reference: one for one in added_models(workspace)}
    fields = CatalogueEntry.__dataclass_fields__
    rows = [{key: getattr(one, key) for key in fields} | {"added": True} for one in added.values()]
    rows += [asdict(one) | {"added": False} for one in entries() if one.reference not in added]
    return [
        row | {"note": family_of(row["reference"]).note, "bytes": memory_bytes(int(row["parameters"]))} for row in rows
    ]


def memory_bytes(parameters: int) -> dict[str, int]:
    """About how much memory a model takes, {"use", "train"}: its weights and what lies beside them, all trained.

    Without the activations, which depend on the batch: a run needs more than this, never less.
    """
    return {
        "use": WEIGHT_BYTES * parameters + BESIDE_BYTES,
        "train": TRAINED_WEIGHT_BYTES * parameters + BESIDE_BYTES,
    }


def device_memory() -> int:
    """The bytes of the GPU's memory, or of this computer's where there is no GPU."""
    import psutil
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(0).total_memory)
    return int(psutil.virtual_memory().total)
