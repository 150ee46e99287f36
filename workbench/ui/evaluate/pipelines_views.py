"""The HTML and the plot of the part that asks whether a second stage is worth it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.evaluation.pipeline_stages import TOPS
from workbench.ui import cards, plots, words
from workbench.ui.choices import model_name

NOTHING = (
    "A reranker looks at the query and one document together: slower than comparing vectors, and often sharper. "
    "Measure what it adds to your model here, and what it costs in time."
)
SERIES = 4


def told(found: Sequence[Mapping[str, Any]], evaluation: Mapping[str, Any]) -> str:
    """A card for each pipeline that was measured, the newest first: what it comes to, then a row a stage."""
    if not found:
        return cards.card(f'<p class="quiet">{cards.text(NOTHING)}</p>', label="Is a second stage worth it?")
    return "".join(_card(one, evaluation) for one in found)


def _card(pipeline: Mapping[str, Any], evaluation: Mapping[str, Any]) -> str:
    rows, marked = [], set()
    stop = pipeline["stop"] or {}
    for place, row in enumerate(pipeline["rows"]):
        gain, time = row["gain"], row["milliseconds"]["total"]
        if row["stage"] == "reranked" and row["top"] == stop.get("top"):
            marked.add(place)
        rows.append(
            [
                cards.text(stage_words(row)),
                f"<b>{words.number(row['metrics']['ndcg@10'])}</b>",
                words.signed(gain["difference"]) if gain else "",
                words.interval(gain["interval"]) if gain else "",
                cards.verdict_chip(gain["verdict"]) if gain else "",
                words.milliseconds(time),
            ]
        )
    headers = ["Stage", ">NDCG@10", ">Gain", ">95 % interval", "Against the embedder alone", ">A query takes"]
    table = cards.table(headers, rows, caption=title(pipeline), marked=marked)
    asked = words.count(pipeline["queries"], "query", "queries")
    where = f" ({pipeline['device']})" if pipeline["device"] else ""
    notes = [
        f"{asked} against {words.count(pipeline['documents'], 'document')}, {words.direction(pipeline['direction'])}, "
        f"{pipeline['dimension']:,} dimensions.",
        f"Times are medians on this computer{where}, each query asked alone.",
    ]
    if pipeline["collection_fingerprint"] != evaluation.get("collection_fingerprint"):
        notes.append("The collection had changed since this evaluation.")
    said = f'<p>{cards.text(pipeline["words"])}</p>{table}<p class="quiet small">{cards.text(" ".join(notes))}</p>'
    return cards.card(said, label=title(pipeline))


def title(pipeline: Mapping[str, Any]) -> str:
    """starter + full text + starter-reranker."""
    parts = [model_name(pipeline["model"])]
    parts += ["full text"] if pipeline["fused"] else []
    parts += [model_name(pipeline["reranker"])] if pipeline["reranker"] else []
    return " + ".join(parts)


def stage_words(row: Mapping[str, Any]) -> str:
    """A row's stage in words."""
    fixed = {"embedder": "The embedder alone", "full_text": "Full text alone", "fused": "Both together"}
    return fixed.get(row["stage"]) or f"Reranked, the first {row['top']}"


def job_title(spec: Mapping[str, Any]) -> str:
    """What a job measures."""
    return f"Measuring {title({**spec, 'fused': spec['fuse']})}"


def plot(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """NDCG@10 against milliseconds: the newest pipeline, point by point, and those that can be compared with it."""
    if not found:
        return plots.figure("NDCG@10", "milliseconds a query", [])
    same = [one for one in found if one["direction"] == found[0]["direction"]][:SERIES]
    lines = []
    for number, pipeline in enumerate(same, start=1):
        newest = pipeline is found[0]
        for alone in (False, True):  # full text alone leads nowhere: it is a point beside the line
            rows = [row for row in _timed(pipeline) if (row["stage"] == "full_text") == alone]
            if alone and not newest:
                continue
            lines.append(
                plots.line(
                    title(pipeline),
                    [(row["milliseconds"]["total"], row["metrics"]["ndcg@10"]) for row in rows],
                    tone=str(number),
                    intervals=[row["interval"] for row in rows] if newest else (),
                    label="" if alone or len(same) == 1 else title(pipeline),
                    markers=True,
                    marks=[_mark(row) for row in rows] if newest else (),
                )
            )
    says = "; ".join(
        f"{stage_words(row)}: {row['metrics']['ndcg@10']:.3f} in {words.milliseconds(row['milliseconds']['total'])}"
        for row in _timed(found[0])
    )
    return plots.figure(
        "NDCG@10", "milliseconds a query", lines, log_x=True, from_zero=False,
        ticks=_ticks([time for line in lines for time in line["x"]]),
        says=f"NDCG@10 against milliseconds a query. {says}",
    )  # fmt: skip


def _ticks(times: Sequence[float]) -> list[float]:
    """1, 3, 10, 30, …, as far as the times go; more of them where that leaves but one or two."""
    found: list[float] = []
    for digits in ((1, 3), (1, 2, 5), (1, 2, 3, 5, 7)):
        if times and len(found) < 3:
            ticks = [digit * 10.0**power for power in range(-3, 8) for digit in digits]
            found = [tick for tick in ticks if min(times) <= tick <= max(times)]
    return found


def _timed(pipeline: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows that have a place in time."""
    return [row for row in pipeline["rows"] if row["milliseconds"]["total"] is not None]


def _mark(row: Mapping[str, Any]) -> str:
    """What stands beside a point."""
    fixed = {"embedder": "alone", "full_text": "full text alone", "fused": "both"}
    return fixed.get(row["stage"]) or ("first 10" if row["top"] == TOPS[0] else str(row["top"]))
