"""What a folder or ZIP is, told from its names and columns: splits, saved data sets, joined tables, plain files."""

from __future__ import annotations

import csv
import io

import pytest

from tests import media_makers as make
from tests.collection.uploads import json_lines, picture, text_table, zip_folder, zip_of
from workbench.collection.importing import import_collection
from workbench.collection.reading import preview_source
from workbench.collection.splits import split_of_name
from workbench.collection.store import open_collection
from workbench.errors import WorkbenchError


def pairs(first: int, last: int) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["question", "answer"])
    writer.writerows([f"question, {number}", f"answer {number}"] for number in range(first, last))
    return file.getvalue()


def asked(workspace, name, split):
    collection = open_collection(workspace, name)
    return {collection.item("queries", row).text for row in collection.judged(split).queries}


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.csv", "train"),
        ("data/test-00000-of-00003.parquet", "eval"),
        ("qrels/dev.tsv", "eval"),
        ("validation/0000.parquet", "eval"),
        ("train/metadata.csv", "train"),
        ("pairs_val.jsonl", "eval"),
        ("pairs.csv", ""),
        ("testimony.csv", ""),
    ],
)
def test_the_split_is_told_by_names(name, split):
    assert split_of_name(name) == split


def test_train_and_test_tables_are_the_split_as_they_say(workspace, tmp_path):
    path = zip_of(tmp_path / "up.zip", {"train.csv": pairs(0, 30), "test.csv": pairs(30, 40), "dev.csv": pairs(40, 45)})
    preview = preview_source(path)
    assert preview.layout == (
        "3 tables that are parts of one: “train.csv” (to train on), “dev.csv” (held out for the score), “test.csv” "
        "(held out for the score)."
    )
    assert preview.roles["query"] == "question" and preview.row_count == 45
    result = import_collection(workspace, "up", path)
    assert result["judgements"] == {"train": 30, "eval": 15}
    assert asked(workspace, "up", "eval") == {f"question, {number}" for number in range(30, 45)}
    split = open_collection(workspace, "up").card.split
    assert (split["method"], split["sentence"]) == (
        "given",
        "15 queries are held out for the score, as the tables that were brought say.",
    )


def test_a_pair_of_both_tables_is_held_out_and_a_leak_stays_to_be_found(workspace, tmp_path):
    path = zip_of(tmp_path / "up.zip", {"train.csv": pairs(0, 30), "test.csv": pairs(29, 40)})
    assert import_collection(workspace, "up", path)["judgements"] == {"train": 29, "eval": 11}


def test_the_split_of_the_names_can_be_left_aside(workspace, tmp_path):
    path = zip_of(tmp_path / "up.zip", {"train.csv": pairs(0, 30), "test.csv": pairs(30, 40)})
    import_collection(workspace, "up", path, own_split=True)
    assert open_collection(workspace, "up").card.split["method"] == "component"


def test_parts_of_one_split_are_one_table_and_split_by_us(workspace, tmp_path):
    import pandas

    for number in range(2):
        frame = pandas.DataFrame(
            {"query": [f"q{number}{n}" for n in range(20)], "document": list("abcdefghijklmnopqrst")}
        )
        frame.to_parquet(tmp_path / f"train-0000{number}-of-00002.parquet")
    result = import_collection(workspace, "parts", tmp_path)
    assert (result["queries"], result["documents"]) == (40, 20)
    assert result["judgements"]["eval"] > 0
    assert open_collection(workspace, "parts").card.split["method"] == "component"


def test_a_column_that_is_called_split_is_heeded(workspace, tmp_path):
    rows = [("query", "document", "split")]
    rows += [(f"q{number}", f"d{number}", ("train", "train", "test")[number % 3]) for number in range(30)]
    rows += [("q30", "d30", "tset")] + [(f"q{n}", f"d{n}", "train") for n in range(31, 90)]
    path = text_table(tmp_path / "t.csv", rows)
    result = import_collection(workspace, "t", path)
    assert result["judgements"]["eval"] == 10
    assert open_collection(workspace, "t").item("corpus", 0).meta == {}
    assert result["skipped"] == [
        {"row": 32, "reason": "Row 32: the split “tset” is neither train nor test. Write one of them."}
    ]


