"""The catalogue is searched, and the user's own models stand in it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from workbench.cli import app
from workbench.errors import WorkbenchError
from workbench.index.loaded import LoadedModels
from workbench.models.added import (
    AddedModel,
    add_model,
    added_folder,
    added_model,
    added_models,
    folder_reference,
    remove_model,
)
from workbench.models.catalogue import describe
from workbench.models.families import catalogue_data, family_of
from workbench.models.listing import all_models, find_models, memory_bytes
from workbench.models.starter import starter_folder
from workbench.training.measurements import model_files
from workbench.workspace import Workspace

MINE = AddedModel("someone/heard", "embedder", ["text", "audio"], 64, 5_000_000, "MIT", "Added by you.", trusted=True)


def references(rows: list[dict[str, object]]) -> list[object]:
    return [row["reference"] for row in rows]


def test_every_condition_narrows_the_list(workspace: Workspace) -> None:
    assert len(find_models(workspace)) == len(catalogue_data()["models"])
    both = find_models(workspace, modalities=["audio", "image"])
    assert references(both) == ["starter"]
    heard = find_models(workspace, modalities=["audio"], licence="apache")
    assert references(heard) == ["laion/clap-htsat-unfused"]
    rerankers = find_models(workspace, kind="reranker", most_parameters=30e6)
    assert references(rerankers) == ["starter-reranker", "cross-encoder/ms-marco-MiniLM-L6-v2"]


def test_what_fits_a_device_is_counted_with_its_training(workspace: Workspace) -> None:
    small = references(find_models(workspace, device_bytes=2_000_000_000))
    assert "sentence-transformers/all-MiniLM-L6-v2" in small and "BAAI/bge-m3" not in small
    assert memory_bytes(1_000_000_000)["train"] > 16_000_000_000
    assert find_models(workspace, device_bytes=0) == []


def test_a_modality_or_kind_that_there_is_not_is_told(workspace: Workspace) -> None:
    with pytest.raises(WorkbenchError, match=r"no modality “smell”\. Choose text, image, audio, video"):
        find_models(workspace, modalities=["smell"])
    with pytest.raises(WorkbenchError, match="no kind of model “oracle”"):
        find_models(workspace, kind="oracle")


def test_an_added_model_stands_first_is_described_and_can_be_removed(workspace: Workspace) -> None:
    add_model(workspace, MINE)
    add_model(workspace, MINE)
    rows = all_models(workspace)
    assert references(rows)[0] == MINE.reference and references(rows).count(MINE.reference) == 1
    assert describe(workspace, MINE.reference)["modalities"] == ["text", "audio"]
    remove_model(workspace, MINE.reference)
    assert MINE.reference not in references(all_models(workspace))
    with pytest.raises(WorkbenchError, match="was not added"):
        remove_model(workspace, MINE.reference)


def test_an_added_folder_has_a_name_and_is_missed_when_it_is_gone(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "My Model"
    folder.mkdir()
    reference = folder_reference(workspace, folder)
    assert reference == "added:my-model"
    add_model(workspace, AddedModel(reference, "embedder", ["text"], 8, 9, folder=str(folder)))
    assert folder_reference(workspace, folder) == reference
    assert folder_reference(workspace, tmp_path / "other" / "My Model") == "added:my-model-2"
    assert added_folder(workspace, reference) == folder
    folder.rmdir()
    with pytest.raises(WorkbenchError, match=r"is gone.*models remove added:my-model"):
        added_folder(workspace, reference)


def test_each_family_is_told_by_the_ids_of_its_checkpoints() -> None:
    names = {
        "intfloat/e5-large-v2": "E5", "intfloat/multilingual-e5-base": "E5", "BAAI/bge-base-en-v1.5": "BGE (English)",
        "intfloat/multilingual-e5-large-instruct": "E5 with instructions", "BAAI/bge-m3": "BGE-M3",
        "nomic-ai/nomic-embed-text-v1": "Nomic", "jinaai/jina-embeddings-v3": "Jina v3",
        "hkunlp/instructor-xl": "Instructor", "someone/e5-base-v2": "", "run:e5": "",
    }  # fmt: skip
    assert {reference: family_of(reference).name for reference in names} == names
    assert "sparse and token-by-token" in family_of("BAAI/bge-m3").note
    assert "none is run" in family_of("nomic-ai/nomic-embed-text-v1.5").note


def test_the_command_prints_one_object(workspace: Workspace) -> None:
    command = ["models", "--modality", "image", "--licence", "mit", "--workspace", str(workspace.root)]
    found = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)["models"]
    assert references(found) == ["sentence-transformers/clip-ViT-B-32", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"]
    assert "laion/CLIP-ViT-B-32-laion2B-s34B-b79K" in CliRunner().invoke(app, command).stdout
    none = CliRunner().invoke(app, ["models", "--size", "0.001", "--workspace", str(workspace.root)])
    assert "No model fits all of that" in none.stdout


def test_an_added_model_is_offered_on_the_page_by_its_name(workspace: Workspace) -> None:
    from workbench.ui.choices import base_choices, reranker_choices

    add_model(workspace, MINE)
    add_model(workspace, AddedModel("added:judge", "reranker", ["text"], None, 9, folder="/somewhere"))
    assert ("someone/heard (added by you)", "someone/heard") in base_choices(workspace, "embedder")
    assert ("judge (added by you)", "added:judge") in reranker_choices(workspace)
    assert next(iter(base_choices(workspace, "embedder")))[1] == "starter"


def test_a_list_of_another_version_is_read_and_a_damaged_one_is_told(workspace: Workspace) -> None:
    path = workspace.root / "models.json"
    path.write_text(json.dumps({"models": [{**asdict(MINE), "colour": "red"}]}))
    assert added_models(workspace) == [MINE]
    for damaged in ("{half", "[]", '{"models": [{"reference": "a/b"}]}', '{"models": [3]}', '{"models": null}'):
        path.write_text(damaged)
        with pytest.raises(WorkbenchError, match=r"is damaged\. Put it right, or delete it"):
            all_models(workspace)


def test_models_that_are_added_at_once_are_all_kept(workspace: Workspace) -> None:
    names = [f"someone/{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: add_model(workspace, replace(MINE, reference=name)), names))
    assert sorted(one.reference for one in added_models(workspace)) == sorted(names)


def test_the_folder_of_an_added_model_is_that_model(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    mine = replace(MINE, reference="added:mine", folder=str(tmp_path / "mine"), prompts={"query": "ask: "})
    add_model(workspace, mine)
    assert added_model(workspace, str(tmp_path / "other" / ".." / "mine")) == mine
    assert added_model(workspace, str(tmp_path)) is None


def test_a_search_and_a_measurement_notice_that_an_added_model_has_changed(
    workspace: Workspace, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(starter_folder(), folder)
    mine = replace(MINE, reference="added:mine", folder=str(folder))
    add_model(workspace, mine)
    loaded: list[str] = []

    def load(_: Workspace, reference: str, **__: Any) -> object:
        loaded.append(reference)
        return object()

    models = LoadedModels(workspace, load, load)
    marks = []
    for change in (
        lambda: None,
        lambda: add_model(workspace, replace(mine, prompts={"query": "ask: "})),
        touch(folder),
    ):
        change()
        assert models.embedder("added:mine") is models.embedder("added:mine")
        marks.append(model_files(workspace, "added:mine"))
    assert len(loaded) == 3 and marks[0] == marks[1] != marks[2]


def touch(folder: Path) -> Callable[[], None]:
    return lambda: os.utime(next(folder.rglob("*.safetensors")), ns=(1, 2**62))
