"""The sections of a report on sizes and directions: the recommendation, the curves, and every size."""

from __future__ import annotations

from typing import Any

from workbench.evaluation.costs import pareto
from workbench.evaluation.held_out import ALL
from workbench.evaluation.report_parts import Section, Table
from workbench.evaluation.report_plot import Line, chart
from workbench.evaluation.report_words import count, direction, interval, model, number
from workbench.evaluation.speed import milliseconds

TONES = 12
SEARCHED = " A search compares one query with every item, as measured on the machine that evaluated."


def sizes(said: dict[str, Any]) -> Section:
    """Which size to ship: the recommendation, the curves and every size."""
    found = said["recommendation"]
    rows = [row for row in said["results"] if row["direction"] == ALL]
    chosen = (found["model"], found["dimension"], found["precision"])
    marked = frozenset(place for place, row in enumerate(rows) if _cell(row) == chosen)
    measures = [name for name in rows[0] if "@" in name]
    headers = ["Model", ">Dimensions", "Precision", *(f">{_measure(name)}" for name in measures), ">95 % of NDCG@10"]
    cells = [
        [
            model(row["model"]), f"{row['dimension']:,}", row["precision"], *(number(row[name]) for name in measures),
            interval(row["interval"]), f"{row['bytes']:,}", f"{row['a_month']:,.2f}", *_search(said, row),
            f"{100 * row['kept']:.1f} %",
        ]
        for row in rows
    ]  # fmt: skip
    prices, timed = said["prices"], [">ms a search"] if said.get("speeds") else []
    return Section(
        "Which size to ship",
        [_named(said, found["words"])],
        [Table([*headers, ">Bytes a vector", ">A month", *timed, ">Of its best"], cells, "Every size", "", marked)],
        [
            f"A month: memory and disk of {count(prices['items'], 'item')} at {prices['memory_price']:g} and "
            f"{prices['disk_price']:g} a gigabyte. The recommendation loses at most {100 * prices['tolerance']:g} % of "
            f"the best NDCG@10.{SEARCHED if timed else ''}"
        ],
        _legend(said),
        _charts(said, found),
        name="sizes",
    )


def _search(said: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """The cell of the search's milliseconds, where they were measured."""
    if not said.get("speeds"):
        return []
    return [number(milliseconds(said["speeds"], row["dimension"], row["precision"], said["prices"]["items"]), 1)]


def _named(said: dict[str, Any], words: str) -> str:
    """A sentence with the names of the models in place of their references."""
    for reference in (one["reference"] for one in said["models"]):
        words = words.replace(f"“{reference}”", f"“{model(reference)}”")
    return words


def _charts(said: dict[str, Any], found: dict[str, Any]) -> list[dict[str, Any]]:
    tone = tones(said)
    rows = [row for row in said["results"] if row["direction"] == ALL]
    fronts = []
    for reference in tone:
        front = pareto([row for row in rows if row["model"] == reference])
        points = ([float(row["bytes"]) for row in front], [row["ndcg@10"] for row in front])
        fronts.append(Line(model(reference), tone[reference], *points))
    ring = (float(found["bytes"]), float(found["ndcg"]))
    return [
        {"title": "By dimensions kept, with 95 % intervals", "svg": chart(_curves(said, ALL), "dimensions kept")},
        {
            "title": "By bytes a vector: of each model the sizes that no smaller one beats. The ring is recommended",
            "svg": chart(fronts, "bytes a vector", marked=ring),
        },
    ]


def _curves(said: dict[str, Any], name: str) -> list[Line]:
    """NDCG@10 against dimensions in one direction, a line for each model at the first precision."""
    precision = said["results"][0]["precision"]
    lines = []
    for reference, tone in tones(said).items():
        mine = [row for row in said["results"] if row["direction"] == name and row["model"] == reference]
        rows = sorted((row for row in mine if row["precision"] == precision), key=lambda row: row["dimension"])
        low, high = ([row["interval"][place] for row in rows] for place in (0, 1))
        x, y = [float(row["dimension"]) for row in rows], [row["ndcg@10"] for row in rows]
        lines.append(Line(model(reference), tone, x, y, low, high))
    return lines


def _legend(said: dict[str, Any]) -> list[dict[str, str]]:
    return [{"name": model(reference), "tone": tone} for reference, tone in tones(said).items()]


def directions(said: dict[str, Any]) -> Section | None:
    """Every direction at full size, where there are several."""
    names = said["shown"]
    if len(names) < 2:
        return None
    rows = []
    for name in names:
        for reference in tones(said):
            mine = [row for row in said["results"] if row["direction"] == name and row["model"] == reference]
            row = max(mine, key=lambda one: one["dimension"])
            scores = [number(row[key]) for key in row if "@" in key]
            where = [direction(name), model(reference), f"{row['queries']:,}", f"{row['documents']:,}"]
            rows.append([*where, *scores, interval(row["interval"])])
    measures = [f">{_measure(name)}" for name in said["results"][0] if "@" in name]
    headers = ["Direction", "Model", ">Queries", ">Documents", *measures, ">95 % of NDCG@10"]
    charts = [
        {"title": direction(name), "svg": chart(_curves(said, name), "dimensions kept")}
        for name in names
        if name != ALL
    ]
    table = Table(headers, rows, "Directions")
    return Section("Every direction", tables=[table], lines=_legend(said), charts=charts, name="directions")


def tones(said: dict[str, Any]) -> dict[str, str]:
    """A tone for each model: the first untouched one dashed grey, as everywhere here; all others told apart."""
    found: dict[str, str] = {}
    for reference in (one["reference"] for one in said["models"]):
        untouched = not reference.startswith("run:") and "base" not in found.values()
        others = sum(tone != "base" for tone in found.values())
        found[reference] = "base" if untouched else str(others % TONES + 1)
    return found


def _cell(row: dict[str, Any]) -> tuple[str, int, str]:
    return row["model"], row["dimension"], row["precision"]


def _measure(name: str) -> str:
    """ndcg@10 → NDCG@10; recall@1 → Recall@1."""
    family, _, rank = name.partition("@")
    return f"{family.upper() if family in ('ndcg', 'mrr', 'map') else family.capitalize()}@{rank}"
