"""Collections by ids, as BEIR and MTEB keep them, and the same from a spreadsheet."""

from __future__ import annotations

import json

import pytest

from tests.collection.uploads import json_lines, photo_folder, picture, text_table, zip_folder, zip_of
from workbench.collection.exporting import export_collection
from workbench.collection.importing import import_collection
from workbench.collection.reading import preview_source
from workbench.collection.store import open_collection
from workbench.errors import WorkbenchError

DOCUMENTS = 20


def beir(folder, splits: dict[str, list[tuple]]):
    (folder / "qrels").mkdir(parents=True)
    corpus = [
        {"_id": f"d{n}", "title": f"Title {n}" if n else "", "text": f"text {n}", "metadata": {}}
        for n in range(DOCUMENTS)
    ]
    json_lines(folder / "corpus.jsonl", corpus)
    json_lines(
        folder / "queries.jsonl", [{"_id": f"q{n}", "text": f"query {n}", "metadata": {"url": "u"}} for n in range(12)]
    )
    for name, rows in splits.items():
        text_table(folder / "qrels" / f"{name}.tsv", [("query-id", "corpus-id", "score"), *rows], separator="\t")
    return folder


def judgements(workspace, name, split):
    collection = open_collection(workspace, name)
    judged = collection.judged(split)
    return {
        (collection.item("queries", query).text, collection.item("corpus", document).text, float(score))
        for query, document, score in zip(judged.queries, judged.documents, judged.scores, strict=True)
    }


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_beir_folder_is_read_with_grades_and_its_split(workspace, tmp_path, form):
    splits = {
        "train": [(f"q{n}", f"d{n}", 1) for n in range(8)],
        "test": [("q8", "d8", 2), ("q8", "d9", 1), ("q9", "d9", 0), ("q9", "d10", 3)],
    }
    folder = beir(tmp_path / "nano", splits)
    source = folder if form == "folder" else zip_folder(folder, tmp_path / "nano.zip", "nano/")
    preview = preview_source(source)
    assert preview.columns == [] and preview.layout == (
        "A collection by ids, as BEIR and MTEB keep one: documents in “corpus.jsonl”, queries in “queries.jsonl”, "
        "judgements in “test.tsv” (held out for the score), “train.tsv” (to train on)."
    )
    result = import_collection(workspace, "nano", source)
    # The distractors and the queries without an answer stay too.
    assert (result["queries"], result["documents"], result["skipped"]) == (12, DOCUMENTS, [])
    assert result["judgements"] == {"train": 8, "eval": 4}
    assert judgements(workspace, "nano", "eval") == {
        ("query 8", "Title 8\ntext 8", 2.0),
        ("query 8", "Title 9\ntext 9", 1.0),
        ("query 9", "Title 9\ntext 9", 0.0),
        ("query 9", "Title 10\ntext 10", 3.0),
    }
    assert ("query 0", "text 0", 1.0) in judgements(workspace, "nano", "train")
    collection = open_collection(workspace, "nano")
    assert collection.card.split["method"] == "given"
    assert collection.item("queries", 0).meta == {"metadata": '{"url": "u"}'}


def test_ids_that_are_missing_and_rows_that_are_wrong_are_reported(workspace, tmp_path):
    rows = [(f"q{n}", f"d{n}", 1) for n in range(8)]
    folder = beir(
        tmp_path / "nano", {"train": [*rows, ("q99", "d1", 1), ("q1", "d99", 1), ("q1", "d2", "high"), ("q1", "", 1)]}
    )
    with (folder / "corpus.jsonl").open("a") as file:
        file.write(json.dumps({"_id": "d1", "text": "another"}) + "\n" + json.dumps({"text": "no id"}) + "\n")
        file.write(
            json.dumps({"_id": "empty", "title": "", "text": " "})
            + "\n"
            + json.dumps({"_id": "d3", "title": "Title 3", "text": "text 3"})
            + "\n"
        )
    result = import_collection(workspace, "nano", folder)
    assert result["documents"] == DOCUMENTS
    assert [line["reason"] for line in result["skipped"]] == [
        "Row 21 of “corpus.jsonl”: the id “d1” is there already, with another content. Give it another id.",
        "Row 22 of “corpus.jsonl”: the id in “_id” is empty. Give one, or remove the row.",
        "Row 23 of “corpus.jsonl”: there is nothing in “text”. Fill it.",
        "Row 10 of “train.tsv”: there is no query “q99”, or it was left out. Add it, or remove the row.",
        "Row 11 of “train.tsv”: there is no document “d99”, or it was left out. Add it, or remove the row.",
        "Row 12 of “train.tsv”: the score “high” is not a number. Give one, or remove the row.",
        "Row 13 of “train.tsv”: the document in “corpus-id” is empty. Fill it, or remove the row.",
    ]


