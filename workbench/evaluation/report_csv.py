"""The tables of a report as CSV: every size in every direction, the comparisons, the slices, and each query's numbers.

With the byte order mark by which spreadsheet programs know UTF-8. A text that such a program would run as a formula
(=HYPERLINK(…), as a query may be called) gets an apostrophe in front; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
import itertools
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from workbench.evaluation.report_content import Content, full_size

RESULTS = "results"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
Row = dict[str, Any]


def write_tables(content: Content, path: Path) -> None:
    """Write a ZIP with a CSV for each table that has rows."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in tables(content):
            if (first := next(rows, None)) is None:
                continue
            member = zipfile.ZipInfo(f"{name}.csv", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(member, "w") as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
                _write(text, itertools.chain([first], rows))


def write_results(content: Content, path: Path) -> None:
    """Write the table of results alone."""
    with path.open("w", encoding="utf-8-sig", newline="") as text:
        _write(text, _evened(content.said["results"]))


def tables(content: Content) -> Iterator[tuple[str, Iterator[Row]]]:
    """Every table by name, its rows flat: an interval becomes two columns, a measure its own."""
    said = content.said
    for name in (RESULTS, "comparisons", "slices", "floors", "speeds"):
        yield name, _evened(said.get(name) or [])
    yield "against-floors", _evened(_within(said.get("floors") or [], "comparisons", ("model", "direction")))
    yield (
        "pipelines",
        _evened(_within(said.get("pipelines") or [], "rows", ("model", "reranker", "fused", "direction"))),
    )
    yield "queries", _queries(content)


def _queries(content: Content) -> Iterator[Row]:
    """What each query scored in each direction, by each model at its full size and the first precision."""
    for direction in content.said["shown"]:
        ids = content.queries.ids(direction)
        for model in (one["reference"] for one in content.said["models"]):
            row = full_size(content.said, model, direction)
            cell = (row["model"], row["dimension"], row["precision"])
            ndcg, first = content.queries.cell(*cell, direction)
            for identifier, score, rank in zip(ids, ndcg.tolist(), first.tolist(), strict=True):
                yield {
                    "direction": direction, "query": identifier, "model": model, "dimension": row["dimension"],
                    "precision": row["precision"], "ndcg@10": score, "rank of the first relevant": rank or None,
                }  # fmt: skip


def _within(outer: Iterable[Row], key: str, kept: Sequence[str]) -> Iterator[Row]:
    """The rows inside rows, each with some of what the outer one says: `of model`, `of direction`."""
    for one in outer:
        yield from ({f"of {name}": one[name] for name in kept} | row for row in one.get(key) or [])


def _evened(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows flat, each with the columns of all of them: only some are comparisons."""
    flat = [_flat(row) for row in rows]
    header = dict.fromkeys(key for row in flat for key in row)
    yield from (header | row for row in flat)


def _flat(row: Row, prefix: str = "") -> Row:
    flat: Row = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= _flat(value, "" if key == "metrics" else f"{key} ")
        elif key == "interval":
            flat |= {f"{prefix}interval low": value[0], f"{prefix}interval high": value[1]}
        elif not (isinstance(value, list) and value and isinstance(value[0], dict)):  # rows of their own: see `_within`
            flat[f"{prefix}{key}"] = value
    return flat


def _write(text: Any, rows: Iterator[Row]) -> None:
    """The rows below a header of the first one's columns, which all of them have."""
    first = next(rows)
    writer = csv.DictWriter(text, [*first], lineterminator="\r\n")
    writer.writerow({key: _cell(key) for key in first})
    for row in itertools.chain([first], rows):
        writer.writerow({key: _cell(value) for key, value in row.items()})


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    if isinstance(value, (list, tuple)):
        return _cell(", ".join(map(str, value)))
    return value
