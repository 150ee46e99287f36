"""The HTML of what stands below a run: its verdict by direction, runs side by side, what its script is."""

from __future__ import annotations

from typing import Any

from workbench.settings import TrainSettings
from workbench.ui import cards, plots, words


def about_script() -> str:
    """What a script of a run is for."""
    return (
        '<p class="quiet">A plain Python file that uses Sentence Transformers alone and repeats this run from the '
        "collection's folder: the same model, data, loss and batches in the same order. Where it cannot, its first "
        "lines say so.</p>"
    )


def directions(summary: dict[str, Any]) -> str:
    """A finished run's NDCG@10 before and after in every direction, and on the second collection."""
    rows = [_direction_row(row["direction"], row) for row in summary.get("directions") or []]
    second = summary.get("second")
    if second:
        name, compared = second["collection"], second["comparison"]
        means = {"before": second["baseline"]["ndcg@10"], "after": second["metrics"]["ndcg@10"]}
        rows.append(_direction_row(f"{name} (not trained on)", compared | means))
    if len(rows) < 2:
        return ""
    headers = ["Direction", ">Before", ">After", ">Change", "Verdict", ">p", ">Queries"]
    return cards.card(cards.table(headers, rows, caption="Verdict by direction"), label="Verdict by direction")


def _direction_row(name: str, row: dict[str, Any]) -> list[str]:
    return [
        cards.text(words.direction(name) if name == "all" or "->" in name else name),
        words.number(row["before"]),
        words.number(row["after"]),
        cards.text(f"{words.signed(row['difference'])} {words.interval(row['interval'])}"),
        cards.verdict_chip(row["verdict"]),
        f"{row['p']:.2g}",
        f"{row['queries']:,}",
    ]


def overlaid(compared: dict[str, Any], curve: str, title: str) -> dict[str, Any]:
    """One curve of every run in one plot."""
    lines = [
        plots.line(run["run"], curves[curve], tone=str(number + 1), label=run["run"], markers=curve == "ndcg")
        for number, (run, curves) in enumerate(zip(compared["runs"], compared["curves"], strict=True))
    ]
    named = ", ".join(run["run"] for run in compared["runs"])
    return plots.figure(title, "step", lines, says=f"{title} against step of {named}")


def side_by_side(compared: dict[str, Any]) -> str:
    """The verdicts of the runs, and the settings that differ."""
    rows = [_run_row(run) for run in compared["runs"]]
    headers = ["Run", "State", ">Before", ">NDCG@10", ">Change", "Verdict"]
    verdicts = cards.card(cards.table(headers, rows, caption="Verdicts side by side"), label="Verdicts")
    names = [f">{run['run']}" for run in compared["runs"]]
    if not compared["settings"]:
        return verdicts + cards.card("<p>All settings are the same.</p>", label="Settings that differ")
    different = [[cards.text(_title(row["setting"])), *map(_value, row["values"])] for row in compared["settings"]]
    table = cards.table(["Setting", *names], different, caption="Settings that differ")
    return verdicts + cards.card(table, label="Settings that differ")


def _run_row(run: dict[str, Any]) -> list[str]:
    compared = run.get("comparison") or {}
    change = f"{words.signed(compared['difference'])} {words.interval(compared['interval'])}" if compared else "–"
    return [
        cards.text(run["run"]),
        cards.state_chip(run["state"]),
        words.number((run.get("baseline") or {}).get("ndcg@10")),
        words.number((run.get("metrics") or {}).get("ndcg@10")),
        cards.text(change),
        cards.verdict_chip(compared["verdict"]) if compared else "–",
    ]


def _title(setting: str) -> str:
    field = TrainSettings.model_fields.get(setting)
    return str(field.title) if field is not None and field.title else setting.replace("_", " ").capitalize()


def _value(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return "–" if value is None or value == "" else cards.text(value)
