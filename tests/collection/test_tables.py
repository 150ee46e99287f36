"""Reading tables as people save them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.collection.uploads import json_lines, text_table, zip_of
from workbench.collection import delimited, encodings
from workbench.collection.archive import FolderFiles, ZipFiles
from workbench.collection.encodings import detect_encoding
from workbench.collection.tables import Table, detect_separator
from workbench.errors import WorkbenchError


def table_at(path: Path) -> Table:
    return Table(FolderFiles(path.parent), path.name)


def rows_of(path: Path) -> list[tuple]:
    return [(row.number, *row.cells.values()) for row in table_at(path).rows()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_encoding_and_separator_reads_the_same(tmp_path, encoding, separator):
    rows = [("frage", "bild"), ("Größe, schön" if separator != "," else "Größe", "äöü.png"), ("né", "b.png")]
    path = text_table(tmp_path / "pairs.csv", rows, separator, encoding)
    assert table_at(path).columns == ["frage", "bild"]
    assert rows_of(path) == [(2, *rows[1]), (3, *rows[2])]


def test_a_quoted_newline_belongs_to_its_cell(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text('query,image\n"two\nlines, and ""quotes""",a.png\nlast,b.png\n')
    assert rows_of(path) == [(2, 'two\nlines, and "quotes"', "a.png"), (3, "last", "b.png")]
    assert table_at(path).count_rows() == 2


