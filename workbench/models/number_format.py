"""The number format of a model's weights: the one its checkpoint is kept in, and the one it learns in.

A step of the optimizer is smaller than what half a precision can tell apart, so weights that learn are held in 32 bits,
whatever their checkpoint has. What is written afterwards has the format that was read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STORED = "workbench_stored_format"
HALVES = {"float16", "bfloat16", "F16", "BF16"}
NAMES = {"F16": "float16", "BF16": "bfloat16"}


def remember_format(model: Any) -> None:
    """Note on each trunk of a model that was just loaded in 32 bits the half format that its folder has, if any."""
    for trunk in _trunks(model):
        if found := _format_on_disk(trunk):
            setattr(trunk, STORED, found)


@contextmanager
def in_stored_format(model: Any) -> Iterator[None]:
    """Round the weights to the format that they were read from, for saving them; 32 bits hold them again after it.

    They keep what the rounding took away, so that what is scored next is what was written.
    """
    import torch

    rounded = [trunk for trunk in _trunks(model) if hasattr(trunk, STORED)]
    for trunk in rounded:
        _cast(trunk.parameters(), getattr(torch, getattr(trunk, STORED)))
    first = next(model.parameters(), None)
    if rounded and first is not None:  # opening the folder brings what comes after the trunk to its format
        for module in list(model.children())[1:]:
            _cast(module.parameters(), first.dtype)
    try:
        yield
    finally:
        if rounded:
            _cast(model.parameters(), torch.float32)


def widen_what_learns(model: Any) -> None:
    """Hold every weight that learns in 32 bits: adapters are made in the format of the layer that they are put on."""
    import torch

    _cast((value for value in model.parameters() if value.requires_grad), torch.float32)


def _cast(parameters: Iterable[Any], dtype: Any) -> None:
    """Weights alone: tables that are computed and not saved would not survive the rounding."""
    for value in parameters:
        if value.is_floating_point() and value.dtype != dtype:
            value.data = value.data.to(dtype)


def _trunks(model: Any) -> list[Any]:
    """The models of Transformers within a model, those that are part of another left out."""
    from transformers import PreTrainedModel

    found = [module for module in model.modules() if isinstance(module, PreTrainedModel)]
    inner = {id(module) for trunk in found for module in trunk.modules() if module is not trunk}
    return [trunk for trunk in found if id(trunk) not in inner]


def _format_on_disk(trunk: Any) -> str | None:
    """`float16` or `bfloat16` where the trunk's folder says so, by its configuration or else its first weight."""
    folder = Path(getattr(trunk.config, "_name_or_path", "") or "")
    if not (folder / "config.json").is_file():
        return None
    told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    name = str(told.get("dtype") or told.get("torch_dtype") or _first_weight(folder)).removeprefix("torch.")
    return NAMES.get(name, name) if name in HALVES else None


def _first_weight(folder: Path) -> str:
    """The format of the first weight in the folder's safetensors files, as these files call it; empty if none."""
    for path in sorted(folder.glob("*.safetensors")):
        with open(path, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        formats = [one["dtype"] for name, one in header.items() if name != "__metadata__"]
        if floating := [one for one in formats if one.startswith(("F", "BF"))]:
            return str(floating[0])
    return ""
