"""A run as a plain Python script: Sentence Transformers alone, the same model, data, loss and batches, in their order.

The script reads the collection's Arrow tables, and the rows and batches that the run wrote down (`record`). What a
script cannot repeat is told in its first lines, and then it is not called a reproduction.
"""

from __future__ import annotations

import pprint
import re
from pathlib import Path
from typing import Any

from workbench.collection.store import open_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.settings import TrainSettings
from workbench.training.record import RECIPE_FILE, ROWS_FILE
from workbench.training.report import best_step
from workbench.training.script_items import decoder_of
from workbench.training.script_model import model_imports, model_of
from workbench.workspace import Workspace, read_json

# The settings that reach the script: through the trainer's arguments, the loss, or the rows and batches written down.
REPEATED = {
    "epochs", "max_steps", "batch_size", "mini_batch_size", "learning_rate", "warmup_ratio", "weight_decay",
    "max_grad_norm", "temperature", "matryoshka_dimensions", "negatives_per_query", "precision",
    "gradient_checkpointing", "max_text_tokens", "evaluations", "evaluation_queries", "loader_workers", "seed",
    "objective", "hardness", "mined_negatives", "matryoshka", "matryoshka_weights", "gradient_accumulation",
    "schedule", "optimizer", "part_learning_rates", "early_stopping", "tracker", "frozen_parts", "query_prompt",
    "document_prompt", "teacher_model", "guide_model", "lora_rank", "lora_alpha", "lora_targets", "lora_dropout",
    "lora_rank_stabilised", "lora_dora", "attention", "compile", "min_pixels", "max_pixels", "audio_seconds",
}  # fmt: skip
WIDTH = 110


def script_of(job: JobFolder, *, public: bool = False) -> str:
    """The run as a Python script of under 120 lines.

    public: where others than the owner of this computer may read it, a model's folder is named without its path.
    Raises WorkbenchError for a job that is no run, one that has not begun to learn, and one whose version of the
    collection is no longer kept.
    """
    if job.work != "train":
        raise WorkbenchError(f"“{job.name}” is not a run, so there is no script of it.")
    recipe = read_json(job.path / RECIPE_FILE)
    if recipe is None or not (job.path / ROWS_FILE).exists():
        raise WorkbenchError(
            f"The run “{job.name}” has not written down what it learns from: it has not begun to learn, or it is of an "
            "earlier version. Start it, or clone it."
        )
    spec, workspace = job.spec, Workspace(job.path.parent.parent)
    settings = spec.get("settings") or {}
    collection = open_collection(workspace, str(spec["collection"]), str(spec["collection_fingerprint"]))
    head = _head(job, spec, [*recipe["missing"], *_inexact(recipe), *_settings_left_out(spec)])
    if public:
        named = [recipe["start"]["folder"], spec["model"], *(spec.get("settings") or {}).values()]
        for folder in [one for one in named if isinstance(one, str) and Path(one).is_absolute()]:
            head = head.replace(folder, Path(folder).name)
    kept = kept_step(job)
    parts = [
        head,
        _imports(recipe, settings),
        _places(job, recipe, spec, workspace, collection.path, public),
        decoder_of(recipe),
        _tables(recipe),
        _training(recipe, settings, kept),
        _end(recipe, kept),
    ]
    # No text of the script holds a line break, so these are the empty lines between its parts.
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts))


def kept_step(job: JobFolder) -> int | None:
    """The step whose weights a finished run kept: the best of its held-out scores, the earliest of equals."""
    best = best_step(list(job.events("evaluation"))) if job.summary() else None
    return best[0] if best else None


def _settings_left_out(spec: dict[str, Any]) -> list[str]:
    usual = TrainSettings().model_dump()
    changed = {name: value for name, value in (spec.get("settings") or {}).items() if value != usual.get(name)}
    return [f"the setting {name} = {value!r}" for name, value in changed.items() if name not in REPEATED]


def _inexact(recipe: dict[str, Any]) -> list[str]:
    return ["which frame of a video the run saw, to the last one"] if "video" in recipe["modalities"] else []


