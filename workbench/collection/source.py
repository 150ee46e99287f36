"""Open what the user brings, and say what it is.

Pairs in rows: a table (CSV, TSV, JSONL, Parquet), a ZIP or folder of a table and its media (also in the Hub's
imagefolder or audiofolder form, with metadata.csv and `file_name`), several tables of the same columns (train.csv and
test.csv), tables that refer to each other by ids, and what `datasets.save_to_disk` writes: `Source`. A collection by
ids, as BEIR and MTEB keep one: `retrieval.Retrieval`. Files without a table: `documents.Documents`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.collection.archive import Files, FolderFiles, ZipFiles, is_storable, storable
from workbench.collection.columns import cell_values, recognise, recognise_in, split_of_word
from workbench.collection.documents import Documents, is_document
from workbench.collection.joined import JoinedTable, join_tables
from workbench.collection.retrieval import Retrieval, find_retrieval
from workbench.collection.splits import SPLIT_COLUMN, split_of_name, split_words, splits_of
from workbench.collection.store import MODALITIES
from workbench.collection.tables import EXTENSIONS, SAMPLE_ROWS, SAVED, Row, Table
from workbench.errors import WorkbenchError

FORMS = (
    "a CSV, TSV, JSONL or Parquet table, PDFs, pictures, sounds or videos, or a ZIP or folder of a table and its files"
)
SAMPLED_TABLES = 5
LEAST_SAMPLE_ROWS = 10
SPLIT_SHARE = 0.8  # of the cells of a column that says what is held out; the others are told as mistakes


@dataclass(frozen=True)
class Source:
    """An opened source of rows: its tables, and the files they name.

    tables: several only where they are parts of one. splits: train or eval by the name of a table, where the names
    say so. sentence: what it is, for the page, where that is more than a table.
    """

    label: str
    files: Files
    tables: list[Table]
    splits: Mapping[str, str] = field(default_factory=dict)
    sentence: str = ""

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

    def kinds(self, rows: Sequence[tuple[Table, Row]]) -> dict[str, str]:
        """Column name to kind, told from the given rows."""
        return {
            name: recognise_in([(row.cells.get(name), table.folder) for table, row in rows], self.files)
            for name in self.columns()
        }

    def split_column(self, rows: Sequence[tuple[Table, Row]]) -> str | None:
        """The column that says which rows are held out, None if there is none: it is called “split”, and says so."""
        name = next((name for name in self.columns() if name.lower() == SPLIT_COLUMN), None)
        if name is None:
            return None
        cells = [value for _, row in rows for value in cell_values(row.cells.get(name))]
        told = sum(split_of_word(cell) is not None for cell in cells)
        return name if told and told >= SPLIT_SHARE * len(cells) else None

    def where(self, table: Table, row: Row) -> str:
        """ "Row 14", with the table's name where there are several."""
        return f"Row {row.number}" + (f" of “{table.name}”" if len(self.tables) > 1 else "")

    def left_out(self) -> Iterator[tuple[int, str]]:
        """Rows that no row of the source's own is about, each with a sentence; to be asked when all rows are read."""
        for table in self.tables:
            if isinstance(table, JoinedTable):
                yield from table.left_out()


Opened = Source | Retrieval | Documents


def open_source(path: Path) -> Opened:
    """Open a table, PDF, media file, ZIP or folder.

    Raises WorkbenchError if it is none, is unsafe, empty, or holds tables that do not belong together.
    """
    if not path.exists():
        raise WorkbenchError(f"There is no file or folder “{path}”. Check how it is spelled.")
    path = path.resolve()
    extension = path.suffix.lower().lstrip(".")
    if path.is_dir():
        return _choose(storable(path.name), FolderFiles(path))
    if path.stat().st_size == 0:
        raise WorkbenchError(f"“{path.name}” is empty (0 bytes). Save or upload it again.")
    if extension == "zip":
        return _choose(storable(path.name), ZipFiles(path))
    files = FolderFiles(path.parent)
    if extension in EXTENSIONS:
        return _checked(Source(path.name, files, [_table(files, path.name)]))
    if is_document(path.name):
        return Documents(storable(path.name), files, [path.name])
    raise WorkbenchError(f"“{path.name}” is not something that can be imported. Bring {FORMS}.{_remedy(extension)}")


