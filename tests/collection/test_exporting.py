"""Exports: opened by other libraries, brought back to the same collection, and never in the way of other files."""

from __future__ import annotations

import csv
import errno
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.collection.uploads import json_lines, picture, set_split, text_pairs, text_table, zip_of
from tests.conftest import wav_bytes
from workbench.collection import exporting, parquet_export
from workbench.collection.editing import edit_collection
from workbench.collection.exporting import export_collection, run_export
from workbench.collection.importing import import_collection, import_documents
from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import create_job_folder
from workbench.workspace import Workspace


@pytest.fixture
def texts(workspace: Workspace, tmp_path: Path) -> Collection:
    import_collection(workspace, "texts", text_table(tmp_path / "texts.csv", text_pairs(20)))
    return open_collection(workspace, "texts")


@pytest.fixture
def photos(workspace: Workspace, tmp_path: Path) -> Collection:
    """Twelve captions with a photo each, a place for every photo, and a sound among the documents."""
    table = "caption,photo,place\n" + "".join(f"caption {n},p/{n}.png,place {n}\n" for n in range(12))
    media = {f"p/{n}.png": picture(n) for n in range(12)} | {"p/11.png": wav_bytes()}
    import_collection(workspace, "photos", zip_of(tmp_path / "photos.zip", {"pairs.csv": table, **media}))
    return open_collection(workspace, "photos")


def judged(collection: Collection, *columns: str) -> set[tuple[Any, ...]]:
    table = collection.judgements[:]
    return set(zip(*(table[column] for column in columns or ("query", "document", "score", "split")), strict=True))


def contents(collection: Collection, side: str) -> dict[str, tuple[Any, ...]]:
    items = collection.items(side, range(len(collection.side(side))))
    return {item.id: (item.text, item.image, item.audio, item.meta, Path(item.file).name) for item in items}


def test_datasets_opens_the_parquet_form_with_its_media(workspace: Workspace, photos: Collection) -> None:
    from datasets import Image, load_dataset

    result = export_collection(workspace, "photos")
    folder = Path(result["path"])
    assert folder == workspace.exports / "photos-mteb"
    cache = str(workspace.root / "cache")
    corpus = load_dataset(str(folder), "corpus", cache_dir=cache)["corpus"]
    assert corpus.features["image"] == Image(decode=False)
    assert {row["id"]: (row["image"] or row["audio"])["bytes"] for row in corpus} == {
        identifier: image or audio for identifier, (_, image, audio, _, _) in contents(photos, "corpus").items()
    }
    queries = load_dataset(str(folder), "queries", split="queries", cache_dir=cache)
    assert sorted(queries["text"][:]) == sorted(photos.queries["text"][:])
    assert queries.column_names == ["id", "modality", "text"]
    splits = load_dataset(str(folder), cache_dir=cache)
    assert {name: len(rows) for name, rows in splits.items()} == {
        "train": photos.card.counts["train"],
        "test": photos.card.counts["eval"],
    }
    assert {(row["query-id"], row["corpus-id"], row["score"]) for row in splits["test"]} == {
        pair[:3] for pair in judged(photos) if pair[3] == "eval"
    }


@pytest.mark.parametrize("form", ["mteb", "csv"])
def test_an_export_comes_back_as_the_same_collection(workspace: Workspace, photos: Collection, form: str) -> None:
    query, document = photos.queries["id"][0], photos.corpus["id"][5]
    with edit_collection(workspace, "photos", "Judged, and held out otherwise") as edit:
        set_split(edit, photos.queries["id"][:], "train")
        set_split(edit, photos.queries["id"][:4], "eval")
        edit.judge(query, document, 0.0, "eval", "mined", {"model": "starter", "rank": 3})
        edit.card(labels={"query": "words", "document": "what they mean"})
    before = open_collection(workspace, "photos")
    import_collection(workspace, "back", Path(export_collection(workspace, "photos", form)["path"]))
    after = open_collection(workspace, "back")
    assert judged(after) == judged(before)
    assert after.fingerprint == before.fingerprint
    assert contents(after, "queries") == contents(before, "queries")
    if form == "mteb":
        assert contents(after, "corpus") == contents(before, "corpus")
        assert after.card.labels == before.card.labels


def test_documents_without_queries_are_exported_and_come_back(workspace: Workspace, tmp_path: Path) -> None:
    import_documents(workspace, "files", zip_of(tmp_path / "files.zip", {f"{n}.png": picture(n) for n in range(4)}))
    import_collection(workspace, "back", Path(export_collection(workspace, "files")["path"]))
    files, back = (open_collection(workspace, name) for name in ("files", "back"))
    assert back.fingerprint == files.fingerprint
    with pytest.raises(WorkbenchError, match="has no pairs yet"):
        export_collection(workspace, "files", "csv")


