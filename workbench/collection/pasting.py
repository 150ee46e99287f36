"""Rows pasted from a spreadsheet or typed by hand become a table file, which is then imported like any other.

Understood: cells between tabs (what spreadsheets copy), CSV, one "a | b" a line (Markdown tables too), JSON lines and
one JSON list; each with or without a row of names.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from workbench.collection.columns import as_number, is_role_name
from workbench.collection.tables import MAX_CELL_CHARACTERS, detect_separator
from workbench.errors import WorkbenchError

MAX_CHARACTERS = 5_000_000
MAX_NAME_CHARACTERS = 40
PROBLEMS_SHOWN = 20
ADVICE = "Write one pair a line, with a tab, a comma or “ | ” between its parts: a red ball | a photo of a red ball"


def save_paste(text: str, folder: Path) -> Path:
    """Save pasted rows as a table in a new folder below `folder`; returns its path, for `preview_source` and import.

    Columns without a name are query, document and (numbers in the third) score. Rows that lack a part are kept: the
    import tells them by their number. Raises WorkbenchError if it is empty, too long, or no row has two parts.
    """
    text = text.removeprefix("\ufeff").replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise WorkbenchError(f"Nothing was pasted. {ADVICE}")
    if len(text) > MAX_CHARACTERS:
        raise WorkbenchError(
            f"That is {len(text):,} characters; what is pasted may have {MAX_CHARACTERS:,}. "
            "Save it as a CSV file and bring that."
        )
    # A folder of its own: a pasted file name finds nothing beside the table.
    if text.lstrip().startswith(("{", "[{")) or re.match(r"\[\s*[\[{]", text.lstrip()):
        name, content = "pasted.jsonl", _json_lines(text)
    else:
        name, content = "pasted.csv", _csv(_named(_records(text)))
    path = Path(tempfile.mkdtemp(dir=folder, prefix="paste-")) / name
    path.write_bytes(content.encode("utf-8", "replace"))
    return path


def _json_lines(text: str) -> str:
    """One JSON object a line, from lines or from one list of objects or of [query, document] lists."""
    values: list[Any] = []
    problems: list[str] = []
    try:
        whole = json.loads(text)
        values = whole if isinstance(whole, list) else [whole]
    except (ValueError, RecursionError):
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                try:
                    values.append(json.loads(line.strip().removesuffix(",")))
                except (ValueError, RecursionError):
                    problems.append(f"Line {number} is not valid JSON: {_short(line)}")
    rows = [_json_row(value) for value in values]
    if problems or None in rows:
        problems += [f"Entry {number} is no object." for number, row in enumerate(rows, start=1) if row is None]
        raise WorkbenchError(
            "What was pasted begins as JSON and does not go on so. Write one object a line: "
            "{“query”: “a red ball”, “document”: “a photo of a red ball”}",
            _some(problems),
        )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _json_row(value: Any) -> dict[str, Any] | None:
    if isinstance(value, list) and len(value) > 1:
        return dict(zip(_default_names([value]), value, strict=True))
    return value if isinstance(value, dict) and value else None


def _records(text: str) -> list[list[str]]:
    """The cells of every line that is not blank. Raises WorkbenchError if no line has two."""
    lines = [line for line in text.split("\n") if line.strip()]
    if sum("\t" in line for line in lines) > len(lines) / 2:
        records = _delimited(text, "\t")
    elif sum("|" in line for line in lines) > len(lines) / 2:
        records = [_piped(line) for line in lines if not re.fullmatch(r"[\s|:-]*-[\s|:-]*", line)]
    else:
        records = _delimited(text, detect_separator(text))
    records = [[cell.strip() for cell in record] for record in records]
    records = [record for record in records if any(record)]
    if not any(len([cell for cell in record if cell]) > 1 for record in records):
        raise WorkbenchError(
            f"No line of what was pasted has two parts. {ADVICE}",
            _some([f"Line {number}: {_short(record[0])}" for number, record in enumerate(records, start=1)]),
        )
    return records


def _delimited(text: str, separator: str) -> list[list[str]]:
    """Cells in quotes as spreadsheets copy them; where the quotes do not fit, they are part of the text."""
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error:
        return [line.split(separator) for line in text.split("\n")]


def _piped(line: str) -> list[str]:
    line = line.strip()
    if line.startswith("|") and line.endswith("|") and len(line) > 1:
        line = line[1:-1]
    return line.split("|")


def _named(records: list[list[str]]) -> list[list[str]]:
    """The records below a row of names: their own first row if it is one, else the names of roles."""
    return records if _has_names(records) else [_default_names(records), *records]


def _has_names(records: list[list[str]]) -> bool:
    """Whether the first row holds names: one of them is a role's, or stands above numbers."""
    first, rest = records[0], records[1:]
    if not rest or len(set(first)) < len(first) or any(len(name) > MAX_NAME_CHARACTERS for name in first):
        return False
    if any(as_number(name) is not None for name in first):
        return False
    if any(is_role_name(name) for name in first):
        return True
    return any(_is_numbers([record[column : column + 1] for record in rest]) for column in range(len(first)))


def _default_names(records: list[list[Any]]) -> list[str]:
    width = Counter(len(record) for record in records).most_common(1)[0][0]
    names = ["query", "document", *(f"column {number}" for number in range(3, width + 1))][: max(2, width)]
    if width > 2 and _is_numbers([record[2:3] for record in records]):
        names[2] = "score"
    return names


def _is_numbers(cells: list[list[Any]]) -> bool:
    """Whether all that is filled is a number. cells: each a list of one value, or of none where the row is short."""
    filled = [cell[0] for cell in cells if cell and cell[0] not in ("", None)]
    return bool(filled) and all(as_number(value) is not None for value in filled)


def _csv(records: list[list[str]]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows(records)
    return file.getvalue()


def _short(line: str) -> str:
    line = " ".join(line.split())
    return f"“{line}”" if len(line) <= 60 else f"“{line[:57]}…”"


def _some(problems: list[str]) -> list[str]:
    more = len(problems) - PROBLEMS_SHOWN
    return problems[:PROBLEMS_SHOWN] + ([f"… and {more:,} more."] if more > 0 else [])
