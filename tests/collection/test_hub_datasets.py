"""Data sets of a Hub on this machine, streamed by the real clients."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collection.fake_dataset_hub import COMMIT, Hub, Repo, dataset_hub
from tests.collection.uploads import picture
from tests.conftest import wav_bytes
from workbench.collection import archive
from workbench.collection import hub as hub_module
from workbench.collection.hub import HubFiles, HubSet, open_dataset, preview_dataset
from workbench.collection.import_job import run_import
from workbench.collection.importing import import_collection
from workbench.collection.pushing import push_collection
from workbench.collection.store import Item, open_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import create_job_folder
from workbench.workspace import Workspace

REPO = "maria/photos"
CARD = """---
configs:
- config_name: small
  data_files:
  - split: train
    path: data/train-*.parquet
  - split: test
    path: data/test.parquet
---
"""


def parquet(start: int, count: int, media: dict[int, Any] | None = None) -> bytes:
    """A Parquet table of captions and photos, as `datasets` writes one."""
    import pyarrow
    import pyarrow.parquet
    from datasets import Features, Image, Value

    numbers = range(start, start + count)
    cells = media or {n: {"bytes": picture(n), "path": f"{n}.png"} for n in numbers}
    table = pyarrow.table(
        {"caption": [f"caption {n}" for n in numbers], "photo": [cells[n] for n in numbers]},
        schema=Features({"caption": Value("string"), "photo": Image()}).arrow_schema,
    )
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file)
    return file.getvalue()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A Hub with one data set; the clients take it for the real one."""
    from datasets import config
    from huggingface_hub import constants

    with dataset_hub() as hub:
        template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
        for module, name, value in (
            (constants, "ENDPOINT", hub.address),
            (constants, "HUGGINGFACE_CO_URL_TEMPLATE", template),
            (constants, "HF_HUB_OFFLINE", False),
            (constants, "HF_HUB_CACHE", str(tmp_path / "hub")),
            (constants, "HF_HUB_DISABLE_XET", True),
            (config, "HF_ENDPOINT", hub.address),
            (config, "HF_HUB_OFFLINE", False),
            (config, "HF_DATASETS_CACHE", tmp_path / "datasets"),
        ):
            monkeypatch.setattr(module, name, value)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        files = {f"data/train-{part}.parquet": parquet(30 * part, 30) for part in range(3)}
        hub.repos[REPO] = Repo({"README.md": CARD.encode(), **files, "data/test.parquet": parquet(90, 5)})
        yield hub


def test_the_first_rows_are_shown_before_anything_large_is_fetched(hub: Hub) -> None:
    preview = preview_dataset(REPO, split="train", rows=20)
    assert [(column.name, column.kind, column.role) for column in preview.columns] == [
        ("caption", "text", "query"),
        ("photo", "image", "document"),
    ]
    assert len(preview.rows) == 20 and preview.row_count is None and preview.problems == []
    samples = preview.columns[1].samples
    assert [sample.image for sample in samples if isinstance(sample, Item)] == [picture(n) for n in range(4)]
    asked = " ".join(hub.asked)
    assert "train-0.parquet" in asked and "train-1.parquet" not in asked and "test.parquet" not in asked


def test_a_data_set_is_imported_and_a_limit_is_kept(workspace: Workspace, hub: Hub) -> None:
    result = import_collection(workspace, "photos", open_dataset(HubSet(REPO, "small", "train", 40)))
    assert (result["queries"], result["documents"]) == (40, 40)
    collection = open_collection(workspace, "photos")
    assert collection.document_rows[Item(image=picture(7)).content_id()] == 7
    assert collection.item("corpus", 7).file == "7.png"
    assert collection.card.source["rows"] == 40
    assert collection.card.labels == {"query": "caption", "document": "photo"}


def test_without_a_split_train_is_taken_and_every_row_of_it(workspace: Workspace, hub: Hub) -> None:
    assert import_collection(workspace, "photos", open_dataset(HubSet(REPO)))["queries"] == 90
    assert open_collection(workspace, "photos").card.source["rows"] == 90


def test_a_folder_of_sounds_is_fetched_file_by_file_and_each_one_once(workspace: Workspace, hub: Hub) -> None:
    sounds = {f"train/{n}.wav": wav_bytes(200.0 + 20 * n) for n in range(4)}
    table = "file_name,words\n" + "".join(f"{n}.wav,tone {n}\n" for n in range(4))
    hub.repos["maria/tones"] = Repo({"train/metadata.csv": table.encode(), **sounds})
    import_collection(workspace, "tones", open_dataset(HubSet("maria/tones")))
    collection = open_collection(workspace, "tones")
    assert [item.audio for item in collection.items("corpus", range(4))] == list(sounds.values())
    assert collection.card.labels == {"query": "words", "document": "audio"}


def test_pictures_in_a_zip_of_the_repository_are_read_from_it(workspace: Workspace, hub: Hub) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("metadata.csv", "file_name,text\na.png,first\nb.png,second\n")
        archive.writestr("a.png", picture(1))
        archive.writestr("b.png", picture(2))
    hub.repos["maria/zipped"] = Repo({"train.zip": file.getvalue()})
    import_collection(workspace, "zipped", open_dataset(HubSet("maria/zipped")))
    assert open_collection(workspace, "zipped").item("corpus", 1).image == picture(2)


