"""Pushing to a Hub on this machine, by the real client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collection.fake_dataset_hub import COMMIT, Hub, Repo, dataset_hub
from tests.collection.uploads import set_split, text_pairs, text_table
from workbench.collection.editing import edit_collection
from workbench.collection.importing import import_collection
from workbench.collection.pushing import push_collection, run_push
from workbench.collection.store import open_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import create_job_folder
from workbench.workspace import Workspace, write_json

REPO = "maria/birds"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    from huggingface_hub import constants

    with dataset_hub() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield hub


@pytest.fixture(autouse=True)
def pairs(workspace: Workspace, tmp_path: Path) -> None:
    import_collection(workspace, "pairs", text_table(tmp_path / "pairs.csv", text_pairs(20)))


def test_a_push_is_private_and_holds_the_export(workspace: Workspace, hub: Hub) -> None:
    result = push_collection(workspace, "pairs", REPO)
    assert result["private"] and result["commit"] == COMMIT
    assert result["url"] == f"{hub.address}/datasets/{REPO}"
    assert hub.repos[REPO].private
    assert set(hub.repos[REPO].files) == {
        ".gitattributes",
        "README.md",
        "workbench.json",
        "corpus/corpus-00000.parquet",
        "queries/queries-00000.parquet",
        "qrels/train.parquet",
        "qrels/test.parquet",
    }
    assert list(workspace.exports.iterdir()) == []


def test_public_only_when_asked_for(workspace: Workspace, hub: Hub) -> None:
    assert not push_collection(workspace, "pairs", REPO, public=True)["private"]
    with pytest.raises(WorkbenchError, match="everybody can see it"):
        push_collection(workspace, "pairs", REPO)


def test_a_second_push_takes_the_place_of_the_first(workspace: Workspace, hub: Hub) -> None:
    push_collection(workspace, "pairs", REPO)
    hub.repos[REPO].files |= {"corpus/corpus-00001.parquet": b"of a larger collection", "notes.md": b"mine"}
    with edit_collection(workspace, "pairs", "All to train") as edit:
        set_split(edit, edit.collection.queries["id"][:], "train")
    push_collection(workspace, "pairs", REPO)
    files = hub.repos[REPO].files
    assert "qrels/test.parquet" not in files and "corpus/corpus-00001.parquet" not in files
    assert "notes.md" in files and open_collection(workspace, "pairs").fingerprint in files["workbench.json"].decode()


def test_other_data_is_never_overwritten(workspace: Workspace, hub: Hub) -> None:
    hub.repos[REPO] = Repo({"README.md": b"years of work", "train.csv": b"a,b"}, private=True)
    with pytest.raises(WorkbenchError, match="holds other data already"):
        push_collection(workspace, "pairs", REPO)
    assert hub.repos[REPO].files["README.md"] == b"years of work"


def test_personal_data_stops_a_push_unless_it_goes_anyway(workspace: Workspace, hub: Hub) -> None:
    path = open_collection(workspace, "pairs").path
    finding = {"kind": "personal-data", "sentence": "3 texts hold e-mail addresses.", "groups": [["a"], ["b"], ["c"]]}
    write_json(path / "check.json", {"fingerprint": "x", "findings": [finding]})
    with pytest.raises(WorkbenchError, match="holds personal data") as raised:
        push_collection(workspace, "pairs", REPO)
    assert raised.value.problems == ["3 texts hold e-mail addresses."]
    assert hub.asked == []
    assert push_collection(workspace, "pairs", REPO, anyway=True)["notes"] == ["3 texts hold e-mail addresses."]


def test_a_collection_that_was_not_checked_says_so(workspace: Workspace, hub: Hub) -> None:
    assert "Nothing has looked for personal data" in push_collection(workspace, "pairs", REPO)["notes"][0]
    collection = open_collection(workspace, "pairs")
    write_json(collection.path / "check.json", {"fingerprint": collection.fingerprint, "findings": []})
    assert push_collection(workspace, "pairs", REPO)["notes"] == []


def test_without_a_token_the_command_to_type_is_told(
    workspace: Workspace, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(WorkbenchError, match="hf auth login"):
        push_collection(workspace, "pairs", REPO)


@pytest.mark.parametrize(
    ("repo", "token", "words"),
    [
        (REPO, "hf_wrong", "does not accept the token"),
        ("somebody/birds", "hf_right", "may not write to “somebody/birds”"),
    ],
)
def test_rights_are_told_in_words(
    workspace: Workspace, hub: Hub, monkeypatch: pytest.MonkeyPatch, repo: str, token: str, words: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(WorkbenchError, match=words):
        push_collection(workspace, "pairs", repo)
    assert list(workspace.exports.iterdir()) == []


@pytest.mark.parametrize("repo", ["birds", "maria/", "maria/bi rds", "../birds", "maria/birds.git", "a/b/c", ""])
def test_a_wrong_name_is_refused_before_anything_is_asked(workspace: Workspace, hub: Hub, repo: str) -> None:
    with pytest.raises(WorkbenchError, match="Write USER/NAME"):
        push_collection(workspace, "pairs", repo)
    assert hub.asked == []


def test_no_network_is_told_in_words(workspace: Workspace, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WorkbenchError, match="cannot be reached"):
        push_collection(workspace, "pairs", REPO)


def test_the_job_pushes_and_tells_its_progress(workspace: Workspace, hub: Hub) -> None:
    job = create_job_folder(workspace.job("push-pairs"), "push", {"collection": "pairs", "repo": REPO}, {})
    result = run_push(workspace, job)
    assert job.status().step == job.status().total == result["bytes"]
