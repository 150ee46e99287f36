"""Models behind an address, `remote:NAME`: what the workspace keeps of them in remotes.json. Never their keys."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from workbench.errors import WorkbenchError
from workbench.models.remote_address import check_address, host_of, is_near
from workbench.models.remote_shapes import Shape, shape_named
from workbench.workspace import Workspace, check_name, read_json, write_json

PREFIX = "remote:"
Stripped = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]
SIDES = ("query", "document")


class Remote(BaseModel):
    """One model behind an address.

    dimension: what it is asked for, None for what it gives. size: what it gave when it was checked. prompts: put before
    the texts of a side. fields: put into the requests of a side as they are. price: of a million tokens, in any
    currency. key_variable: the environment variable with its key, "" for the one that belongs to its host.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    shape: str
    address: str
    model: Stripped = ""
    dimension: int | None = Field(None, ge=1, le=65536)
    modalities: tuple[str, ...] = ("text",)
    prompts: dict[str, str] = {}
    fields: dict[str, dict[str, Any]] = {}
    batch_size: int = Field(0, ge=0, le=10_000)
    at_once: int = Field(4, ge=1, le=64)
    a_minute: int = Field(0, ge=0)
    longest_text: int = Field(0, ge=0)
    price: float | None = Field(None, ge=0)
    key_variable: str = Field("", pattern=r"^([A-Z_][A-Z0-9_]{0,63})?$")
    unencrypted: bool = False
    size: int | None = None

    @field_validator("prompts", "fields")
    @classmethod
    def _by_side(cls, value: dict[str, Any]) -> dict[str, Any]:
        if unknown := set(value) - set(SIDES):
            raise ValueError(f"there is no side “{sorted(unknown)[0]}”; it is {' or '.join(SIDES)}")
        return {side: told for side, told in value.items() if told}

    @property
    def reference(self) -> str:
        return PREFIX + self.name

    @property
    def described_shape(self) -> Shape:
        return shape_named(self.shape)

    @property
    def kind(self) -> str:
        return self.described_shape.kind

    @property
    def host(self) -> str:
        """Who gets what is sent."""
        return host_of(self.address)

    @property
    def asymmetric(self) -> bool:
        """Whether a query and a document of the same content may get different vectors."""
        told = [(self.prompts.get(side, ""), self.fields_of(side)) for side in SIDES]
        return told[0] != told[1]

    def fields_of(self, side: str) -> dict[str, Any]:
        """What a request of this side holds beside the model and the items: the shape's own, and the user's."""
        return {**self.described_shape.fields.get(side, {}), **self.fields.get(side, {})}

    @property
    def fingerprint(self) -> str:
        """Changes with whatever may change a vector. Other weights behind the same address cannot be seen."""
        told: list[Any] = [self.shape, self.address, self.model, self.dimension, self.longest_text]
        told += [[self.prompts.get(side, ""), self.fields_of(side)] for side in SIDES]
        return hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8).hexdigest()


def remote_of(values: dict[str, Any]) -> Remote:
    """A description from a form, a command or remotes.json, checked. Raises WorkbenchError in words."""
    try:
        remote = Remote(**values)
    except ValidationError as error:
        raise WorkbenchError("This remote model cannot be used.", [_problem(one) for one in error.errors()]) from None
    check_name(remote.name, "model")
    shape = shape_named(remote.shape)
    address = check_address(remote.address, shape.advice(remote.name), shape.paths)
    if shape.needs_model and not remote.model:
        raise WorkbenchError(f"Name the model as {host_of(address)} knows it, with --model.")
    if unread := set(remote.modalities) - set(shape.reads):
        can = ", ".join(shape.reads)
        raise WorkbenchError(f"An endpoint of the shape {shape.name} takes {can}, not {', '.join(sorted(unread))}.")
    if any(re.search("api.?key|secret|password|authorization", name, re.I) for name in _field_names(remote)):
        raise WorkbenchError("A field of a request must hold no key: it would be kept on the disk.")
    if taken := _field_names(remote) & set(shape.ours):
        raise WorkbenchError(f"The field “{sorted(taken)[0]}” is filled in by the workbench. Leave it out.")
    if address.startswith("http:") and not is_near(host_of(address)) and not remote.unencrypted:
        raise WorkbenchError(
            f"What is sent to {host_of(address)} could be read on the way. Use its https address; or, if you know that "
            "the way is safe, say so in a terminal with --allow-unencrypted."
        )
    return remote.model_copy(update={"address": address})


