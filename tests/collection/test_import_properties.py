"""Whatever is in a table, its import never crashes, loses no good row silently, and keeps no bad one silently.

Each test writes a table from cells that hypothesis draws, reads it a second time by rules of its own (`Told`), and
compares: every good row is in the collection, every bad row is among those reported by their number, and nothing else
is in either. So rows in the table = rows kept + rows reported, row by row and not only in number.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import re
import string
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from workbench.collection.importing import import_collection
from workbench.collection.reading import preview_source
from workbench.collection.store import open_collection
from workbench.errors import WorkbenchError
from workbench.workspace import open_workspace

deterministic = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
    report_multiple_bugs=False,
    phases=[Phase.generate],
)


@dataclass
class Told:
    """What one row of a table says, by an independent reading. Bad is a row without a query, document or score."""

    number: int
    queries: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    score: float | None = 1.0
    broken: bool = False

    @property
    def good(self) -> bool:
        return bool(self.queries and self.documents) and self.score is not None and not self.broken


def stored(text: str) -> str:
    return text.strip().encode("utf-8", "replace").decode()


@contextmanager
def fresh_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def check_import(path: Path, told: Sequence[Told], roles: dict[str, Any] | None, *, may_refuse: bool = False) -> None:
    """Import a table, and compare what came of it with what its rows tell."""
    workspace = open_workspace(path.parent / "workspace")
    good = [row for row in told if row.good]
    try:
        preview_source(path)
        result = import_collection(workspace, "it", path, roles)
    except WorkbenchError as error:
        assert list(workspace.collections.iterdir()) == [], "a refused import left something behind"
        assert error.message[0] in string.ascii_uppercase + "“" and error.message.rstrip()[-1] in ".:…", error.message
        assert may_refuse or not any(row.score and row.score > 0 for row in good), f"good rows refused: {error}"
        return
    collection = open_collection(workspace, "it")
    assert collection.card.source["rows"] == len(told)
    reported = [line["row"] for line in result["skipped"]]
    assert reported == [row.number for row in told if not row.good]
    assert len(told) == len(good) + len(reported)
    for line in result["skipped"]:
        assert line["reason"].startswith(f"Row {line['row']}"), line["reason"]
    texts = {
        side: dict(zip(*(collection.side(side)[name][:] for name in ("id", "text")), strict=True)) for side in SIDES
    }
    table = collection.judgements[:]
    kept = {
        (texts["queries"][query], texts["corpus"][document]): score
        for query, document, score in zip(table["query"], table["document"], table["score"], strict=True)
    }
    expected: dict[tuple[str, str], float] = {}
    for row in good:
        for pair in ((query, document) for query in row.queries for document in row.documents):
            assert row.score is not None
            expected[pair] = max(row.score, expected.get(pair, row.score))
    assert kept.keys() == expected.keys()
    assert all(math.isclose(kept[pair], expected[pair], rel_tol=1e-6) for pair in kept)
    assert len(table["query"]) == len(expected), "a pair is judged twice"
    assert set(texts["queries"].values()) == {query for query, _ in expected}
    assert set(texts["corpus"].values()) == {document for _, document in expected}


SIDES = ("queries", "corpus")
QUOTING = [csv.QUOTE_MINIMAL, csv.QUOTE_ALL]
NASTY = [
    "",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\u00a0",
    "\u2028",
    '"',
    '""',
    '"a" b',
    "'",
    ",",
    ";",
    "|",
    "a,b;c\td|e",
    "=1+1",
    "+SUM(A1:A9)",
    "@x",
    "-5",
    "0",
    "007",
    "1e999",
    "9" * 400,
    "nan",
    "NaN",
    "inf",
    "None",
    "null",
    "TRUE",
    "\x00",
    "a\x00b",
    "\x1b[31m",
    "\ufeffbom",
    "line\nbreak",
    "line\rbreak",
    "two\n\nlines",
    "sep=,",
    "{}",
    "[1, 2",
    "<b>x</b>",
    "../../etc/passwd",
    "C:\\windows",
    "http://x/y",
    "😀",
    "e\u0301",
    "שלום",
    "١٢٣",
    "½",
    "a" * 5000,
]
LETTERS = st.characters(exclude_categories=["Cs"])


def cells_for(encoding: str) -> st.SearchStrategy[str]:
    """Cells that can be written in an encoding, so that a table in it says what was meant."""

    def fits(cell: str) -> bool:
        try:
            # Latin-1 and Windows-1252 differ in 0x80 to 0x9f alone, and no reader can tell them apart there.
            return not any("\x80" <= letter <= "\x9f" for letter in cell) and bool(cell.encode(encoding) or True)
        except UnicodeEncodeError:
            return False

    alphabet = LETTERS if encoding.startswith("utf") else st.characters(codec=encoding)
    plain = st.text(st.sampled_from(string.ascii_letters + string.digits + " ,;\"'\n"), max_size=12)
    return st.one_of(plain, st.sampled_from([one for one in NASTY if fits(one)]), st.text(alphabet, max_size=8)).filter(
        fits
    )


SCORES: list[tuple[str, float | None]] = [
    ("1", 1.0),
    ("0", 0.0),
    ("2.5", 2.5),
    ("0,5", 0.5),
    (" 3 ", 3.0),
    ("-1", -1.0),
    ("1e3", 1000.0),
    ("", None),
    ("nan", None),
    ("inf", None),
    ("1e999", None),
]


@dataclass
class Written:
    data: bytes
    told: list[Told]
    roles: dict[str, Any]
    separator: str
    texts: list[str]


def names_made_unique(header: list[str]) -> list[str]:
    names: list[str] = []
    for number, cell in enumerate(header, start=1):
        plain = cell.strip() or f"column {number}"
        name, copy = plain, 1
        while name in names:
            copy += 1
            name = f"{plain} ({copy})"
        names.append(name)
    return names


@st.composite
def delimited(draw: st.DrawFn, encoding: str) -> Written:
    """A table as csv.writer writes it, with columns in any order, blank lines, and rows too short or too long."""
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    header = draw(
        st.lists(
            st.sampled_from(["query", "document", "note", "text", "", "query", " padded "]), min_size=2, max_size=5
        )
    )
    assume(header[-1].strip())
    places = draw(st.permutations(range(len(header))))
    query, document = places[:2]
    score = places[2] if len(header) > 2 and draw(st.booleans()) else None
    cells, lines, told, texts = cells_for(encoding), [header], [], []
    blank_so_far = 0
    for number in range(draw(st.integers(0, 9))):
        shape = draw(st.sampled_from(["whole"] * 8 + ["short", "long", "blank", "empty end"]))
        if shape == "blank":
            lines.append([])
            blank_so_far += 1
            continue
        row = [draw(cells) for _ in header]
        worth: float | None = 1.0
        if score is not None:
            row[score], worth = draw(st.sampled_from(SCORES))
        row = row[: draw(st.integers(1, len(header) - 1))] if shape == "short" else row
        row += {"long": ["too", "much"], "empty end": ["", " "]}.get(shape, [])
        full = row + [""] * len(header)
        lines.append(row)
        told.append(
            Told(
                number=number + 2,
                queries=[stored(full[query])] if full[query].strip() else [],
                documents=[stored(full[document])] if full[document].strip() else [],
                score=worth if score is None or len(row) > score else None,
                broken=shape == "long",
            )
        )
        texts += row
    file = io.StringIO(newline="")
    writer = csv.writer(
        file,
        delimiter=separator,
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
        # Python's writer leaves a carriage return alone without quotes, where it ends a line for every reader.
        quoting=csv.QUOTE_ALL if any("\r" in cell for cell in texts) else draw(st.sampled_from(QUOTING)),
    )
    writer.writerows(lines)
    names = names_made_unique(header)
    roles: dict[str, Any] = {
        "query": names[query],
        "document": names[document],
        "negative": None,
        "score": None if score is None else names[score],
    }
    return Written(file.getvalue().encode(encoding), told, roles, separator, texts)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
@settings(deterministic, max_examples=25)
@given(data=st.data())
def test_delimited_tables(encoding: str, data: st.DataObject) -> None:
    table = data.draw(delimited(encoding))
    if not encoding.startswith("utf"):
        try:
            table.data.decode("utf-8")
            assume(table.data.isascii())  # what is valid UTF-8 is read as that, as everywhere
        except UnicodeDecodeError:
            pass
    # With another separator in its cells a table may look like one of that; it is refused then, in words.
    doubtful = any(other in cell for cell in table.texts for other in ",;\t|\x00" if other != table.separator)
    if not encoding.startswith("utf"):
        doubtful |= re.search(rb"[\x80-\xff]{4}", table.data) is not None  # reads as no Western language
    with fresh_folder() as folder:
        path = folder / data.draw(st.sampled_from(["table.csv", "table.tsv"]))
        path.write_bytes(table.data)
        check_import(path, table.told, table.roles, may_refuse=doubtful)


JSON_CELLS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.just(10**400),
        st.floats(),
        st.sampled_from(NASTY),
        st.text(max_size=8),
        st.sampled_from(["\ud800", "a\udfffb", "\ud83d"]),
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


def json_texts(cell: Any) -> list[str]:
    """The texts that a cell of JSON holds: none for null, NaN and blanks, those of a list one by one."""
    if isinstance(cell, list):
        return [text for inner in cell for text in json_texts(inner)]
    if cell is None or (isinstance(cell, float) and math.isnan(cell)) or (isinstance(cell, str) and not cell.strip()):
        return []
    return [stored(str(cell))]


@settings(deterministic, max_examples=50)
@given(
    st.lists(
        st.one_of(
            st.fixed_dictionaries({"query": JSON_CELLS, "document": JSON_CELLS}, optional={"other": JSON_CELLS}),
            st.fixed_dictionaries({"query": JSON_CELLS}),
            st.sampled_from(
                ["", " ", "{", '{"query": "a", "document": ', "5", "null", '["a", "b"]', '"text"', "\x00", "}{"]
            ),
            st.just("[" * 3000),
        ),
        max_size=8,
    ),
    st.booleans(),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_json_lines(rows: list[Any], ascii_only: bool, encoding: str) -> None:
    lines, told = (
        ['{"query": "first question", "document": "first answer"}'],
        [Told(1, ["first question"], ["first answer"])],
    )
    for number, row in enumerate(rows, start=2):
        if isinstance(row, str):
            lines.append(row)
            if row.strip():
                told.append(Told(number, broken=True))
            continue
        try:
            line = json.dumps(row, ensure_ascii=ascii_only)
            line.encode(encoding)
        except UnicodeEncodeError:
            line = json.dumps(row)
        lines.append(line)
        told.append(Told(number, json_texts(row["query"]), json_texts(row.get("document"))))
    with fresh_folder() as folder:
        path = folder / "table.jsonl"
        path.write_bytes("\n".join(lines).encode(encoding))
        check_import(path, told, {"query": "query", "document": "document", "negative": None, "score": None})


PARQUET_KINDS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.string(), st.one_of(st.sampled_from(NASTY), st.text(LETTERS, max_size=8))),
    (pa.large_string(), st.text(LETTERS, max_size=8)),
    (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(["red", "green", ""])),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float64(), st.floats()),
    (pa.float16(), st.floats(width=16)),
    (pa.bool_(), st.booleans()),
    (pa.decimal128(20, 3), st.decimals(-1000, 1000, places=3)),
    (pa.date32(), st.dates()),
    (pa.timestamp("us"), st.datetimes(datetime.datetime(1970, 1, 2))),
    (pa.timestamp("ns"), st.datetimes(datetime.datetime(1970, 1, 2), datetime.datetime(2200, 1, 1))),
    (pa.duration("us"), st.timedeltas(datetime.timedelta(0), datetime.timedelta(999))),
    (pa.time64("us"), st.times()),
    (pa.list_(pa.string()), st.lists(st.one_of(st.none(), st.sampled_from(NASTY)), max_size=3)),
    (pa.list_(pa.list_(pa.int32())), st.lists(st.lists(st.integers(0, 9), max_size=2), max_size=2)),
    (
        pa.binary(),
        st.one_of(
            # Nothing that begins as a picture or a sound does: it would be one, and a damaged one.
            st.text(LETTERS, max_size=5).map(str.encode),
            st.binary(max_size=6).map(lambda data: b"\x01" + data),
        ),
    ),
    (pa.null(), st.none()),
]


def parquet_texts(cell: Any) -> tuple[list[str], bool]:
    """The texts of a cell of Parquet, and whether one of them is no text at all."""
    if isinstance(cell, (list, tuple)):
        parts = [parquet_texts(inner) for inner in cell]
        return [text for texts, _ in parts for text in texts], any(bad for _, bad in parts)
    if cell is None or cell != cell or (isinstance(cell, str) and not cell.strip()):
        return [], False
    if isinstance(cell, bytes):
        try:
            text = cell.decode().strip()
        except UnicodeDecodeError:
            return [], True
        return ([text], False) if text else ([], True)
    return [stored(str(cell))], False


@st.composite
def parquet(draw: st.DrawFn) -> tuple[pa.Table, list[str]]:
    rows = draw(st.integers(1, 8))
    names = draw(st.lists(st.sampled_from(["query", "document", "extra", "", "query"]), min_size=2, max_size=4))
    columns = []
    for _ in names:
        kind, cells = draw(st.sampled_from(PARQUET_KINDS))
        values = draw(st.lists(st.one_of(cells, cells, cells, st.none()), min_size=rows, max_size=rows))
        columns.append(pa.array(values, kind))
    return pa.Table.from_arrays(columns, names=names), names


@settings(deterministic, max_examples=60)
@given(parquet(), st.data())
def test_parquet_tables(drawn: tuple[pa.Table, list[str]], data: st.DataObject) -> None:
    table, names = drawn
    unique = names_made_unique(names)
    query, document = data.draw(st.permutations(range(len(names))))[:2]
    told = []
    for number in range(table.num_rows):
        texts = [parquet_texts(table.column(place)[number].as_py()) for place in (query, document)]
        broken = any(bad for _, bad in texts)
        told.append(Told(number + 1, texts[0][0], texts[1][0], broken=broken))
    with fresh_folder() as folder:
        path = folder / "table.parquet"
        pq.write_table(table, path, row_group_size=3)
        roles = {"query": unique[query], "document": unique[document], "negative": None, "score": None}
        check_import(path, told, roles)


@settings(deterministic, max_examples=60)
@given(
    st.integers(2, 8),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(['"', '""', ' "', '"x']),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_one_stray_quote_swallows_no_row(rows: int, quoting: Any, stray: str, removes: bool, where: int) -> None:
    """Cells are `q3` and `d3`: a row is told, or its cells are in a judgement together and with no other row's."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=quoting, lineterminator="\n")
    writer.writerow(["query", "document"])
    writer.writerows([f"q{number}", f"d{number}"] for number in range(2, rows + 2))
    whole = file.getvalue()
    body = whole.index("\n") + 1
    quotes = [place for place in range(body, len(whole)) if whole[place] == '"']
    if removes and quotes:
        place = quotes[where % len(quotes)]
        text = whole[:place] + whole[place + 1 :]
    else:
        place = body + where % (len(whole) - body)
        text = whole[:place] + stray + whole[place:]
    with fresh_folder() as folder:
        path = folder / "table.csv"
        path.write_text(text, encoding="utf-8")
        workspace = open_workspace(folder / "workspace")
        try:
            result = import_collection(workspace, "it", path, {"query": "query", "document": "document"})
        except WorkbenchError as error:
            assert list(workspace.collections.iterdir()) == []
            assert rows == 2 or "quote" in error.message or error.problems, error
            return
        collection = open_collection(workspace, "it")
        reported = {line["row"] for line in result["skipped"]}
        kept = set()
        for judgement in collection.judgements.to_list():
            cells = [
                collection.item("queries", collection.query_rows[judgement["query"]]).text or "",
                collection.item("corpus", collection.document_rows[judgement["document"]]).text or "",
            ]
            numbers = {re.sub(r"\D", "", cell) for cell in cells}
            assert len(numbers) == 1, f"two rows in one judgement: {cells}"
            kept.add(int(numbers.pop()))
        assert kept | reported >= set(range(2, rows + 2)), "a row was lost"
        assert not kept & reported


