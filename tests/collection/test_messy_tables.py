"""Tables as other programs write them, each of which was once read wrongly without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.collection.uploads import text_table
from workbench.collection.importing import import_collection
from workbench.collection.reading import preview_source
from workbench.collection.store import open_collection
from workbench.workspace import Workspace


def scores(workspace: Workspace, path: Path, **options: Any) -> dict[tuple[str, str], float]:
    import_collection(workspace, "it", path, **options)
    collection = open_collection(workspace, "it")
    return {
        (
            str(collection.item("queries", collection.query_rows[row["query"]]).text),
            str(collection.item("corpus", collection.document_rows[row["document"]]).text),
        ): row["score"]
        for row in collection.judgements.to_list()
    }


@pytest.mark.parametrize("words", [("TRUE", "FALSE"), ("True", "False"), ("true", "false")])
def test_true_and_false_are_scores(workspace, tmp_path, words):
    path = text_table(tmp_path / "a.csv", [("query", "document", "label"), ("a", "b", words[0]), ("a", "c", words[1])])
    assert scores(workspace, path) == {("a", "b"): 1.0, ("a", "c"): 0.0}


def test_what_pandas_writes_of_a_column_of_bools_is_a_score(workspace, tmp_path):
    table = pd.DataFrame({"query": ["a", "a"], "document": ["b", "c"], "relevance": [True, False]})
    table.to_csv(tmp_path / "a.csv", index=False)
    assert scores(workspace, tmp_path / "a.csv") == {("a", "b"): 1.0, ("a", "c"): 0.0}


def test_labels_in_words_are_told_before_the_import(tmp_path):
    path = text_table(
        tmp_path / "a.csv", [("premise", "hypothesis", "label"), ("a", "b", "entailment"), ("c", "d", "no")]
    )
    assert preview_source(path).problems == [
        "The column “label” holds words, so no row counts as less of a match than another. If it says how well they "
        "match, put numbers in it: 1 for a match, 0 for none."
    ]


def test_a_first_row_that_reads_like_data_is_told_before_the_import(tmp_path):
    path = text_table(tmp_path / "a.csv", [("what is a cat?", "a small animal"), ("what is a dog?", "it barks")])
    assert preview_source(path).problems == [
        "The first row is taken for the names of the columns (“what is a cat?”). If it is data, put a row such as "
        "query,document above it."
    ]


def test_a_space_after_the_separator_is_no_part_of_a_cell_in_quotes(workspace, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('query, document\n"a, b", "c, d"\n"e", "two\nlines"\n')
    assert set(scores(workspace, path)) == {("a, b", "c, d"), ("e", "two\nlines")}


def test_columns_of_parquet_with_one_name_are_both_there(workspace, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_arrays([pa.array(["a", "b"]), pa.array(["c", "d"])], names=["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    roles = {"query": "text", "document": "text (2)"}
    assert set(scores(workspace, tmp_path / "a.parquet", roles=roles)) == {("a", "c"), ("b", "d")}


def test_inch_marks_are_no_quotes(workspace, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('query,document\n12" pipe,a pipe of 12"\n"3"" bolt",bolt\n5,6" nail\n')
    assert set(scores(workspace, path)) == {('12" pipe', 'a pipe of 12"'), ('3" bolt', "bolt"), ("5", '6" nail')}
