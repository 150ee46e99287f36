"""A fine-tuning run from its spec to its model: what the background process does.

The untouched model is scored before the first step; the best checkpoint is kept; the tuned one is scored at the end
and compared with the untouched one, query by query. A run that was stopped or killed goes on from its last whole
checkpoint when the same folder is started again.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.models.checkpoint import FOLDER
from workbench.models.number_format import in_stored_format
from workbench.settings import TrainSettings, check_settings
from workbench.training.adapters import adapted_layers, merge_adapters
from workbench.training.checkpoints import best_checkpoint, last_checkpoint, step_of, throw_away_all_but
from workbench.training.freezing import learning_rates
from workbench.training.measurements import with_measured_mini_batch
from workbench.training.noting import noting
from workbench.training.out_of_memory import held_at_once, told_smaller, until_it_fits
from workbench.training.precision import computing
from workbench.training.preparing import set_inputs, set_learning
from workbench.training.verdict import score_second, second_verdict, summarise
from workbench.workspace import Workspace, disk_full_in_words, new_folder, read_json, write_json

SUMMARY_FILE = "summary.json"


def run_training(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """Do the run in `job` from where it stands. Returns its summary; raises Stopped, or WorkbenchError in words."""
    from workbench.training.teacher import fetch_named_models

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    spec, started = job.spec, time.time()
    if known := read_json(job.path / SUMMARY_FILE):  # it was ended between its summary and its last word
        throw_away_all_but(job.path, check_settings(spec["settings"]).keep_checkpoints)
        return dict(known)
    settings = check_settings(spec["settings"])
    job.progress(0, 0, "Loading the model and the collection")
    collection = open_collection(workspace, spec["collection"], spec["collection_fingerprint"])
    fetch_named_models(workspace, str(spec.get("objective", "")), settings)
    settings = told_smaller(job, with_measured_mini_batch(workspace, spec, settings))
    begun = until_it_fits(job, settings, lambda smaller: begin(workspace, job, collection, smaller), train)
    job.write_status(step=begun.total_steps, total=begun.total_steps, eta_seconds=None, note="Writing the tuned model")
    save_model(job, begun.recipe.model)
    summary = judge(workspace, job, begun.recipe, started)
    write_json(job.path / SUMMARY_FILE, summary)
    throw_away_all_but(job.path, settings.keep_checkpoints)
    return summary


@dataclass(frozen=True)
class Begun:
    """A run that is ready for its first step, or for the one after the checkpoint it goes on from."""

    recipe: Any
    trainer: Any
    total_steps: int
    checkpoint: Path | None


def begin(workspace: Workspace, job: JobFolder, collection: Collection, settings: TrainSettings) -> Begun:
    """Load the model, make it ready and score it untouched, then make what it learns from and what trains it."""
    from workbench.training.kinds import RECIPES

    seed_everything(settings.seed)
    recipe: Any = RECIPES[job.spec["kind"]](workspace, collection, job.spec, settings, noting(job))
    recipe.folder = job.path
    get_ready(workspace, job, recipe)
    return ready(job, recipe, settings)


def get_ready(workspace: Workspace, job: JobFolder, recipe: Any) -> None:
    """Set up how the model reads and what of it learns, and score it before it has learnt anything.

    Raises WorkbenchError for settings that cannot work with this model before anything is scored.
    """
    from workbench.training.thawing import thawing

    settings, model = recipe.settings, recipe.model
    set_inputs(model, settings)
    if settings.base_in_4_bit:
        adapted_layers(model, settings)
    else:
        set_learning(model, settings)
    learning_rates(model, settings.part_learning_rates)
    thawing(job, model, settings, 1_000)
    recipe.loss()
    with computing(settings):
        score_untouched(job, recipe)
        score_second(workspace, job, recipe)
    if settings.base_in_4_bit:  # only now: weights in 4 bits are not the untouched ones
        set_learning(model, settings)


def ready(job: JobFolder, recipe: Any, settings: TrainSettings) -> Begun:
    """A recipe whose model is ready, with its lessons and its trainer; what they hold is written down."""
    from workbench.training.assembling import make_trainer
    from workbench.training.evaluator import RunEvaluator
    from workbench.training.record import record
    from workbench.training.thawing import thawing
    from workbench.training.trainer import run_callbacks

    (job.path / FOLDER).mkdir(exist_ok=True)
    checkpoint = last_checkpoint(job.path / FOLDER)
    seed_everything(settings.seed)
    datasets = recipe.datasets()
    steps = count_steps(recipe, datasets, settings)
    job.emit(
        "started",
        step=step_of(checkpoint),
        steps=steps,
        resumed=checkpoint is not None,
        mini_batch_size=held_at_once(recipe, job.spec["kind"], settings),
    )
    callbacks = [*run_callbacks(job, settings, steps), *thawing(job, recipe.model, settings, steps)]
    evaluator = RunEvaluator(job, recipe, steps)
    trainer = make_trainer(job, job.spec, recipe, settings, datasets, steps, evaluator=evaluator, callbacks=callbacks)
    record(job, recipe, datasets, trainer)
    return Begun(recipe, trainer, steps, checkpoint)


def train(job: JobFolder, begun: Begun, settings: TrainSettings) -> None:
    """Train from the last whole checkpoint, or from the start, and leave the best checkpoint's weights in the model."""
    from workbench.training.trainer import evaluated_steps, is_over

    trainer, checkpoint = begun.trainer, begun.checkpoint
    if checkpoint is not None:
        trainer.catch_up(checkpoint, evaluated_steps(begun.total_steps, settings.evaluations))
        if is_over(trainer.state, settings, begun.total_steps):
            # Every step was done before the run was interrupted; the library would do one more.
            trainer._load_from_checkpoint(str(best_checkpoint(checkpoint)))
            return
    with disk_full_in_words(job.path):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    job.check_stop()


