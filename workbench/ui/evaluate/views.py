"""The HTML of the Evaluate tab's frame, and what its parts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.evaluation import report
from workbench.evaluation.queries import Queries
from workbench.evaluation.results import EvaluationCard, list_evaluations, load_evaluation, open_queries
from workbench.job_folder import JobFolder
from workbench.ui import cards, plots, words
from workbench.ui.place import Place
from workbench.workspace import Workspace


@dataclass(frozen=True)
class Shown:
    """The evaluation in hand. queries: what each query scored and found. collection: what it was taken on, None where
    that has been removed since."""

    evaluation: dict[str, Any]
    queries: Queries
    collection: Collection | None


def in_hand(workspace: Workspace, place: Place) -> Shown:
    """The evaluation that the address names, else the newest. Raises WorkbenchError if there is none."""
    listed = list_evaluations(workspace)
    card = next((card for card in listed if card.name == place.evaluation), next(iter(listed), None))
    if card is None:
        raise WorkbenchError("There is no evaluation yet. Evaluate a model first.")
    return open_shown(workspace, card)


def open_shown(workspace: Workspace, card: EvaluationCard) -> Shown:
    """An evaluation with its numbers, and its collection if that is still there."""
    evaluation = load_evaluation(workspace, card.name)
    queries = open_queries(workspace, evaluation)
    try:
        return Shown(evaluation, queries, open_collection(workspace, card.collection))
    except WorkbenchError:
        return Shown(evaluation, queries, None)  # removed since: the numbers stand for themselves


def job_title(job: JobFolder) -> str:
    """What a job of this tab does."""
    if job.work == "map":
        return f"Laying out the map of {job.spec.get('evaluation', '')} with UMAP"
    return f"Evaluating on {job.spec.get('collection', '')}"


def nothing(has_collection: bool) -> str:
    """The tab before the first evaluation."""
    if not has_collection:
        return cards.heading("Evaluate") + cards.empty(
            "Import a collection first; its held-out part is what models are scored on.",
            cards.button("Bring pairs", "", primary=True, open_tab="data"),
        )
    lead = "Score models on the held-out part of your collection, side by side and at every size."
    return cards.heading("Evaluate", cards.text(lead))


def top(listed: list[EvaluationCard], shown: EvaluationCard, evaluation: dict[str, Any]) -> str:
    """The question this tab answers, what was measured, and the select of evaluations."""
    first = report.rows_of(evaluation)[0]
    queries = words.count(first["queries"], "held-out query", "held-out queries")
    lead = (
        f"{queries} of <b>{cards.text(shown.collection)}</b> against {words.count(first['documents'], 'document')}. "
        "Each model read the collection once; every size comes from the same vectors."
    )
    options = ((card.name, f"{card.name} · {words.clock(card.created)}") for card in listed)
    choice = cards.chooser("evaluation", "Evaluation", options, shown.name)
    return f'<div class="split top">{cards.heading("Did it help, and which size should I ship?", lead)}{choice}</div>'


def is_tuned(reference: str) -> bool:
    """Whether a model is a run of ours; all others are untouched."""
    return reference.startswith("run:")


def tones(models: list[str]) -> dict[str, str]:
    """The series of each model: grey for the first untouched one, the accent for the first tuned one, then others."""
    distinct = list(dict.fromkeys(models))
    base = next((model for model in distinct if not is_tuned(model)), None)
    own = sorted((model for model in distinct if model != base), key=lambda model: not is_tuned(model))
    found = {model: str(number) for number, model in enumerate(own, start=1)}
    return {model: found.get(model, plots.BASE) for model in distinct}


def floors(evaluation: dict[str, Any], direction: str = "all") -> list[dict[str, Any]]:
    """The rows of full text and of guessing in a direction; empty for evaluations that took none."""
    return [row for row in evaluation.get("floors") or [] if row["direction"] == direction]


def floor_name(row: dict[str, Any]) -> str:
    """What a floor is called."""
    return {"bm25": "full text (BM25)", "random": "guessing"}.get(row["model"], str(row["model"]))


def foot(evaluation: dict[str, Any]) -> str:
    """The evaluation's name and age, and its removal."""
    name = str(evaluation["evaluation"])
    goes = (
        f"This deletes the numbers of “{cards.text(name)}”. Models and collections stay; evaluating again is quick "
        "while their vectors are kept."
    )
    said = f"Evaluation {name}, {words.clock(evaluation.get('created'))}"
    return cards.foot(said, cards.remove("evaluation", goes, name))
