"""Show what the user brings, and its first rows, before anything is imported."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.collection.columns import (
    SCORE_NAMES,
    Column,
    as_text,
    cell_values,
    find_media,
    media_name,
    propose_roles,
)
from workbench.collection.documents import Documents
from workbench.collection.items import empty_cell, read_media
from workbench.collection.retrieval import Retrieval
from workbench.collection.source import Opened, Source, head, open_source
from workbench.collection.store import Item
from workbench.collection.tables import Row, Table
from workbench.errors import WorkbenchError
from workbench.media import NOUNS, thumbnail
from workbench.media_formats import sniff

COUNTED_BYTES = 16 << 20
SAMPLES = 4
SAMPLE_BYTES = 16 << 20
SHOWN_ROWS = 5


@dataclass(frozen=True)
class Preview:
    """The head of a source.

    rows: the first rows, column name to str, number or None (a media cell gives its file name). row_count: None where
    counting would take long. problems: sentences about those rows, and about the table as a whole.
    layout: what the source is, in a sentence, where that is more than one table. Where nothing is to be chosen, as for
    a folder of PDFs, there are no columns and no rows, `layout` says all, and `samples` has some of its documents.
    items: for each of the first SHOWN_ROWS of `rows`, the media of its cells by column, as far as they can be read.
    """

    columns: list[Column]
    rows: list[dict[str, Any]]
    row_count: int | None
    problems: list[str]
    layout: str = ""
    samples: list[Item] = field(default_factory=list)
    items: list[dict[str, Item]] = field(default_factory=list)

    @property
    def roles(self) -> dict[str, str | None]:
        """The proposed role to column mapping, as `import_collection` takes it."""
        found: dict[str, str | None] = {"query": None, "document": None, "negative": None, "score": None}
        for column in reversed(self.columns):
            if column.role:
                found[column.role] = column.name
        return found


def preview_source(path: Path | Opened) -> Preview:
    """What a source is, its columns with kinds, proposed roles and samples, and its first rows; imports nothing.

    Reads about SAMPLE_ROWS rows and the samples' files. Raises WorkbenchError as `open_source` does.
    """
    source = open_source(path) if isinstance(path, Path) else path
    if isinstance(source, Retrieval):
        return Preview([], [], None, [], source.sentence)
    if isinstance(source, Documents):
        return Preview([], [], None, [], source.sentence, source.samples(SAMPLES, SAMPLE_BYTES))
    rows = head(source)
    kinds = source.kinds(rows)
    split = source.split_column(rows)
    roles = propose_roles({name: kind for name, kind in kinds.items() if name != split})
    good = [(table, row) for table, row in rows if not row.problem]
    items = [_items(source, table, row, kinds) for table, row in good[:SHOWN_ROWS]]
    columns = [
        Column(name, kind, roles.get(name), _samples(source, rows, name, kind, items)) for name, kind in kinds.items()
    ]
    shown = [{name: _shown(row.cells.get(name)) for name in kinds} for _, row in good]
    small = sum(source.files.size(table.name) for table in source.tables) <= COUNTED_BYTES
    parquet = all(table.extension == "parquet" for table in source.tables)
    count = source.count_rows() if small or parquet else None
    return Preview(columns, shown, count, _problems(source, rows, columns), source.sentence, items=items)


def _items(source: Source, table: Table, row: Row, kinds: dict[str, str]) -> dict[str, Item]:
    """The media of one row by column: the first of each cell."""
    items = {}
    for name, kind in kinds.items():
        for value in cell_values(row.cells.get(name))[:1] if kind in NOUNS else []:
            with suppress(WorkbenchError):  # told among the problems
                sample = _sample(source, table, value, kind)
                if isinstance(sample, Item):
                    items[name] = sample
    return items


def _samples(
    source: Source, rows: list[tuple[Table, Row]], name: str, kind: str, items: list[dict[str, Item]]
) -> list[Item | str]:
    """A few distinct values of a column; those among `items` are not decoded again."""
    samples: dict[str, Item | str] = {row[name].content_id(): row[name] for row in items if name in row}
    if len(samples) >= SAMPLES:
        return list(samples.values())[:SAMPLES]
    for table, row in rows:
        for value in cell_values(row.cells.get(name))[:1]:
            try:
                sample = _sample(source, table, value, kind)
            except WorkbenchError:
                continue  # told among the problems
            if sample is not None:
                samples.setdefault(sample if isinstance(sample, str) else sample.content_id(), sample)
        if len(samples) == SAMPLES:
            break
    return list(samples.values())


def _sample(source: Source, table: Table, value: Any, kind: str) -> Item | str | None:
    if kind not in NOUNS:
        return as_text(value)
    name = media_name(value)
    found = find_media(name, source.files, table.folder) if isinstance(value, str) and name else None
    if found and source.files.size(found) > SAMPLE_BYTES:
        return None
    data, file = read_media(value, kind, source.files, table.folder)
    sniffed = sniff(data)
    modality = sniffed[0] if sniffed else kind
    small = thumbnail(modality, data)
    media: dict[str, Any] = {modality: data}
    return Item(file=file, thumbnail=small, **media)


def _shown(cell: Any) -> Any:
    values = cell_values(cell)
    if not values:
        return "NaN" if isinstance(cell, float) else None
    if len(values) > 1:
        return ", ".join(str(_shown(value)) for value in values[:5]) + (" …" if len(values) > 5 else "")
    value = values[0]
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, bytes) or (isinstance(value, dict) and isinstance(value.get("bytes"), bytes)):
        data = value if isinstance(value, bytes) else value["bytes"]
        return Path(media_name(value) or "").name or f"{len(data):,} bytes"
    return as_text(value)


def _problems(source: Source, rows: list[tuple[Table, Row]], columns: list[Column]) -> list[str]:
    """What is wrong with the first rows, as sentences; media are looked up and not decoded."""
    problems = []
    roles = {column.role for column in columns}
    if not {"query", "document"} <= roles:
        problems.append("Two columns are needed: one that people look for, one that should be found. Choose them.")
    problems += _doubtful_names(source, [column.name for column in columns])
    if "score" not in roles:
        problems += [
            f"The column “{column.name}” holds words, so no row counts as less of a match than another. If it says how "
            "well they match, put numbers in it: 1 for a match, 0 for none."
            for column in columns
            if column.kind == "text" and column.role is None and column.name.lower() in SCORE_NAMES
        ]
    for table, row in rows:
        if row.problem:
            problems.append(f"{source.where(table, row)}: {row.problem}")
        for column in columns:
            problem = "" if row.problem else _cell_problem(source, table, row.cells.get(column.name), column)
            if problem:
                problems.append(f"{source.where(table, row)}: {problem}")
    return problems


def _doubtful_names(source: Source, names: list[str]) -> list[str]:
    """A sentence if what stands where the column names should be reads like a row of its own."""
    like_data = [name for name in names if len(name.split()) > 4 or name.rstrip().endswith(("?", "."))]
    if not like_data or source.tables[0].extension not in ("csv", "tsv"):
        return []
    return [
        f"The first row is taken for the names of the columns (“{like_data[0][:60]}”). If it is data, put a row such "
        "as query,document above it."
    ]


def _cell_problem(source: Source, table: Table, cell: Any, column: Column) -> str:
    values = cell_values(cell)
    if column.role in ("query", "document") and not values:
        return empty_cell(column.name)
    if column.role in (None, "score") or column.kind not in NOUNS:
        return ""
    for value in values:
        name = media_name(value)
        try:
            if isinstance(value, str) and name and find_media(name, source.files, table.folder) is None:
                return f"the {NOUNS[column.kind]} “{name}” {source.files.missing_advice}"
        except WorkbenchError as error:
            return error.message
    return ""
