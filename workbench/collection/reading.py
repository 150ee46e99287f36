"""Show the first rows of what the user brings, before anything is imported, and read single media cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.collection.archive import Files
from workbench.collection.columns import Column, as_text, cell_values, find_media, media_name, propose_roles
from workbench.collection.pdf import PAGE_DPI, is_pdf, page_picture, split_page
from workbench.collection.source import Source, head, open_source
from workbench.collection.store import Item
from workbench.collection.tables import Row, Table
from workbench.errors import WorkbenchError
from workbench.media import NOUNS, thumbnail
from workbench.media_formats import sniff

COUNTED_BYTES = 16 << 20
SAMPLES = 4
SAMPLE_BYTES = 16 << 20


@dataclass(frozen=True)
class Preview:
    """The head of a source.

    rows: the first rows, column name to str, number or None (a media cell gives its file name). row_count: None where
    counting would take long. problems: sentences about those rows, and about the table as a whole.
    """

    columns: list[Column]
    rows: list[dict[str, Any]]
    row_count: int | None
    problems: list[str]

    @property
    def roles(self) -> dict[str, str | None]:
        """The proposed role to column mapping, as `import_collection` takes it."""
        found: dict[str, str | None] = {"query": None, "document": None, "negative": None, "score": None}
        for column in reversed(self.columns):
            if column.role:
                found[column.role] = column.name
        return found


def preview_source(path: Path | Source) -> Preview:
    """The columns of a source with kinds, proposed roles and samples, and its first rows, without importing anything.

    Reads about SAMPLE_ROWS rows and the samples' files. Raises WorkbenchError as `open_source` does.
    """
    source = path if isinstance(path, Source) else open_source(path)
    rows = head(source)
    kinds = source.kinds(rows)
    roles = propose_roles(kinds)
    columns = [Column(name, kind, roles.get(name), _samples(source, rows, name, kind)) for name, kind in kinds.items()]
    shown = [{name: _shown(row.cells.get(name)) for name in kinds} for _, row in rows if not row.problem]
    small = sum(source.files.size(table.name) for table in source.tables) <= COUNTED_BYTES
    parquet = all(table.extension == "parquet" for table in source.tables)
    count = source.count_rows() if small or parquet else None
    return Preview(columns, shown, count, _problems(source, rows, columns))


def read_media(cell: Any, kind: str, files: Files, folder: str, page_dpi: int = PAGE_DPI) -> tuple[bytes, str]:
    """The bytes a media cell holds or names, and the file name to show ("" if it has none).

    A PDF gives the picture of the page that the cell names ("report.pdf#page=3"), else of its first. kind: what the
    column holds, for the words. Raises WorkbenchError (no row number) if the file is missing, lies outside the upload,
    or cannot be read.
    """
    data, file = _read_file(cell, kind, files, folder)
    if not is_pdf(data) or sniff(data):
        return data, file
    name, number = split_page(media_name(cell) or "")
    label = file or name
    try:
        picture = page_picture(data, number or 1, page_dpi)
    except WorkbenchError as error:
        words = error.message.replace("the PDF", f"the PDF “{label}”", 1) if label else error.message
        raise WorkbenchError(words) from error
    return picture, f"{label}#page={number or 1}" if label else ""


def _read_file(cell: Any, kind: str, files: Files, folder: str) -> tuple[bytes, str]:
    name = media_name(cell)
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    if isinstance(data, bytes):
        return data, Path(name).name if name else ""
    if name is None:
        raise WorkbenchError(f"the cell holds no {NOUNS[kind]}. Give the name of a file, or remove the row.")
    found = find_media(name, files, folder)
    if found is None:
        shown = name.strip() if len(name) <= 120 else name.strip()[:117] + "…"
        raise WorkbenchError(f"the {NOUNS[kind]} “{shown}” {files.missing_advice}")
    try:
        return files.read(found), found
    except OSError as error:
        raise WorkbenchError(f"the {NOUNS[kind]} “{found}” cannot be read: {error.strerror or error}.") from error


def _samples(source: Source, rows: list[tuple[Table, Row]], name: str, kind: str) -> list[Item | str]:
    samples: dict[str, Item | str] = {}
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
    for table, row in rows:
        if row.problem:
            problems.append(f"{source.where(table, row)}: {row.problem}")
        for column in columns:
            problem = "" if row.problem else _cell_problem(source, table, row.cells.get(column.name), column)
            if problem:
                problems.append(f"{source.where(table, row)}: {problem}")
    return problems


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


def empty_cell(column: str) -> str:
    """The words for a cell that must be filled and is not, without the row number."""
    return f"the cell of “{column}” is empty. Fill it, or remove the row."
