"""Read the rows of a table, one at a time: CSV, TSV, JSONL, Parquet and Arrow, whatever their encoding and separator.

Row numbers are those a spreadsheet shows: in a CSV the header is row 1. In JSONL they are lines, in Parquet they
count from 1.
"""

from __future__ import annotations

import ast
import csv
import io
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from workbench.collection.archive import Files
from workbench.collection.delimited import MAX_CELL_CHARACTERS, records
from workbench.collection.encodings import FOREIGN_BYTES, detect_encoding, holds_foreign_bytes
from workbench.collection.saved import saved_batches
from workbench.errors import WorkbenchError
from workbench.media_formats import sniff

EXTENSIONS = ("csv", "tsv", "jsonl", "ndjson", "parquet")
SAVED = "arrow"  # read only where `datasets.save_to_disk` wrote it
SEPARATORS = (",", ";", "\t", "|")
SAMPLE_ROWS = 50
PARQUET_ROWS_AT_ONCE = 32


@dataclass
class Row:
    """One row as read. `problem` says, without the row number, why its cells cannot be trusted."""

    number: int
    cells: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


class Table:
    """One table among `files`. Opening it reads nothing; `columns` reads its head."""

    def __init__(self, files: Files, name: str) -> None:
        self.files, self.name = files, name
        self.folder = name.rpartition("/")[0]
        self.label = name.rpartition("/")[2]
        self.extension = name.rpartition(".")[2].lower()

    @cached_property
    def columns(self) -> list[str]:
        """The names of the columns, in order. Raises WorkbenchError if the table is empty or no table at all."""
        with self.files.open(self.name) as file:
            head = file.read(4096)
        if not head.strip():
            raise WorkbenchError(
                f"“{self.label}” is empty. Give it a first row of column names and at least one row below."
            )
        if self.extension == "parquet":
            with self._parquet() as table:
                return unique_names(table.schema_arrow.names)
        if self.extension == SAVED:
            with saved_batches(self.files, self.name) as (schema, _):
                return [str(name) for name in schema.names]
        if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"PAR1", b"%PDF")) or sniff(head):
            raise WorkbenchError(
                f"“{self.label}” is called .{self.extension} and is not such a table. Save it as CSV, then import that."
            )
        if self.extension in ("jsonl", "ndjson"):
            return self._json_columns()
        return self._head[1]

    def rows(self) -> Iterator[Row]:
        """All rows in order, skipping blank lines. Raises WorkbenchError where nothing after can be read."""
        if not self.columns:
            return
        reader = {"parquet": self._parquet_rows, SAVED: self._saved_rows}
        reader |= dict.fromkeys(("jsonl", "ndjson"), self._json_rows)
        yield from reader.get(self.extension, self._delimited_rows)()

    def count_rows(self) -> int:
        """How many rows there are: from the header of Parquet, else by reading the table once."""
        if self.extension == "parquet":
            with self._parquet() as table:
                return int(table.metadata.num_rows)
        if self.extension == SAVED:
            with saved_batches(self.files, self.name) as (_, batches):
                return sum(batch.num_rows for batch in batches)
        if self.extension in ("jsonl", "ndjson"):
            with self._text() as text:
                return sum(1 for line in _lines(text, self.label) if line.strip())
        return max(0, sum(1 for _, record, problem in self._records() if record or problem) - 1)

    @cached_property
    def encoding(self) -> str:
        with self.files.open(self.name) as file:
            try:
                return detect_encoding(file)
            except WorkbenchError as error:
                raise WorkbenchError(f"“{self.label}” cannot be read: {error.message}") from None

    @contextmanager
    def _text(self) -> Iterator[io.TextIOWrapper]:
        errors = "surrogateescape" if self.encoding == "utf-8" else "strict"  # told row by row
        with io.TextIOWrapper(self.files.open(self.name), encoding=self.encoding, errors=errors, newline="") as text:
            try:
                yield text
            except UnicodeDecodeError as error:
                raise WorkbenchError(
                    f"“{self.label}” begins as {self.encoding.upper()} and does not go on so. Save it as UTF-8."
                ) from error

    # Delimited text

    @cached_property
    def _head(self) -> tuple[str, list[str]]:
        """Separator and column names, told from the first records."""
        with self._text() as text:
            sample = text.read(1 << 18)
        declared = re.match(r"sep=(.)\r?\n", sample)
        if declared:
            separator, sample = declared[1], sample[declared.end() :]
        else:
            separator = detect_separator(sample, prefer="\t" if self.extension == "tsv" else ",")
        try:
            found = records(io.StringIO(sample, newline=""), separator)
            header, problem = next(((cells, problem) for cells, problem in found if cells or problem), ([], ""))
            problem = problem or (FOREIGN_BYTES if any(map(holds_foreign_bytes, header)) else "")
        except csv.Error as error:
            raise WorkbenchError(f"“{self.label}” cannot be read: {error}. Save it as CSV again.") from error
        if problem:
            raise WorkbenchError(f"In the first row of “{self.label}”, the column names, {problem}")
        while header and not header[-1].strip():  # empty columns at the end
            header = header[:-1]
        return separator, unique_names(header)

    def _records(self) -> Iterator[tuple[int, list[str], str]]:
        """Row number, cells and problem of every record, the header too; a blank line has neither."""
        separator = self._head[0]
        number = 0
        with self._text() as text:
            try:
                for number, (record, problem) in enumerate(records(text, separator), start=1):
                    if number == 1 and re.fullmatch("sep=.?", separator.join(record)):
                        continue
                    yield number, record, problem
            except csv.Error as error:
                raise WorkbenchError(
                    f"Row {number + 1} of “{self.label}” cannot be read: {error}. "
                    "Most often a quote is opened and never closed. Mend that row."
                ) from error

    def _delimited_rows(self) -> Iterator[Row]:
        columns, width = self.columns, len(self.columns)
        lists = self._lists_in_cells()
        header_seen = False
        for number, record, problem in self._records():
            if not record and not problem:
                continue
            if not header_seen:
                header_seen = True
                continue
            if problem or any(map(holds_foreign_bytes, record)):
                yield Row(number, problem=problem or FOREIGN_BYTES)
            elif len(record) == width:
                yield Row(number, _cells(columns, record, lists))
            elif any(cell.strip() for cell in record[width:]):
                yield Row(
                    number,
                    problem=f"there are {len(record)} cells and the table has {width} columns. "
                    "Put quotes around a text that holds the separator.",
                )
            else:
                yield Row(number, _cells(columns, record[:width] + [""] * (width - len(record)), lists))

    def _lists_in_cells(self) -> frozenset[str]:
        """The columns whose filled cells in the first rows are all lists, as a program writes them into a CSV."""
        found: dict[str, bool] = {}
        filled = (record for _, record, _ in self._records() if record)
        # What cannot be read is told when the rows are read.
        with suppress(WorkbenchError), closing(filled):
            for record in itertools.islice(filled, 1, SAMPLE_ROWS):
                for name, cell in zip(self.columns, record, strict=False):
                    if cell.strip():
                        found[name] = found.get(name, True) and list_in_cell(cell) is not None
        return frozenset(name for name, all_lists in found.items() if all_lists)

    # JSON lines

    def _json_columns(self) -> list[str]:
        columns: dict[str, None] = {}
        problem = ""
        for row, _ in zip(self._json_rows(), range(SAMPLE_ROWS), strict=False):
            columns |= dict.fromkeys(row.cells)
            problem = problem or (row.problem and f"Line {row.number}: {row.problem}")
        if problem and not columns:
            raise WorkbenchError(f"“{self.label}” has no line that can be read. {problem}")
        return list(columns)

    def _json_rows(self) -> Iterator[Row]:
        with self._text() as text:
            for number, line in enumerate(_lines(text, self.label), start=1):
                if line.strip():
                    yield self._json_row(number, line)

    def _json_row(self, number: int, line: str) -> Row:
        if holds_foreign_bytes(line):
            return Row(number, problem=FOREIGN_BYTES)
        try:
            value = json.loads(line.strip().rstrip(","))  # the lines of a list are often taken out with their commas
        except (ValueError, RecursionError):
            value = None
            if not (number == 1 and line.lstrip().startswith("[")):
                return Row(number, problem="the line is not valid JSON. Write one object on each line.")
        if not isinstance(value, dict):
            if number == 1 and line.lstrip().startswith("["):
                raise WorkbenchError(
                    f"“{self.label}” holds one long JSON list. Write one object on each line instead."
                ) from None
            return Row(number, problem="the line is JSON and not an object. Write {“column”: value, …} on each line.")
        return Row(number, {str(key): cell for key, cell in value.items()})

    # Parquet

    @contextmanager
    def _parquet(self) -> Iterator[Any]:
        import pyarrow
        import pyarrow.parquet

        with ExitStack() as stack:
            file = stack.enter_context(self.files.open(self.name))
            if not file.seekable():
                copy = stack.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(file, copy, 1 << 20)
                copy.seek(0)
                file = copy  # type: ignore[assignment]
            try:
                table = pyarrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
            except (pyarrow.ArrowException, OSError, ValueError) as error:
                raise WorkbenchError(
                    f"“{self.label}” is no Parquet table, or only part of one. Save or copy it again."
                ) from error
            yield table

    def _parquet_rows(self) -> Iterator[Row]:
        import pyarrow

        number = 0
        with self._parquet() as table:
            try:
                for batch in table.iter_batches(batch_size=PARQUET_ROWS_AT_ONCE, use_threads=False):
                    for cells in batch.rename_columns(self.columns).to_pylist():
                        number += 1
                        yield Row(number, cells)
            except (pyarrow.ArrowException, OSError, ValueError) as error:
                raise WorkbenchError(f"“{self.label}” is damaged after row {number}. Save or copy it again.") from error

    # What datasets.save_to_disk writes

    def _saved_rows(self) -> Iterator[Row]:
        import pyarrow

        number = 0
        with saved_batches(self.files, self.name) as (_, batches):
            try:
                for batch in batches:
                    for start in range(0, batch.num_rows, PARQUET_ROWS_AT_ONCE):
                        for cells in batch.slice(start, PARQUET_ROWS_AT_ONCE).to_pylist():
                            number += 1
                            yield Row(number, cells)
            except (pyarrow.ArrowException, OSError, ValueError) as error:
                raise WorkbenchError(f"“{self.label}” is damaged after row {number}. Save or copy it again.") from error


