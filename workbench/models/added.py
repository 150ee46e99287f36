"""Models that the user added to the catalogue, kept in the workspace's models.json.

A Hub id keeps its id as its reference. A folder gets a name, `added:NAME`, so that the page can offer it though no
path ever comes from the page.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from filelock import FileLock

from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, check_name, propose_name, read_json, write_json

PREFIX = "added:"


@dataclass(frozen=True)
class AddedModel:
    """One added model: what its check found, where it lies, and what the user allowed or told.

    folder: of an `added:NAME`; one that was joined here lies in the workspace, and is named from there. trusted: it may
    run its own code. prompts: the user's, by side, before the model's own.
    """

    reference: str
    kind: str
    modalities: list[str]
    dimension: int | None
    parameters: int
    licence: str = ""
    words: str = ""
    prompts: dict[str, str] = field(default_factory=dict)
    packages: list[str] = field(default_factory=list)
    folder: str = ""
    trusted: bool = False


def added_models(workspace: Workspace) -> list[AddedModel]:
    """The user's models, in the order they were added. Of a row of another version, what this one knows."""
    known = {one.name for one in fields(AddedModel)}
    return [AddedModel(**{name: value for name, value in row.items() if name in known}) for row in _rows(workspace)]


def added_model(workspace: Workspace, reference: str) -> AddedModel | None:
    """The added model of a reference, or of the path of its folder; or None."""
    added = added_models(workspace)
    found = next((one for one in added if one.reference == reference), None)
    if found is not None or not any(one.folder for one in added):
        return found
    path = str(Path(reference).expanduser().resolve())
    return next((one for one in added if one.folder and path == str((workspace.root / one.folder).resolve())), None)


def added_folder(workspace: Workspace, reference: str) -> Path:
    """Where an `added:NAME` lies. Raises WorkbenchError if it was not added, or is gone."""
    check_name(reference.removeprefix(PREFIX), "model")
    found = added_model(workspace, reference)
    if found is None:
        raise WorkbenchError(f"There is no added model “{reference}”. To see them: python -m workbench models")
    folder = workspace.root / found.folder
    if not folder.is_dir():
        raise WorkbenchError(
            f"The folder of “{reference}” is gone: {folder}. Put it back, or type: "
            f"python -m workbench models remove {reference}"
        )
    return folder


def folder_reference(workspace: Workspace, folder: Path) -> str:
    """The `added:NAME` of a folder: the one it has, else a free one made from its name."""
    known = {one.folder: one.reference for one in added_models(workspace)}
    taken = {reference.removeprefix(PREFIX) for reference in known.values()}
    return known.get(str(folder)) or PREFIX + propose_name(folder.name, taken)


def add_model(workspace: Workspace, model: AddedModel) -> None:
    """Keep a model; one of the same reference is replaced."""
    with _lock(workspace):
        rows = [row for row in _rows(workspace) if row["reference"] != model.reference]
        write_json(_path(workspace), {"models": [*rows, asdict(model)]})


def remove_model(workspace: Workspace, reference: str) -> None:
    """Forget an added model; its files stay, unless it was joined here. Raises WorkbenchError if it was not added."""
    with _lock(workspace):
        found = next((one for one in added_models(workspace) if one.reference == reference), None)
        if found is None:
            raise WorkbenchError(f"“{reference}” was not added, so it cannot be removed.")
        rows = [row for row in _rows(workspace) if row["reference"] != reference]
        write_json(_path(workspace), {"models": rows})
    if was_joined(workspace, found):
        shutil.rmtree(workspace.models / reference.removeprefix(PREFIX), ignore_errors=True)


def was_joined(workspace: Workspace, model: AddedModel) -> bool:
    """Whether a model was made here, so that its files go with it."""
    return bool(model.folder) and (workspace.root / model.folder).parent == workspace.models


def _rows(workspace: Workspace) -> list[dict[str, Any]]:
    """The rows as they are written, each with all that a model must have."""
    needed = {"reference", "kind", "modalities", "dimension", "parameters"}
    try:
        value = read_json(_path(workspace))
        rows = [] if value is None else value["models"]
        whole = all(needed <= row.keys() for row in rows)
    except (ValueError, TypeError, KeyError, AttributeError):
        whole = False
    if not whole:
        raise WorkbenchError(
            f"The list of added models, {_path(workspace)}, is damaged. Put it right, or delete it and add them again."
        )
    return list(rows)


def _lock(workspace: Workspace) -> FileLock:
    return FileLock(workspace.locks / "models.lock")


def _path(workspace: Workspace) -> Path:
    return workspace.root / "models.json"
