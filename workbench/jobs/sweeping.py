"""Several runs that differ in a few settings: ordinary queued runs with a tag in common."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.jobs.control import free_name, start
from workbench.jobs.notes import write_notes
from workbench.workspace import Workspace

MOST_RUNS = 64


def read_sweep(words: list[str]) -> dict[str, list[str]]:
    """``learning_rate=1e-5,2e-5`` as {"learning_rate": ["1e-5", "2e-5"]}. Raises WorkbenchError for fewer than two."""
    values: dict[str, list[str]] = {}
    for word in words:
        key, _, listed = word.partition("=")
        found = list(dict.fromkeys(part.strip() for part in listed.split(",") if part.strip()))
        if len(found) < 2:
            raise WorkbenchError(f"“{word}” is no sweep. Write two values or more: learning_rate=1e-5,2e-5.")
        values[key.strip()] = found
    return values


def combinations(values: dict[str, list[str]], budget: int, seed: int = 0) -> list[dict[str, str]]:
    """Every combination of the values, or `budget` of them drawn with a seed where there are more.

    Raises WorkbenchError for more than MOST_RUNS.
    """
    found = [dict(zip(values, one, strict=True)) for one in itertools.product(*values.values())]
    if 0 < budget < len(found):
        chosen = sorted(random.Random(seed).sample(range(len(found)), budget))
        found = [found[place] for place in chosen]
    if len(found) > MOST_RUNS:
        raise WorkbenchError(
            f"That would be {len(found):,} runs, and at most {MOST_RUNS} are begun at once. Set a budget."
        )
    return found


def sweep(
    workspace: Workspace,
    name: str,
    spec_of: Callable[[dict[str, Any]], dict[str, Any]],
    chosen: list[dict[str, str]],
) -> list[JobFolder]:
    """Queue a run for each of the chosen combinations, under names made from `name`, all tagged `sweep NAME`.

    spec_of: the checked spec of a run with these settings set. All are checked before the first one starts.
    """
    specs = [spec_of(dict(values)) for values in chosen]
    begun: list[JobFolder] = []
    for values, spec in zip(chosen, specs, strict=True):
        job = start(workspace, "train", free_name(workspace, f"{name}-{len(begun) + 1}"), spec)
        write_notes(job, ", ".join(f"{key}={value}" for key, value in values.items()), [f"sweep {name}"[:40]])
        begun.append(job)
    return begun
