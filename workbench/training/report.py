"""What a run has to show: its summary for `runs show`, its curves for the page. All read from its folder."""

from __future__ import annotations

from typing import Any

from workbench.job_folder import JobFolder, Status
from workbench.settings.taken import IN_PIECES
from workbench.workspace import Workspace

Event = dict[str, Any]
VERDICT = ("comparison", "against", "queries", "directions", "second", "correlation")


def run_summary(
    workspace: Workspace, name: str, status: Status | None = None, events: list[Event] | None = None
) -> dict[str, Any]:
    """The object of `train --wait` and `runs show`.

    {"run", "state", "step", "steps", "seconds", "baseline", "metrics", "model", "reason"}, and, of a finished run,
    "comparison" (difference, interval, p, verdict), its "p", "against" what, "queries", "directions" (a row each:
    direction, before, after, difference, interval, p, verdict) and, where asked for, "second": what was forgotten on
    another collection; "correlation" where scores are followed: Spearman before and after, and the verdict on it.
    status: as `jobs.watch` sees it,
    events: as the caller has read them; else as written. Raises WorkbenchError if there is no such run.
    """
    job = JobFolder(workspace.run(name))
    spec, summary = job.spec, job.summary()
    status = status or job.status()
    events = list(job.events()) if events is None else events
    evaluations = [event for event in events if event.get("event") == "evaluation"]
    untouched = next((event for event in evaluations if event.get("untouched")), {})
    latest = next((event for event in reversed(evaluations) if not event.get("untouched")), {})
    return {
        "run": name,
        "state": status.state,
        "step": status.step,
        "steps": summary.get("steps") or _steps(events),
        "seconds": summary.get("seconds") or elapsed_seconds(events),
        "baseline": summary.get("baseline") or _metrics_of(untouched),
        "metrics": summary.get("metrics") or _metrics_of(latest),
        "model": str(job.path / "model") if (job.path / "model").is_dir() else None,
        "reason": status.reason,
        "kind": spec.get("kind"),
        "base": spec.get("model"),
        "collection": spec.get("collection"),
        "preset": spec.get("preset"),
        **{key: summary[key] for key in VERDICT if key in summary},
        **({"p": summary["comparison"].get("p")} if summary.get("comparison") else {}),
    }


def curves(events: list[Event]) -> dict[str, Any]:
    """A run's curves: "loss", "ndcg" and "spearman" as [step, value] pairs, "baseline" (the untouched NDCG@10 or None),
    "steps", and "chosen_by": the figure that the best checkpoint is told by.

    A resumed run writes some steps twice; the later value of a step counts.
    """
    loss: dict[int, float] = {}
    ndcg: dict[int, float] = {}
    spearman: dict[int, float] = {}
    baseline, chosen_by = None, "ndcg@10"
    for event in events:
        step = int(event.get("step") or 0)
        if event.get("event") == "metrics" and event.get("loss") is not None:
            loss[step] = event["loss"]
        elif event.get("event") == "evaluation":
            value = _metrics_of(event).get("ndcg@10")
            if event.get("untouched"):
                baseline = value
            if value is not None:
                ndcg[step] = value
            if (follows := _metrics_of(event).get("spearman")) is not None:
                spearman[step] = follows
            chosen_by = str(event.get("chosen_by") or chosen_by)
    return {
        "loss": [list(pair) for pair in sorted(loss.items())],
        "ndcg": [list(pair) for pair in sorted(ndcg.items())],
        "spearman": [list(pair) for pair in sorted(spearman.items())],
        "chosen_by": chosen_by,
        "baseline": baseline,
        "steps": _steps(events),
    }


def best_step(events: list[Event]) -> tuple[int, str] | None:
    """The step of the best evaluation so far, the earliest of equals, and the figure that says so; None before one."""
    scored: dict[int, tuple[float, str]] = {}
    for event in events:
        if event.get("event") == "evaluation" and not event.get("untouched") and int(event.get("step") or 0) > 0:
            name = str(event.get("chosen_by") or "ndcg@10")
            value = _metrics_of(event).get(name)
            scored[int(event["step"])] = (-1.0 if value is None else value, name)
    if not scored:
        return None
    best = max(sorted(scored), key=lambda step: scored[step][0])
    return best, scored[best][1]


def speed(job: JobFolder, events: list[Event]) -> dict[str, Any]:
    """Pairs a second over the latest steps, and the most memory seen: {"pairs_per_second", "peak_bytes"}, or None."""
    pairs = pairs_a_step(job.spec)
    metrics = [event for event in events if event.get("event") == "metrics"]
    peak = max((event.get("device_bytes") or event.get("process_bytes") or 0 for event in metrics), default=0)
    rate = None
    latest = metrics[-10:]
    if len(latest) > 1 and latest[-1]["time"] > latest[0]["time"]:
        steps = latest[-1]["step"] - latest[0]["step"]
        rate = steps * pairs / (latest[-1]["time"] - latest[0]["time"])
    return {"pairs_per_second": rate if rate and rate > 0 else None, "peak_bytes": peak or None}


def pairs_a_step(spec: dict[str, Any]) -> int:
    """How many pairs, right and wrong, one correction of the weights goes by; 0 where the spec does not say."""
    settings = spec.get("settings") or {}
    pairs = int(settings.get("batch_size") or 0)
    if spec.get("kind") == "reranker" and (spec.get("objective") or "bce") not in IN_PIECES["reranker"]:
        # A row is a right document with its wrong ones, and a batch holds whole rows.
        shown = 1 + int(settings.get("negatives_per_query") or 0)
        pairs = max(2, pairs // shown) * shown
    return pairs * int(settings.get("gradient_accumulation") or 1)


def elapsed_seconds(events: list[Event]) -> float:
    """The time from the first event to the last."""
    times = [event["time"] for event in events if "time" in event]
    return round(times[-1] - times[0], 1) if times else 0.0


def _steps(events: list[Event]) -> int:
    started = next((event for event in reversed(events) if event.get("event") == "started"), {})
    return int(started.get("steps") or 0)


def _metrics_of(event: Event) -> dict[str, float]:
    return dict(event.get("metrics") or {})
