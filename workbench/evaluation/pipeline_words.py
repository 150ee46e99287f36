"""What a measured pipeline comes to, in a few sentences."""

from __future__ import annotations

from typing import Any


def pipeline_words(pipeline: dict[str, Any]) -> str:
    """Whether a second stage is worth it, and from where on more of it is not, in a sentence or two."""
    rows = {(row["stage"], row["top"]): row for row in pipeline["rows"]}
    said = []
    if pipeline["fused"]:
        row = rows["fused", 0]
        told = {"better": "Full text beside it helps", "worse": "Full text beside it does harm"}
        start = told.get(row["gain"]["verdict"], "Full text beside it shows no real change")
        said.append(f"{start}: {_change(row['gain'])}{_for_time(row, rows['embedder', 0])}.")
        if pipeline["words_alone"]["verdict"] == "better":
            said.append(f"Full text alone is better still: {_change(pipeline['words_alone'])} against both together.")
    stop = pipeline["stop"]
    if stop is None:
        return " ".join(said)
    before = rows["fused" if pipeline["fused"] else "embedder", 0]
    beyond = stop["beyond"]
    if not stop["top"]:
        row = rows["reranked", beyond["top"]]
        start = "Reranking does harm here" if beyond["verdict"] == "worse" else "Reranking does not help here"
        if beyond["verdict"] == "no real change" and beyond["interval"][0] > 0:
            start = "Reranking may help, which more queries would tell"
        said.append(f"{start}: at best, with the first {row['top']}, {_change(beyond)}{_for_time(row, before)}.")
        return " ".join(said)
    row = rows["reranked", stop["top"]]
    said.append(f"Reranking the first {row['top']} helps: {_change(stop['gain'])}{_for_time(row, before)}.")
    if beyond is None:
        said.append(f"The more, the better: {row['top']} are the most that were tried.")
    else:
        more = rows["reranked", beyond["top"]]
        said.append(f"More does not help: the first {more['top']} give {_change(beyond)}{_for_time(more, row)}.")
    return " ".join(said)


def _change(compared: dict[str, Any]) -> str:
    low, high = compared["interval"]
    return f"{compared['difference']:+.3f} [{low:+.3f}, {high:+.3f}]".replace("-", "−")


def _for_time(row: dict[str, Any], before: dict[str, Any]) -> str:
    """What a row takes more than another, as the end of a sentence; nothing where it was not timed."""
    totals = row["milliseconds"]["total"], before["milliseconds"]["total"]
    if None in totals:
        return ""
    return f", for {milliseconds(totals[0] - totals[1])} a query more"


def milliseconds(value: float) -> str:
    """0.42 ms, 12 ms, 1,240 ms."""
    return (f"{value:,.0f} ms" if abs(value) >= 10 else f"{value:.2g} ms").replace("-", "−")
