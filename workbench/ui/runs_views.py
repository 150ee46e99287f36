"""The HTML of the Runs tab: the verdict, the curves, the small figures, the log, the list."""

from __future__ import annotations

import re
from typing import Any

from workbench import jobs
from workbench.job_folder import JobFolder, Status
from workbench.settings import PRESET_WORDS
from workbench.training import report
from workbench.training.advice import CHECK, Advice
from workbench.training.report import Event
from workbench.ui import cards, plots, runs_compare_views, words
from workbench.ui.choices import model_name, run_base, run_kind

LOG_LINES = 200
PROGRESS_BAR = re.compile(r"\d+%\|.*\|")
LOG_BYTES = 32_000


def nothing(has_collection: bool) -> str:
    """The tab before the first run."""
    if has_collection:
        sentence, button = (
            "No model has been trained yet. Choose where to start from, then watch it learn here.",
            (cards.button("Choose a model to train", "", primary=True, open_tab="train")),
        )
    else:
        sentence, button = (
            "Import a collection first, then train a model on it.",
            cards.button("Bring pairs", "", primary=True, open_tab="data"),
        )
    return cards.heading("Runs") + cards.empty(sentence, button)


def top(
    runs: list[JobFolder], shown: JobFolder, status: Status, summary: dict[str, Any], advice: Advice | None = None
) -> str:
    """The run's name, what it is, and the card with its verdict or its progress, and what to do about a failure."""
    choice = cards.chooser("run", "Run", ((run.name, run.name) for run in runs), shown.name)
    head = cards.heading(shown.name, _lead(shown, status, summary))
    below = runs_compare_views.directions(summary) if status.state == "finished" else ""
    return f'<div class="split top">{head}{choice}</div>{_verdict(shown, status, summary, advice)}{below}'


def _lead(run: JobFolder, status: Status, summary: dict[str, Any]) -> str:
    spec, created = run.spec, run.job.get("created")
    preset = PRESET_WORDS.get(str(spec.get("preset")), ("",))[0]
    parts = [
        f"Trained on <b>{cards.text(spec.get('collection', ''))}</b>",
        cards.text(run_base(run)),
        cards.text("" if run_kind(run) == "embedder" else run_kind(run)),
        cards.text(preset),
        cards.text(f"started {words.clock(created)}"),
    ]
    if status.state == "finished" and summary.get("seconds"):
        parts.append(cards.text(f"finished in {words.duration(summary['seconds'])}"))
    return " · ".join(part for part in parts if part)


def _verdict(run: JobFolder, status: Status, summary: dict[str, Any], advice: Advice | None) -> str:
    buttons = _buttons(run, status, advice)
    advised = cards.notice(advice.words, tone="warn", closable=False) if advice else ""
    if status.state == "finished":
        return _finished(summary, buttons)
    if status.state in ("failed", "crashed"):
        first, *rest = (status.reason or "It ended without saying why; the log below may tell.").splitlines()
        notice = cards.notice(first, rest, closable=False)
        return f'{notice}{advised}<div class="actions">{buttons}</div>'
    title = {"stopped": "Stopped", "queued": "Waiting for the device"}.get(status.state, "Training")
    title = "Paused" if is_held(status) else title
    return cards.progress(title, status, buttons) + advised


def is_held(status: Status) -> bool:
    """Whether a job waits because the queue is paused."""
    return status.state == "queued" and status.note.startswith(jobs.HELD)


def _finished(summary: dict[str, Any], buttons: str) -> str:
    comparison = summary.get("comparison") or {}
    value = (summary.get("metrics") or {}).get("ndcg@10")
    against = summary.get("against", "untouched model")
    beside = ""
    if comparison:
        beside = (
            f"{words.signed(comparison['difference'])}  {words.interval(comparison['interval'])} against the {against}"
        )
    queries = summary.get("queries")
    label = "NDCG@10" + (f", {words.count(int(queries), 'held-out query', 'held-out queries')}" if queries else "")
    chip = cards.verdict_chip(comparison["verdict"]) if comparison else ""
    figures = f'<div class="chip-figure">{chip}{cards.figure(label, words.number(value), beside)}</div>'
    return (
        f'<section class="card verdict"><div class="split"><div>{figures}{_correlation(summary)}</div>'
        f'<div class="actions">{buttons}</div></div></section>'
    )


def _correlation(summary: dict[str, Any]) -> str:
    """How well the scores that people gave are followed, with a verdict of its own: finding is another matter."""
    found = summary.get("correlation")
    if not found:
        return ""
    label = f"Spearman’s correlation, {words.count(int(found['pairs']), 'held-out pair')}"
    beside = f"{words.signed(found['difference'])}  {words.interval(found['interval'])} against the untouched model"
    figure = cards.figure(label, words.number(found["after"]), beside)
    return f'<div class="chip-figure">{cards.verdict_chip(found["verdict"])}{figure}</div>'


def _buttons(run: JobFolder, status: Status, advice: Advice | None) -> str:
    name = run.name
    if not status.ended:
        return "" if status.state == "stopping" else cards.button("Stop", "stop", name=name, identifier="run-stop")
    if status.state in ("failed", "crashed") and advice is not None and (advice.changes or advice.press == CHECK):
        act = "again" if advice.changes else "check"
        return cards.button(advice.press, act, primary=True, name=name, identifier="run-advice") + cards.button(
            "Resume", "resume", name=name, identifier="run-resume"
        )
    if status.state != "finished":
        return cards.button("Resume", "resume", primary=True, name=name, identifier="run-resume")
    evaluate = cards.button("Evaluate it", "evaluate", name=name, identifier="run-evaluate")
    search = cards.button("Search with it", "search", primary=True, name=name, identifier="run-search")
    return (evaluate if run_kind(run) == "embedder" else "") + search


