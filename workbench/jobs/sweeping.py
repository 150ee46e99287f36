"""Several runs that differ in a few settings: ordinary queued runs with a tag in common."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.jobs.control import start, stop
from workbench.jobs.notes import read_notes, write_notes
from workbench.jobs.observe import list_runs, watch
from workbench.workspace import Workspace

MOST_RUNS = 64
NAME_CHARACTERS = 60  # room for the number of each run behind it


def read_sweep(words: list[str]) -> dict[str, list[Any]]:
    """``learning_rate=1e-5,2e-5`` as {"learning_rate": ["1e-5", "2e-5"]}; a plus joins what one value of a list holds.

    Raises WorkbenchError for fewer than two values, and for a setting that is named twice.
    """
    from workbench.settings import is_list

    values: dict[str, list[Any]] = {}
    for word in words:
        key, _, listed = word.partition("=")
        key = key.strip()
        found = list(dict.fromkeys(part.strip() for part in listed.split(",") if part.strip()))
        if len(found) < 2:
            raise WorkbenchError(f"“{word}” is no sweep. Write two values or more: learning_rate=1e-5,2e-5.")
        if key in values:
            raise WorkbenchError(f"The sweep names {key} twice. Write all its values in one: {key}=1,2,3.")
        values[key] = [part.split("+") for part in found] if is_list(key) else found
    return values


def size_of(values: dict[str, list[Any]]) -> int:
    """How many combinations the values have."""
    return math.prod(len(one) for one in values.values())


def combinations(values: dict[str, list[Any]], budget: int, seed: int = 0) -> list[dict[str, Any]]:
    """Every combination of the values, or `budget` of them drawn with a seed where there are more.

    Raises WorkbenchError for more than MOST_RUNS.
    """
    total = size_of(values)
    count = min(budget, total) if budget > 0 else total
    if count > MOST_RUNS:
        raise WorkbenchError(f"That would be {count:,} runs, and at most {MOST_RUNS} are begun at once. Set a budget.")
    places = sorted(random.Random(seed).sample(range(total), count)) if count < total else range(total)
    return [_combination(values, place) for place in sorted(places)]


def _combination(values: dict[str, list[Any]], place: int) -> dict[str, Any]:
    """The combination at a place of their order, in which the last setting changes first."""
    found = {}
    for key, listed in reversed(values.items()):
        place, at = divmod(place, len(listed))
        found[key] = listed[at]
    return {key: found[key] for key in values}


def sweep(
    workspace: Workspace,
    name: str,
    spec_of: Callable[[dict[str, Any]], dict[str, Any]],
    chosen: list[dict[str, Any]],
) -> list[JobFolder]:
    """Queue a run for each of the chosen combinations, `name`-1 and so on, all tagged with `tag_of(name)`.

    spec_of: the checked spec of a run with these settings set. All are checked before the first one starts. Raises
    WorkbenchError that names every combination that cannot work, and then none is started.
    """
    specs = _checked(spec_of, chosen)
    begun: list[JobFolder] = []
    for values, spec in zip(chosen, specs, strict=True):
        try:
            job = start(workspace, "train", _free_name(workspace, name, len(begun) + 1), spec)
            write_notes(job, in_words(values), [tag_of(name)])
        except WorkbenchError as error:
            already = f" {len(begun)} of {len(chosen)} runs of the sweep were begun before that." if begun else ""
            raise WorkbenchError(f"{error.message}{already}", error.problems) from error
        begun.append(job)
    return begun


def _checked(spec_of: Callable[[dict[str, Any]], dict[str, Any]], chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    specs: list[dict[str, Any]] = []
    wrong: dict[str, list[str]] = {}
    for values in chosen:
        try:
            specs.append(spec_of(dict(values)))
        except WorkbenchError as error:
            wrong.setdefault("; ".join(error.problems or [error.message]), []).append(in_words(values))
    if wrong:
        count = f"{len(chosen) - len(specs)} of {len(chosen)} runs of the sweep cannot work"
        problems = [f"{words} ({' | '.join(runs[:3])}{' …' if len(runs) > 3 else ''})" for words, runs in wrong.items()]
        raise WorkbenchError(f"{count}, so none was started:", problems)
    return specs


def in_words(values: dict[str, Any]) -> str:
    """`learning_rate=1e-5, epochs=2`."""
    shown = {key: "+".join(value) if isinstance(value, list) else value for key, value in values.items()}
    return ", ".join(f"{key}={value}" for key, value in shown.items())


def tag_of(name: str) -> str:
    """The tag that the runs of a sweep have in common."""
    return f"sweep {name}"[:40]


def _free_name(workspace: Workspace, name: str, number: int) -> str:
    """The first free one of `name`-N from this number on."""
    while True:
        wanted = f"{name[:NAME_CHARACTERS]}-{number}"
        if not workspace.run(wanted).exists() and not workspace.job(wanted).exists():
            return wanted
        number += 1


def runs_of(workspace: Workspace, name: str) -> list[JobFolder]:
    """The runs of a sweep, the first one begun first. Raises WorkbenchError if there are none."""
    found = [job for job in reversed(list_runs(workspace)) if tag_of(name) in read_notes(job)["tags"]]
    if not found:
        raise WorkbenchError(f"There is no sweep “{name}”. Its runs carry the tag “{tag_of(name)}”.")
    return found


def ranked(workspace: Workspace, name: str) -> list[dict[str, Any]]:
    """`run_summary` of each run of a sweep, with its "note" and "chosen_by", the best score first, those without last.

    chosen_by: the figure that tells the best. Runs that are still at work have the score of their latest evaluation.
    """
    from workbench.training.report import best_step, run_summary

    told = []
    for job in runs_of(workspace, name):
        events = list(job.events())
        best = best_step(events)
        own = {"note": read_notes(job)["text"], "chosen_by": best[1] if best else "ndcg@10"}
        told.append(run_summary(workspace, job.name, watch(job), events) | own)
    return sorted(told, key=lambda run: -(run["metrics"].get(run["chosen_by"]) or -2.0))


def stop_sweep(workspace: Workspace, name: str) -> list[str]:
    """Ask every run of a sweep that has not ended to stop, the last one first, so that none begins meanwhile.

    Returns their names, in the order in which they were begun.
    """
    alive = [job for job in runs_of(workspace, name) if not watch(job).ended]
    for job in reversed(alive):
        stop(job)
    return [job.name for job in alive]
