"""Take a model away: a folder that plain Sentence Transformers loads, at the size that was chosen for it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.models.load import load_embedder
from workbench.models.source import find
from workbench.models.starter import starter_folder
from workbench.workspace import Workspace, new_folder, read_json, write_json

CONFIG = "config_sentence_transformers.json"


def export_model(workspace: Workspace, reference: str, to: Path, dimension: int | None = None) -> dict[str, Any]:
    """Copy a model's folder to `to`, which must not be there yet; {"model", "folder", "kind", "dimension", "bytes"}.

    dimension: the Matryoshka size to which an embedder's vectors are cut from then on; the library reads it as
    `truncate_dim`. Raises WorkbenchError if the model has no such size, is no embedder, or has no files here.
    """
    source = find(workspace, reference)
    folder, kind = source.folder, source.kind
    if folder is None and reference == "starter":
        folder = starter_folder()
    if folder is None:
        raise WorkbenchError(f"“{reference}” has no files of its own here to take away. Choose a run, or a model.")
    if dimension is not None:
        if kind != "embedder":
            raise WorkbenchError(f"“{reference}” is a {kind} model, whose vectors have no size to choose.")
        full = load_embedder(workspace, reference, trust_remote_code=source.trusted).dimension
        if not 1 <= dimension <= full:
            raise WorkbenchError(f"“{reference}” has {full} dimensions. Choose a whole number from 1 to {full}.")
    with new_folder(to) as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        if dimension is not None:
            config = read_json(copy / CONFIG) or {}
            write_json(copy / CONFIG, {**config, "truncate_dim": dimension})
            _say_size(copy / "README.md", dimension)
    size = sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
    return {"model": reference, "folder": str(to), "kind": kind, "dimension": dimension, "bytes": size}


def _say_size(card: Path, dimension: int) -> None:
    text = card.read_text(encoding="utf-8") if card.exists() else ""
    said = f"Its vectors are cut to the first {dimension} numbers (`truncate_dim`); compare them by cosine similarity."
    card.write_text(f"{text.rstrip()}\n\n{said}\n".lstrip(), encoding="utf-8")
