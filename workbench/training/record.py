"""Writes down what a run really fed its trainer, so that a plain script can do the same again.

    recipe.json    the class of the model, the folder it starts from, the trainer's arguments, the loss as code, the
                   tables' columns, and in words whatever a script could not repeat
    rows.npz       for each table of lessons: the rows of its columns, and its batches in their order, epoch by epoch

Read from the objects themselves at the start of a run, so it cannot say something else than what was done.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import os
from typing import Any

import numpy as np

from workbench.job_folder import JobFolder
from workbench.models.items import InputForm
from workbench.models.source import find
from workbench.models.starter import starter_folder
from workbench.workspace import Workspace, write_json

RECIPE_FILE, ROWS_FILE = "recipe.json", "rows.npz"
CLASSES = {"embedder": "SentenceTransformer", "reranker": "CrossEncoder", "late-interaction": "MultiVectorEncoder"}
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
    missing: list[str] = []
    steps = int(trainer.args.max_steps) * int(trainer.args.gradient_accumulation_steps)
    arrays, columns = _rows(tables, recipe, trainer, steps, missing)
    loss, imports = _loss(trainer.loss, missing)
    described = {
        "class": CLASSES[job.spec["kind"]],
        "start": _start(Workspace(job.path.parent.parent), job.spec, missing),
        "loss": loss,
        "imports": imports,
        "arguments": arguments_that_differ(trainer.args, missing),
        "frozen": _frozen(recipe),
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
        if _plain(value):
            found[one.name] = value
        elif default is not None:
            missing.append(f"the trainer's argument {one.name}")
    if arguments.use_cpu:
        found["use_cpu"] = True
    return found


def _rows(
    tables: dict[str, Any], recipe: Any, trainer: Any, steps: int, missing: list[str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The columns of each table and its batches of as many epochs as `steps` batches can take."""
    from workbench.training import batches as ours

    ask, described, samplers = recipe.sampler(), [], []
    arrays: dict[str, Any] = {}
    for number, (name, dataset) in enumerate(tables.items()):
        transform = dataset.format["format_kwargs"]["transform"]
        # Where there are prompts, the trainer has wrapped it.
        sides = getattr(transform, "keywords", {}).get("transform", transform).sides
        plain = dataset.with_format(None)
        for column in plain.column_names:
            arrays[f"{number}.{column}"] = np.array(plain[column][:])
        described.append({"name": name, "columns": {column: sides.get(column) for column in plain.column_names}})
        samplers.append(ask(dataset, batch_size=trainer.args.per_device_train_batch_size))
    if not all(type(sampler).__module__ == ours.__name__ for sampler in samplers):
        missing.append("the order of the batches, which the library draws itself here")
        return arrays, described
    epochs = max(1, -(-steps // max(1, sum(len(sampler) for sampler in samplers))))
    for number, sampler in enumerate(samplers):
        for epoch in range(epochs):
            sampler.set_epoch(epoch)
            batches = list(sampler)
            arrays[f"{number}.order.{epoch}"] = np.array([row for batch in batches for row in batch], np.int64)
            arrays[f"{number}.sizes.{epoch}"] = np.array([len(batch) for batch in batches], np.int64)
    return arrays, described


def _loss(loss: Any, missing: list[str]) -> tuple[str | None, list[list[str]]]:
    """The loss as an expression over `model`, and the (module, name) pairs it imports.

    Every argument of its constructor must be readable from the object, else the expression is None.
    """
    imports: list[list[str]] = []
    try:
        if isinstance(loss, dict):
            return "{" + ", ".join(
                f"{name!r}: {_expression(one, imports)}" for name, one in loss.items()
            ) + "}", imports
        return _expression(loss, imports), imports
    except LookupError as error:
        missing.append(f"the loss, of which {error.args[0]} cannot be written down")
        return None, []


def _expression(loss: Any, imports: list[list[str]]) -> str:
    """The call that makes this loss. Raises LookupError for an argument that cannot be read back."""
    kind = type(loss)
    if not kind.__module__.startswith("sentence_transformers."):
        raise LookupError(kind.__name__)
    imports.append([kind.__module__.rsplit(".", 1)[0], kind.__name__])
    words = []
    for name, parameter in list(inspect.signature(kind.__init__).parameters.items())[1:]:
        if name == "model":
            words.append("model")
            continue
        if name == "loss":
            words.append(_expression(loss.loss, imports))
            continue
        # The cached losses hand their arguments on to the plain one inside.
        holder = loss if hasattr(loss, name) else getattr(loss, "loss", None)
        if not hasattr(holder, name):
            raise LookupError(f"{kind.__name__}.{name}")
        value = getattr(holder, name)
        if value is parameter.default or (_plain(value) and value == parameter.default):
            continue
        if not _plain(value):
            raise LookupError(f"{kind.__name__}.{name}")
        words.append(f"{name}={value!r}")
    return f"{kind.__name__}({', '.join(words)})"


def _start(workspace: Workspace, spec: dict[str, Any], missing: list[str]) -> dict[str, Any]:
    """Where the plain library finds the model that the run starts from."""
    reference, trusted = str(spec["model"]), bool(spec.get("trust_remote_code"))
    source = find(workspace, reference, trust_remote_code=trusted)
    if source.kind != spec["kind"] or (source.folder is None and spec["kind"] != "embedder"):
        missing.append(f"where it starts: a {spec['kind']} model that the workbench makes from {reference}")
    folder = source.folder or starter_folder()
    return {
        "reference": reference,
        "folder": str(folder),
        "revision": source.revision,
        "trusted": trusted or source.trusted,
    }


def _frozen(recipe: Any) -> list[str]:
    """The dotted names under which weights were held still by the settings."""
    from workbench.training.freezing import prefixes_of

    if recipe.settings.lora_rank:
        return []
    return [name for part in recipe.settings.frozen_parts for name in prefixes_of(recipe.model, part)]


def _modalities(collection: Any) -> list[str]:
    """The kinds of content in the collection: of text, image, audio and video those that are there."""
    found = {
        part for kind in {*collection.query_modalities, *collection.document_modalities} for part in kind.split("+")
    }
    return sorted(found)


def _value(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _plain(value: Any) -> bool:
    """Whether a value can be written as Python source and read back the same."""
    if isinstance(value, (list, tuple)):
        return all(_plain(part) for part in value)
    if isinstance(value, dict):
        return all(isinstance(name, str) and _plain(part) for name, part in value.items())
    return value is None or isinstance(value, (bool, int, float, str))
