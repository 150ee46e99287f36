"""What dry runs have measured, kept in the workspace's fits/: one small file for each configuration and device.

A configuration is the model's files, the collection's version, and every setting that memory or the time of a step
depends on. A run that may choose its mini-batch takes it from here.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.models.added import PREFIX as ADDED
from workbench.models.added import added_folder
from workbench.models.checkpoint import RUN, model_folder
from workbench.models.source import HUB_ID, STARTERS
from workbench.models.starter import starter_folder
from workbench.settings import TrainSettings
from workbench.workspace import Workspace, read_json, write_json

# Settings on which neither the memory nor the time of a step depends; every other one is part of the configuration.
WITHOUT_WEIGHT = frozenset(
    {
        "epochs",
        "max_steps",
        "early_stopping",
        "gradient_accumulation",
        "learning_rate",
        "part_learning_rates",
        "schedule",
        "warmup_ratio",
        "weight_decay",
        "max_grad_norm",
        "temperature",
        "hardness",
        "matryoshka_weights",
        "lora_alpha",
        "lora_dropout",
        "lora_rank_stabilised",
        "evaluations",
        "device",
        "loader_workers",
        "seed",
        "tracker",
    }
)


@dataclass(frozen=True)
class Measurement:
    """One dry run.

    peak_bytes: of the device at `mini_batch_size`, with the longest examples. seconds_per_batch: of ordinary examples.
    scoring_seconds, quick_seconds: of one scoring of all held-out queries, and of one during the run. points:
    (mini-batch, peak bytes) as measured. device: its name; device_bytes: what it had to give.
    """

    peak_bytes: int
    seconds_per_batch: float
    mini_batch_size: int
    scoring_seconds: float
    quick_seconds: float
    points: list[list[int]]
    device: str
    device_bytes: int
    measured_at: float


def configuration(workspace: Workspace, spec: dict[str, Any]) -> str:
    """A name for all that a measurement depends on but the device; the same for equal configurations."""
    settings = {name: value for name, value in spec["settings"].items() if name not in WITHOUT_WEIGHT}
    parts = [
        spec["kind"],
        model_files(workspace, spec["model"]),
        spec["collection_fingerprint"],
        spec.get("objective"),
        spec.get("first_stage"),
        settings,
    ]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()


def model_files(workspace: Workspace, reference: str) -> str:
    """A mark of a model's files that is made at once, without reading weights or asking the network.

    Their names, sizes and times; of a model on the Hub the commit that lies on this computer, or nothing yet.
    """
    folder = local_folder(workspace, reference)
    if folder is None:
        return reference
    if HUB_ID.fullmatch(reference):
        return f"{reference}@{folder.name}"
    digest = hashlib.blake2b(reference.encode() if reference in STARTERS else b"", digest_size=8)
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".safetensors", ".json"):
            told = path.stat()
            digest.update(f"{path.relative_to(folder)}:{told.st_size}:{told.st_mtime_ns};".encode())
    return digest.hexdigest()


def local_folder(workspace: Workspace, reference: str) -> Path | None:
    """Where a model's files lie on this computer; None of one that would have to be fetched, or that is no model."""
    if reference in STARTERS:
        return starter_folder()
    try:
        if reference.startswith(RUN):
            return model_folder(workspace, reference)
        if reference.startswith(ADDED):
            return added_folder(workspace, reference)
    except WorkbenchError:
        return None
    path = Path(reference).expanduser()
    if path.is_dir():
        return path
    if not HUB_ID.fullmatch(reference):
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(reference, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def keep(workspace: Workspace, spec: dict[str, Any], measurement: Measurement) -> None:
    """Write a measurement down; an earlier one of the same configuration and device is replaced."""
    workspace.fits.mkdir(exist_ok=True)
    device = hashlib.blake2b(measurement.device.encode(), digest_size=4).hexdigest()
    write_json(workspace.fits / f"{configuration(workspace, spec)}-{device}.json", asdict(measurement))


def known(workspace: Workspace, spec: dict[str, Any], device: str | None = None) -> Measurement | None:
    """The newest measurement of a configuration, on the device of this name or on whichever; None where none is."""
    found = []
    for path in workspace.fits.glob(f"{configuration(workspace, spec)}-*.json"):
        try:
            told = read_json(path)
            found.append(Measurement(**{name: told[name] for name in Measurement.__dataclass_fields__}))
        except (ValueError, TypeError, KeyError):  # of another version, or damaged: it is measured again
            continue
    fitting = [one for one in found if device in (None, one.device)]
    return max(fitting, key=lambda one: one.measured_at, default=None)


def with_measured_mini_batch(workspace: Workspace, spec: dict[str, Any], settings: TrainSettings) -> TrainSettings:
    """The settings with the mini-batch that was measured to fit, where the run may choose it and there is a figure."""
    if settings.mini_batch_size:
        return settings
    found = known(workspace, spec, device_name())
    return settings.model_copy(update={"mini_batch_size": found.mini_batch_size}) if found else settings


def device_name() -> str:
    """The name of the device that a run here computes on, such as `NVIDIA H200` or `cpu, 2 cores`."""
    import torch

    from workbench.models.load import best_device

    kind = best_device()
    if kind == "cuda":
        return str(torch.cuda.get_device_name())
    return f"{kind}, {os.cpu_count() or 1} cores"
