from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from workbench.errors import WorkbenchError
from workbench.workspace import (
    check_name,
    default_root,
    disk_full_in_words,
    is_disk_full,
    new_folder,
    open_workspace,
    propose_name,
    read_json,
    write_json,
)


@pytest.mark.parametrize("name", ["a", "emoji-1", "0.5b_v2", "a" * 64])
def test_names_of_small_letters_digits_dots_dashes_and_underscores_are_allowed(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "..", ".hidden", "-x", "A", "a b", "a/b", "a\\b", "a\n", "é", "a" * 65, "../x", "x\0", None, 3]
)
def test_every_other_name_is_refused_in_words(name, workspace):
    with pytest.raises(WorkbenchError, match="cannot be the name of a run"):
        workspace.run(name)


def test_proposed_names_are_allowed_and_free():
    assert propose_name("My Photos (2024)") == "my-photos-2024"
    assert propose_name("写真") == "data"
    assert propose_name("..") == "data"
    assert propose_name("demo-lr-0.5", {"demo-lr-0.5"}) == "demo-lr-0.5-2"
    assert propose_name("pairs", {"pairs", "pairs-2"}) == "pairs-3"
    for text in ("x" * 300, "--", "../../etc/passwd", "Ünïcode"):
        assert check_name(propose_name(text, {propose_name(text)}))


def test_opening_makes_the_folders_and_the_schema_once(tmp_path):
    workspace = open_workspace(tmp_path / "new")
    assert read_json(workspace.root / "workspace.json") == {"schema": 1}
    workspace.run("kept").mkdir()
    assert open_workspace(workspace.root).run("kept").is_dir()
    folders = ("collections", "runs", "jobs", "index", "evaluations", "exports", "locks")
    assert all((workspace.root / folder).is_dir() for folder in folders)


def test_the_workspace_comes_from_the_environment_when_nobody_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_WORKSPACE", str(tmp_path / "named"))
    assert open_workspace().root == tmp_path / "named"
    monkeypatch.delenv("WORKBENCH_WORKSPACE")
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.chdir(tmp_path)
    assert default_root() == Path("workspace") and open_workspace().root == tmp_path / "workspace"


@pytest.mark.parametrize("schema", [2, 0, "1", None])
def test_a_workspace_of_another_format_is_refused_and_not_guessed_at(tmp_path, schema):
    (tmp_path / "workspace.json").write_text(json.dumps({"schema": schema}))
    with pytest.raises(WorkbenchError, match="reads format 1"):
        open_workspace(tmp_path)


def test_a_workspace_that_cannot_be_used_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkbenchError, match="Choose another folder with --workspace"):
        open_workspace(tmp_path / "file")
    (tmp_path / "workspace.json").write_text("{half")
    with pytest.raises(WorkbenchError, match="cannot be used"):
        open_workspace(tmp_path)


def test_json_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError):
        write_json(path, {"a": float("nan")})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    assert os.listdir(tmp_path) == ["value.json"]  # no temporary file stays behind
    assert read_json(tmp_path / "none.json") is None


def test_what_is_missing_reads_as_none(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert read_json(tmp_path / "none.json") is None
    assert read_json(tmp_path / "notes.txt" / "card.json") is None


def test_a_new_folder_appears_whole_or_not_at_all(tmp_path):
    final = tmp_path / "deep" / "final"
    with pytest.raises(KeyError), new_folder(final) as folder:
        (folder / "half").write_text("x")
        raise KeyError
    assert os.listdir(final.parent) == []
    with new_folder(final) as folder:
        (folder / "whole").write_text("x")
        assert not final.exists()
    assert os.listdir(final.parent) == ["final"] and os.listdir(final) == ["whole"]
    with pytest.raises(WorkbenchError, match="already something named “final”"), new_folder(final):
        pass


def test_a_full_disk_is_told_in_words_and_leaves_nothing(tmp_path):
    with pytest.raises(WorkbenchError, match="is full"), new_folder(tmp_path / "final"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_recognised_however_a_library_wraps_it():
    try:
        try:
            raise OSError(errno.EDQUOT, "quota")
        except OSError as inner:
            raise RuntimeError("could not save") from inner
    except RuntimeError as error:
        assert is_disk_full(error)
    assert is_disk_full(RuntimeError("lance error: LanceError(IO): No space left on device (os error 28)"))
    assert not is_disk_full(OSError(errno.EACCES, "denied")) and not is_disk_full(None)
    with pytest.raises(ValueError), disk_full_in_words(Path(".")):
        raise ValueError
