"""An index is built in chunks that a restart continues, and appears only when it is whole."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pytest

from tests.conftest import png_bytes, wav_bytes
from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench.collection.store import Item, remove_collection
from workbench.errors import Stopped, WorkbenchError
from workbench.index import build, filling, registry, table
from workbench.index.build import build_index, run_index
from workbench.index.registry import building, get_index, list_indexes, new_table_name
from workbench.job_folder import create_job_folder
from workbench.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


def stored(workspace: Workspace, index: str) -> dict[str, list[Any]]:
    """All rows of an index in the order of the corpus, read by plain LanceDB as any script would."""
    opened = lancedb.connect(str(workspace.index)).open_table(get_index(workspace, index).table)
    return opened.to_arrow().sort_by("row").to_pydict()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "FIRST_CHUNK_ROWS", 64)
    monkeypatch.setattr(filling, "LARGEST_CHUNK_ROWS", 64)


def stop_after(rows: int) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, note: str) -> None:
        if done >= rows:
            raise Stopped

    return progress


def test_a_row_keeps_everything_of_its_document_but_the_media(workspace: Workspace, toy: ToyEmbedder) -> None:
    documents = make_collection(
        workspace,
        "mixed",
        [
            Item(text="a red square", meta={"page": 3, "größe": [1, 2]}),
            Item(image=png_bytes(), file="red.png", thumbnail=b"webp of red"),
            Item(audio=wav_bytes(), file="tone.wav", thumbnail=b"webp of tone"),
            Item(text="with its picture", image=png_bytes((1, 2, 3)), file="dark.png"),
            Item(text="another", meta={"score": float("nan")}),
        ],
    )
    result = build_index(workspace, "things", "mixed", "toy", embedder=toy)
    rows = stored(workspace, "things")
    assert rows["id"] == [document.id for document in documents]
    assert rows["row"] == [0, 1, 2, 3, 4]
    assert rows["modality"] == ["text", "image", "audio", "text+image", "text"]
    assert rows["text"] == ["a red square", "", "", "with its picture", "another"]
    assert rows["file"] == ["", "red.png", "tone.wav", "dark.png", ""]
    assert rows["thumbnail"] == [None, b"webp of red", b"webp of tone", None, None]
    assert json.loads(rows["meta"][0]) == {"page": 3, "größe": [1, 2]}
    np.testing.assert_array_equal(rows["vector"], [toy.vector(document) for document in documents])
    card = get_index(workspace, "things")
    assert result == {
        "index": "things",
        "rows": 5,
        "dimension": 32,
        "precision": "float32",
        "bytes": card.bytes,
        "kind": "exact",
        "recall@10": 1.0,
        "full_text": 3,
        "seconds": card.seconds,
    }
    assert card.modalities == {"text": 2, "image": 1, "audio": 1, "text+image": 1}
    assert card.bytes > 0 and card.seconds > 0


def test_the_schema_says_which_model_and_which_collection(workspace: Workspace, toy: ToyEmbedder) -> None:
    make_collection(workspace, "words", texts(10))
    build_index(workspace, "words", "words", "toy", dimension=8, embedder=toy)
    opened = lancedb.connect(str(workspace.index)).open_table(get_index(workspace, "words").table)
    said = {key.decode(): value.decode() for key, value in opened.schema.metadata.items()}
    assert said["workbench.fingerprint"] == toy.fingerprint
    assert said["workbench.model"] == "toy"
    assert said["workbench.dimension"] == "8"
    assert said["workbench.collection"] == "words"
    assert said["workbench.collection_fingerprint"] == get_index(workspace, "words").collection_fingerprint


def test_vectors_are_cut_to_the_dimension_and_renormalised(workspace: Workspace, toy: ToyEmbedder) -> None:
    documents = make_collection(workspace, "words", texts(20))
    assert build_index(workspace, "words", "words", "toy", dimension=8, embedder=toy)["dimension"] == 8
    cut = np.array([toy.vector(document)[:8] for document in documents])
    cut /= np.linalg.norm(cut, axis=1, keepdims=True)
    np.testing.assert_allclose(stored(workspace, "words")["vector"], cut, atol=1e-6)
    with pytest.raises(WorkbenchError, match=r"gives vectors of 32 numbers.*Choose one of 32, 16, 8"):
        build_index(workspace, "words", "words", "toy", dimension=64, embedder=toy)


@pytest.mark.parametrize("rows_before", [1, 400])
def test_a_killed_build_is_continued_with_no_row_twice_and_none_lost(workspace: Workspace, rows_before: int) -> None:
    make_collection(workspace, "words", texts(512))
    process = subprocess.Popen(slow_build(workspace, "0.002"), cwd=ROOT, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 40
        while rows_on_disk(workspace) < rows_before:
            assert process.poll() is None and time.monotonic() < deadline, "the build did not get so far"
            time.sleep(0.05)
        time.sleep(rows_before / 4000)
        process.kill()
    finally:
        process.kill()
        process.communicate()
    assert list_indexes(workspace) == []
    before = rows_on_disk(workspace)
    again = ToyEmbedder()
    result = build_index(workspace, "words", "words", "toy", embedder=again)
    assert result["rows"] == 512
    assert sorted(stored(workspace, "words")["row"]) == list(range(512))
    assert len(set(stored(workspace, "words")["id"])) == 512
    assert before > 0 and len(again.encoded) == 512 - before, "what was committed is not embedded again"


@pytest.mark.parametrize("moment", ["compact", "publish"])
def test_a_build_killed_in_its_last_steps_embeds_nothing_again(workspace: Workspace, moment: str) -> None:
    make_collection(workspace, "words", texts(300))
    killed = subprocess.run(slow_build(workspace, "0", moment), cwd=ROOT, capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    again = ToyEmbedder()
    assert build_index(workspace, "words", "words", "toy", embedder=again)["rows"] == 300
    assert sorted(stored(workspace, "words")["row"]) == list(range(300))
    assert len(again.encoded) == (300 if moment == "publish" else 0), "published is whole: a new build begins anew"
    card = get_index(workspace, "words")
    named = [card.table] if card.before is None else [card.before.table, card.table]
    assert table.all_tables(workspace) == named


def slow_build(workspace: Workspace, seconds_per_item: str, die_after: str = "") -> list[str]:
    program = [sys.executable, "-m", "tests.index.toys"]
    return [*program, str(workspace.root), "words", "words", seconds_per_item, die_after]


def rows_on_disk(workspace: Workspace) -> int:
    """Committed rows of the one table there is; 0 where there is none yet."""
    names = table.all_tables(workspace)
    try:
        return int(lancedb.connect(str(workspace.index)).open_table(names[0]).count_rows()) if names else 0
    except (OSError, RuntimeError, ValueError):
        return 0


def test_a_kill_between_publishing_and_deleting_leaves_a_working_index_and_is_swept(
    workspace: Workspace, toy: ToyEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_collection(workspace, "words", texts(20))
    for _ in range(2):
        build_index(workspace, "words", "words", "toy", embedder=toy)
    monkeypatch.setattr(registry, "drop_table", lambda *_: None)
    monkeypatch.setattr(table, "drop_table", lambda *_: None)
    build_index(workspace, "words", "words", "toy", embedder=toy)
    monkeypatch.undo()
    assert len(table.tables_of(workspace, "words")) == 3
    assert len(stored(workspace, "words")["id"]) == 20
    build_index(workspace, "other", "words", "toy", embedder=toy)
    card = get_index(workspace, "words")
    assert card.before is not None
    assert table.tables_of(workspace, "words") == [card.before.table, card.table]


def test_torn_and_outlived_tables_of_other_indexes_are_swept_and_resumable_ones_kept(
    workspace: Workspace, toy: ToyEmbedder, small_chunks: None
) -> None:
    for name in ("kept", "gone", "words"):
        make_collection(workspace, name, texts(200, name))
    for name in ("kept", "gone"):
        with pytest.raises(Stopped):
            build_index(workspace, name, name, "toy", embedder=toy, progress=stop_after(128))
    remove_collection(workspace, "gone")
    torn = table.table_folder(workspace, new_table_name(workspace, "torn")) / "data"
    torn.mkdir(parents=True)
    (torn / "half.lance").write_bytes(b"half")
    build_index(workspace, "words", "words", "toy", embedder=toy)
    assert {table.index_and_number(name)[0] for name in table.all_tables(workspace)} == {"kept", "words"}


def test_a_begun_build_of_another_model_or_size_is_not_continued(
    workspace: Workspace, toy: ToyEmbedder, small_chunks: None
) -> None:
    make_collection(workspace, "words", texts(200))
    with pytest.raises(Stopped):
        build_index(workspace, "words", "words", "toy", embedder=toy, progress=stop_after(128))
    other = ToyEmbedder(fingerprint="toy-2")
    build_index(workspace, "words", "words", "toy", embedder=other)
    assert len(other.encoded) == 200
    assert len(table.all_tables(workspace)) == 1


def test_the_old_index_answers_until_the_new_one_is_whole_and_is_kept_then(
    workspace: Workspace, toy: ToyEmbedder, small_chunks: None
) -> None:
    make_collection(workspace, "words", texts(200))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    first = get_index(workspace, "words")
    other = ToyEmbedder(fingerprint="toy-2")
    with pytest.raises(Stopped):
        build_index(workspace, "words", "words", "toy", embedder=other, progress=stop_after(100))
    assert get_index(workspace, "words") == first
    build_index(workspace, "words", "words", "toy", embedder=other)
    assert get_index(workspace, "words").fingerprint == "toy-2"
    assert len(table.all_tables(workspace)) == 2


def test_an_index_job_stops_between_chunks_and_goes_on(
    workspace: Workspace, toy: ToyEmbedder, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_collection(workspace, "words", texts(300))
    monkeypatch.setattr(build, "load_embedder", lambda *_, **__: toy)
    spec = {"name": "words", "collection": "words", "model": "toy", "dimension": 16}
    job = create_job_folder(workspace.job("index-words"), "index", spec, {})
    encode = toy.encode_documents

    def stop_in_the_second_chunk(items: Any, **options: Any) -> np.ndarray:
        if toy.encoded:
            (job.path / "STOP").touch()
        return encode(items, **options)

    monkeypatch.setattr(toy, "encode_documents", stop_in_the_second_chunk)
    with pytest.raises(Stopped):
        run_index(workspace, job)
    assert rows_on_disk(workspace) == 64
    (job.path / "STOP").unlink()
    monkeypatch.setattr(toy, "encode_documents", encode)
    toy.encoded.clear()
    assert run_index(workspace, job)["rows"] == 300
    assert len(toy.encoded) == 300 - 64
    assert (job.status().step, job.status().total) == (300, 300)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_large_index_is_approximate_and_its_recall_is_measured(workspace: Workspace, precision: str) -> None:
    count = 25_000
    make_collection(workspace, "many", [Item(text=f"group {n % 50} item {n}") for n in range(count)])
    toy: Any = FastToy(64)
    result = build_index(workspace, "many", "many", "toy", precision=precision, embedder=toy)
    assert (result["kind"], result["rows"]) == ("IVF_RQ", count)
    assert result["recall@10"] >= 0.95
    opened = lancedb.connect(str(workspace.index)).open_table(get_index(workspace, "many").table)
    assert "IvfRq" in [index.index_type for index in opened.list_indices()]
    assert opened.index_stats("vector_idx").num_unindexed_rows == 0


class FastToy(ToyEmbedder):
    """Twenty-five thousand documents in a second: clustered vectors that do not read the documents."""

    def encode_documents(self, items: Any, **_: Any) -> np.ndarray:
        centres = np.random.default_rng(1).standard_normal((50, self.dimension))
        rows = items.rows
        vectors = centres[rows % 50] + 0.7 * np.random.default_rng(int(rows[0])).standard_normal(
            (len(rows), self.dimension)
        )
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_a_dimension_that_eight_does_not_divide_gets_a_flat_index(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "APPROXIMATE_FROM_ROWS", 1000)
    make_collection(workspace, "some", texts(1200))
    result = build_index(workspace, "some", "some", "toy", embedder=FastToy(20))  # type: ignore[arg-type]
    assert result["kind"] == "IVF_FLAT"
    assert result["recall@10"] >= 0.95


def test_a_full_disk_is_told_in_words_publishes_nothing_and_loses_no_committed_row(
    workspace: Workspace, toy: ToyEmbedder, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lancedb.table import LanceTable

    make_collection(workspace, "words", texts(300))
    add, calls = LanceTable.add, []

    def add_until_full(self: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return add(self, *arguments, **options)

    monkeypatch.setattr(LanceTable, "add", add_until_full)
    with pytest.raises(WorkbenchError, match=r"disk that holds .* is full. 128 of 300 documents.*Free some space"):
        build_index(workspace, "words", "words", "toy", embedder=toy)
    assert list_indexes(workspace) == []
    monkeypatch.undo()
    toy.encoded.clear()
    assert build_index(workspace, "words", "words", "toy", embedder=toy)["rows"] == 300
    assert len(toy.encoded) == 300 - 128


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_vectors_without_a_direction_stop_the_build_in_words(
    workspace: Workspace, toy: ToyEmbedder, monkeypatch: pytest.MonkeyPatch, bad: float
) -> None:
    make_collection(workspace, "words", texts(30))
    vector = toy.vector
    monkeypatch.setattr(toy, "vector", lambda item: vector(item) * (bad if item.text == "document 7" else 1))
    with pytest.raises(WorkbenchError, match="not numbers, or all zero, for 1 of 30 documents"):
        build_index(workspace, "words", "words", "toy", embedder=toy)
    assert list_indexes(workspace) == []


def test_what_cannot_be_built_is_said_before_anything_is_written(workspace: Workspace, toy: ToyEmbedder) -> None:
    make_collection(workspace, "words", texts(5))
    make_collection(workspace, "films", [Item(video=b"frames")])
    make_collection(workspace, "empty", [])
    for name, collection, options, words in (
        ("Words!", "words", {}, "cannot be the name"),
        ("words", "nothing", {}, "no collection named “nothing”"),
        ("films", "films", {}, "cannot read video"),
        ("empty", "empty", {}, "has no documents"),
        ("words", "words", {"precision": "int4"}, "float32 or rescored or float16, not “int4”"),
    ):
        with pytest.raises(WorkbenchError, match=words):
            build_index(workspace, name, collection, "toy", embedder=toy, **options)  # type: ignore[arg-type]
    assert table.all_tables(workspace) == []


def test_two_builds_of_one_index_at_once_are_refused_in_words(workspace: Workspace, toy: ToyEmbedder) -> None:
    make_collection(workspace, "words", texts(5))
    with building(workspace, "words"), pytest.raises(WorkbenchError, match="is being built just now"):
        build_index(workspace, "words", "words", "toy", embedder=toy)
    build_index(workspace, "words", "words", "toy", embedder=toy)


def test_chunks_shrink_for_a_slow_model_and_grow_for_a_fast_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(filling.time, "perf_counter", lambda: now[0])

    def sizes(seconds_per_row: float) -> list[int]:
        found = []
        for chunk in filling.paced(np.arange(20_000)):
            found.append(len(chunk))
            now[0] += len(chunk) * seconds_per_row
        assert sum(found) == 20_000
        return found

    assert sizes(0.0001)[:6] == [256, 512, 1024, 2048, 4096, 4096]
    assert sizes(0.5)[:5] == [256, 128, 64, 32, 32]


def test_memory_for_a_build_is_a_few_chunks(
    workspace: Workspace, toy: ToyEmbedder, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer falls behind: no more than one chunk is written, one waits, and one is being embedded."""
    from lancedb.table import LanceTable

    make_collection(workspace, "words", texts(640))
    add, ahead = LanceTable.add, []

    def slow_add(self: Any, data: Any, **options: Any) -> Any:
        time.sleep(0.05)
        ahead.append(len(toy.encoded) - self.count_rows())
        return add(self, data, **options)

    monkeypatch.setattr(LanceTable, "add", slow_add)
    build_index(workspace, "words", "words", "toy", embedder=toy)
    assert len(ahead) == 10
    assert 64 < max(ahead) <= 4 * 64, "encoding runs ahead of writing, but not far"


def test_a_build_takes_its_model_from_an_absolute_folder(
    workspace: Workspace, toy: ToyEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_collection(workspace, "words", texts(5))
    (tmp_path / "my-model").mkdir()
    monkeypatch.chdir(tmp_path)
    build_index(workspace, "words", "words", "my-model", embedder=toy)
    assert get_index(workspace, "words").model == str(tmp_path / "my-model")
    assert os.path.isabs(get_index(workspace, "words").model)
