"""The preview of an upload, before anything is imported."""

from __future__ import annotations

import pytest

from tests import media_makers as make
from tests.collection.uploads import json_lines, photo_folder, text_pairs, text_table, zip_folder, zip_of
from workbench.collection.reading import preview_source
from workbench.collection.store import Item
from workbench.errors import WorkbenchError


def refusal(path) -> str:
    with pytest.raises(WorkbenchError) as caught:
        preview_source(path)
    return caught.value.message


def kinds_and_roles(preview) -> dict:
    return {column.name: (column.kind, column.role) for column in preview.columns}


@pytest.mark.parametrize("form", ["table", "folder", "zip", "zip with one folder"])
def test_a_table_with_its_pictures_is_shown_in_any_form(tmp_path, form):
    folder = photo_folder(tmp_path / "up")
    path = {
        "table": lambda: folder / "pairs.csv",
        "folder": lambda: folder,
        "zip": lambda: zip_folder(folder, tmp_path / "up.zip"),
        "zip with one folder": lambda: zip_folder(folder, tmp_path / "up.zip", top="my set/"),
    }[form]()
    preview = preview_source(path)
    assert kinds_and_roles(preview) == {"caption": ("text", "query"), "photo": ("image", "document")}
    assert preview.roles == {"query": "caption", "document": "photo", "negative": None, "score": None}
    assert preview.row_count == 6
    assert preview.problems == []
    assert preview.rows[1] == {"caption": "caption 1", "photo": "photos/1.png"}
    captions, photos = (column.samples for column in preview.columns)
    assert captions[0] == "caption 0"
    assert isinstance(photos[0], Item)
    assert photos[0].image == (folder / "photos/0.png").read_bytes()
    assert photos[0].thumbnail
    assert photos[0].file.endswith("photos/0.png")


@pytest.mark.parametrize("metadata", ["metadata.csv", "metadata.jsonl"])
def test_the_hubs_imagefolder_form_is_read_with_a_metadata_file_in_each_split(tmp_path, metadata):
    for split in ("train", "test"):
        folder = tmp_path / "set" / split
        folder.mkdir(parents=True)
        (folder / "0.png").write_bytes(make.picture())
        rows = [{"file_name": "0.png", "text": f"a {split} picture"}]
        if metadata.endswith("csv"):
            text_table(folder / metadata, [list(rows[0]), list(rows[0].values())])
        else:
            json_lines(folder / metadata, rows)
    preview = preview_source(tmp_path / "set")
    assert kinds_and_roles(preview) == {"file_name": ("image", "document"), "text": ("text", "query")}
    assert [row["text"] for row in preview.rows] == ["a train picture", "a test picture"]
    assert preview.row_count == 2


def test_parquet_as_the_hub_writes_it_shows_its_pictures(tmp_path):
    from datasets import Dataset, Features, Image, Value

    features = Features({"image": Image(), "caption": Value("string")})
    rows = {"image": [{"bytes": make.picture(), "path": "x.png"}] * 3, "caption": ["a", "b", "c"]}
    Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "a.parquet")
    preview = preview_source(tmp_path / "a.parquet")
    assert kinds_and_roles(preview) == {"image": ("image", "document"), "caption": ("text", "query")}
    assert preview.columns[0].samples[0].image == make.picture()
    assert len(preview.columns[0].samples) == 1, "three times the same picture is one sample"
    assert preview.rows[0]["image"] == "x.png"


def test_missing_and_outside_files_are_told_by_row(tmp_path):
    rows = [("caption", "photo"), ("a", "a.png"), ("b", "cat.png"), ("c", "../secret.png"), ("", "a.png")]
    members = {"pairs.csv": "".join(",".join(row) + "\n" for row in rows), "a.png": make.picture()}
    (tmp_path / "secret.png").write_bytes(make.picture())
    assert preview_source(zip_of(tmp_path / "up.zip", members)).problems == [
        "Row 3: the picture “cat.png” is not in the upload. Add it to the ZIP, or remove the row.",
        "Row 4: “../secret.png” points outside the upload, so it was not opened. "
        "Put the file beside the table, and its relative path into the cell.",
        "Row 5: the cell of “caption” is empty. Fill it, or remove the row.",
    ]


