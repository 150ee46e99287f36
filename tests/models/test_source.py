"""Where models come from, and the words for when they do not."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
from huggingface_hub.errors import GatedRepoError, HTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

from workbench.errors import WorkbenchError
from workbench.models.source import find, fingerprint_folder, typed_reference
from workbench.models.starter import starter_folder
from workbench.workspace import Workspace


def test_a_folder_that_is_no_model_is_refused_in_words(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    with pytest.raises(WorkbenchError, match=r"“holiday” is no model: it has neither modules\.json nor config\.json"):
        find(workspace, str(tmp_path / "holiday"))


def test_weights_in_a_pickle_format_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "old" / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(WorkbenchError, match="has no safetensors weights"):
        find(workspace, str(tmp_path / "old"))


@pytest.mark.parametrize("reference", ["nonsense", "", "../../etc/passwd", "a b/c d", "http://evil.example", "some/.."])
def test_a_reference_that_can_be_no_model_says_what_can(workspace: Workspace, reference: str) -> None:
    with pytest.raises(WorkbenchError, match="Write starter, run:NAME, a folder, or a Hub id"):
        find(workspace, reference)


def test_a_run_name_cannot_leave_the_workspace(workspace: Workspace) -> None:
    with pytest.raises(WorkbenchError, match="cannot be the name of a run"):
        find(workspace, "run:../../outside")


@pytest.mark.parametrize("reference", ["starter", " starter-reranker ", "run:mine", "google/siglip2-base-patch16-224"])
def test_the_page_takes_starters_runs_and_hub_ids(reference: str) -> None:
    assert typed_reference(reference) == reference.strip()


@pytest.mark.parametrize(
    "reference", ["", "/etc", "~", "~/models/mine", "./mine", "../mine", "a/../../etc", "C:\\models", "run:../x", "x"]
)
def test_the_page_takes_no_folder(reference: str) -> None:
    with pytest.raises(WorkbenchError, match=r"cannot be (used on the page|the name of a run)"):
        typed_reference(reference)


def test_a_folder_that_looks_like_a_hub_id_is_not_taken_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkbenchError, match="cannot be used on the page"):
        typed_reference("models/mine")


def test_an_id_that_the_hub_does_not_allow_is_told_in_words(workspace: Workspace) -> None:
    with pytest.raises(WorkbenchError, match="The Hub has no model “a/b--c”"):
        find(workspace, "a/b--c")


def test_a_run_without_a_model_says_its_state(workspace: Workspace) -> None:
    folder = workspace.run("early")
    folder.mkdir()
    (folder / "job.json").write_text("{}")
    (folder / "status.json").write_text('{"state": "running"}')
    with pytest.raises(WorkbenchError, match="has no model yet: it is running"):
        find(workspace, "run:early")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (GatedRepoError, "agree to terms first"),
        (RepositoryNotFoundError, "The Hub has no model"),
        (LocalEntryNotFoundError, "hf download some/model"),
        (OSError, "hf download some/model"),
    ],
)
def test_each_failure_of_the_hub_has_its_remedy(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, error: type[Exception], words: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error.__new__(error)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(WorkbenchError, match=words):
        find(workspace, "some/model")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk that holds .* is full"),
        (HTTPError("slow"), "hf download some/model"),
    ],
)
def test_a_full_disk_and_a_slow_network_are_told_apart(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(WorkbenchError, match=words):
        find(workspace, "some/model")


def test_the_fingerprint_follows_content_and_not_place(tmp_path: Path) -> None:
    shutil.copytree(starter_folder(), tmp_path / "elsewhere")
    assert fingerprint_folder(tmp_path / "elsewhere") == fingerprint_folder(starter_folder())
    config = tmp_path / "elsewhere" / "trunk_1_Pooling" / "config.json"
    config.write_text(config.read_text().replace("mean", "max"))
    assert fingerprint_folder(tmp_path / "elsewhere") != fingerprint_folder(starter_folder())
