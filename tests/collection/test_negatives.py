"""Negatives as columns, as lists in a cell, and as score 0; metadata with lists, gaps and objects."""

from __future__ import annotations

import pytest

from tests.collection.uploads import json_lines, picture, text_table, zip_of
from workbench.collection.importing import import_collection
from workbench.collection.reading import preview_source
from workbench.collection.store import open_collection
from workbench.collection.tables import list_in_cell


def judged(workspace, name):
    collection = open_collection(workspace, name)
    found = collection.judged()
    return sorted(
        (collection.item("queries", query).text, collection.item("corpus", document).text, float(score))
        for query, document, score in zip(found.queries, found.documents, found.scores, strict=True)
    )


EXPECTED = [("q0", "n0", 0.0), ("q0", "p0", 1.0), ("q0", "x", 0.0), ("q1", "n1", 0.0), ("q1", "p1", 1.0)]


def test_negatives_in_numbered_columns_some_of_them_empty(workspace, tmp_path):
    rows = [("anchor", "positive", "negative_0", "negative_1"), ("q0", "p0", "n0", "x"), ("q1", "p1", "n1", "")]
    import_collection(workspace, "t", text_table(tmp_path / "t.csv", rows))
    assert judged(workspace, "t") == EXPECTED


def test_negatives_that_come_late_in_a_table_are_not_lost(workspace, tmp_path):
    rows = [("anchor", "positive", "negative_0", "negative_1", "note")]
    rows += [(f"q{n}", f"p{n}", f"n{n}", "", "") for n in range(200)] + [("q200", "p200", "n200", "late", "seen")]
    import_collection(workspace, "t", text_table(tmp_path / "t.csv", rows))
    assert ("q200", "late", 0.0) in judged(workspace, "t")
    metas = [item.meta for item in open_collection(workspace, "t").items("corpus", range(402)) if item.meta]
    assert metas == [{"note": "seen"}]


@pytest.mark.parametrize("written", ["json", "pandas"])
def test_a_list_in_a_cell_of_a_csv_is_several_negatives(workspace, tmp_path, written):
    import json

    import pandas

    lists = [["n0", "x"], ["n1"]]
    cells = [json.dumps(one) for one in lists] if written == "json" else lists
    pandas.DataFrame({"query": ["q0", "q1"], "positive": ["p0", "p1"], "negatives": cells}).to_csv(
        tmp_path / "t.csv", index=False
    )
    import_collection(workspace, "t", tmp_path / "t.csv")
    assert judged(workspace, "t") == EXPECTED


def test_a_list_column_of_parquet_and_of_json_lines_are_several_negatives(workspace, tmp_path):
    import pandas

    columns = {"query": ["q0", "q1"], "pos": [["p0"], ["p1"]], "neg": [["n0", "x"], ["n1"]]}
    pandas.DataFrame(columns).to_parquet(tmp_path / "t.parquet")
    json_lines(tmp_path / "t.jsonl", [{name: cells[row] for name, cells in columns.items()} for row in range(2)])
    for form in ("parquet", "jsonl"):
        import_collection(workspace, form, tmp_path / f"t.{form}")
        assert judged(workspace, form) == EXPECTED


def test_rows_of_score_0_are_negatives_and_floats_are_kept(workspace, tmp_path):
    rows = [("query", "document", "score"), ("q0", "p0", "1"), ("q0", "n0", "0"), ("q0", "x", "0.0")]
    rows += [("q1", "p1", "1"), ("q1", "n1", "0"), ("q2", "half", "0.5")]
    import_collection(workspace, "t", text_table(tmp_path / "t.csv", rows))
    assert judged(workspace, "t") == [*EXPECTED, ("q2", "half", 0.5)]


def test_lists_of_pictures_in_a_cell_are_pictures(workspace, tmp_path):
    members = {f"{n}.png": picture(n) for n in range(4)}
    members["pairs.csv"] = 'caption,photo,negatives\na,0.png,"[""1.png"", ""2.png""]"\nb,3.png,"[""0.png""]"\n'
    path = zip_of(tmp_path / "up.zip", members)
    kinds = {column.name: (column.kind, column.role) for column in preview_source(path).columns}
    assert kinds["negatives"] == ("image", "negative")
    result = import_collection(workspace, "up", path)
    assert (result["documents"], sum(result["judgements"].values())) == (4, 5)


def test_metadata_keep_lists_and_objects_and_leave_gaps_out(workspace, tmp_path):
    import pandas

    columns = {
        "query": ["q0", "q1"],
        "document": ["d0", "d1"],
        "tags": [["red", "round"], []],
        "year": [1999.0, float("nan")],
        "seen": [True, None],
        "where": [{"city": "Köln", "zip": None}, None],
        "when": [pandas.Timestamp("2024-05-01"), pandas.NaT],
    }
    pandas.DataFrame(columns).to_parquet(tmp_path / "t.parquet")
    import_collection(workspace, "t", tmp_path / "t.parquet", {"query": "query", "document": "document"})
    assert open_collection(workspace, "t").item("corpus", 0).meta == {
        "tags": "red, round",
        "year": 1999.0,
        "seen": True,
        "where": '{"city": "Köln", "zip": null}',
        "when": "2024-05-01 00:00:00",
    }
    assert open_collection(workspace, "t").item("corpus", 1).meta == {}


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("['it''s', \"b\"]", ["its", "b"]),
        ("[1, 2.5, null]", [1, 2.5, None]),
        ("[]", []),
        ("[1] a reference", None),
        ("[unquoted]", None),
        ("[__import__('os')]", None),
        ('[{"a": 1}]', None),
        ("[" * 5000 + "]" * 5000, None),
        ("plain", None),
    ],
)
def test_what_counts_as_a_list_in_a_cell(cell, found):
    assert list_in_cell(cell) == found