def judge(workspace: Workspace, job: JobFolder, recipe: Any, started: float) -> dict[str, Any]:
    """Score the tuned model, as it was written, and compare it with the untouched one. started: when this part began.

    Returns the run's summary.
    """
    words = "Scoring the tuned model"
    recipe.model.eval()
    with computing(recipe.settings):
        scored = recipe.score(quick=False, progress=noting(job, words))
        second = second_verdict(workspace, job, recipe)
        summary = summarise(job, score_untouched(job, recipe), scored, started, second)
    job.say(f"the tuned model: NDCG@10 {scored.ndcg:.3f} on {len(scored.per_query):,} held-out queries, kept in model/")
    return summary


def score_untouched(job: JobFolder, recipe: Any) -> dict[str, Any]:
    """The score before the first step, kept in baseline.json so that a resumed run does not take it again."""
    path = job.path / "baseline.json"
    if known := read_json(path):
        return dict(known)
    words = "Scoring the untouched model"
    job.progress(0, 0, words)
    recipe.model.eval()
    scored = recipe.score(quick=False, progress=noting(job, words))
    baseline = {"ndcg@10": scored.ndcg, "per_query": scored.per_query.tolist(), "rows": scored.rows}
    if scored.by_direction:
        baseline["by_direction"] = {name: values.tolist() for name, values in scored.by_direction.items()}
    if scored.followed is not None:
        baseline["cosines"] = scored.followed.cosines.tolist()
    if scored.first_stage is not None:
        baseline["first_stage"] = scored.first_stage.tolist()
    write_json(path, baseline)
    job.say(f"the untouched model: NDCG@10 {scored.ndcg:.3f} on {len(scored.per_query):,} held-out queries")
    job.emit("evaluation", step=0, untouched=True, metrics={"ndcg@10": scored.ndcg, **scored.more}, results=scored.rows)
    return baseline


def count_steps(recipe: Any, datasets: Any, settings: Any) -> int:
    """How many optimizer steps the run takes: its passes over the batches, cut at the step limit.

    Raises WorkbenchError if there is not one batch.
    """
    sampler = recipe.sampler()
    if isinstance(datasets, dict):
        an_epoch = sum(len(sampler(dataset)) for dataset in datasets.values())
        if not an_epoch:
            raise WorkbenchError(
                "There is nothing to tell apart: no two queries of the training pairs have answers that are wrong for "
                "each other. Import rows with more different queries, or choose other columns."
            )
        steps = max(1, round(updates(an_epoch, settings) * settings.epochs / recipe.passes))
    else:
        # A cross-encoder's lessons hold all its passes in their order.
        steps = updates(len(sampler(datasets, batch_size=settings.batch_size)), settings)
    return min(steps, settings.max_steps) if settings.max_steps else steps


def updates(batches: int, settings: Any) -> int:
    """How many optimizer steps so many batches of a pass make; the last may have fewer batches to add up."""
    return -(-batches // settings.gradient_accumulation)


def seed_everything(seed: int) -> None:
    """The same spec gives the same run: every source of chance starts from the seed."""
    from transformers import set_seed

    set_seed(seed)


def save_model(job: JobFolder, model: Any) -> None:
    """Write model/ whole or not at all, in the number format of the model it came from; an earlier one is replaced."""
    merge_adapters(model)
    shutil.rmtree(job.path / "model", ignore_errors=True)
    with new_folder(job.path / "model") as folder, in_stored_format(model):
        model.save_pretrained(str(folder), create_model_card=False)
        (folder / "README.md").write_text(model_card(job), encoding="utf-8")


def model_card(job: JobFolder) -> str:
    """A short card: what the model is and how to load it. It holds nothing of the user's data."""
    spec = job.spec
    classes = {
        "embedder": "SentenceTransformer",
        "reranker": "CrossEncoder",
        "late-interaction": "MultiVectorEncoder",
    }
    name = classes[spec["kind"]]
    article = "An" if spec["kind"] == "embedder" else "A"
    return (
        "---\nlibrary_name: sentence-transformers\n---\n\n"
        f"# {job.name}\n\n{article} {spec['kind']} model, fine-tuned from `{spec['model']}` with the workbench.\n\n"
        f'```python\nfrom sentence_transformers import {name}\n\nmodel = {name}("path/to/this/folder")\n```\n'
    )
