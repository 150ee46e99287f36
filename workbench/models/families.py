"""Families of models: the prompts, tasks and pooling that their checkpoints need and do not state themselves.

A family is data in catalogue.json, told by the id on the Hub. What a checkpoint says of itself comes first. A run's
model carries its prompts and pooling in its own settings, so nothing here is needed to load it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.models.refusals import read_settings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SIDES = ("query", "document")
# The names under which a checkpoint may keep the prompt of a side. The library would take an empty `document` first.
PROMPT_NAMES = {"query": ("query",), "document": ("document", "passage", "corpus")}


@dataclass(frozen=True)
class Family:
    """What all checkpoints of a family share.

    hub_ids: a regular expression. prompts: put before each text, by side. tasks: the model's own task of each side,
    where it has adapters. pools_prompt: whether the prompt's tokens count in the pooling. untrainable: why no run can
    start from it, empty where one can.
    """

    name: str
    hub_ids: str
    prompts: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    pools_prompt: bool = True
    note: str = ""
    untrainable: str = ""


NO_FAMILY = Family("", "")


@cache
def catalogue_data() -> dict[str, list[dict[str, Any]]]:
    """catalogue.json: its "families" and its "models"."""
    found: dict[str, list[dict[str, Any]]] = json.loads(
        Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8")
    )
    return found


def family_of(reference: str, folder: Path | None = None) -> Family:
    """The family of a Hub id; `NO_FAMILY` for a run, a folder, or an id that none knows.

    A model with adapters for tasks is known in any `folder`, by the tasks that its config.json names; a folder of the
    Hub's cache by its place.
    """
    config = read_settings(folder / "config.json") if folder else {}
    adapters = set(config.get("lora_adaptations") or [])
    known = _cached_id(folder) if folder else ""
    for row in catalogue_data()["families"]:
        tasks = set(row.get("tasks", {}).values())
        named = any(re.fullmatch(row["hub_ids"], one) for one in (reference, known))
        if named or (tasks and tasks <= adapters):
            return Family(**row)
    return NO_FAMILY


def namesake(folder: Path) -> Family:
    """The family whose models are called as this folder is, wherever it came from; `NO_FAMILY` if there is none."""
    name = folder.resolve().name
    rows = [row for row in catalogue_data()["families"] if re.fullmatch(row["hub_ids"].partition("/")[2], name)]
    return Family(**rows[0]) if rows else NO_FAMILY


def _cached_id(folder: Path) -> str:
    """The Hub id that a folder of the Hub's cache belongs to (models--AUTHOR--NAME/snapshots/COMMIT); else empty."""
    place = folder.resolve().parent.parent.name
    return "/".join(place.split("--")[1:]) if place.startswith("models--") else ""


def fit_to_family(model: SentenceTransformer, family: Family, told: dict[str, str] | None = None) -> str:
    """Give a loaded embedder what its checkpoint does not state, so that its vectors are those it was made for.

    told: prompts that the user gave, by side; for each side they go before the checkpoint's own, and that before the
    family's. All of it is ordinary state of the model: it trains with it and saves it. Returns what was changed, for a
    fingerprint.
    """
    before = dict(model.prompts)
    stated = {side: next(filter(None, map(before.get, names)), "") for side, names in PROMPT_NAMES.items()}
    own = {side: prompt for side, prompt in stated.items() if prompt}
    model.prompts = {**before, **family.prompts, **own, **(told or {})}
    changes = [f"{side}={model.prompts.get(side)}" for side in SIDES if model.prompts.get(side) != before.get(side)]
    if not family.pools_prompt:
        model.set_pooling_include_prompt(False)
        changes.append("prompts are not pooled")
    if any([_pad_as_siglip_does(module) for module in model.modules()]):
        changes.append("padded to the full length")
    return "; ".join([*changes, *family.tasks.values()])


def _pad_as_siglip_does(module: Any) -> bool:
    """SigLIP reads its text vector off the last position, padding included: always at its full length, unmasked.

    Padded to the longest of a batch, as is the default, a text's vector would depend on its neighbours.
    """
    config: Any = getattr(module, "config", None)
    if getattr(config, "model_type", None) not in ("siglip", "siglip2") or not hasattr(module, "processing_kwargs"):
        return False
    length = config.text_config.max_position_embeddings
    kwargs = module.processing_kwargs
    full = {"padding": "max_length", "max_length": length, "truncation": True, "return_attention_mask": False}
    if kwargs.get("text", {}).items() >= full.items():
        return False
    kwargs["text"] = {**full, **kwargs.get("text", {})}
    return True