def test_problems_name_the_table_they_are_in(workspace, tmp_path):
    path = zip_of(tmp_path / "up.zip", {"train.csv": pairs(0, 9), "test.csv": pairs(9, 12) + "only,\n"})
    assert import_collection(workspace, "up", path)["skipped"] == [
        {"row": 5, "reason": "Row 5 of “test.csv”: the cell of “answer” is empty. Fill it, or remove the row."}
    ]


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_what_save_to_disk_wrote_is_read_with_its_pictures_and_splits(workspace, tmp_path, form):
    from datasets import Dataset, DatasetDict, Features, Image, Value

    features = Features({"caption": Value("string"), "photo": Image(), "year": Value("int32")})

    def part(first: int, last: int) -> Dataset:
        rows = range(first, last)
        cells = [{"bytes": picture(number), "path": None} for number in rows]
        columns = {"caption": [f"caption {n}" for n in rows], "photo": cells, "year": [2000 + n for n in rows]}
        return Dataset.from_dict(columns, features=features)

    DatasetDict({"train": part(0, 8), "test": part(8, 11)}).save_to_disk(str(tmp_path / "set"))
    source = tmp_path / "set" if form == "folder" else zip_folder(tmp_path / "set", tmp_path / "set.zip", "set/")
    result = import_collection(workspace, "set", source)
    assert (result["documents"], result["judgements"]) == (11, {"train": 8, "eval": 3})
    collection = open_collection(workspace, "set")
    assert {item.image for item in collection.items("corpus", range(11))} == {picture(number) for number in range(11)}
    assert collection.item("corpus", 3).meta == {"year": 2003}


def test_one_saved_data_set_is_a_table(workspace, tmp_path):
    from datasets import Dataset

    rows = {"query": [f"q{n}" for n in range(12)], "positives": [[f"p{n}", f"r{n}"] for n in range(12)]}
    Dataset.from_dict(rows).save_to_disk(str(tmp_path / "one"))
    assert preview_source(tmp_path / "one").row_count in (12, None)
    result = import_collection(workspace, "one", tmp_path / "one")
    assert (result["queries"], result["documents"], sum(result["judgements"].values())) == (12, 24, 24)


def test_a_saved_data_set_that_is_cut_off_is_told(workspace, tmp_path):
    from datasets import Dataset

    Dataset.from_dict({"query": ["q"] * 9, "document": list("abcdefghi")}).save_to_disk(str(tmp_path / "one"))
    file = next((tmp_path / "one").glob("*.arrow"))
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(WorkbenchError, match="is no Arrow table, or only part of one"):
        import_collection(workspace, "one", tmp_path / "one")


def captioned(folder, captions: list[tuple[str, ...]], images: list[tuple[str, ...]]):
    folder.mkdir()
    (folder / "files").mkdir()
    for number in range(len(images)):
        (folder / "files" / f"{number}.png").write_bytes(picture(number))
    text_table(folder / "captions.csv", [("caption", "image_id"), *captions])
    text_table(folder / "images.csv", [("id", "file_name", "place"), *images])
    return folder


