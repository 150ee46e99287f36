"""A model is looked over before it is added: what it can do, or why not, in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.models import hub_layouts as hub
from workbench.cli import app
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.models import load_embedder
from workbench.models.added import added_models
from workbench.models.examine import add, examine
from workbench.models.source import find, typed_reference
from workbench.workspace import Workspace, open_workspace


def test_a_clip_is_told_with_its_modalities_size_and_memory(workspace: Workspace, tmp_path: Path) -> None:
    folder = hub.clip(tmp_path / "clip")
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: mit\n---\n# A model\n")
    found = examine(workspace, str(folder))
    assert found["problem"] == ""
    assert (found["kind"], found["modalities"], found["dimension"]) == ("embedder", ["text", "image", "video"], 16)
    assert found["parameters"] > 1000 and found["bytes"]["train"] > found["bytes"]["use"] > 4 * found["parameters"]
    assert (found["licence"], found["packages"], found["own_code"]) == ("mit", [], False)


def test_a_reranker_and_a_colbert_are_told_by_their_kind(workspace: Workspace, tmp_path: Path) -> None:
    cross = examine(workspace, str(hub.cross_encoder(tmp_path / "cross")))
    assert (cross["kind"], cross["modalities"], cross["dimension"], cross["problem"]) == (
        "reranker",
        ["text"],
        None,
        "",
    )
    colbert = examine(workspace, str(hub.stanford_colbert(tmp_path / "colbert")))
    assert (colbert["kind"], colbert["dimension"], colbert["problem"]) == ("late-interaction", 16, "")


def test_a_model_with_code_of_its_own_waits_for_leave_and_remembers_it(workspace: Workspace, tmp_path: Path) -> None:
    folder = str(hub.jina_v3(tmp_path / "jina"))
    found = examine(workspace, folder)
    assert found["own_code"] and "may not do so yet" in found["problem"] and found["kind"] == "embedder"
    added = add(workspace, folder, trust_remote_code=True)
    assert added["reference"] == "added:jina" and find(workspace, "added:jina").trusted
    assert typed_reference("added:jina") == "added:jina"


def test_prompts_under_other_names_are_named_and_can_be_told(workspace: Workspace, tmp_path: Path) -> None:
    folder = str(hub.text_embedder(tmp_path / "own", "Bert", pooling="cls", prompts={"s2p_query": "Find: "}))
    assert "prompts under names of its own (s2p_query)" in " ".join(examine(workspace, folder)["notes"])
    found = add(workspace, folder, prompts={"query": "Find: "})
    assert found["prompts"] == {"query": "Find: "}
    embedder = load_embedder(workspace, "added:own", device="cpu")
    assert embedder.asymmetric
    plain = load_embedder(open_workspace(tmp_path / "other"), folder, device="cpu")
    told = embedder.encode_queries([Item(text="tea")])
    assert told == pytest.approx(plain.encode_documents([Item(text="Find: tea")]), abs=1e-6)


def test_only_an_embedder_takes_prompts(workspace: Workspace, tmp_path: Path) -> None:
    folder = str(hub.cross_encoder(tmp_path / "cross"))
    with pytest.raises(WorkbenchError, match="Only embedders take prompts"):
        add(workspace, folder, prompts={"query": "Find: "})
    assert added_models(workspace) == []


def test_a_guessed_pooling_is_told(workspace: Workspace, tmp_path: Path) -> None:
    hub.save_text_encoder(tmp_path / "bare", "Bert")
    assert "states no pooling" in " ".join(examine(workspace, str(tmp_path / "bare"))["notes"])
    stated = hub.text_embedder(tmp_path / "stated", "Bert", pooling="mean")
    assert "pooling" not in " ".join(examine(workspace, str(stated))["notes"])


def test_a_folder_called_like_a_family_is_told_of_its_prompts(workspace: Workspace, tmp_path: Path) -> None:
    folder = hub.text_embedder(tmp_path / "e5-small", "Bert", pooling="mean")
    assert "--query-prompt “query: ” --document-prompt “passage: ”" in " ".join(
        examine(workspace, str(folder))["notes"]
    )
    stated = hub.text_embedder(tmp_path / "more" / "e5-small", "Bert", pooling="mean", prompts={"query": "ask: "})
    assert "family E5" not in " ".join(examine(workspace, str(stated))["notes"])


def test_the_commands_check_add_and_remove(workspace: Workspace, tmp_path: Path) -> None:
    folder = str(hub.text_embedder(tmp_path / "mine", "Bert", pooling="mean"))
    at = ["--workspace", str(workspace.root)]
    words = CliRunner().invoke(app, ["models", "check", folder, *at]).stdout
    assert "(embedder) reads text." in words and "vectors of 32 dimensions" in words and "GB to use it" in words
    added = json.loads(CliRunner().invoke(app, ["models", "add", folder, *at, "--json"]).stdout)
    assert added["reference"] == "added:mine"
    assert "added:mine" in CliRunner().invoke(app, ["models", *at]).stdout
    assert CliRunner().invoke(app, ["models", "remove", "added:mine", *at]).exit_code == 0
    refused = CliRunner().invoke(app, ["models", "check", str(tmp_path / "nothing"), *at])
    assert refused.exit_code == 1 and "There is no model" in refused.stderr
    refused = CliRunner().invoke(app, ["models", "check", str(tmp_path / "nothing"), *at, "--json"])
    assert refused.exit_code == 1 and "There is no model" in json.loads(refused.stdout)["problem"]