def test_a_table_without_its_pictures_still_has_a_picture_column(tmp_path):
    path = text_table(tmp_path / "pairs.csv", [("caption", "photo"), ("a", "a.png"), ("b", "b.png")])
    preview = preview_source(path)
    assert kinds_and_roles(preview)["photo"] == ("image", "document")
    assert preview.columns[1].samples == []
    assert preview.problems[0] == (
        "Row 2: the picture “a.png” is not in the folder of the table. "
        "Add it there, or upload a ZIP of both, or remove the row."
    )


def test_only_the_head_of_a_long_table_is_read(tmp_path, monkeypatch):
    path = text_table(tmp_path / "long.csv", text_pairs(5000))
    monkeypatch.setattr("workbench.collection.reading.COUNTED_BYTES", 1000)
    preview = preview_source(path)
    assert len(preview.rows) == 50
    assert preview.row_count is None


def test_an_empty_file_is_refused(tmp_path):
    for name in ("a.csv", "a.zip", "a.parquet"):
        (tmp_path / name).write_bytes(b"")
        assert refusal(tmp_path / name) == f"“{name}” is empty (0 bytes). Save or upload it again."


def test_a_table_with_one_column_is_refused(tmp_path):
    assert refusal(text_table(tmp_path / "a.csv", [("query",), ("x",), ("y",)])) == (
        "“a.csv” has one column, “query”. It needs two: what people look for, and what should be found. "
        "If it has more, separate them by commas, semicolons or tabs."
    )


def test_a_table_without_rows_is_refused(tmp_path):
    path = text_table(tmp_path / "a.csv", [("query", "image")])
    assert refusal(path) == "“a.csv” has column names and no rows below them. Add rows."


def test_a_table_that_lacks_column_names_is_told_so(tmp_path):
    (tmp_path / "a.png").write_bytes(make.picture())
    message = refusal(text_table(tmp_path / "t.csv", [("a cat", "a.png"), ("a dog", "a.png")]))
    assert message.startswith("The first row of “t.csv” holds data (“a.png”) where the column names should be.")


def test_several_tables_are_refused_by_name(tmp_path):
    path = zip_of(tmp_path / "up.zip", {"one.csv": "a,b\n1,2\n", "two.tsv": "a\tc\n"})
    assert refusal(path) == (
        "“up.zip” holds 2 tables (one.csv, two.tsv) with different columns, and none of them refers to the others by "
        "ids, so it is not clear which one to import. Leave one of them in it."
    )


def test_media_without_a_table_are_documents(tmp_path):
    preview = preview_source(zip_of(tmp_path / "up.zip", {"a.png": make.picture(), "b.png": make.picture()}))
    assert preview.layout == "A ZIP of 2 pictures: documents without queries."
    assert (preview.columns, preview.rows, preview.problems) == ([], [], [])
    assert [sample.modality for sample in preview.samples] == ["image", "image"]


def test_a_zip_within_a_zip_is_not_opened(tmp_path):
    inner = zip_of(tmp_path / "inner.zip", {"pairs.csv": "a,b\n1,2\n"}).read_bytes()
    path = zip_of(tmp_path / "up.zip", {"inner.zip": inner})
    assert "holds another ZIP, “inner.zip”, which is not opened" in refusal(path)


@pytest.mark.parametrize(
    ("name", "advice"),
    [("a.xlsx", "save it as CSV"), ("a.json", "call it .jsonl"), ("a.tar", "make a ZIP"), ("a.exe", "Bring a CSV")],
)
def test_other_files_are_refused_with_the_remedy(tmp_path, name, advice):
    (tmp_path / name).write_bytes(b"something")
    assert advice in refusal(tmp_path / name)


def test_a_missing_source_is_told(tmp_path):
    assert refusal(tmp_path / "gone.csv").startswith("There is no file or folder")


def test_the_real_emoji_are_understood(shared_data):
    preview = preview_source(shared_data / "emoji" / "pairs.csv")
    assert kinds_and_roles(preview) == {"query": ("text", "query"), "image": ("image", "document")}
    assert preview.row_count == 2433
    assert preview.problems == []


def test_the_real_recordings_are_understood(shared_data):
    preview = preview_source(shared_data / "spoken-digits" / "pairs.csv")
    assert kinds_and_roles(preview) == {
        "text": ("text", "query"),
        "audio": ("audio", "document"),
        "digit": ("text", None),
        "speaker": ("text", None),
    }
    assert preview.columns[1].samples[0].audio.startswith(b"RIFF")