@settings(deterministic, max_examples=100)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")),
        st.lists(
            st.sampled_from(
                ["query", "document", ",", "\n", '"', "a", "\r", "\t", ";", "\x00", "{", "}", ":", "[", "é"]
            )
        ).map(lambda parts: "".join(parts).encode()),
        st.sampled_from(["utf-8", "utf-16", "utf-16-be", "utf-32", "latin-1"]).map(
            lambda encoding: "query,document\nä,ö\nx,y\n".encode(encoding)
        ),
    ),
    st.sampled_from(["csv", "tsv", "jsonl", "ndjson", "parquet", "zip"]),
)
def test_any_bytes_at_all(data: bytes, extension: str) -> None:
    with fresh_folder() as folder:
        path = folder / f"table.{extension}"
        path.write_bytes(data)
        workspace = open_workspace(folder / "workspace")
        for look in (preview_source, lambda source: import_collection(workspace, "it", source)):
            try:
                look(path)
            except WorkbenchError as error:
                assert error.message and "Traceback" not in error.message
                assert list(workspace.collections.iterdir()) == []


@settings(deterministic, max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 255), st.sampled_from(["change", "cut", "double"]))
def test_a_damaged_parquet_table(place: int, byte: int, how: str) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"query": ["a", "b"], "document": ["c", "d"]}), file)
    data = bytearray(file.getvalue())
    place %= len(data)
    if how == "change":
        data[place] = byte
    else:
        data = data[:place] + (data[place:] * 2 if how == "double" else b"")
    with fresh_folder() as folder:
        path = folder / "table.parquet"
        path.write_bytes(bytes(data))
        workspace = open_workspace(folder / "workspace")
        try:
            import_collection(workspace, "it", path)
        except WorkbenchError:
            assert list(workspace.collections.iterdir()) == []


def test_decimal_is_told_as_written() -> None:
    assert parquet_texts(Decimal("1.500")) == (["1.500"], False)