def loss_plot(curves: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """Loss against step."""
    line = plots.line("loss", curves.get("loss") or [], tone="1")
    return plots.figure("loss", "step", [line], says="Training loss against step")


def ndcg_plot(curves: dict[str, Any]) -> dict[str, Any]:
    """The held-out score that tells the best checkpoint against step, above the dashed line of the untouched model."""
    name, title, baseline = "NDCG@10", "NDCG@10 on the held-out part", curves.get("baseline")
    points = curves.get("ndcg") or []
    if curves.get("chosen_by") == "spearman":
        name, title, points = "Spearman", "Spearman’s correlation with the held-out scores", curves["spearman"]
        baseline = next((value for step, value in points if step == 0), None)
    steps = [point[0] for point in [*points, *(curves.get("loss") or [])]] or [0]
    lines = []
    if baseline is not None:
        ends = [[0, baseline], [max(max(steps), 1), baseline]]
        lines.append(plots.line("untouched", ends, tone=plots.BASE, label=f"untouched {baseline:.3f}"))
    lines.append(plots.line("tuned", points, tone="1", markers=True))
    last = f", now {points[-1][1]:.3f}" if points else ""
    return plots.figure(title, "step", lines, says=f"{name} against step{last}")


def below(runs: list[JobFolder], shown: JobFolder, status: Status, events: list[Event], indexes: list[str]) -> str:
    """The small figures, the log, the other runs, and Remove. indexes: the names of those made with its model."""
    goes = ""
    if indexes:
        listed = ", ".join(f"“{name}”" for name in indexes)
        goes = (
            f" {words.count(len(indexes), 'index', 'indexes')} made with its model can no longer be searched: {listed}."
        )
    remove = cards.remove(
        "run",
        cards.text(f"This deletes the run “{shown.name}” with its model, checkpoints and log.{goes}"),
        shown.name,
    )
    parts = [_stats(shown, status, events), _disk(shown, status), _log(shown), _list(runs, shown)]
    return "".join(parts) + cards.foot("", remove if status.ended else "")


def _stats(run: JobFolder, status: Status, events: list[Event]) -> str:
    curves, speed, best = report.curves(events), report.speed(run, events), report.best_step(events)
    done, steps = max([status.step, *(point[0] for point in curves["loss"])]), curves["steps"]
    left = words.remaining(status.eta_seconds) if not status.ended and status.eta_seconds is not None else None
    rate, peak = speed["pairs_per_second"], speed["peak_bytes"]
    pairs = [
        ("Steps", f"{done:,} of {steps:,}" if steps else "–"),
        ("Pairs a second", f"{rate:,.0f}" if rate else "–"),
        ("Peak memory", words.size(peak) if peak else "–"),
        ("Time left", left) if left else ("Best checkpoint", f"step {best[0]:,}" if best else "–"),
    ]
    return cards.stats(pairs)


def _disk(run: JobFolder, status: Status) -> str:
    """What the run takes on disk, and the button that frees what an ended one no longer needs."""
    used = jobs.disk_use(run)
    parts = [("model", used["model"]), ("checkpoints", used["checkpoints"]), ("log and scores", used["other"])]
    told = ", ".join(f"{name} {words.size(count)}" for name, count in parts if count)
    line = f"<p>{cards.text(words.size(used['total']))} on disk: {cards.text(told or 'nothing yet')}</p>"
    if not status.ended or not used["checkpoints"]:
        return cards.card(line, label="Disk")
    lost = "" if status.state == "finished" else " Without them it cannot be resumed, only begun anew."
    free = cards.button("Delete the checkpoints", "clean", name=run.name, identifier="run-clean")
    asked = (
        f'<details class="remove"><summary>Free {cards.text(words.size(used["checkpoints"]))}</summary>'
        f"<div><p>This deletes the checkpoints.{lost} Model, scores and log stay.</p>{free}</div></details>"
    )
    return cards.card(line + asked, label="Disk")


def _log(run: JobFolder) -> str:
    lines = log_tail(run)
    body = cards.text("\n".join(lines)) if lines else "Nothing yet."
    return cards.card(f'<pre class="log" tabindex="0" aria-label="Log">{body}</pre>', label="Log")


def log_tail(run: JobFolder) -> list[str]:
    """The last lines of log.txt, without the progress bars that redraw themselves: the page has its own."""
    try:
        with open(run.path / "log.txt", "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")]
    return [line for line in lines if line and not PROGRESS_BAR.search(line)][-LOG_LINES:]


def _list(runs: list[JobFolder], shown: JobFolder) -> str:
    if len(runs) < 2:
        return ""
    rows, marked = [], set()
    for place, run in enumerate(runs):
        if run.name == shown.name:
            marked.add(place)
        status, spec = run.status(), run.spec
        summary = run.summary()
        comparison = summary.get("comparison")
        rows.append(
            [
                cards.button(run.name, "choose", name=run.name),
                cards.state_chip(status.state),
                cards.text(model_name(run_base(run))),
                cards.text(spec.get("collection", "")),
                words.number((summary.get("metrics") or {}).get("ndcg@10")),
                words.signed(comparison["difference"]) if comparison else "–",
                cards.text(words.clock(run.job.get("created"))),
                " ".join(cards.chip(tag) for tag in jobs.read_notes(run)["tags"]),
            ]
        )
    headers = ["Run", "State", "Start from", "Collection", ">NDCG@10", ">Change", "Started", "Tags"]
    return cards.card(cards.table(headers, rows, caption="All runs", marked=marked), label="All runs")