def test_tables_that_refer_to_each_other_are_joined(workspace, tmp_path):
    captions = [(f"caption {n}", str(n % 5)) for n in range(10)] + [("lost", "77"), ("none", "")]
    images = [(str(n), f"files/{n}.png", f"place {n}") for n in range(6)] + [("3", "files/0.png", "again")]
    folder = captioned(tmp_path / "up", captions, images)
    preview = preview_source(folder)
    assert preview.layout == "“captions.csv” joined with “images.csv” by image_id."
    assert (preview.roles["query"], preview.roles["document"]) == ("caption", "file_name")
    result = import_collection(workspace, "up", folder)
    assert (result["queries"], result["documents"]) == (10, 5)
    assert [line["reason"] for line in result["skipped"]] == [
        "Row 12: “image_id” is “77”, and “images.csv” has no row with that id. Add it there, or remove the row.",
        "Row 13: “image_id” is empty. Fill it, or remove the row.",
        "Row 8 of “images.csv”: the id “3” is there already, in a row above. Give it another, or remove the row.",
        "Row 7 of “images.csv”: no row refers to its id “5”, so it was left out.",
    ]
    collection = open_collection(workspace, "up")
    assert collection.item("corpus", 4).meta == {"image_id": "4", "place": "place 4"}
    assert collection.item("corpus", 4).image == picture(4)


def test_ids_are_joined_whatever_their_type(workspace, tmp_path):
    """A spreadsheet's 3, pandas' 3.0 (a column with a gap) and JSON's "3" are one id."""
    import pandas

    pandas.DataFrame({"id": [1, 2, 3], "text": ["one", "two", "three"]}).to_parquet(tmp_path / "answers.parquet")
    questions = [{"question": f"q{n}", "answer_id": [1.0, "2", 3][n % 3]} for n in range(6)]
    json_lines(tmp_path / "questions.jsonl", questions)
    result = import_collection(workspace, "mixed", tmp_path)
    assert (result["queries"], result["documents"], result["skipped"]) == (6, 3, [])


def test_tables_that_have_nothing_in_common_are_refused(tmp_path):
    path = zip_of(tmp_path / "up.zip", {"a.csv": "id,x\n1,2\n", "b.csv": "id,y\n7,8\n"})
    with pytest.raises(WorkbenchError, match=r"holds 2 tables .* with different columns, and none of them refers"):
        preview_source(path)


def test_folders_of_classes_are_documents_with_the_folder_as_metadata(workspace, tmp_path):
    members = {
        f"{kind}/{number}.png": picture(10 * place + number)
        for place, kind in enumerate(("red_fox", "dog"))
        for number in range(6)
    }
    path = zip_of(tmp_path / "up.zip", {**members, "notes.bin": b"\0\1"})
    result = import_collection(workspace, "plain", path)
    assert (result["queries"], result["documents"], sum(result["judgements"].values())) == (0, 12, 0)
    assert [line["reason"] for line in result["skipped"]] == [
        "The file “notes.bin” is no picture, sound, video, PDF or text that can be read."
    ]
    folders = [item.meta for item in open_collection(workspace, "plain").items("corpus", range(12))]
    assert folders.count({"folder": "red_fox"}) == 6
    result = import_collection(workspace, "asked", path, {"query": "folder name"})
    assert (result["queries"], sum(result["judgements"].values())) == (2, 12)
    collection = open_collection(workspace, "asked")
    assert {item.text for item in collection.items("queries", [0, 1])} == {"red fox", "dog"}
    assert collection.card.labels["query"] == "folder name"


def test_files_without_a_table_take_no_columns(workspace, tmp_path):
    path = zip_of(tmp_path / "up.zip", {"a.png": picture(1), "b.wav": make.tone()})
    assert preview_source(path).layout == "A ZIP of 1 picture and 1 sound: documents without queries."
    for roles in ({"query": "caption"}, {"document": "photo"}):
        with pytest.raises(WorkbenchError, match="Leave the roles out"):
            import_collection(workspace, "up", path, roles)


def test_a_folder_of_sounds_and_one_of_videos_need_no_table(workspace, tmp_path):
    for form, data in (("wav", make.tone), ("mp4", make.video)):
        folder = tmp_path / form
        folder.mkdir()
        (folder / f"a.{form}").write_bytes(data())
        assert import_collection(workspace, form, folder)["documents"] == 1