def _head(job: JobFolder, spec: dict[str, Any], missing: list[str]) -> str:
    version = (job.job.get("versions") or {}).get("sentence-transformers")
    made_with = f" (sentence-transformers {version})" if version else ""
    if missing:
        lines = [f"The run {job.name} as a script{made_with}. It is NOT a reproduction, because it leaves out"]
        lines += [f"- {reason}" for reason in missing]
        lines.append("so its losses and its model differ from the run's.")
    else:
        lines = [f"Reproduces the run {job.name}{made_with}: the same losses, step by step, on the same machine."]
    lines.append(f"Kind: {spec['kind']}. From: {spec['model']}. Collection: {spec['collection']}.")
    lines.append("To run it: python SCRIPT WORKSPACE_FOLDER")
    # One line each, whatever a model is called: nothing in it may end the comment.
    return "\n".join("# " + " ".join(line.split()) for line in lines)


def _imports(recipe: dict[str, Any], settings: dict[str, Any]) -> str:
    kind, modalities = recipe["class"], recipe["modalities"]
    plain = ["import itertools", "import json", "import sys"]
    plain += ["import io"] if set(modalities) - {"text"} else []
    third = ["import numpy as np"]
    third += ["import soundfile"] if "audio" in modalities else []
    third += ["import av"] if "video" in modalities else []
    third += ["from datasets import Dataset, load_from_disk"]
    third += ["from PIL import Image, ImageOps"] if "image" in modalities else []
    third += ["from scipy.signal import resample_poly"] if "audio" in modalities else []
    names = {kind, f"{kind}Trainer", f"{kind}TrainingArguments"}
    names |= {"SentenceTransformer"} if recipe.get("made_of") or recipe.get("guide") else set()
    third += [f"from sentence_transformers import {', '.join(sorted(names))}"]
    third += ["from sentence_transformers.base.sampler import DefaultBatchSampler"]
    third += model_imports(recipe, settings)
    return "\n".join([*sorted(plain), "from pathlib import Path", "", *third, "from transformers import set_seed", ""])


def _places(
    job: JobFolder, recipe: dict[str, Any], spec: dict[str, Any], workspace: Workspace, collection: Path, public: bool
) -> str:
    named = {name.upper(): recipe[name] for name in ("start", "guide") if recipe.get(name)}
    return "\n".join(
        [
            'WORKSPACE = Path(sys.argv[1] if len(sys.argv) > 1 else ".")',
            f"COLLECTION = WORKSPACE / {str(collection.relative_to(workspace.root))!r}",
            f"ROWS = dict(np.load(WORKSPACE / {str((job.path / ROWS_FILE).relative_to(workspace.root))!r}))",
            *[f"{name} = {_where(start, workspace, public)}" for name, start in named.items()],
            f"OUT = Path({'script-' + job.name!r})",
            "",
            'fingerprint = json.loads((COLLECTION / "card.json").read_text())["fingerprint"]',
            f"if fingerprint != {spec['collection_fingerprint']!r}:",
            '    sys.exit("The collection has been changed since: rows would not mean what they did.")',
            'SIDES = {side: load_from_disk(str(COLLECTION / side)) for side in ("queries", "corpus")}',
            "",
        ]
    )


def _where(start: dict[str, Any], workspace: Workspace, public: bool) -> str:
    """The expression of the place where a model is found."""
    if start["reference"].startswith("run:"):
        return f"str(WORKSPACE / {str(Path(start['folder']).relative_to(workspace.root))!r})"
    if start["revision"]:
        return repr(start["reference"])
    if public:
        return f"{Path(start['folder']).name!r}  # the model's folder: write where it lies on your computer"
    return repr(start["folder"])


def _wrapped(arguments: list[str]) -> str:
    """The arguments of a call, as many on a line as it holds."""
    lines = [""]
    for argument in arguments:
        if lines[-1] and len(lines[-1]) + len(argument) > WIDTH:
            lines.append("")
        lines[-1] += f"{argument}, "
    return "\n".join(f"    {line.rstrip()}" for line in lines)


