"""A run as a script: it is run, with the plain library, and its losses are those of the run."""

from __future__ import annotations

import ast
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training.planted import pair_rows, planted, scored_rows

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.settings import OBJECTIVES
from workbench.training.record import RECIPE_FILE
from workbench.training.run import run_training
from workbench.training.script import script_of
from workbench.training.spec import train_spec
from workbench.workspace import Workspace, open_workspace, read_json, write_json

pytestmark = pytest.mark.slow

SHORT = {"max_steps": 6, "batch_size": 16, "evaluations": 3, "evaluation_queries": 10}


def trained(workspace: Workspace, name: str, **wanted: Any) -> JobFolder:
    overrides = SHORT | wanted.pop("overrides", {})
    spec = train_spec(workspace, collection="demo", overrides=overrides, **{"model": "starter"} | wanted)
    job = create_job_folder(workspace.run(name), "train", spec, {"sentence-transformers": "6"})
    run_training(workspace, job)
    return job


@pytest.fixture(scope="module")
def job(demo_workspace: Workspace) -> JobFolder:
    return trained(demo_workspace, "scripted")


def run_script(text: str, workspace: Workspace, folder: Path) -> Path:
    """Run a script away from the project; the folder it wrote."""
    (folder / "again.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-P", "again.py", str(workspace.root)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return next(folder.glob("script-*"))


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Collections of texts: with one right document a query, with grades, with degrees and with labels."""
    workspace = open_workspace(tmp_path_factory.mktemp("texts"))
    planted(workspace, "pairs", pair_rows()[:40])
    planted(workspace, "graded", scored_rows(lambda shared, _: shared, 80))
    planted(workspace, "similarity", scored_rows(lambda shared, generator: 0.4 * shared + 0.1 * generator.random(), 80))
    planted(workspace, "binary", scored_rows(lambda shared, _: shared == 2, 80))
    return workspace


def trained_on_texts(workspace: Workspace, kind: str, **settings: Any) -> JobFolder:
    """A run of three steps on the texts that suit its objective."""
    objective = settings.get("objective", "")
    name = objective if workspace.collection(objective or "pairs").exists() else "pairs"
    overrides = {"max_steps": 3, "batch_size": 8, "evaluations": 1, "evaluation_queries": 10, "seed": 3} | settings
    first = {} if kind == "embedder" else {"first_stage": "starter"}
    spec = train_spec(workspace, collection=name or "pairs", model="starter", kind=kind, overrides=overrides, **first)  # type: ignore[arg-type]
    job = create_job_folder(free_folder(workspace), "train", spec, {})
    run_training(workspace, job)
    return job


def free_folder(workspace: Workspace) -> Path:
    return workspace.run(f"run-{len(list(workspace.runs.iterdir()))}")


def run_alike(job: JobFolder, workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a run's script in this process, and compare."""
    text = script_of(job)
    assert text.startswith("# Reproduces the run"), text[:500]
    assert text.count("\n") < 120
    assert "workbench" not in "\n".join(line for line in text.splitlines() if "import" in line)
    (folder / "again.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["again.py", str(workspace.root)])
    runpy.run_path(str(folder / "again.py"), run_name="__main__")
    losses = losses_of(job)
    assert len(losses) == job.status().total
    assert losses_in(next(folder.glob("script-*"))) == pytest.approx(losses, rel=1e-5)


def losses_of(job: JobFolder) -> dict[int, float]:
    return {event["step"]: event["loss"] for event in job.events("metrics")}


def losses_in(folder: Path) -> dict[int, float]:
    history = json.loads((folder / "checkpoints" / "trainer_state.json").read_text())["log_history"]
    return {line["step"]: line["loss"] for line in history if "loss" in line}


def test_the_script_has_the_losses_of_the_run_and_its_model(
    job: JobFolder, demo_workspace: Workspace, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    text = script_of(job)
    assert text.startswith("# Reproduces the run scripted")
    assert text.count("\n") < 120
    assert "workbench" not in "\n".join(line for line in text.splitlines() if "import" in line)
    folder = run_script(text, demo_workspace, tmp_path)
    losses = losses_of(job)
    assert len(losses) == 6
    assert losses_in(folder) == pytest.approx(losses, rel=1e-5)
    texts = [{"text": "a red heart"}, {"text": "two blue stars"}]
    own, again = (SentenceTransformer(str(path / "model"), device="cpu").encode(texts) for path in (job.path, folder))
    np.testing.assert_allclose(own, again, atol=1e-5)


def test_the_script_follows_the_settings_of_the_run(demo_workspace: Workspace, tmp_path: Path) -> None:
    settings = {
        "max_steps": 4, "gradient_accumulation": 2, "schedule": "linear", "optimizer": "adafactor", "hardness": 2.0,
        "part_learning_rates": ["audio=1e-4"], "frozen_parts": ["image"], "mined_negatives": 2, "mini_batch_size": 4,
        "matryoshka_dimensions": [64], "matryoshka_weights": [1.0, 0.5], "query_prompt": "it's \"a\" query: ",
        "max_text_tokens": 100, "seed": 4,
    }  # fmt: skip
    job = trained(demo_workspace, "settings", overrides=settings)
    text = script_of(job)
    assert text.startswith("# Reproduces the run settings") and text.count("\n") < 120
    assert losses_in(run_script(text, demo_workspace, tmp_path)) == pytest.approx(losses_of(job), rel=1e-5)


EVERY = [
    *[("embedder", objective) for objective in OBJECTIVES["embedder"]],
    *[("reranker", objective) for objective in OBJECTIVES["reranker"]],
    *[("late-interaction", objective) for objective in OBJECTIVES["late-interaction"]],
]


@pytest.mark.parametrize(("kind", "objective"), EVERY)
def test_every_kind_and_objective_has_a_script_with_the_losses_of_the_run(
    kind: str, objective: str, texts: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"objective": objective}
    if objective in ("margin", "distillation"):
        settings["teacher_model"] = "starter"
    if objective == "contrastive-guided":
        settings["guide_model"] = "starter"
    run_alike(trained_on_texts(texts, kind, **settings), texts, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("reranker", {"mini_batch_size": 2}),
        ("late-interaction", {"mini_batch_size": 2, "mined_negatives": 2}),
        ("embedder", {"lora_rank": 4, "lora_dropout": 0.2, "attention": "eager"}),
        ("late-interaction", {"lora_rank": 4, "lora_rank_stabilised": True, "lora_targets": ["q_proj"]}),
    ],
)
def test_a_script_follows_what_holds_less_in_memory(
    kind: str, settings: dict[str, Any], texts: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_alike(trained_on_texts(texts, kind, **settings), texts, tmp_path, monkeypatch)


@pytest.mark.parametrize("kind", ["reranker", "late-interaction"])
def test_a_second_stage_made_from_an_embedder_is_made_again_by_its_script(
    kind: str, demo_workspace: Workspace, tmp_path: Path
) -> None:
    few = {"max_steps": 2, "evaluations": 1, "batch_size": 8}
    job = trained(demo_workspace, f"made-again-{kind}", kind=kind, first_stage="starter", overrides=few)
    text = script_of(job)
    assert text.startswith("# Reproduces the run") and text.count("\n") < 120
    assert losses_in(run_script(text, demo_workspace, tmp_path)) == pytest.approx(losses_of(job), rel=1e-5)


def test_a_script_reads_inputs_within_the_limits_of_the_run(
    demo_workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"max_pixels": 1500, "audio_seconds": 0.3}
    job = trained(demo_workspace, "limited", overrides={"max_steps": 2, "evaluations": 1, "batch_size": 8} | limits)
    run_alike(job, demo_workspace, tmp_path, monkeypatch)


def test_what_a_user_wrote_stays_text(job: JobFolder, tmp_path: Path) -> None:
    evil = 'x"""\nimport os; os.system("true")  # \' \\'
    copy = create_job_folder(job.path.parent / "evil", "train", job.spec | {"model": evil}, {})
    recipe = read_json(job.path / RECIPE_FILE)
    recipe["start"] |= {"reference": evil, "folder": evil, "revision": evil}
    recipe["form"]["markers"] = [evil]
    recipe["columns"][0]["name"] = evil
    recipe["arguments"]["prompts"] = {"query": evil}
    write_json(copy.path / RECIPE_FILE, recipe)
    (copy.path / "rows.npz").touch()
    tree = ast.parse(script_of(copy))
    assert not any(isinstance(node, ast.Attribute) and node.attr == "system" for node in ast.walk(tree))


def test_what_a_script_cannot_repeat_is_told_in_its_first_lines(job: JobFolder) -> None:
    spec = job.spec
    spec["settings"]["base_in_4_bit"] = True
    other = create_job_folder(job.path.parent / "adapters", "train", spec, {})
    for name in (RECIPE_FILE, "rows.npz"):
        (other.path / name).write_bytes((job.path / name).read_bytes())
    first = script_of(other).splitlines()[:4]
    assert "NOT a reproduction" in first[0]
    assert "base_in_4_bit = True" in first[1]


def test_a_run_that_has_not_begun_has_no_script_yet(job: JobFolder) -> None:
    waiting = create_job_folder(job.path.parent / "waiting", "train", job.spec, {})
    with pytest.raises(WorkbenchError, match="has not begun to learn"):
        script_of(waiting)
