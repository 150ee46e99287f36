"""A fine-tuning run from its spec to its model: what the background process does.

The untouched model is scored before the first step; the best checkpoint is kept; the tuned one is scored at the end
and compared with the untouched one, query by query. A run that was stopped or killed goes on from its last whole
checkpoint when the same folder is started again.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from workbench.collection.review import settle
from workbench.collection.store import open_collection
from workbench.errors import Stopped, WorkbenchError
from workbench.evaluation.held_out import nothing_held_out
from workbench.job_folder import JobFolder
from workbench.settings import KINDS, TrainSettings, check_settings
from workbench.training.measurements import with_measured_mini_batch
from workbench.training.out_of_memory import held_at_once, told_smaller, until_it_fits
from workbench.training.pairs import too_few_pairs
from workbench.training.presets import check_conflicts, first_lesson, learnt_from, preset_settings
from workbench.training.verdict import score_second, second_verdict, summarise
from workbench.workspace import Workspace, disk_full_in_words, new_folder, read_json, write_json


def train_spec(
    workspace: Workspace,
    *,
    collection: str,
    model: str,
    kind: str = "embedder",
    preset: str = "quick",
    overrides: dict[str, Any] | None = None,
    first_stage: str | None = None,
    first_stage_dimension: int | None = None,
    second_collection: str = "",
    trust_remote_code: bool = False,
) -> dict[str, Any]:
    """The whole spec of a run, checked before anything starts. Raises WorkbenchError for what cannot work.

    kind: embedder, reranker or late-interaction. overrides: settings that the user set. first_stage: the embedder whose
    first documents a reranker puts in order; without one, the newest finished embedder run on the collection, else
    the model itself or `starter`. second_collection: another one that the model is scored on before and after, which
    tells what it forgot.
    """
    from workbench.models.catalogue import check_trainable, describe
    from workbench.models.join import has_projections
    from workbench.training.shape import choose_objective, shape_of
    from workbench.training.teacher import check_named_models

    if kind not in KINDS:
        raise WorkbenchError(f"There is no kind of run “{kind}”. Choose {', '.join(KINDS)}.")
    settle(workspace, collection)
    data = open_collection(workspace, collection)
    check_trainable(workspace, model)
    about = describe(workspace, model)
    if kind == "embedder" and about["kind"] != "embedder":
        raise WorkbenchError(f"“{model}” is a {about['kind']} model. Choose an embedder, or the kind {about['kind']}.")
    check_readable(model, about["modalities"], kind, data.card.modalities)
    second = open_collection(workspace, second_collection) if second_collection else None
    if second is not None:
        check_readable(model, about["modalities"], kind, second.card.modalities)
        if not second.card.counts.get("eval"):
            raise nothing_held_out(second_collection)
    pairs = int(data.card.counts.get("train", 0))
    if pairs < 2:
        raise too_few_pairs(collection, pairs)
    if not data.card.counts.get("eval"):
        raise nothing_held_out(collection)
    shape = shape_of(data)
    learnt, most = learnt_from(data, shape)
    wanted = first_lesson(workspace, model, kind, overrides)
    settings = preset_settings(preset, kind, learnt, int(about["parameters"] or 0), wanted, most)  # type: ignore[arg-type]
    check_conflicts(settings, kind, about)
    if settings.thaw_after and has_projections(workspace, model) is False:
        raise WorkbenchError(f"“{model}” has no projections that could learn before the rest. Set Thaw after to 0.")
    objective = choose_objective(shape, kind, settings)
    check_named_models(workspace, objective.name, settings)
    spec: dict[str, Any] = {
        "kind": kind,
        "objective": objective.name,
        "objective_words": objective.sentence,
        "model": model,
        "collection": collection,
        "collection_fingerprint": data.fingerprint,
        "preset": preset,
        "settings": settings.model_dump(),
        "trust_remote_code": trust_remote_code,
    }
    if second is not None:
        spec |= {"second_collection": second_collection, "second_fingerprint": second.fingerprint}
    if kind != "embedder":
        spec["first_stage"] = first_stage or default_first_stage(workspace, collection, model, about["kind"])
        spec["first_stage_dimension"] = first_stage_dimension
    return spec


def check_readable(model: str, readable: list[str], kind: str, modalities: dict[str, list[str]]) -> None:
    """Raise WorkbenchError if the model is known to be unable to read what it should learn from.

    An embedder must read everything; the other kinds put in order what they can read, and need some of each side.
    """
    from workbench.models.embedder import in_words

    sides = [modalities["query"], modalities["document"]]
    if kind == "embedder":
        sides = [[modality] for side in sides for modality in side]
    unread = [modality for side in sides for modality in side if not set(side) & set(readable)]
    if readable and unread:
        raise WorkbenchError(
            f"“{model}” cannot read {in_words(dict.fromkeys(unread))}, which this collection holds; it reads "
            f"{in_words(readable)}. Choose a model that reads both sides."
        )


def default_first_stage(workspace: Workspace, collection: str, model: str, model_kind: str) -> str:
    """The embedder a new reranker works behind: the newest finished run on the collection, else the model itself."""
    found: list[tuple[float, str]] = []
    for path in workspace.runs.iterdir():
        try:
            job = JobFolder(path).job
            spec, created = dict(job["spec"]), float(job["created"])
        except (WorkbenchError, TypeError, ValueError):  # a folder whose job.json is damaged is no run
            continue
        if spec.get("collection") == collection and spec.get("kind") == "embedder" and (path / "model").is_dir():
            found.append((created, path.name))
    if found:
        return f"run:{max(found)[1]}"
    return model if model_kind == "embedder" else "starter"


def run_training(workspace: Workspace, job: JobFolder) -> dict[str, Any]:
    """Do the run in `job` from where it stands. Returns its summary; raises Stopped, or WorkbenchError in words."""
    from workbench.training.kinds import RECIPES
    from workbench.training.teacher import fetch_named_models

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    spec, started = job.spec, time.time()
    settings = check_settings(spec["settings"])
    job.progress(0, 0, "Loading the model and the collection")
    collection = open_collection(workspace, spec["collection"], spec["collection_fingerprint"])
    fetch_named_models(workspace, str(spec.get("objective", "")), settings)
    settings = told_smaller(job, with_measured_mini_batch(workspace, spec, settings))

    def begin(settings: TrainSettings) -> Any:
        seed_everything(settings.seed)
        recipe: Any = RECIPES[spec["kind"]](workspace, collection, spec, settings)
        recipe.folder = job.path
        score_untouched(job, recipe)
        score_second(workspace, job, recipe)
        return recipe

    recipe = until_it_fits(job, settings, begin, train)
    baseline = score_untouched(job, recipe)
    total = int((job.last_event("started") or {}).get("steps") or 0)
    job.write_status(step=total, total=total, eta_seconds=None, note="Scoring the tuned model on all held-out queries")
    recipe.model.eval()
    scored = recipe.score(quick=False)
    second = second_verdict(workspace, job, recipe)
    save_model(job, recipe.model)
    summary = summarise(job, baseline, scored, started, second)
    write_json(job.path / "summary.json", summary)
    job.say(f"the tuned model: NDCG@10 {scored.ndcg:.3f} on {len(scored.per_query):,} held-out queries, kept in model/")
    shutil.rmtree(job.path / "checkpoints", ignore_errors=True)
    return summary


def score_untouched(job: JobFolder, recipe: Any) -> dict[str, Any]:
    """The score before the first step, kept in baseline.json so that a resumed run does not take it again."""
    path = job.path / "baseline.json"
    if known := read_json(path):
        return dict(known)
    job.progress(0, 0, "Scoring the untouched model")
    recipe.model.eval()
    scored = recipe.score(quick=False, progress=lambda done, total, note: job.check_stop())
    baseline = {"ndcg@10": scored.ndcg, "per_query": scored.per_query.tolist(), "rows": scored.rows}
    if scored.by_direction:
        baseline["by_direction"] = {name: values.tolist() for name, values in scored.by_direction.items()}
    if scored.first_stage is not None:
        baseline["first_stage"] = scored.first_stage.tolist()
    write_json(path, baseline)
    job.say(f"the untouched model: NDCG@10 {scored.ndcg:.3f} on {len(scored.per_query):,} held-out queries")
    job.emit("evaluation", step=0, untouched=True, metrics={"ndcg@10": scored.ndcg, **scored.more}, results=scored.rows)
    return baseline


def train(job: JobFolder, recipe: Any, settings: Any) -> None:
    """Train from the last whole checkpoint, or from the start, and leave the best checkpoint's weights in the model."""
    from workbench.training.assembling import make_trainer
    from workbench.training.evaluator import RunEvaluator
    from workbench.training.preparing import prepare
    from workbench.training.record import record
    from workbench.training.thawing import thawing
    from workbench.training.trainer import best_checkpoint, last_checkpoint, run_callbacks

    checkpoints = job.path / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    resume_from = last_checkpoint(checkpoints)
    prepare(recipe.model, settings)
    datasets = recipe.datasets()
    total_steps = count_steps(recipe, datasets, settings)
    job.emit(
        "started",
        step=resume_step(resume_from),
        steps=total_steps,
        resumed=resume_from is not None,
        mini_batch_size=held_at_once(recipe, job.spec["kind"], settings),
    )
    trainer = make_trainer(
        job,
        job.spec,
        recipe,
        settings,
        datasets,
        total_steps,
        evaluator=RunEvaluator(job, recipe, total_steps),
        callbacks=[*run_callbacks(job, settings, total_steps), *thawing(job, recipe.model, settings, total_steps)],
    )
    record(job, recipe, datasets, trainer)
    if resume_from and resume_step(resume_from) >= total_steps:
        # Every step was done before the run was interrupted; the library would do one more.
        trainer._load_from_checkpoint(str(best_checkpoint(resume_from)))
        return
    with disk_full_in_words(job.path):
        trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
    if job.stop_requested() and trainer.state.global_step < total_steps:
        raise Stopped


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


def resume_step(checkpoint: Path | None) -> int:
    return int(checkpoint.name.rsplit("-", 1)[1]) if checkpoint else 0


def seed_everything(seed: int) -> None:
    """The same spec gives the same run: every source of chance starts from the seed."""
    from transformers import set_seed

    set_seed(seed)


def save_model(job: JobFolder, model: Any) -> None:
    """Write model/ whole or not at all; a result of an earlier attempt is replaced."""
    from workbench.training.adapters import merge_adapters

    merge_adapters(model)
    shutil.rmtree(job.path / "model", ignore_errors=True)
    with new_folder(job.path / "model") as folder:
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
    return (
        "---\nlibrary_name: sentence-transformers\n---\n\n"
        f"# {job.name}\n\nA {spec['kind']} model, fine-tuned from `{spec['model']}` with the workbench.\n\n"
        f'```python\nfrom sentence_transformers import {name}\n\nmodel = {name}("path/to/this/folder")\n```\n'
    )