_CELLS = """        read = {name: [item(side, row) for row in batch[name]] for name, side in sides.items() if side}
        return {**batch, **read}

    data = Dataset.from_dict({name: ROWS[f"{number}.{name}"].tolist() for name in COLUMNS[number]})"""
_LISTS = """        def read(side, cell):  # a cell may hold several documents
            return [item(side, row) for row in cell] if isinstance(cell, list) else item(side, cell)

        return {**batch, **{name: [read(side, cell) for cell in batch[name]] for name, side in sides.items() if side}}

    def column(name):
        cells, lengths = ROWS[name], ROWS.get(f"{name}.lengths")
        cells = cells if lengths is None else np.split(cells, np.cumsum(lengths)[:-1])
        return [cell.tolist() for cell in cells]

    data = Dataset.from_dict({name: column(f"{number}.{name}") for name in COLUMNS[number]})"""


def _tables(recipe: dict[str, Any]) -> str:
    """The datasets, decoded when a batch needs them, and the batches in the run's order."""
    columns = [table["columns"] for table in recipe["columns"]]
    names = [table["name"] for table in recipe["columns"]]
    lists = _LISTS if any("documents" in one for one in columns) else _CELLS
    whole = f"{{name: table(number) for number, name in enumerate({names!r})}}" if names != [""] else "table(0)"
    return f"""
COLUMNS = {pprint.pformat(columns, width=WIDTH, sort_dicts=False)}


def table(number):
    def decode(batch):
        sides = COLUMNS[number]
{lists}
    data.set_transform(decode)
    return data


NUMBERS = itertools.count()


class SameBatches(DefaultBatchSampler):  # made once for each table, in their order
    def __init__(self, dataset, batch_size, **_):
        self.number, self.epoch, self.batch_size, self.drop_last = next(NUMBERS), 0, batch_size, False

    def __len__(self):
        return len(ROWS[f"{{self.number}}.sizes.0"])

    def __iter__(self):
        order, sizes = (ROWS[f"{{self.number}}.{{part}}.{{self.epoch}}"] for part in ("order", "sizes"))
        yield from (batch.tolist() for batch in np.split(order, np.cumsum(sizes)[:-1]))


DATA = {whole}
"""


def _training(recipe: dict[str, Any], settings: dict[str, Any], kept: int | None) -> str:
    kind = recipe["class"]
    arguments = {**recipe["arguments"], "save_only_model": True, "report_to": "none"}
    if recipe.get("adapters"):
        arguments["save_strategy"] = "no"
    elif kept:  # the library saves by a fixed rhythm, and the step that the run kept is all that is needed
        arguments["save_steps"] = kept
    listed = ['output_dir=str(OUT / "checkpoints")', "batch_sampler=SameBatches"]
    listed += [f"{name}={value!r}" for name, value in arguments.items()]
    lines = [f"set_seed({int(settings.get('seed') or 0)})", *model_of(recipe, settings)]
    lines += [f"arguments = {kind}TrainingArguments(", _wrapped(listed), ")"]
    lines += ["# Without the library's model card, which would show rows of the data."]
    lines += [f'Trainer = type("Trainer", ({kind}Trainer,), {{"add_model_card_callback": lambda *_: None}})']
    lines += ["trainer = Trainer(model=model, args=arguments, train_dataset=DATA, loss=loss)", "trainer.train()"]
    return "\n".join([*lines, "trainer.save_state()  # the losses: log_history in trainer_state.json"])


def _end(recipe: dict[str, Any], kept: int | None) -> str:
    last = 'model.save_pretrained(str(OUT / "model"))'
    if kept is None:
        return f"{last}\n"
    if recipe.get("adapters"):
        return f"# The run kept what it knew at step {kept}; these are the adapters after the last step.\n{last}\n"
    return "\n".join(
        [
            f"# The run kept the weights of step {kept}, the best of its held-out scores.",
            f"best = {recipe['class']}(str(OUT / 'checkpoints' / 'checkpoint-{kept}'))",
            'best.save_pretrained(str(OUT / "model"))',
            "",
        ]
    )
