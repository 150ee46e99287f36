"""An evaluation whose collection has changed since: that its numbers are of before, and the same evaluation anew."""

from __future__ import annotations

from typing import Any

from workbench import jobs
from workbench.collection.review_log import Log
from workbench.errors import WorkbenchError
from workbench.evaluation.evaluate import check_embedders, list_evaluations, load_evaluation
from workbench.evaluation.results import free_evaluation_name
from workbench.models.remote import PREFIX as REMOTE
from workbench.ui import cards
from workbench.ui.evaluate.views import Shown
from workbench.ui.page import Page
from workbench.workspace import Workspace


def changed_since(shown: Shown) -> bool:
    """Whether the collection is another one than was evaluated, by what has been judged a moment ago too."""
    collection, was = shown.collection, shown.evaluation.get("collection_fingerprint")
    if collection is None or not was:
        return False
    return collection.fingerprint != was or bool(Log.read(collection).pending)


def told(workspace: Workspace, shown: Shown) -> str:
    """The notice; empty where the numbers are of the collection as it is."""
    return notice(workspace, shown) if changed_since(shown) else ""


def notice(workspace: Workspace, shown: Shown) -> str:
    """That the numbers are from before, and the button that takes them anew, unless somebody has done so."""
    name = cards.text(shown.evaluation["collection"])
    said = f"“{name}” has changed since this evaluation: its numbers are from before."
    newer = _newer(workspace, shown)
    if newer:
        said += f" It has been evaluated again, as “{cards.text(newer)}”, which can be chosen above."
        button = ""
    else:
        said += " Evaluate again when you are done."
        button = cards.button("Evaluate again", "again", identifier="evaluate-again-start")
    told = f'<div class="split"><p>{said}</p>{button}</div>'
    return f'<div class="notice warn" role="status">{cards.icon("warn")}{told}</div>'


def _newer(workspace: Workspace, shown: Shown) -> str:
    """The newest evaluation of the collection, if it is of the collection as it is now, and of the same models."""
    card = next(iter(list_evaluations(workspace, shown.evaluation["collection"])), None)
    if card is None or shown.collection is None or card.models != shown.evaluation["settings"]["models"]:
        return ""
    newest = load_evaluation(workspace, card.name)
    return card.name if newest["collection_fingerprint"] == shown.collection.fingerprint else ""


def started(name: str) -> str:
    """That it is on its way."""
    said = f"Evaluating again, as “{name}”. It can be chosen above when it is done."
    return cards.notice(said, tone="good", closable=False)


def start_again(page: Page, evaluation: dict[str, Any]) -> str:
    """Start the same evaluation of the same models on the collection as it is now; returns the name of it.

    Raises WorkbenchError where a model is gone, or where one is behind an address that may need a key.
    """
    workspace, settings = page.workspace, evaluation["settings"]
    if any(model.startswith(REMOTE) for model in settings["models"]):
        raise WorkbenchError(
            "One of the models is behind an address, which everything would be sent to again. Start it with “Evaluate "
            "other models or sizes” below, which says how much that is and takes the key."
        )
    check_embedders(workspace, settings["models"])
    collection = str(evaluation["collection"])
    name = free_evaluation_name(workspace, collection)
    for job in jobs.list_jobs(workspace, "evaluate"):
        if job.spec.get("name") == name and not jobs.watch(job).ended:
            return name  # pressed twice
    asked = {key: settings.get(key) for key in ("models", "dimensions", "precisions", "measures")}
    spec = {"collection": collection, "name": name, **{key: value for key, value in asked.items() if value}}
    jobs.start(workspace, "evaluate", jobs.free_name(workspace, f"evaluate-{name}"), spec)
    return name
