"""What a search found as CSV, for a spreadsheet: the columns of the hits that the command `search --json` prints.

With the byte order mark by which spreadsheet programs know UTF-8. A text that such a program would run as a formula
gets an apostrophe in front; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from typing import Any

from workbench.index.results import SearchResult

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def results_csv(found: SearchResult) -> str:
    """The hits of a search, one a line, below their names; nothing but a mark where nothing was found."""
    hits = found.as_json()["hits"]
    text = io.StringIO()
    text.write("\ufeff")
    if hits:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(hits[0])
        writer.writerows([_cell(value) for value in hit.values()] for hit in hits)
    return text.getvalue()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
