"""What a run has to show: its summary for `runs show`, its curves for the page. All read from its folder."""

from __future__ import annotations

from typing import Any

from workbench.job_folder import JobFolder, Status
from workbench.workspace import Workspace, read_json


def run_summary(workspace: Workspace, name: str, status: Status | None = None) -> dict[str, Any]:
    """The object of `train --wait` and `runs show`.

    {"run", "state", "step", "steps", "seconds", "baseline", "metrics", "model", "reason"}, and, of a finished run,
    "comparison" (difference, interval, p, verdict), "against" what, and "queries". status: as `jobs.watch` sees it,
    where the caller knows; else as last written. Raises WorkbenchError if there is no such run.
    """
    job = JobFolder(workspace.run(name))
    spec = job.spec
    status = status or job.status()
    summary = read_json(job.path / "summary.json") or {}
    baseline = summary.get("baseline") or _metrics_of(_first_untouched(job))
    metrics = summary.get("metrics") or _metrics_of(_latest_evaluation(job))
    return {
        "run": name,
        "state": status.state,
        "step": status.step,
        "steps": summary.get("steps") or _steps(job),
        "seconds": summary.get("seconds") or elapsed_seconds(job),
        "baseline": baseline,
        "metrics": metrics,
        "model": str(job.path / "model") if (job.path / "model").is_dir() else None,
        "reason": status.reason,
        "kind": spec.get("kind"),
        "base": spec.get("model"),
        "collection": spec.get("collection"),
        "preset": spec.get("preset"),
        **{key: summary[key] for key in ("comparison", "against", "queries") if key in summary},
    }


def curves(job: JobFolder) -> dict[str, Any]:
    """The run's curves: "loss" and "ndcg" as [step, value] pairs, "baseline" (the untouched NDCG@10 or None), "steps".

    A resumed run writes some steps twice; the later value of a step counts.
    """
    loss: dict[int, float] = {}
    ndcg: dict[int, float] = {}
    baseline = None
    for event in job.events():
        step = int(event.get("step") or 0)
        if event.get("event") == "metrics" and event.get("loss") is not None:
            loss[step] = event["loss"]
        elif event.get("event") == "evaluation":
            value = _metrics_of(event).get("ndcg@10")
            if event.get("untouched"):
                baseline = value
            if value is not None:
                ndcg[step] = value
    return {
        "loss": [list(pair) for pair in sorted(loss.items())],
        "ndcg": [list(pair) for pair in sorted(ndcg.items())],
        "baseline": baseline,
        "steps": _steps(job),
    }


def speed(job: JobFolder) -> dict[str, Any]:
    """Pairs a second over the latest steps, and the most memory seen: {"pairs_per_second", "peak_bytes"}, or None."""
    batch = int((job.spec.get("settings") or {}).get("batch_size") or 0)
    metrics = list(job.events("metrics"))
    peak = max((event.get("device_bytes") or event.get("process_bytes") or 0 for event in metrics), default=0)
    rate = None
    latest = metrics[-10:]
    if len(latest) > 1 and latest[-1]["time"] > latest[0]["time"]:
        steps = latest[-1]["step"] - latest[0]["step"]
        rate = steps * batch / (latest[-1]["time"] - latest[0]["time"])
    return {"pairs_per_second": rate if rate and rate > 0 else None, "peak_bytes": peak or None}


def best_step(job: JobFolder) -> int | None:
    """The step whose held-out score was the best, which is the checkpoint that is kept."""
    points = [point for point in curves(job)["ndcg"] if point[0] > 0]
    return max(points, key=lambda point: point[1])[0] if points else None


def elapsed_seconds(job: JobFolder) -> float:
    """The time from the first event to the last."""
    times = [event["time"] for event in job.events() if "time" in event]
    return round(times[-1] - times[0], 1) if times else 0.0


def _steps(job: JobFolder) -> int:
    return int((job.last_event("started") or {}).get("steps") or 0)


def _first_untouched(job: JobFolder) -> dict[str, Any] | None:
    return next((event for event in job.events("evaluation") if event.get("untouched")), None)


def _latest_evaluation(job: JobFolder) -> dict[str, Any] | None:
    return next((event for event in reversed(list(job.events("evaluation"))) if not event.get("untouched")), None)


def _metrics_of(event: dict[str, Any] | None) -> dict[str, float]:
    return dict((event or {}).get("metrics") or {})