def remotes(workspace: Workspace) -> list[Remote]:
    """The workspace's remote models, in the order they were added."""
    try:
        return [Remote(**row) for row in _rows(workspace)]
    except (ValidationError, TypeError):
        raise _damaged(workspace) from None


def remote_model(workspace: Workspace, reference: str) -> Remote:
    """The remote model of a `remote:NAME`. Raises WorkbenchError if there is none."""
    name = check_name(reference.removeprefix(PREFIX), "model")
    found = next((one for one in remotes(workspace) if one.name == name), None)
    if found is None:
        raise WorkbenchError(
            f"There is no remote model “{name}”. To describe one: python -m workbench models remote add {name} "
            "--shape openai --url URL --model M"
        )
    return found


def add_remote(workspace: Workspace, values: dict[str, Any]) -> Remote:
    """Keep a description; nothing is sent. Raises WorkbenchError if it cannot be used, or the name is taken.

    A name is never given another address: vectors, and keys handed to a job, are known by it.
    """
    remote = remote_of(values)
    with _lock(workspace):
        rows = _rows(workspace)
        if any(row["name"] == remote.name for row in rows):
            raise WorkbenchError(f"There is a remote model “{remote.name}” already. Choose another name, or remove it.")
        _write(workspace, [*rows, remote.model_dump(mode="json", exclude_defaults=True)])
    return remote


def remove_remote(workspace: Workspace, name: str) -> None:
    """Forget a remote model; its evaluations and vectors stay. Raises WorkbenchError if there is none."""
    remote = remote_model(workspace, name)
    with _lock(workspace):
        _write(workspace, [row for row in _rows(workspace) if row["name"] != remote.name])


def note_size(workspace: Workspace, name: str, size: int) -> None:
    """Keep how many numbers a vector of a remote model was found to have."""
    with _lock(workspace):
        _write(workspace, [row | ({"size": size} if row["name"] == name else {}) for row in _rows(workspace)])


def described(remote: Remote) -> dict[str, Any]:
    """What `catalogue.describe` says of a remote model."""
    return {
        "reference": remote.reference,
        "kind": remote.kind,
        "modalities": list(remote.modalities),
        "dimension": (remote.dimension or remote.size) if remote.kind == "embedder" else None,
        "parameters": None,
        "licence": "",
        "words": f"{remote.model or 'A model'} at {remote.host}, which gets what is sent to it.",
        "prompts": dict(remote.prompts),
        "packages": [],
    }


def _field_names(remote: Remote) -> set[str]:
    return {name for told in remote.fields.values() for name in told}


def _problem(found: Any) -> str:
    place = ".".join(map(str, found["loc"]))
    if place == "key_variable":
        # What was written there may be the key itself.
        return "key_variable: write the name of an environment variable, such as MY_KEY, never the key."
    return f"{place}: {found['msg']}."


def _rows(workspace: Workspace) -> list[dict[str, Any]]:
    try:
        return [dict(row) for row in (read_json(_path(workspace)) or {}).get("remotes", [])]
    except (ValueError, TypeError, AttributeError):
        raise _damaged(workspace) from None


def _damaged(workspace: Workspace) -> WorkbenchError:
    return WorkbenchError(f"The list of remote models, {_path(workspace)}, is damaged. Put it right, or delete it.")


def _path(workspace: Workspace) -> Path:
    return workspace.root / "remotes.json"


def _write(workspace: Workspace, rows: list[dict[str, Any]]) -> None:
    write_json(_path(workspace), {"remotes": rows})


def _lock(workspace: Workspace) -> FileLock:
    return FileLock(workspace.locks / "remotes.lock")
