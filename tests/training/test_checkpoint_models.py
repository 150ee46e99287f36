"""The checkpoints of a run as models: kept at the end where that is asked for, and named by their step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.tiny import begun, encoder, houses
from workbench import models
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.evaluation.evaluate import evaluate
from workbench.job_folder import JobFolder
from workbench.models.catalogue import describe
from workbench.models.checkpoint import steps_kept
from workbench.models.source import typed_reference
from workbench.training.run import run_training
from workbench.ui.choices import checkpoint_choices, model_name
from workbench.workspace import Workspace, open_workspace

ASKED = [Item(text="a house on the hill"), Item(text="two doors")]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    opened = open_workspace(tmp_path_factory.mktemp("checkpoints") / "workspace")
    houses(opened)
    return opened


@pytest.fixture(scope="module")
def run(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    """A finished run of six steps, scored three times, that keeps all three checkpoints."""
    base = encoder(tmp_path_factory.mktemp("base") / "model")
    job = begun(workspace, "made", base, max_steps=6, evaluations=3, keep_checkpoints=3)
    run_training(workspace, job)
    return job


def test_the_last_checkpoints_stay_as_models_and_can_be_evaluated(workspace: Workspace, run: JobFolder) -> None:
    assert steps_kept(run.path) == [2, 4, 6]
    left = {path.name for path in (run.path / "checkpoints").rglob("*") if path.is_file()}
    assert "modules.json" in left and not any(name.startswith(("optimizer", "rng_state")) for name in left)
    vectors = {
        reference: models.load_embedder(workspace, reference).encode_queries(ASKED)
        for reference in (f"run:{run.name}", f"run:{run.name}@2", f"run:{run.name}@6")
    }
    whole, early, late = vectors.values()
    assert not np.allclose(early, late), "they are two different models"
    assert np.allclose(whole, early, atol=1e-6), "the result is the best of them, here the first"
    assert describe(workspace, f"run:{run.name}@4")["kind"] == "embedder"
    result = evaluate(workspace, "houses", [f"run:{run.name}@4", f"run:{run.name}"], name="e")
    assert [one["reference"] for one in result["models"]] == [f"run:{run.name}@4", f"run:{run.name}"]


def test_they_are_offered_by_name(workspace: Workspace, run: JobFolder) -> None:
    assert checkpoint_choices(workspace, "embedder") == [
        (f"{run.name} at step {step} (checkpoint)", f"run:{run.name}@{step}") for step in (2, 4, 6)
    ]
    assert checkpoint_choices(workspace, "reranker") == []
    assert model_name(f"run:{run.name}@4") == f"{run.name}, step 4"
    assert typed_reference(f"run:{run.name}@4") == f"run:{run.name}@4"


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("5", "no checkpoint at step 5. There are: 2, 4, 6"),
        ("../../x", "names no checkpoint"),
        ("", "names no checkpoint"),
    ],
)
def test_a_step_that_is_not_there_is_told_with_those_that_are(
    workspace: Workspace, run: JobFolder, step: str, words: str
) -> None:
    with pytest.raises(WorkbenchError, match=words):
        models.load_embedder(workspace, f"run:{run.name}@{step}")


def test_adapters_alone_are_no_model(workspace: Workspace, run: JobFolder) -> None:
    adapters = run.path / "checkpoints" / "checkpoint-4" / "learnt.safetensors"
    adapters.touch()
    try:
        assert steps_kept(run.path) == [2, 6]
        with pytest.raises(WorkbenchError, match="adapters alone"):
            models.load_embedder(workspace, f"run:{run.name}@4")
    finally:
        adapters.unlink()


def test_a_run_keeps_its_best_checkpoint_among_so_many(workspace: Workspace, tmp_path: Path) -> None:
    job = begun(workspace, "two", encoder(tmp_path / "base"), max_steps=6, evaluations=3, keep_checkpoints=2)
    run_training(workspace, job)
    assert steps_kept(job.path) == [2, 6], "step 2 was the best"
