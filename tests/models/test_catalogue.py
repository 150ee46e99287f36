"""The catalogue is data that holds together."""

from __future__ import annotations

import shutil

from workbench.job_folder import create_job_folder
from workbench.models import load_embedder, load_reranker
from workbench.models.catalogue import count_parameters, describe, entries
from workbench.models.starter import starter_folder
from workbench.workspace import Workspace


def test_every_entry_says_what_a_user_needs_to_choose() -> None:
    for one in entries():
        assert one.kind in ("embedder", "reranker", "late-interaction")
        assert one.modalities and one.licence and one.words.endswith(".") and one.parameters > 0
        assert (one.dimension is None) == (one.kind == "reranker")
    assert len({one.reference for one in entries()}) == len(entries()) >= 12


def test_the_starters_are_described_as_they_are(workspace: Workspace) -> None:
    about, embedder = describe(workspace, "starter"), load_embedder(workspace, "starter")
    assert about["parameters"] == count_parameters(starter_folder())
    assert tuple(about["modalities"]) == embedder.modalities
    assert about["dimension"] == embedder.dimension
    reranker = load_reranker(workspace, "starter-reranker")
    assert tuple(describe(workspace, "starter-reranker")["modalities"]) == reranker.modalities


def test_runs_that_name_each_other_are_described(workspace: Workspace) -> None:
    for name, base in (("one", "run:two"), ("two", "run:one")):
        job = create_job_folder(workspace.run(name), "train", {"model": base, "collection": "demo"}, {})
        shutil.copytree(starter_folder(), job.path / "model")
    about = describe(workspace, "run:one")
    assert about["modalities"] == [] and about["words"] == "Fine-tuned from run:two on demo."
    shutil.rmtree(workspace.run("two"))
    create_job_folder(workspace.run("two"), "train", {"model": "starter", "collection": "demo"}, {})
    shutil.copytree(starter_folder(), workspace.run("two") / "model")
    assert "image" in describe(workspace, "run:one")["modalities"]