def test_row_numbers_are_those_of_a_spreadsheet(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("query,image\na,1.png\n\nb,2.png\n")
    assert [row[0] for row in rows_of(path)] == [2, 4]


def test_windows_line_ends_and_the_separator_line_of_excel_are_understood(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_bytes(b"sep=;\r\nquery;image\r\na;1.png\r\n")
    assert table_at(path).columns == ["query", "image"]
    assert rows_of(path) == [(3, "a", "1.png")]


def test_repeated_and_empty_column_names_are_told_apart(tmp_path):
    path = text_table(tmp_path / "a.csv", [("text", "", "text", ""), ("1", "2", "3", "")])
    assert table_at(path).columns == ["text", "column 2", "text (2)"]


def test_a_row_with_too_many_cells_is_a_problem_and_a_short_one_is_filled(tmp_path):
    path = text_table(tmp_path / "a.csv", [("q", "d"), ("x", "y", "z"), ("only",), ("x", "y", "")])
    rows = list(table_at(path).rows())
    assert rows[0].problem == (
        "there are 3 cells and the table has 2 columns. Put quotes around a text that holds the separator."
    )
    assert rows[1].cells == {"q": "only", "d": ""}
    assert not rows[2].problem


def test_a_quote_that_is_never_closed_costs_its_own_row_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text('q,d\na,b\n"never closed,c\n' + "x,y\n" * 3000)
    for limit in (delimited.MAX_CELL_CHARACTERS, 1000):
        monkeypatch.setattr(delimited, "MAX_CELL_CHARACTERS", limit)
        rows = list(table_at(path).rows())
        assert [row.number for row in rows] == list(range(2, 3004))
        assert [row.number for row in rows if row.problem] == [3]
        assert rows[1].problem.startswith("a quote is opened and not closed as it should be.")
        assert table_at(path).count_rows() == 3002


def test_a_quote_that_closes_at_another_rows_quote_swallows_nothing(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('q,d\n"a,"b"\n"c","d\n"e","f"\n"g", "two\nlines"\n"i" and j,k\n')
    told = [(row.number, "problem" if row.problem else list(row.cells.values())) for row in table_at(path).rows()]
    assert told[0] == (2, ['a,b"', ""])
    assert told[1:3] == [(3, "problem"), (4, ["e", "f"])]
    assert told[3:] == [(5, ["g", "two\nlines"]), (6, ["i and j", "k"])]


def test_stray_quotes_without_number_end_the_reading_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "LONG_LINES", 3)
    path = tmp_path / "a.csv"
    path.write_text("q,d\n" + ('"open,c\n' + "x,y\n" * 5 + 'a"b",\n') * 1)
    assert [row.number for row in table_at(path).rows() if row.problem] == [2]
    monkeypatch.setattr(delimited, "MOST_LONG", 0)
    with pytest.raises(WorkbenchError, match=r"Row 2 of “a.csv” cannot be read: .*never closed"):
        list(table_at(path).rows())


def test_a_name_of_a_column_with_an_open_quote_is_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('"q,d\na,b\nc,d\n')
    with pytest.raises(WorkbenchError, match=r"In the first row of “a.csv”, the column names, a quote is opened"):
        _ = table_at(path).columns


def test_a_bad_byte_late_in_a_large_file_is_told_by_its_row_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(encodings, "DETECTION_BYTES", 1 << 12)
    path = tmp_path / "a.csv"
    path.write_bytes(b"q,d\n" + b"hello,world\n" * 50_000 + "größe,x\n".encode("latin-1"))
    told = [row for row in table_at(path).rows() if row.problem]
    assert [(row.number, row.problem) for row in told] == [(50_002, encodings.FOREIGN_BYTES)]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_one_damaged_byte_costs_its_own_row_and_garbles_no_other(tmp_path, name):
    lines = [b"q,d", "café,Käse".encode(), b"br\xfcken,x", "naïve,ß".encode()]
    if name == "a.jsonl":
        lines = [b'{"q": "%s", "d": "%s"}' % tuple(line.split(b",")) for line in lines]
    path = tmp_path / name
    path.write_bytes(b"\n".join(lines))
    rows = list(table_at(path).rows())[-3:]
    assert [row.problem for row in rows] == ["", encodings.FOREIGN_BYTES, ""]
    assert [rows[0].cells, rows[2].cells] == [{"q": "café", "d": "Käse"}, {"q": "naïve", "d": "ß"}]


@pytest.mark.parametrize("encoding", ["shift-jis", "big5", "gb2312", "cp1251", "koi8-r", "euc-kr"])
def test_an_encoding_that_would_read_as_gibberish_is_refused(tmp_path, encoding):
    words = {"cp1251": "что такое кошка", "koi8-r": "что такое кошка", "euc-kr": "고양이는 동물입니다"}
    word = words.get(encoding, "貓是一種動物犬是另一種動物" if encoding == "big5" else "日本中国山川人口大小学校先生")
    path = tmp_path / "a.csv"
    path.write_bytes(f"query,document\n{word},{word}\n".encode(encoding))
    with pytest.raises(WorkbenchError, match=r"neither in UTF-8 nor in a Western encoding. Save it as UTF-8"):
        _ = table_at(path).columns


def test_western_texts_with_many_accents_are_read(tmp_path):
    path = tmp_path / "a.csv"
    for text in ("“Élève”, à l’été — où ça ? Déjà là…", "Größenwahnsinnige Übermüdung, äußerst", "smörgåsbord på ön"):
        path.write_bytes(("query;document\n" + f"{text};{text}\n" * 20).encode("cp1252"))
        assert [row.cells["query"] for row in table_at(path).rows()] == [text] * 20


def test_json_lines_may_end_in_commas_and_a_table_without_one_object_is_told(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "a", "d": "b"},\n{"q": "c", "d": "d"}\n')
    assert [row.cells["q"] for row in table_at(path).rows()] == ["a", "c"]
    path.write_text('{\n"q": "a",\n"d": "b"\n}\n')
    with pytest.raises(WorkbenchError, match=r"“a.jsonl” has no line that can be read. Line 1: the line is not valid"):
        _ = table_at(path).columns
    path.write_text('[{"q": "a", "d": "b"}]')
    with pytest.raises(WorkbenchError, match="holds one long JSON list"):
        _ = table_at(path).columns


def test_windows_1252_is_preferred_to_latin_1_where_it_fits():
    assert detect_encoding(io.BytesIO("“quoted”".encode("cp1252"))) == "cp1252"
    assert detect_encoding(io.BytesIO(b"q\x81,\xe4")) == "latin-1"


@pytest.mark.parametrize(
    ("sample", "separator"),
    [
        ("query,image\nhello; world,a.png\n", ","),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";"),
        ("a, b|c\nx|y\nz|w\n", "|"),
        ("a;b\nshort\nx;y\n", ";"),
        ("caption\nhello, world\nmore, words\n", ","),
        ("query,image\nred, round,a.png\nblue, round,b.png\n", ","),
    ],
)
def test_the_separator_is_the_one_that_fits_the_rows(sample, separator):
    assert detect_separator(sample) == separator


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_table_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WorkbenchError) as caught:
        _ = table_at(tmp_path / name).columns
    assert caught.value.message == (
        f"“{name}” is empty. Give it a first row of column names and at least one row below."
    )