def test_judgements_to_train_on_alone_are_split_by_us(workspace, tmp_path):
    folder = beir(tmp_path / "nano", {"train": [(f"q{n}", f"d{n}", 1) for n in range(10)]})
    result = import_collection(workspace, "nano", folder)
    assert result["judgements"]["eval"] == 3
    assert open_collection(workspace, "nano").card.split["method"] == "component"


def test_a_benchmark_that_is_all_test_is_all_held_out_unless_asked_otherwise(workspace, tmp_path):
    folder = beir(tmp_path / "nano", {"test": [(f"q{n}", f"d{n}", 1) for n in range(10)]})
    assert import_collection(workspace, "whole", folder)["judgements"] == {"train": 0, "eval": 10}
    assert import_collection(workspace, "own", folder, own_split=True)["judgements"]["train"] == 7


def test_mtebs_parquet_with_pictures_is_read(workspace, tmp_path):
    import pandas

    pictures = [{"bytes": picture(n), "path": None} for n in range(6)]
    frames = {
        "corpus/corpus-00000-of-00001": {
            "id": [f"d{n}" for n in range(6)],
            "image": pictures,
            "modality": ["image"] * 6,
            "page": range(6),
        },
        "queries/queries-00000-of-00001": {"id": ["q0", "q1"], "text": ["first", "second"], "modality": ["text"] * 2},
        "qrels/test-00000-of-00001": {
            "query-id": ["q0", "q1", "q1"],
            "corpus-id": ["d0", "d1", "d2"],
            "score": [1, 2, 1],
        },
    }
    for name, columns in frames.items():
        path = tmp_path / "set" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pandas.DataFrame(columns).to_parquet(path)
    result = import_collection(workspace, "set", tmp_path / "set")
    assert result["modalities"] == {"query": ["text"], "document": ["image"]}
    assert (result["documents"], result["judgements"]) == (6, {"train": 0, "eval": 3})
    item = open_collection(workspace, "set").item("corpus", 1)
    assert (item.image, item.meta) == (picture(1), {"page": 1})


def test_three_spreadsheets_with_ids_are_a_collection_too(workspace, tmp_path):
    members = {
        "queries.csv": "query_id,query\n1,red thing\n2,blue thing\n",
        "documents.csv": "doc_id,file_name,artist\n10,10.png,Ada\n11,11.png,Ben\n12,12.png,Cleo\n",
        "judgements.csv": 'query_id,doc_id,relevance\n1,10,2\n1,11,0\n2,11,"1,5"\n',
        **{f"{number}.png": picture(number) for number in (10, 11, 12)},
    }
    result = import_collection(workspace, "art", zip_of(tmp_path / "art.zip", members))
    assert (result["queries"], result["documents"], result["skipped"]) == (2, 3, [])
    assert result["modalities"]["document"] == ["image"]
    judged = open_collection(workspace, "art").judged()
    assert sorted(float(score) for score in judged.scores) == [0.0, 1.5, 2.0]
    assert open_collection(workspace, "art").item("corpus", 2).meta == {"artist": "Cleo"}


def test_several_corpora_are_refused_by_name(tmp_path):
    members = {}
    for language in ("de", "en"):
        members[f"{language}-corpus/a.jsonl"] = '{"_id": "d", "text": "t"}\n'
        members[f"{language}-queries/a.jsonl"] = '{"_id": "q", "text": "t"}\n'
        members[f"{language}-qrels/test.tsv"] = "query-id\tcorpus-id\tscore\nq\td\t1\n"
    with pytest.raises(WorkbenchError, match=r"holds 2 sets of queries \(de-queries, en-queries\)|holds 2 corpora"):
        preview_source(zip_of(tmp_path / "up.zip", members))


@pytest.mark.parametrize("form", ["mteb", "csv"])
def test_our_own_export_comes_back_as_it_was(workspace, tmp_path, form):
    import_collection(workspace, "photos", photo_folder(tmp_path / "up", count=20))
    export_collection(workspace, "photos", form, tmp_path / "out")
    out = tmp_path / "out" if form == "mteb" else next((tmp_path / "out").glob("*.zip"))
    import_collection(workspace, "again", out)
    collection, again = (open_collection(workspace, name) for name in ("photos", "again"))
    assert again.fingerprint == collection.fingerprint
    if form == "mteb":
        assert again.card.labels == collection.card.labels
