"""The results of an evaluation in a model's card (README.md): a table between two marks, and the Hub's `model-index`.

What else a card holds stays as it is. Writing again replaces what was written for the same collection, so a model can
be scored on several (its own and a standard set, say) and each keeps its part.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from workbench.errors import WorkbenchError
from workbench.evaluation import report
from workbench.evaluation.held_out import ALL
from workbench.evaluation.mteb_result import model_folder, mteb_measure, standard_set
from workbench.evaluation.report_content import full_size
from workbench.evaluation.report_words import count, direction, interval, model, number
from workbench.evaluation.results import load_evaluation
from workbench.workspace import Workspace, propose_name

TASK, TASK_NAME = "information-retrieval", "Information Retrieval"
NO_RUN = "No model of this evaluation is a run that is still there, so no card to write into. Give a folder with --to."


def write_cards(workspace: Workspace, name: str, to: Path | None = None) -> list[Path]:
    """Write an evaluation into the card of each of its models; returns the files.

    to: a folder for a card of each model (MODEL.md), or a .md file for the only run or the only model; else the
    README.md of each run whose model is still there. Raises WorkbenchError if there is no such run, or a card that is
    there cannot be read.
    """
    evaluation = load_evaluation(workspace, name)
    origin = standard_set(workspace, evaluation)
    cards = _places(workspace, [one["reference"] for one in evaluation["models"]], to)
    made = {path: with_results(_read(path), evaluation, reference, origin) for reference, path in cards}
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(path)
    return list(made)


def with_results(card: str, evaluation: dict[str, Any], reference: str, origin: dict[str, Any]) -> str:
    """A card with the results of one model in it, in place of older ones on the same collection.

    card: the whole README, "" for none. origin: of `mteb_result.standard_set`. Raises WorkbenchError if the head of the
    card is no YAML, or its model-index has no form that is known.
    """
    import yaml
    from huggingface_hub import ModelCard

    try:
        made = ModelCard(card or f"---\nlibrary_name: sentence-transformers\n---\n\n# {_plain(model(reference))}\n")
    except (ValueError, yaml.YAMLError) as error:
        raise WorkbenchError(
            f"The head of the card of “{model(reference)}” cannot be read. Mend its README.md, or remove it."
        ) from error
    results, data = _eval_results(evaluation, reference, origin), cast(Any, made.data)
    ours = {_subject(one) for one in results}
    others = [one for one in data.eval_results or [] if _subject(one) not in ours]
    data.model_name = data.get("model_name") or model(reference)
    data.eval_results = [*others, *results]
    made.text = _replaced(made.text, evaluation["collection"], section(evaluation, reference))
    return str(made)


def _subject(result: Any) -> tuple[str, str, str]:
    """What a result of a card is about: task and data set."""
    return result.task_type, result.dataset_type, result.dataset_name


def section(evaluation: dict[str, Any], reference: str) -> str:
    """The table and the comparisons of one model, in Markdown."""
    shown = report.told_apart(evaluation)
    measures = list(full_size(evaluation, reference)["metrics"])
    headers = ["Direction", "Dimensions", "Precision", *measures, "95 % interval of NDCG@10", "Of its best"]
    lines = [_row(headers), _row(["---"] * len(headers))]
    for name in shown:
        for row in report.table(evaluation, name):
            if row["model"] == reference:
                scores = [number(row[measure]) for measure in measures]
                size = [direction(name), row["dimension"], row["precision"]]
                lines.append(_row([*size, *scores, interval(row["interval"]), f"{100 * row['kept']:.1f} %"]))
    first = full_size(evaluation, reference)
    asked = count(first["queries"], "held-out query", "held-out queries")
    told = [
        f"- Against {_plain(model(one['a']))}, {direction(one['direction'])}: {report.verdict_words(one)} NDCG@10."
        for one in evaluation["comparisons"]
        if one["b"] == reference and one["direction"] in shown
    ]
    parts = [
        f"## Evaluation on {evaluation['collection']}",
        f"{asked} against {count(first['documents'], 'document')}. Intervals are 95 % bootstrap intervals.",
        "\n".join(lines),
        "\n".join(told),
    ]
    return "\n\n".join(part for part in parts if part)


def _places(workspace: Workspace, references: Sequence[str], to: Path | None) -> list[tuple[str, Path]]:
    """Each model with the card that it gets."""
    runs = [one for one in references if one.startswith("run:") and "@" not in one]  # a checkpoint has no card
    if to is None:
        folders = [(one, workspace.run(one.removeprefix("run:")) / "model") for one in runs]
        found = [(one, folder / "README.md") for one, folder in folders if folder.is_dir()]
        if not found:
            raise WorkbenchError(NO_RUN)
        return found
    if to.suffix.lower() != ".md":
        names: dict[str, str] = {}  # a run may be called as another model is
        for one in references:
            names[one] = propose_name(model_folder(one), set(names.values()))
        return [(one, to / f"{name}.md") for one, name in names.items()]
    chosen = runs or references
    if len(chosen) > 1:
        raise WorkbenchError(f"There are {len(chosen)} models to write a card for. Give a folder with --to.")
    return [(chosen[0], to)]


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise WorkbenchError(f"The card {path} is no UTF-8 text. Mend or remove it.") from error


def _eval_results(evaluation: dict[str, Any], reference: str, origin: dict[str, Any]) -> list[Any]:
    """The Hub's results: every measure at full size, each direction a configuration of the data set."""
    from huggingface_hub import EvalResult

    names = [ALL] if origin else report.told_apart(evaluation)
    return [
        EvalResult(
            task_type=TASK,
            task_name=TASK_NAME,
            dataset_type=origin.get("dataset") or evaluation["collection"],
            dataset_name=origin.get("task") or evaluation["collection"],
            dataset_config=origin.get("subset") or name,
            dataset_split=origin.get("split") or "test",
            dataset_revision=origin.get("revision") or evaluation["collection_fingerprint"],
            metric_type=mteb_measure(measure),
            metric_name=measure,
            metric_value=round(value, 5),
        )
        for name in names
        for measure, value in full_size(evaluation, reference, name)["metrics"].items()
    ]


def _replaced(text: str, collection: str, made: str) -> str:
    """The body of a card with this part in the place of the older one, else behind everything."""
    begin, end = (f"<!-- evaluation on {collection}: {word} -->" for word in ("begin", "end"))
    block = f"{begin}\n{made}\n{end}"
    whole, found = re.subn(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, text, count=1, flags=re.DOTALL)
    return whole if found else f"{text.rstrip()}\n\n{block}\n"


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _plain(text: str) -> str:
    """A text that means nothing to Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]()#|~])", r"\\\1", html.escape(text, quote=False))