def head(source: Source) -> list[tuple[Table, Row]]:
    """The first rows, about SAMPLE_ROWS of them, of the first tables. Raises WorkbenchError if there are none."""
    tables = source.tables[:SAMPLED_TABLES]
    each = max(LEAST_SAMPLE_ROWS, SAMPLE_ROWS // max(1, len(tables)))
    rows = [(table, row) for table in tables for row in itertools.islice(table.rows(), each)]
    if not rows:
        raise WorkbenchError(f"“{source.tables[0].label}” has column names and no rows below them. Add rows.")
    return rows


def _choose(label: str, files: Files) -> Opened:
    """What the files of a folder or ZIP are, by their names and by the columns of the tables among them."""
    names = files.names()
    saved = _saved_tables(files, names)
    tables = saved or [_table(files, name) for name in names if name.rpartition(".")[2].lower() in EXTENSIONS]
    if not tables:
        if any(map(is_document, names)):
            return Documents(label, files, names)
        raise WorkbenchError(_no_table(label, names))
    if len(tables) == 1:
        return _checked(Source(label, files, tables))
    named = {table.name: split for table in tables if (split := split_of_name(table.name))}
    if retrieval := find_retrieval(label, files, tables, named):
        return retrieval
    metadata = [table for table in tables if table.label.rpartition(".")[0].lower() == "metadata"]
    if len(metadata) == 1 or (metadata and len({table.folder for table in metadata}) == len(metadata)):
        tables = metadata
    elif not _same_columns(tables, named):
        joined = join_tables(tables)
        if joined is None:
            raise WorkbenchError(_unclear(label, tables))
        return _checked(Source(label, files, [joined], sentence=joined.sentence))
    splits = splits_of(tables)
    tables = sorted(tables, key=lambda table: splits.get(table.name) == "eval")
    return _checked(Source(label, files, tables, splits, _tables_in_words(tables, splits)))


def _saved_tables(files: Files, names: list[str]) -> list[Table]:
    """The Arrow files beside the state.json that `datasets.save_to_disk` writes."""
    folders = {name.rpartition("/")[0] for name in names if name.rpartition("/")[2] == "state.json"}
    return [_table(files, name) for name in names if name.endswith(f".{SAVED}") and name.rpartition("/")[0] in folders]


def _table(files: Files, name: str) -> Table:
    if not is_storable(name):
        raise WorkbenchError(f"The name of the table “{storable(name)}” is not UTF-8. Rename it.")
    return Table(files, name)


def _same_columns(tables: list[Table], named: Mapping[str, str]) -> bool:
    """Whether tables are parts of one: they have the same columns, or share two, and their names tell their split."""
    columns = [set(table.columns) for table in tables]
    same = all(one == columns[0] for one in columns)
    return same or (len(named) == len(tables) and len(set.intersection(*columns)) > 1)


def _tables_in_words(tables: list[Table], splits: Mapping[str, str]) -> str:
    if len(tables) == 1:
        return ""
    told = [f"“{table.name}”{split_words(splits.get(table.name, ''))}" for table in tables[:4]]
    return f"{len(tables):,} tables that are parts of one: {', '.join(told)}{' …' if len(tables) > 4 else ''}."


def _unclear(label: str, tables: list[Table]) -> str:
    shown = ", ".join(table.name for table in tables[:5]) + (" …" if len(tables) > 5 else "")
    return (
        f"“{label}” holds {len(tables)} tables ({shown}) with different columns, and none of them refers to the others "
        "by ids, so it is not clear which one to import. Leave one of them in it."
    )


def _no_table(label: str, names: list[str]) -> str:
    if not names:
        return f"“{label}” is empty. Bring {FORMS}."
    inner = [name for name in names if name.lower().endswith(".zip")]
    if inner:
        return f"“{label}” holds another ZIP, “{inner[0]}”, which is not opened. Unpack it, and bring what is in it."
    return f"“{label}” holds no table, and no PDF, picture, sound or video. Bring {FORMS}."


def _remedy(extension: str) -> str:
    if extension in ("xlsx", "xls", "ods", "numbers"):
        return " In your spreadsheet program, save it as CSV."
    if extension in ("doc", "docx", "odt", "ppt", "pptx", "odp"):
        return " Save it as PDF: each page becomes a document."
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