@pytest.mark.parametrize("content", [b"PK\x03\x04rest of a spreadsheet", b"\x89PNG\r\n\x1a\n picture", b"PAR1...."])
def test_a_file_that_is_no_table_is_refused_whatever_its_name(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(WorkbenchError, match=r"“a.csv” is called .csv and is not such a table"):
        _ = table_at(tmp_path / "a.csv").columns


def test_json_lines_give_their_line_numbers_and_bad_lines_are_problems(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "a", "d": [1, 2]}\n\n{"q": broken\n[1]\n{"d": "x", "extra": null}\n')
    table = table_at(path)
    assert table.columns == ["q", "d", "extra"]
    rows = list(table.rows())
    assert [row.number for row in rows] == [1, 3, 4, 5]
    assert rows[1].problem == "the line is not valid JSON. Write one object on each line."
    assert "not an object" in rows[2].problem
    assert table.count_rows() == 4


def test_one_long_json_list_is_told_how_to_become_lines(tmp_path):
    (tmp_path / "a.jsonl").write_text('[{"q": 1},\n{"q": 2}]\n')
    with pytest.raises(WorkbenchError, match=r"holds one long JSON list. Write one object on each line"):
        _ = table_at(tmp_path / "a.jsonl").columns


def test_json_lines_in_utf_16_are_read(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"q": "größe"}\n'.encode("utf-16"))
    assert rows_of(path) == [(1, "größe")]


def test_parquet_is_read_from_a_folder_and_from_within_a_zip(tmp_path):
    import pyarrow
    import pyarrow.parquet

    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    cells = [{"bytes": b"\x00\x01", "path": "a.png"}, {"bytes": None, "path": "b.png"}]
    columns = {"q": ["x", "y"], "image": pyarrow.array(cells, image)}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    zipped = zip_of(tmp_path / "a.zip", {"deep/a.parquet": (tmp_path / "a.parquet").read_bytes()})
    for table in (table_at(tmp_path / "a.parquet"), Table(ZipFiles(zipped), "deep/a.parquet")):
        assert table.columns == ["q", "image"]
        assert table.count_rows() == 2
        assert [row.cells for row in table.rows()] == [{"q": "x", "image": cells[0]}, {"q": "y", "image": cells[1]}]


def test_half_a_parquet_file_is_told_as_such(tmp_path):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"a": list(range(1000))}), tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:500])
    with pytest.raises(WorkbenchError, match=r"“a.parquet” is no Parquet table, or only part of one"):
        _ = table_at(tmp_path / "a.parquet").columns


def test_reading_rows_does_not_hold_the_table_in_memory(tmp_path):
    import tracemalloc

    path = json_lines(tmp_path / "a.jsonl", [{"q": "x" * 1000, "d": number} for number in range(10_000)])
    tracemalloc.start()
    assert sum(1 for _ in table_at(path).rows()) == 10_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 10_000_000
    assert peak < 5_000_000
