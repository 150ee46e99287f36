"""Where indexes lie: another folder, an address, a file system that cannot do what an index needs."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index import location as places
from workbench.index import table
from workbench.index.build import build_index
from workbench.index.location import OPTIONS, URI, Location, check_place, location
from workbench.index.registry import get_index, list_indexes, remove_index
from workbench.index.search import Searcher
from workbench.index.verify import verify
from workbench.workspace import Workspace, open_workspace


@pytest.mark.parametrize("address", ["{}", "file://{}"])
def test_an_index_lies_where_the_setting_says(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    address: str,
) -> None:  # fmt: skip
    """It is built, found, searched, looked through and removed there, and nothing of it is in the workspace."""
    elsewhere = tmp_path / "other disk"
    monkeypatch.setenv(URI, address.format(elsewhere).replace(" ", "%20" if "file" in address else " "))
    make_collection(workspace, "words", texts(20))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    card = get_index(workspace, "words")
    assert [path.name for path in elsewhere.glob("*/*.lance")] == [f"{card.table}.lance"]
    assert list(workspace.index.glob("*.lance")) == [] and card.bytes > 0
    assert searcher.search("words", Item(text="document 7"), top=1).hits[0].text == "document 7"
    assert verify(workspace, "words", load_embedder=lambda *_, **__: toy)["ok"]
    remove_index(workspace, "words")
    assert list(elsewhere.glob("*/*.lance")) == [] and list_indexes(workspace) == []


def test_two_workspaces_in_one_place_leave_each_other_alone(
    workspace: Workspace, toy: ToyEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URI, str(tmp_path / "shared"))
    other = open_workspace(tmp_path / "another")
    for one in (workspace, other, workspace):  # each build sweeps what no card of its workspace names
        if not (one.collections / "words").exists():
            make_collection(one, "words", texts(5))
        build_index(one, "words", "words", "toy", embedder=toy)
    assert all(table.open_or_none(table.connect(one), get_index(one, "words").table) for one in (workspace, other))
    assert location(workspace).uri == location(workspace).uri != location(other).uri


def test_an_index_that_lies_where_the_setting_no_longer_points_says_so(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_collection(workspace, "words", texts(5))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    monkeypatch.setenv(URI, str(tmp_path / "elsewhere"))
    with pytest.raises(WorkbenchError, match=rf"are gone from .*/elsewhere/.*, or set {URI} to where they are"):
        searcher.search("words", Item(text="document 1"))
    found = verify(workspace, "words", load_embedder=lambda *_, **__: toy)["findings"]
    assert [one["kind"] for one in found] == ["table"] and "/elsewhere/" in found[0]["words"]
    monkeypatch.setenv(URI, "s3://bucket/x")
    monkeypatch.setattr("lancedb.connect", lambda *_, **__: Unreachable())
    with pytest.raises(WorkbenchError, match="does not answer as it should: refused"):
        verify(workspace, "words")


class Unreachable:
    """A database at an address that does not answer."""

    def open_table(self, name: str) -> None:
        raise RuntimeError("refused")

    def list_tables(self, **_: Any) -> None:
        raise RuntimeError("refused")


def test_options_go_to_the_engine_and_into_no_file_and_no_message(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URI, "s3://bucket/prefix")
    monkeypatch.setenv(OPTIONS, json.dumps({"aws_secret_access_key": "hush-hush", "allow_http": True}))
    place = location(workspace)
    assert place.uri.startswith("s3://bucket/prefix/") and place.folder is None
    assert place.options == {"aws_secret_access_key": "hush-hush", "allow_http": "true"}
    assert "hush" not in repr(place)
    given = {}

    def refuse(uri: str, **options: Any) -> Any:
        given.update(options["storage_options"])
        raise OSError("S3 said: <Error><Code>AccessDenied</Code></Error> for key hush-hush")

    monkeypatch.setattr("lancedb.connect", refuse)
    with pytest.raises(WorkbenchError, match=r"The place s3://bucket/prefix/\w+, .* AccessDenied\. Look at") as told:
        check_place(workspace)
    assert given["aws_secret_access_key"] == "hush-hush"
    assert "hush" not in str(told.value) and told.value.__cause__ is None
    assert not [path for path in workspace.root.rglob("*") if path.is_file() and "hush" in path.read_text()]


def test_what_an_engine_says_is_shortened_to_why_and_holds_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUt")
    place = Location("s3://bucket/x", None, {"aws_access_key_id": "AKIA99", "region": "eu"})
    assert place.without_secrets("AKIA99 and wJalrXUt in eu") == "… and … in eu"
    refused = 'Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }'
    long = f'IO {{ inner: ConnectError("tcp connect error", 127.0.0.1:1, {refused}) }} ' + "x" * 900
    assert places.reason(long) == "Connection refused"
    assert len(places.reason("y" * 900)) == 200


@pytest.mark.parametrize(
    ("uri", "options", "words"),
    [
        ("s3://bucket/x", "{no json", r"is no JSON object"),
        ("s3://bucket/x", '["list"]', r"is no JSON object"),
        ("s3://key:secret@bucket/x", "", r"holds a login or a key"),
        ("s3://bucket/x?secret=1", "", r"holds a login or a key"),
        ("strange://bucket/x", "", r"strange://bucket/x.* does not answer as it should: Valid schemes"),
    ],
)
def test_settings_that_cannot_be_understood_are_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, uri: str, options: str, words: str
) -> None:
    monkeypatch.setenv(URI, uri)
    monkeypatch.setenv(OPTIONS, options)
    with pytest.raises(WorkbenchError, match=words) as told:
        check_place(workspace)
    assert "secret" not in str(told.value).replace("aws_secret", "")


@pytest.mark.parametrize(
    ("call", "words"),
    [("rename", "cannot rename a file"), ("link", r"cannot give a file a second name \(a hard link\)")],
)
def test_a_file_system_that_cannot_rename_or_link_is_named_before_a_model_is_loaded(
    workspace: Workspace, toy: ToyEmbedder, monkeypatch: pytest.MonkeyPatch, call: str, words: str
) -> None:
    make_collection(workspace, "words", texts(5))

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(places.os, call, refuse)
    with pytest.raises(WorkbenchError, match=words) as told:
        build_index(workspace, "words", "words", "no such model")
    assert str(workspace.index) in str(told.value) and URI in str(told.value)
    assert list(workspace.index.glob(".probe*")) == []


def test_a_folder_that_cannot_be_written_is_named(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(places.tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(WorkbenchError, match=r"cannot be written to \(Permission denied\)"):
        check_place(workspace)


def test_a_place_without_files_is_listed_weighed_and_emptied_by_the_engine(tmp_path: Path) -> None:
    """A folder that is not told to be one stands for a bucket: nothing but the engine's own calls is used."""
    import pyarrow as pa

    place = Location(str(tmp_path / "bucket"), None)
    for name in ("b-2", "a-1"):
        place.connect().create_table(name, pa.table({"x": list(range(1000))}))
    assert place.names() == ["a-1", "b-2"] and place.is_there("a-1") and not place.is_there("a-2")
    on_disk = sum(path.stat().st_size for path in (tmp_path / "bucket" / "a-1.lance").rglob("*") if path.is_file())
    assert 0 < place.bytes_of("a-1") <= on_disk
    written = (tmp_path / "bucket" / "a-1.lance" / "_versions").stat().st_mtime
    assert place.last_written("a-1") == pytest.approx(written, abs=60)
    place.drop("a-1")
    place.drop("a-1")
    assert place.names() == ["b-2"]