def test_large_tables_are_cut_into_several_files(
    workspace: Workspace, photos: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import load_dataset

    monkeypatch.setattr(parquet_export, "FILE_BYTES", 1000)
    monkeypatch.setattr(parquet_export, "GROUP_ROWS", 4)
    folder = Path(export_collection(workspace, "photos")["path"])
    assert len(list((folder / "corpus").iterdir())) == 3
    assert len(load_dataset(str(folder), "corpus", cache_dir=str(workspace.root / "cache"))["corpus"]) == 12


def test_float_scores_stay_floats(workspace: Workspace, tmp_path: Path) -> None:
    import pyarrow.parquet

    rows = [("query", "document", "score"), *((f"q {n}", f"d {n}", n / 8) for n in range(1, 9))]
    import_collection(workspace, "graded", text_table(tmp_path / "graded.csv", rows))
    folder = Path(export_collection(workspace, "graded")["path"])
    tables = [pyarrow.parquet.read_table(path) for path in (folder / "qrels").iterdir()]
    assert {score for table in tables for score in table["score"].to_pylist()} == {n / 8 for n in range(1, 9)}


def test_the_csv_form_holds_pairs_and_media(workspace: Workspace, photos: Collection) -> None:
    result = export_collection(workspace, "photos", "csv")
    assert result["notes"] == []
    with zipfile.ZipFile(result["path"]) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("pairs.csv").decode("utf-8-sig"))))
        assert all(archive.read(row["document"]) for row in rows)
    assert {row["query"] for row in rows} == {f"caption {number}" for number in range(12)}
    assert {row["score"] for row in rows} == {"1"}
    assert sum(row["split"] == "test" for row in rows) == photos.card.counts["eval"] > 0


def test_spreadsheets_and_odd_texts_survive_the_csv_form(workspace: Workspace, tmp_path: Path) -> None:
    odd = ['say "yes", twice', "two\nlines", "tab\there", "größe 日本 ", "=SUM(A1)", "semi;colon", "a|b"]
    rows = [{"query": text, "document": f"{text} answered"} for text in odd]
    import_collection(workspace, "odd", json_lines(tmp_path / "odd.jsonl", rows))
    result = export_collection(workspace, "odd", "csv")
    import_collection(workspace, "back", Path(result["path"]))
    assert open_collection(workspace, "back").fingerprint == open_collection(workspace, "odd").fingerprint


def test_what_a_csv_cannot_hold_is_told(workspace: Workspace, photos: Collection) -> None:
    query = photos.queries["id"][0]
    document = photos.judgements[photos.judgements["query"][:].index(query)]["document"]
    with edit_collection(workspace, "photos", "Unjudged") as edit:
        edit.unjudge([(query, document)])
    notes = export_collection(workspace, "photos", "csv")["notes"]
    assert [note.split(" is ")[0] for note in notes] == [
        "1 query without a judgement",
        "1 document without a judgement",
    ]


def test_an_earlier_export_is_replaced_and_anything_else_is_left_alone(
    workspace: Workspace, texts: Collection, tmp_path: Path
) -> None:
    target = tmp_path / "taken"
    export_collection(workspace, "texts", to=target)
    export_collection(workspace, "texts", to=target)
    (target / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(WorkbenchError, match="thesis"):
        export_collection(workspace, "texts", to=target)
    assert (target / "thesis.txt").exists()
    archive = zip_of(tmp_path / "other.zip", {"thesis.txt": "years"})
    with pytest.raises(WorkbenchError, match="no export wrote it"):
        export_collection(workspace, "texts", "csv", to=archive)
    with pytest.raises(WorkbenchError, match="no export wrote it"):
        export_collection(workspace, "texts", to=archive)
    export_collection(workspace, "texts", "csv", to=tmp_path)
    export_collection(workspace, "texts", "csv", to=tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_is_told_in_words_and_leaves_nothing(
    workspace: Workspace, texts: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(parquet_export, "dataset_card", full)
    with pytest.raises(WorkbenchError, match="is full"):
        export_collection(workspace, "texts")
    assert list(workspace.exports.iterdir()) == []


def test_a_label_cannot_become_front_matter(workspace: Workspace, texts: Collection) -> None:
    import yaml

    with edit_collection(workspace, "texts", "Named") as edit:
        edit.card(labels={"query": "a\n---\nlicense: mit\n# big", "document": "answer"})
    text = (Path(export_collection(workspace, "texts")["path"]) / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---\n")[1])
    assert set(front) == {"pretty_name", "tags", "configs"}
    assert "Given **a --- license: mit # big**, find **answer**." in text


def test_the_job_exports_and_tells_its_progress(workspace: Workspace, texts: Collection) -> None:
    job = create_job_folder(workspace.job("export-texts"), "export", {"collection": "texts", "form": "csv"}, {})
    result = run_export(workspace, job)
    assert Path(result["path"]).exists()
    assert job.status().step == job.status().total == texts.card.rows


def test_scores_come_back_from_the_csv_form_to_the_last_digit(workspace: Workspace, tmp_path: Path) -> None:
    scores = [1 / 3, 1e-8, 123456.789, 16777217.0, 2.0, 0.0, -1.5]
    rows = [("query", "document", "score"), *((f"q {n}", f"d {n}", score) for n, score in enumerate(scores))]
    import_collection(workspace, "graded", text_table(tmp_path / "graded.csv", rows))
    import_collection(workspace, "back", Path(export_collection(workspace, "graded", "csv")["path"]))
    assert open_collection(workspace, "back").fingerprint == open_collection(workspace, "graded").fingerprint


def test_two_collections_are_not_exported_to_one_place_at_once(
    workspace: Workspace, texts: Collection, photos: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, target = exporting.write_parquet_layout, tmp_path / "out"

    def interrupted(*args: Any) -> None:
        with pytest.raises(WorkbenchError, match=r"An export to “.*out” is being written right now"):
            export_collection(workspace, "photos", to=tmp_path / "side" / ".." / "out")
        write(*args)

    monkeypatch.setattr(exporting, "write_parquet_layout", interrupted)
    result = export_collection(workspace, "texts", to=target)
    assert (result["path"], result["documents"]) == (str(target), 20)