def list_in_cell(cell: str) -> list[Any] | None:
    """The list that a cell of a CSV holds, as JSON or as Python and pandas write one; None if it holds none."""
    plain = cell.strip()
    if not (plain.startswith("[") and plain.endswith("]")):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(plain)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        if isinstance(value, list) and all(isinstance(inner, (str, int, float, type(None))) for inner in value):
            return value
    return None


def _cells(columns: list[str], record: list[str], lists: frozenset[str]) -> dict[str, Any]:
    cells: dict[str, Any] = dict(zip(columns, record, strict=True))
    for name in lists:
        inner = list_in_cell(cells[name])
        cells[name] = cells[name] if inner is None else inner
    return cells


def detect_separator(sample: str, prefer: str = ",") -> str:
    """The separator under which the header has several cells and most rows have as many; `prefer` if none fits.

    sample: the beginning of a table, its last record possibly cut off.
    """
    best, best_fit = prefer, (0.0, 0)
    poor, poor_fit = prefer, (0.25, 0)
    for separator in (prefer, *(other for other in SEPARATORS if other != prefer)):
        try:
            found = itertools.islice(records(io.StringIO(sample, newline=""), separator), SAMPLE_ROWS)
            lengths = [len(record) for record, _ in found if record]
        except csv.Error:
            continue
        if len(lengths) > 2:
            lengths.pop()
        if not lengths or lengths[0] < 2:
            continue
        # A row that is too long most likely lacks quotes; one that is too short speaks against the separator.
        worth = sum(1.0 if length == lengths[0] else 0.55 if length > lengths[0] else 0.0 for length in lengths)
        fit = (worth / len(lengths), lengths[0])
        if fit[0] > 0.5 and fit > best_fit:
            best, best_fit = separator, fit
        if fit > poor_fit:
            poor, poor_fit = separator, fit
    # Where most rows are too short, the header alone has to do.
    return best if best_fit[1] else poor


def unique_names(header: list[str]) -> list[str]:
    """Names made unique; an empty one becomes “column N”."""
    names: list[str] = []
    for number, cell in enumerate(header, start=1):
        name = base = cell.strip() or f"column {number}"
        copy = 2
        while name in names:
            name, copy = f"{base} ({copy})", copy + 1
        names.append(name)
    return names


def _lines(text: io.TextIOWrapper, label: str) -> Iterator[str]:
    limit = 8 * MAX_CELL_CHARACTERS
    while line := text.readline(limit):
        if len(line) == limit:
            raise WorkbenchError(f"“{label}” has a line of more than {limit:,} characters. Write one object a line.")
        yield line
