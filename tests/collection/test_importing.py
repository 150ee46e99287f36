"""Imports that work: rows become queries, documents and judgements."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests import media_makers as make
from tests.collection.uploads import json_lines, photo_folder, picture, text_pairs, text_table, zip_folder
from workbench.collection.import_job import run_import
from workbench.collection.importing import import_collection, import_documents
from workbench.collection.store import list_collections, open_collection
from workbench.errors import Stopped, WorkbenchError
from workbench.job_folder import create_job_folder


@pytest.mark.parametrize("form", ["table", "folder", "zip"])
def test_a_table_with_its_pictures_becomes_a_collection(workspace, tmp_path, form):
    folder = photo_folder(tmp_path / "up", count=10)
    source = {"table": folder / "pairs.csv", "folder": folder}.get(form) or zip_folder(folder, tmp_path / "up.zip")
    result = import_collection(workspace, "photos", source)
    assert result == {
        "collection": "photos",
        "queries": 10,
        "documents": 10,
        "judgements": {"train": 7, "eval": 3},
        "modalities": {"query": ["text"], "document": ["image"]},
        "skipped": [],
    }
    collection = open_collection(workspace, "photos")
    assert collection.card.labels == {"query": "caption", "document": "photo"}
    assert collection.card.split["method"] == "component"
    judged = collection.judged()
    for query, document in zip(judged.queries, judged.documents, strict=True):
        number = collection.item("queries", query).text.split()[-1]
        assert collection.item("corpus", document).file == f"photos/{number}.png"
    assert collection.item("corpus", 0).image == picture(0)
    assert collection.item("corpus", 0).thumbnail[8:12] == b"WEBP"


def test_the_same_bytes_are_one_document_and_one_text_has_several(workspace, tmp_path):
    for name, data in (("a", make.tone(300)), ("copy of a", make.tone(300)), ("b", make.tone(500))):
        (tmp_path / f"{name}.wav").write_bytes(data)
    rows = [("text", "audio", "speaker")]
    rows += [
        ("zero", "a.wav", "x"),
        ("zero", "b.wav", "y"),
        ("null", "copy of a.wav", "z"),
        ("zero", "copy of a.wav", "w"),
    ]
    result = import_collection(workspace, "digits", text_table(tmp_path / "pairs.csv", rows))
    assert (result["queries"], result["documents"], sum(result["judgements"].values())) == (2, 2, 3)
    collection = open_collection(workspace, "digits")
    judged = collection.judged()
    assert Counter(collection.item("queries", row).text for row in judged.queries) == {"zero": 2, "null": 1}
    assert collection.item("corpus", 0).meta == {"speaker": "x"}


def test_negatives_are_judged_0_and_never_outweigh_a_positive(workspace, tmp_path):
    rows = [
        {"anchor": "q1", "positive": "p1", "negative": ["n1", "p2"]},
        {"anchor": "q2", "positive": "p2", "negative": "p1"},
        {"anchor": "q1", "positive": "p2", "negative": ""},
    ]
    import_collection(workspace, "triplets", json_lines(tmp_path / "t.jsonl", rows))
    collection = open_collection(workspace, "triplets")
    judged = collection.judged()
    texts = [
        (collection.item("queries", q).text, collection.item("corpus", d).text, float(score))
        for q, d, score in zip(judged.queries, judged.documents, judged.scores, strict=True)
    ]
    assert sorted(texts) == [
        ("q1", "n1", 0.0),
        ("q1", "p1", 1.0),
        ("q1", "p2", 1.0),
        ("q2", "p1", 0.0),
        ("q2", "p2", 1.0),
    ]


def test_a_score_column_is_kept_as_float(workspace, tmp_path):
    rows = [("sentence1", "sentence2", "score"), ("a", "b", "0,25"), ("c", "d", "4"), ("e", "f", "-0.5")]
    import_collection(workspace, "sts", text_table(tmp_path / "sts.csv", rows, separator=";"))
    judged = open_collection(workspace, "sts").judged()
    assert sorted(float(score) for score in judged.scores) == [-0.5, 0.25, 4.0]


def test_roles_can_be_chosen(workspace, tmp_path):
    folder = photo_folder(tmp_path / "up")
    result = import_collection(workspace, "back", folder, {"query": "photo", "document": "caption"})
    assert result["modalities"] == {"query": ["image"], "document": ["text"]}
    result = import_collection(workspace, "half", folder, {"query": "photo"})
    assert result["modalities"] == {"query": ["image"], "document": ["text"]}
    nothing = {"query": None, "document": None, "negative": None, "score": None}
    assert import_collection(workspace, "none", folder, nothing)["modalities"]["document"] == ["image"]


def test_a_negative_column_set_to_none_is_left_out(workspace, tmp_path):
    path = text_table(tmp_path / "t.csv", [("query", "document", "negative"), ("a", "b", "c"), ("d", "e", "f")])
    roles = {"query": "query", "document": "document", "negative": None, "score": None}
    assert import_collection(workspace, "without", path, roles)["documents"] == 2
    assert import_collection(workspace, "with", path, {"query": "query", "document": "document"})["documents"] == 4


def test_text_and_picture_together_are_one_item(workspace, tmp_path):
    rows = [{"words": f"redder {n}", "photo": f"photos/{n}.png", "target": f"photos/{n + 1}.png"} for n in range(5)]
    folder = photo_folder(tmp_path / "up")
    (folder / "pairs.csv").unlink()
    json_lines(folder / "pairs.jsonl", rows)
    result = import_collection(workspace, "composed", folder, {"query": ["words", "photo"], "document": "target"})
    assert result["modalities"] == {"query": ["text+image"], "document": ["image"]}
    item = open_collection(workspace, "composed").item("queries", 2)
    assert (item.text, item.image) == ("redder 2", picture(2))


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ({"query": "title"}, "has no column “title”. Its columns are: caption, photo."),
        ({"query": "photo", "document": "photo"}, "The column “photo” has two roles."),
        ({"score": "caption"}, "The column “caption” holds text, and a score is a number."),
        ({"question": "caption"}, "“question” is no role. The roles are query, document, negative, score."),
    ],
)
def test_roles_that_cannot_be_are_refused(workspace, tmp_path, roles, words):
    with pytest.raises(WorkbenchError) as caught:
        import_collection(workspace, "photos", photo_folder(tmp_path / "up"), roles)
    assert words in caught.value.message


def test_parquet_with_media_inside_and_videos_import(workspace, tmp_path):
    import pyarrow
    import pyarrow.parquet

    clips = [{"bytes": make.video((grey, grey)), "path": f"/home/someone/{grey}.mp4"} for grey in (0, 120, 240)]
    columns = {"title": ["dark", "grey", "light"], "clip": clips, "year": [2001, 2002, 2003]}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "clips.parquet")
    result = import_collection(workspace, "clips", tmp_path / "clips.parquet")
    assert result["modalities"]["document"] == ["video"]
    item = open_collection(workspace, "clips").item("corpus", 1)
    assert (item.file, item.meta) == ("120.mp4", {"year": 2002})


def test_the_hubs_imagefolder_form_is_labelled_by_what_it_holds(workspace, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.png").write_bytes(picture(number))
    text_table(folder / "metadata.csv", [("file_name", "text"), *((f"{n}.png", f"number {n}") for n in range(4))])
    import_collection(workspace, "set", folder)
    assert open_collection(workspace, "set").card.labels == {"query": "text", "document": "picture"}


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_semicolons_and_quoted_newlines_in_other_encodings_import(workspace, tmp_path, encoding):
    path = tmp_path / "pairs.csv"
    path.write_bytes('frage;antwort\n"Wie groß;\nist es?";Größer\nné;été\n'.encode(encoding))
    import_collection(workspace, "pairs", path)
    collection = open_collection(workspace, "pairs")
    assert [item.text for item in collection.items("queries", [0, 1])] == ["Wie groß;\nist es?", "né"]


def test_the_split_follows_the_seed(workspace, tmp_path):
    path = text_table(tmp_path / "t.csv", text_pairs(100))
    held_out = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        import_collection(workspace, name, path, seed=seed)
        held_out.append(set(open_collection(workspace, name).judged("eval").queries.tolist()))
    assert held_out[0] == held_out[1] != held_out[2]


def test_a_sentence_that_is_query_and_document_is_not_on_both_sides(workspace, tmp_path):
    rows = [("query", "document"), *((f"text {n}", f"text {n + 1}") for n in range(0, 200)[::3])]
    rows += [(f"text {n}", f"text {n + 1}") for n in range(1, 200, 3)]
    import_collection(workspace, "chain", text_table(tmp_path / "t.csv", rows))
    collection = open_collection(workspace, "chain")
    texts = {}
    for split in ("train", "eval"):
        judged = collection.judged(split)
        items = collection.items("queries", judged.queries) + collection.items("corpus", judged.documents)
        texts[split] = {item.text for item in items}
    assert texts["eval"]
    assert not texts["train"] & texts["eval"]


def test_progress_counts_the_rows(workspace, tmp_path):
    seen: list[tuple[int, int, str]] = []
    path = text_table(tmp_path / "t.csv", text_pairs(30))
    import_collection(workspace, "t", path, progress=lambda *step: seen.append(step))
    assert seen[0] == (0, 30, "Reading rows")
    assert seen[-1] == (30, 30, "Writing the collection")
    assert [step for step, _, _ in seen] == sorted(step for step, _, _ in seen)


def test_a_folder_of_files_becomes_documents_without_queries(workspace, tmp_path):
    folder = tmp_path / "things"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").write_bytes(picture(1))
    (folder / "deep" / "b.wav").write_bytes(make.tone())
    (folder / "c.txt").write_bytes("grün".encode("utf-16"))
    (folder / "d.png").write_bytes(make.noisy_jpeg()[:2000])
    (folder / "e.bin").write_bytes(b"\0\1\2")
    result = import_documents(workspace, "things", folder)
    assert (result["queries"], result["documents"]) == (0, 3)
    assert result["modalities"] == {"query": [], "document": ["text", "image", "audio"]}
    assert [line["reason"] for line in result["skipped"]] == [
        "The picture “d.png” is cut off: the end of the file is missing. Save or copy it again.",
        "The file “e.bin” is no picture, sound, video, PDF or text that can be read.",
    ]
    corpus = open_collection(workspace, "things").corpus
    assert set(corpus["modality"]) == {"image", "audio", "text"}
    assert "grün" in corpus["text"]


def test_file_names_that_are_not_utf_8_are_told(workspace, tmp_path):
    folder = tmp_path / "up"
    folder.mkdir()
    odd = os.fsdecode(b"caf\xe9.png")
    for number, name in enumerate(("a.png", odd, os.fsdecode(b"caf\xe9.pdf"))):
        (folder / name).write_bytes(picture(number))
    result = import_documents(workspace, "files", folder)
    assert result["documents"] == 1
    assert [line["reason"] for line in result["skipped"]] == [
        f"The name of the file “caf?.{ending}” is not UTF-8. Rename it." for ending in ("pdf", "png")
    ]
    rows = [{"words": "first", "photo": "a.png"}, {"words": "second", "photo": odd}]
    json_lines(folder / "pairs.jsonl", rows)
    (line,) = import_collection(workspace, "pairs", folder)["skipped"]
    assert line["reason"].startswith("Row 2: the picture “caf?.png” is not in the folder")
    (folder / "pairs.jsonl").rename(folder / os.fsdecode(b"p\xe9.jsonl"))
    with pytest.raises(WorkbenchError, match=r"The name of the table “p\?\.jsonl” is not UTF-8\. Rename it\."):
        import_collection(workspace, "again", folder)


def test_a_folder_without_a_readable_file_is_refused(workspace, tmp_path):
    (tmp_path / "void").mkdir()
    with pytest.raises(WorkbenchError, match="“void” holds no picture, sound, video, PDF or text that can be read"):
        import_documents(workspace, "void", tmp_path / "void")
    assert list_collections(workspace) == []


def job_for(workspace, **spec):
    return create_job_folder(workspace.job("import-it"), "import", {"roles": None, "seed": 0, **spec}, {})


def test_the_work_function_imports_and_returns_the_same_when_started_again(workspace, tmp_path):
    job = job_for(workspace, name="t", source=str(text_table(tmp_path / "t.csv", text_pairs(30))))
    result = run_import(workspace, job)
    assert result["queries"] == 30
    assert job.status().step == job.status().total == 30
    assert run_import(workspace, job) == result


def test_a_stopped_import_leaves_nothing_and_starts_over(workspace, tmp_path):
    job = job_for(workspace, name="t", source=str(text_table(tmp_path / "t.csv", text_pairs(30))))
    (job.path / "STOP").touch()
    with pytest.raises(Stopped):
        run_import(workspace, job)
    assert list(workspace.collections.iterdir()) == []
    (job.path / "STOP").unlink()
    assert run_import(workspace, job)["queries"] == 30


def test_the_real_emoji_import(workspace, shared_data):
    result = import_collection(workspace, "emoji", shared_data / "emoji" / "pairs.csv")
    # 1,644 pictures, of which five are byte for byte the same as another.
    assert (result["queries"], result["documents"]) == (2412, 1639)
    assert sum(result["judgements"].values()) == 2433
    assert result["skipped"] == []
    assert 300 < result["judgements"]["eval"] < 450


def test_the_real_recordings_import(workspace, shared_data):
    result = import_collection(workspace, "digits", shared_data / "spoken-digits" / "pairs.csv")
    assert (result["queries"], result["documents"], result["skipped"]) == (60, 720, [])
    collection = open_collection(workspace, "digits")
    assert set(Counter(collection.judged().queries.tolist()).values()) == {12}
    assert collection.item("corpus", 0).meta == {"digit": "zero", "speaker": "george"}
    assert collection.card.split["sentence"] == (
        "18 queries and their 216 documents are held out for the score; none of them is seen in training."
    )
