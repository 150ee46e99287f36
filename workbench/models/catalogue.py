"""The models that the workbench recommends, as data, and what can be said of any model without loading it.

Figures in catalogue.json are those of the models' own cards.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.models.added import added_model
from workbench.models.checkpoint import RUN, model_folder, run_name
from workbench.models.families import catalogue_data, family_of
from workbench.models.remote import PREFIX as REMOTE
from workbench.models.remote import described, remote_model
from workbench.models.source import HUB_ID, find, kind_of
from workbench.workspace import Workspace, read_json


@dataclass(frozen=True)
class CatalogueEntry:
    """One model. `dimension` is None for rerankers; `packages` are needed beyond requirements.txt."""

    reference: str
    kind: str
    modalities: list[str]
    dimension: int | None
    parameters: int
    licence: str
    words: str
    prompts: dict[str, str] = field(default_factory=dict)
    packages: list[str] = field(default_factory=list)


@cache
def entries() -> tuple[CatalogueEntry, ...]:
    """All models of the catalogue, the starters first."""
    rows = catalogue_data()["models"]
    return tuple(CatalogueEntry(**row, prompts=family_of(row["reference"]).prompts) for row in rows)


def entry(reference: str) -> CatalogueEntry | None:
    """The catalogue's entry of a reference, or None."""
    return next((one for one in entries() if one.reference == reference), None)


def describe(workspace: Workspace, reference: str, _followed: tuple[str, ...] = ()) -> dict[str, Any]:
    """What is known of a model without loading its weights or asking the network.

    {"reference", "kind", "modalities", "dimension", "parameters", "licence", "words", "prompts", "packages"}, unknown
    values being None or empty. Raises WorkbenchError for a reference that can be none.
    """
    reference = reference.strip()
    known = entry(reference)
    if known is not None:
        return asdict(known)
    if (added := added_model(workspace, reference)) is not None:
        return {key: getattr(added, key) for key in CatalogueEntry.__dataclass_fields__}
    if reference.startswith(REMOTE):
        return described(remote_model(workspace, reference))
    about: dict[str, Any] = {
        "reference": reference,
        "kind": "embedder",
        "modalities": [],
        "dimension": None,
        "parameters": None,
        "licence": "",
        "words": "",
        "prompts": {},
        "packages": [],
    }
    if reference.startswith(RUN):
        folder = model_folder(workspace, reference)
        job = read_json(workspace.run(run_name(reference)) / "job.json")
        origin = str(job["spec"]["model"])
        # A run's name may have been given again since: two runs can name each other.
        known_base = {} if origin in _followed else describe_base(workspace, origin, (*_followed, reference))
        about |= {key: known_base[key] for key in ("modalities", "dimension", "licence") if key in known_base}
        about["words"] = f"Fine-tuned from {origin} on {job['spec']['collection']}."
    elif Path(reference).expanduser().is_dir():
        folder = Path(reference).expanduser()
        find(workspace, reference)
    elif HUB_ID.fullmatch(reference):
        return about
    else:
        find(workspace, reference)
        raise WorkbenchError(f"There is no model “{reference}”.")
    return about | {"kind": kind_of(folder), "parameters": count_parameters(folder)}


def check_trainable(workspace: Workspace, reference: str) -> None:
    """Raise WorkbenchError if no run can start from this model, with the reason of its family."""
    if reference.startswith(REMOTE):
        raise WorkbenchError(
            f"“{reference}” lies behind an address, so it cannot be trained here. Choose a model with its own weights."
        )
    added = added_model(workspace, reference)
    folder = workspace.root / added.folder if added and added.folder else Path(reference).expanduser()
    reason = family_of(reference, folder if folder.is_dir() else None).untrainable
    if reason:
        raise WorkbenchError(f"“{reference}” cannot be trained. {reason}")


def describe_base(workspace: Workspace, reference: str, _followed: tuple[str, ...] = ()) -> dict[str, Any]:
    """As `describe`, but of a model that may be gone by now: then nothing is known of it."""
    try:
        return describe(workspace, reference, _followed)
    except WorkbenchError:
        return {}


def count_parameters(folder: Path) -> int:
    """The parameters in a folder's safetensors files, read from their headers alone."""
    total = 0
    for path in folder.rglob("*.safetensors"):
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        for name, tensor in header.items():
            if name != "__metadata__":
                count = 1
                for size in tensor["shape"]:
                    count *= size
                total += count
    return total
