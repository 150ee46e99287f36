"""Open what the user brings: a table (CSV, TSV, JSONL, Parquet), a ZIP of a table and its media, or a folder.

A ZIP or folder may be in the Hub's imagefolder or audiofolder form, with metadata.csv or metadata.jsonl and its
`file_name` column. Several tables are one source only where they are parts of one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.collection.archive import Files, FolderFiles, ZipFiles
from workbench.collection.columns import recognise
from workbench.collection.store import MODALITIES
from workbench.collection.tables import EXTENSIONS, SAMPLE_ROWS, Row, Table
from workbench.errors import WorkbenchError
from workbench.media_formats import modality_of_name

FORMS = "a CSV, TSV, JSONL or Parquet table, a ZIP of a table and its files, or a folder of both"


@dataclass(frozen=True)
class Source:
    """An opened source: its tables (several only where they are parts of one) and the files they name."""

    label: str
    files: Files
    tables: list[Table]

    def columns(self) -> list[str]:
        """The names of the columns of all tables, in order."""
        return list(dict.fromkeys(name for table in self.tables for name in table.columns))

    def rows(self) -> Iterator[tuple[Table, Row]]:
        """Every row of every table, with the table it is in."""
        for table in self.tables:
            for row in table.rows():
                yield table, row

    def count_rows(self) -> int:
        return sum(table.count_rows() for table in self.tables)

    def kinds(self, rows: list[tuple[Table, Row]]) -> dict[str, str]:
        """Column name to kind, told from the given rows."""
        folder = self.tables[0].folder
        return {
            name: recognise([row.cells.get(name) for _, row in rows], self.files, folder) for name in self.columns()
        }

    def where(self, table: Table, row: Row) -> str:
        """ "Row 14", with the table's name where there are several."""
        return f"Row {row.number}" + (f" of “{table.name}”" if len(self.tables) > 1 else "")


def open_source(path: Path) -> Source:
    """Open a table, ZIP or folder. Raises WorkbenchError if it is none, is unsafe, empty, or holds no one table."""
    if not path.exists():
        raise WorkbenchError(f"There is no file or folder “{path}”. Check how it is spelled.")
    path = path.resolve()
    extension = path.suffix.lower().lstrip(".")
    if path.is_dir():
        files: Files = FolderFiles(path)
    elif path.stat().st_size == 0:
        raise WorkbenchError(f"“{path.name}” is empty (0 bytes). Save or upload it again.")
    elif extension == "zip":
        files = ZipFiles(path)
    elif extension in EXTENSIONS:
        files = FolderFiles(path.parent)
        return _checked(Source(path.name, files, [Table(files, path.name)]))
    else:
        raise WorkbenchError(f"“{path.name}” is not something that can be imported. Bring {FORMS}.{_remedy(extension)}")
    return _checked(Source(path.name, files, _choose_tables(path.name, files)))


def head(source: Source) -> list[tuple[Table, Row]]:
    """The first SAMPLE_ROWS rows. Raises WorkbenchError if there are none."""
    rows = list(itertools.islice(source.rows(), SAMPLE_ROWS))
    if not rows:
        raise WorkbenchError(f"“{source.tables[0].label}” has column names and no rows below them. Add rows.")
    return rows


def _choose_tables(label: str, files: Files) -> list[Table]:
    names = files.names()
    tables = [Table(files, name) for name in names if name.rpartition(".")[2].lower() in EXTENSIONS]
    metadata = [table for table in tables if table.label.rpartition(".")[0].lower() == "metadata"]
    tables = metadata or tables
    if len(tables) == 1 or (metadata and len({table.folder for table in metadata}) == len(metadata)):
        return tables
    if not tables:
        raise WorkbenchError(_no_table(label, names))
    if all(table.extension == "parquet" for table in tables) and len({tuple(t.columns) for t in tables}) == 1:
        return tables
    shown = ", ".join(table.name for table in tables[:5]) + (" …" if len(tables) > 5 else "")
    raise WorkbenchError(
        f"“{label}” holds {len(tables)} tables ({shown}), and it is not clear which one to import. "
        "Leave one of them in it."
    )


def _no_table(label: str, names: list[str]) -> str:
    media = sum(modality_of_name(name) is not None for name in names)
    if not names:
        return f"“{label}” is empty. Bring {FORMS}."
    if media:
        return (
            f"“{label}” holds {media:,} media files and no table that says what belongs to what. "
            "Add a metadata.csv with the columns file_name and text, one row a file."
        )
    inner = [name for name in names if name.lower().endswith(".zip")]
    if inner:
        return f"“{label}” holds another ZIP, “{inner[0]}”, which is not opened. Unpack it, and bring what is in it."
    return f"“{label}” holds no table. Bring {FORMS}."


def _remedy(extension: str) -> str:
    if extension in ("xlsx", "xls", "ods", "numbers"):
        return " In your spreadsheet program, save it as CSV."
    if extension == "json":
        return " Write one JSON object a line, and call it .jsonl."
    if extension in ("gz", "tar", "tgz", "7z", "rar", "bz2", "xz"):
        return " Unpack it, and make a ZIP."
    return ""


def _checked(source: Source) -> Source:
    columns = source.columns()
    first = source.tables[0]
    if len(columns) < 2:
        have = f"one column, “{columns[0]}”" if columns else "no columns"
        raise WorkbenchError(
            f"“{first.label}” has {have}. It needs two: what people look for, and what should be found. "
            "If it has more, separate them by commas, semicolons or tabs."
        )
    if first.extension in ("csv", "tsv"):
        for name in columns:
            if recognise([name], source.files, first.folder) in MODALITIES[1:] and _exists(source, first, name):
                raise WorkbenchError(
                    f"The first row of “{first.label}” holds data (“{name}”) where the column names should be. "
                    "Add a first row such as: query,document"
                )
    return source


def _exists(source: Source, table: Table, name: str) -> bool:
    try:
        return source.files.find(name, table.folder) is not None
    except WorkbenchError:
        return False
