"""Runs side by side: what was set differently, and what came of it."""

from __future__ import annotations

from typing import Any

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.training.report import curves, run_summary
from workbench.workspace import Workspace

MOST = 8
NAMED = ("collection", "collection_fingerprint", "model", "kind", "preset", "first_stage", "objective")


def compare_runs(workspace: Workspace, names: list[str]) -> dict[str, Any]:
    """{"runs": [of `run_summary`], "settings": [{"setting", "values"}], "curves": [of `curves`]}, as `names` are.

    settings: those that are not alike, `values` in the same order, None where a run has no such setting.
    Raises WorkbenchError if there are fewer than two different runs, more than MOST, or one is not there.
    """
    names = list(dict.fromkeys(names))
    if not 2 <= len(names) <= MOST:
        raise WorkbenchError(f"Choose 2 to {MOST} different runs to compare, not {len(names)}.")
    summaries = [run_summary(workspace, name) for name in names]
    jobs = [JobFolder(workspace.run(name)) for name in names]
    return {
        "runs": summaries,
        "settings": settings_that_differ([job.spec for job in jobs]),
        "curves": [curves(list(job.events())) for job in jobs],
    }


def settings_that_differ(specs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The choices and settings in which the specs are not alike: {"setting", "values"}."""
    # What was chosen, where the setting left it open, tells more than the setting.
    chosen = [{name: spec[name] for name in NAMED if name in spec} for spec in specs]
    flat = [dict(spec.get("settings") or {}) | own for spec, own in zip(specs, chosen, strict=True)]
    names = dict.fromkeys([*(name for own in chosen for name in own), *(name for one in flat for name in one)])
    rows = [{"setting": name, "values": [one.get(name) for one in flat]} for name in names]
    return [row for row in rows if any(value != row["values"][0] for value in row["values"][1:])]
