"""The rail: the journey with a tick, a spinner or a count for each step, and what is in hand."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from workbench import jobs
from workbench.collection.store import Card, list_collections
from workbench.index.registry import list_indexes
from workbench.job_folder import JobFolder
from workbench.ui import cards
from workbench.ui.place import TABS, Place
from workbench.workspace import Workspace

# Every other work is done on a collection.
STEP_OF_WORK = {"train": "runs", "fit": "train", "add-model": "train", "join-models": "train",
                "evaluate": "evaluate", "map": "evaluate", "index": "search",
                "verify-index": "search", "export-index": "search"}  # fmt: skip
# Links into the page: the first thing that the keyboard reaches.
RAIL_JS = """
element.addEventListener('click', (event) => {
  const tab = event.target.closest('[data-tab]');
  if (tab) { wb.open(tab.dataset.tab); return; }
  if (event.target.closest('[data-theme-toggle]')) wb.toggleTheme();
});
watch('value', () => wb.markTab(new URLSearchParams(location.search).get('tab') || 'data'));
wb.setTheme(wb.preferredTheme());
"""


@dataclass(frozen=True)
class Step:
    """One step of the journey as the rail shows it."""

    tab: str
    done: bool = False
    busy: bool = False
    count: int = 0


def make_rail() -> gr.HTML:
    """The rail's component; `draw_rail` makes its value."""
    return gr.HTML(elem_id="rail", js_on_load=RAIL_JS, apply_default_css=False)


def draw_rail(workspace: Workspace, place: Place) -> tuple[str, bool]:
    """The rail as HTML, and whether any job is at work (then it must be drawn again soon)."""
    collections, runs = list_collections(workspace), jobs.list_runs(workspace)
    states = {job.path: jobs.watch(job) for job in [*runs, *jobs.list_jobs(workspace)]}
    at_work = [path for path, status in states.items() if not status.ended and not status.note.startswith(jobs.HELD)]
    busy = {STEP_OF_WORK.get(JobFolder(path).work, "data") for path in at_work}
    finished = [run for run in runs if states[run.path].state == "finished"]
    collection = next((card for card in collections if card.name == place.collection), None)
    collection = collection or (collections[0] if collections else None)
    # Counted, not opened: an evaluation holds numbers of every query.
    evaluations, indexes = len(list(workspace.evaluations.glob("*.json"))), len(list_indexes(workspace))
    steps = [
        Step("data", bool(collections), "data" in busy, collection.counts.get("queries", 0) if collection else 0),
        Step("train", bool(runs), "train" in busy),
        Step("runs", bool(finished), "runs" in busy, len(runs)),
        Step("evaluate", evaluations > 0, "evaluate" in busy, evaluations),
        Step("search", indexes > 0, "search" in busy, indexes),
    ]
    return _as_html(steps, place, collection, model_in_hand(runs, finished, place)), bool(busy)


def model_in_hand(runs: list[JobFolder], finished: list[JobFolder], place: Place) -> str:
    """The run chosen, else the newest finished one; empty where there is none yet."""
    chosen = next((run.name for run in runs if run.name == place.run), "")
    return chosen or (finished[0].name if finished else "")


def _as_html(steps: list[Step], place: Place, collection: Card | None, model: str) -> str:
    rows = "".join(f"<li>{_step(step, number, place)}</li>" for number, step in enumerate(steps, start=1))
    held = f"<dt>Collection</dt><dd>{cards.text(collection.name if collection else 'none yet')}</dd>"
    held += f"<dt>Model</dt><dd>{cards.text(model or 'none tuned yet')}</dd>"
    return (
        '<div class="brand"><strong>Workbench</strong><span>multimodal search, tuned to you</span></div>'
        f'<nav aria-label="Journey"><ol>{rows}</ol></nav>'
        f'<div class="in-hand"><dl>{held}</dl><button type="button" class="theme" data-theme-toggle '
        f'aria-pressed="false" aria-label="Dark colours" title="Light or dark">{cards.icon("moon")}</button></div>'
    )


def _step(step: Step, number: int, place: Place) -> str:
    current = ' aria-current="page"' if step.tab == place.tab else ""
    if step.busy:
        sign, said = '<span class="mark"><span class="turning"></span></span>', "at work"
    elif step.done:
        sign, said = f'<span class="mark done">{cards.icon("tick")}</span>', "done"
    else:
        sign, said = f'<span class="mark">{number}</span>', ""
    spoken = f'<span class="unseen">{said}</span>' if said else ""
    counted = f'<span class="count">{step.count:,}</span>' if step.count else ""
    return (
        f'<button type="button" data-tab="{step.tab}" id="go-{step.tab}"{current}>{sign}'
        f"<span>{step.tab.capitalize()}</span>{spoken}{counted}</button>"
    )


assert set(TABS) >= set(STEP_OF_WORK.values())