def test_the_limit_is_of_a_file_in_a_zip_and_not_of_the_zip(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("a.png", picture(1))
        packed.writestr("large.bin", bytes(5000))
    hub.repos["maria/zipped"] = Repo({"train.zip": file.getvalue()})
    for module in (archive, hub_module):
        monkeypatch.setattr(module, "MAX_FILE_BYTES", 3000)
    files = HubFiles("maria/zipped", COMMIT, ["train.zip"], hub.address)
    assert files.size("train.zip::a.png") == len(picture(1)) < 3000 < files.size("train.zip")
    assert files.read("train.zip::a.png") == picture(1)
    for name in ("train.zip", "train.zip::large.bin"):
        with pytest.raises(WorkbenchError, match="is larger than"):
            files.read(name)
    with pytest.raises(WorkbenchError, match="cannot be read"):
        files.size("train.zip::none.png")


def test_a_row_opens_no_file_of_this_computer_and_no_other_address(
    workspace: Workspace, hub: Hub, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture(9))
    hub.repos["maria/other"] = Repo({"x.png": picture(8)}, private=True)
    paths = [
        str(secret),
        f"file://{secret}",
        f"{hub.address}/datasets/maria/other/resolve/main/x.png",
        f"hf://datasets/maria/other@{COMMIT}/x.png",
        f"zip://secret.png::{secret}",
        "../x.png",
        "data/none.png",
    ]
    cells: dict[int, Any] = {n: {"bytes": None, "path": path} for n, path in enumerate(paths)}
    cells[len(paths)] = {"bytes": picture(0), "path": "fine.png"}
    hub.repos["maria/bad"] = Repo({"train.parquet": parquet(0, len(cells), cells)})
    result = import_collection(
        workspace, "bad", open_dataset(HubSet("maria/bad")), {"query": "caption", "document": "photo"}
    )
    assert result["documents"] == 1
    assert [line["row"] for line in result["skipped"]] == list(range(1, len(paths) + 1))
    assert not any("maria/other" in line for line in hub.asked)


def test_a_file_is_found_by_every_way_a_row_may_name_it() -> None:
    files = HubFiles(REPO, COMMIT, ["a/b.png", "c.zip"], "")
    assert files.find("a/b.png") == files.find(f"hf://datasets/{REPO}@{COMMIT}/a/b.png") == "a/b.png"
    assert files.find(f"zip://d/e.png::hf://datasets/{REPO}@{COMMIT}/c.zip") == "c.zip::d/e.png"
    assert files.find("b.png") is None


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (HubSet("maria/none"), "The Hub has no data set “maria/none”, or it is private"),
        (HubSet(REPO, config="large"), "has no configuration “large”. Choose one of: small."),
        (HubSet(REPO, split="validation"), "has no split “validation”. Choose one of: train, test."),
        (HubSet("maria/many"), "has several configurations. Choose one of: cats, dogs."),
        (HubSet("maria/gated"), "asks its users to agree to terms first"),
        (HubSet("maria/script"), "needs a program of its own"),
        (HubSet("maria/empty"), "holds no table and no media"),
        (HubSet("nonsense"), "Write USER/NAME"),
    ],
)
def test_what_is_wrong_is_told_in_words(hub: Hub, wanted: HubSet, words: str) -> None:
    configs = "---\nconfigs:\n- config_name: cats\n  data_files: a.csv\n- config_name: dogs\n  data_files: b.csv\n---\n"
    hub.repos["maria/many"] = Repo({"README.md": configs.encode(), "a.csv": b"x,y\n1,2\n", "b.csv": b"x,y\n1,2\n"})
    hub.repos["maria/gated"] = Repo(hub.repos[REPO].files, gated=True)
    hub.repos["maria/script"] = Repo({"script.py": b"import os"})
    hub.repos["maria/empty"] = Repo({"README.md": b"# nothing yet"})
    with pytest.raises(WorkbenchError) as raised:
        open_dataset(wanted)
    assert words in raised.value.message


def test_a_folder_of_the_same_name_is_not_read_in_its_place(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / REPO).mkdir(parents=True)
    (tmp_path / REPO / "secret.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkbenchError, match="Start it in another folder"):
        preview_dataset(REPO)


def test_no_network_is_told_at_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WorkbenchError, match="The Hub cannot be reached"):
        preview_dataset(REPO)


def test_offline_mode_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WorkbenchError, match="HF_HUB_OFFLINE"):
        preview_dataset(REPO)


def test_what_was_pushed_comes_back_as_the_same_collection(
    workspace: Workspace, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_collection(workspace, "photos", open_dataset(HubSet(REPO, rows=20)))
    monkeypatch.setenv("HF_TOKEN", hub.token)
    push_collection(workspace, "photos", "maria/pushed")
    preview = preview_dataset("maria/pushed")
    assert "as BEIR and MTEB keep one" in preview.layout and preview.columns == []
    import_collection(workspace, "back", open_dataset(HubSet("maria/pushed")))
    before, after = open_collection(workspace, "photos"), open_collection(workspace, "back")
    assert after.fingerprint == before.fingerprint
    assert after.card.labels == {"query": "caption", "document": "photo"}
    corpus = preview_dataset("maria/pushed", "corpus")
    assert [column.name for column in corpus.columns] == ["id", "modality", "image"]


def test_a_job_imports_a_data_set_and_adds_another_split_to_it(workspace: Workspace, hub: Hub) -> None:
    spec: dict[str, Any] = {"name": "photos", "hub": {"repo": REPO, "config": None, "split": "train", "rows": 20}}
    job = create_job_folder(workspace.job("import-photos"), "import", spec, {})
    assert run_import(workspace, job)["queries"] == 20
    more = {"name": "photos", "hub": {"repo": REPO, "split": "test"}, "add": True}
    job = create_job_folder(workspace.job("import-photos-2"), "import", more, {})
    assert run_import(workspace, job)["added"] == {"queries": 5, "documents": 5, "judgements": 5}
