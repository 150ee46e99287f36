"""Writes down what a run really fed its trainer, so that a plain script can do the same again.

    recipe.json    the class of the model, the folder it starts from, the trainer's arguments, the loss as code, the
                   tables' columns, and in words whatever a script could not repeat
    rows.npz       for each table of lessons: the rows of its columns, and its batches in their order, epoch by epoch;
                   and the first weights of what no folder holds: a fresh head, adapters

Read from the objects themselves at the start of a run, so it cannot say something else than what was done.
"""

from __future__ import annotations

import dataclasses
import enum
import os
from typing import Any

import numpy as np

from workbench.job_folder import JobFolder
from workbench.models.items import InputForm
from workbench.training.record_loss import is_plain, written_loss
from workbench.training.record_model import adapters_of, frozen_names, made_of, new_weights, set_on, start_of
from workbench.workspace import Workspace, write_json

RECIPE_FILE, ROWS_FILE = "recipe.json", "rows.npz"
CLASSES = {"embedder": "SentenceTransformer", "reranker": "CrossEncoder", "late-interaction": "MultiVectorEncoder"}
OUR_BATCHES = ("workbench.training.batches", "workbench.training.pieces")
# Where the trainer writes, how it scores and what it shows are a run's own; a script has no need of them.
OWN_ARGUMENTS = {
    "output_dir", "eval_strategy", "eval_steps", "save_total_limit", "load_best_model_at_end", "do_eval",
    "metric_for_best_model", "greater_is_better", "report_to", "disable_tqdm", "logging_dir", "run_name",
    "batch_sampler", "data_seed", "local_rank", "prediction_loss_only", "debug",
}  # fmt: skip


def record(job: JobFolder, recipe: Any, datasets: Any, trainer: Any) -> None:
    """Write recipe.json and rows.npz of a run whose trainer is about to start.

    datasets: what `recipe.datasets()` gave. A resumed run leaves what its first start wrote.
    """
    if (job.path / RECIPE_FILE).exists() or not trainer.args.should_save:
        return
    tables = datasets if isinstance(datasets, dict) else {"": datasets}
    spec, settings, workspace = job.spec, recipe.settings, Workspace(job.path.parent.parent)
    missing: list[str] = []
    arrays, columns = _rows(tables, _sampler(spec["kind"], recipe), trainer, missing)
    arrays |= new_weights(recipe.model)
    loss, imports = written_loss(trainer.loss, missing)
    trusted, guided = bool(spec.get("trust_remote_code")), recipe.objective == "contrastive-guided"
    described = {
        "class": CLASSES[spec["kind"]],
        "start": start_of(workspace, str(spec["model"]), trusted),
        "made_of": made_of(recipe.model),
        "guide": start_of(workspace, settings.guide_model, False) if guided else None,
        "loss": loss,
        "imports": imports,
        "arguments": arguments_that_differ(trainer.args, missing),
        "frozen": frozen_names(recipe),
        "adapters": adapters_of(settings),
        "set_on": set_on(recipe.model),
        "columns": columns,
        "modalities": _modalities(recipe.collection),
        "form": dataclasses.asdict(InputForm.of(recipe.model)),
        "missing": missing,
    }
    temporary = job.path / f".{ROWS_FILE}"
    with open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(temporary, job.path / ROWS_FILE)
    write_json(job.path / RECIPE_FILE, described)


def arguments_that_differ(arguments: Any, missing: list[str]) -> dict[str, Any]:
    """The fields of training arguments that are not the library's own defaults, as plain values."""
    found = {}
    for one in dataclasses.fields(arguments):
        # Another instance to compare with would reset the process's accelerator.
        default = one.default if one.default_factory is dataclasses.MISSING else one.default_factory()
        value, default = _value(getattr(arguments, one.name, default)), _value(default)
        if not one.init or one.name in OWN_ARGUMENTS or one.name.startswith("_") or value == default:
            continue
        if value is False and default is None:  # what the library itself makes of None
            continue
        if is_plain(value):
            found[one.name] = value
        elif default is not None:
            missing.append(f"the trainer's argument {one.name}")
    if arguments.use_cpu:
        found["use_cpu"] = True
    return found


def _sampler(kind: str, recipe: Any) -> Any:
    """The function by which the trainer asked for its batches, once more."""
    from workbench.training.pieces import in_pieces, pieces_a_batch

    return in_pieces(recipe.sampler(), pieces_a_batch(kind, recipe.objective, recipe.settings))


def _rows(
    tables: dict[str, Any], ask: Any, trainer: Any, missing: list[str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The columns of each table and its batches of as many epochs as the run can take; `ask` gives the batches."""
    described, samplers = [], []
    arrays: dict[str, Any] = {}
    for number, (name, dataset) in enumerate(tables.items()):
        transform = dataset.format["format_kwargs"]["transform"]
        # Where there are prompts, the trainer has wrapped it.
        sides = getattr(transform, "keywords", {}).get("transform", transform).sides
        plain = dataset.with_format(None)
        for column in plain.column_names:
            arrays |= _column(f"{number}.{column}", plain[column][:])
        described.append({"name": name, "columns": {column: sides.get(column) for column in plain.column_names}})
        samplers.append(ask(dataset, batch_size=trainer.args.per_device_train_batch_size))
    if not all(type(sampler).__module__ in OUR_BATCHES for sampler in samplers):
        missing.append("the order of the batches, which the library draws itself here")
        return arrays, described
    batches = int(trainer.args.max_steps) * int(trainer.args.gradient_accumulation_steps)
    epochs = max(1, -(-batches // max(1, sum(len(sampler) for sampler in samplers))))
    for number, sampler in enumerate(samplers):
        for epoch in range(epochs):
            sampler.set_epoch(epoch)
            order = list(sampler)
            arrays[f"{number}.order.{epoch}"] = np.array([row for batch in order for row in batch], np.int64)
            arrays[f"{number}.sizes.{epoch}"] = np.array([len(batch) for batch in order], np.int64)
    return arrays, described


def _column(name: str, cells: list[Any]) -> dict[str, np.ndarray]:
    """A column as an array; one of lists of several lengths as all their parts in a row, and the lengths."""
    if not cells or not isinstance(cells[0], list) or len({len(cell) for cell in cells}) == 1:
        return {name: np.array(cells)}
    return {
        name: np.array([part for cell in cells for part in cell]),
        f"{name}.lengths": np.array([len(cell) for cell in cells], np.int64),
    }


def _modalities(collection: Any) -> list[str]:
    """The kinds of content in the collection: of text, image, audio and video those that are there."""
    found = {
        part for kind in {*collection.query_modalities, *collection.document_modalities} for part in kind.split("+")
    }
    return sorted(found)


def _value(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value
