from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from workbench.errors import Stopped, WorkbenchError
from workbench.evaluation import vectors as vectors_module
from workbench.evaluation.held_out import held_out
from workbench.evaluation.scoring import score_embedder
from workbench.evaluation.vectors import encode_held_out, vectors_folder


def encode(embedder, collection, cache: Path | None = None, **options):
    return encode_held_out(embedder, collection, held_out(collection), cache=cache, **options)


def test_each_item_is_encoded_once_for_all_directions_and_dimensions(collection, toy):
    embedder = toy()
    score_embedder(embedder, collection, precisions=("float32", "int8", "binary"))
    assert len(embedder.encoded) == len(set(embedder.encoded)) == 75


def test_queries_are_encoded_as_queries_and_documents_as_documents(collection, toy):
    embedder = toy()
    encode(embedder, collection)
    assert all((role == "query") == identifier.startswith("q") for role, identifier in embedder.encoded)


def test_a_model_with_two_sides_encodes_what_is_asked_as_queries_and_what_is_searched_as_documents(collection, toy):
    embedder = toy(asymmetric=True)
    encode(embedder, collection, names=["all", "image->text"])
    roles = {(role, identifier[0]) for role, identifier in embedder.encoded}
    assert roles == {("query", "q"), ("document", "p"), ("document", "t"), ("query", "p"), ("document", "q")}
    assert len(embedder.encoded) == len(set(embedder.encoded))


def test_only_the_directions_asked_for_are_encoded(collection, toy):
    embedder = toy()
    encode(embedder, collection, names=["text->image"])
    assert {identifier[0] for _, identifier in embedder.encoded} == {"q", "p"}


def test_a_second_time_nothing_is_encoded(collection, toy, tmp_path):
    first = score_embedder(toy(noise=0.5), collection, cache=tmp_path)
    again = toy(noise=0.5)
    second = score_embedder(again, collection, cache=tmp_path)
    assert again.encoded == []
    assert second.rows == first.rows == score_embedder(toy(noise=0.5), collection).rows


def test_some_directions_find_their_vectors_among_those_of_all(collection, toy, tmp_path):
    whole = score_embedder(toy(noise=1.0), collection, cache=tmp_path)
    embedder = toy(noise=1.0)
    part = score_embedder(embedder, collection, cache=tmp_path, directions=["text->image"])
    assert embedder.encoded == []
    assert part.rows == [row for row in whole.rows if row["direction"] == "text->image"]


def test_another_model_and_another_collection_have_vectors_of_their_own(workspace, make_scenes, toy, tmp_path):
    score_embedder(toy(), make_scenes(workspace), cache=tmp_path)
    other_model, other_collection = toy("other"), toy()
    score_embedder(other_model, make_scenes(workspace, name="again"), cache=tmp_path)
    score_embedder(other_collection, make_scenes(workspace, count=41, name="more"), cache=tmp_path)
    assert other_model.encoded and other_collection.encoded


@pytest.mark.parametrize("damage", ["half", "empty", "other-shape", "not-npy"])
def test_an_unusable_file_is_made_again(collection, toy, tmp_path, damage):
    expected = score_embedder(toy(), collection, cache=tmp_path).rows
    for path in tmp_path.rglob("*.npy"):
        if damage == "half":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        elif damage == "empty":
            path.write_bytes(b"")
        elif damage == "other-shape":
            np.save(path, np.zeros((3, 3), np.float32))
        else:
            path.write_bytes(b"these are not vectors" * 1000)
    embedder = toy()
    assert score_embedder(embedder, collection, cache=tmp_path).rows == expected
    assert len(embedder.encoded) == 75


def test_a_stopped_encoding_goes_on_where_it_stopped(collection, toy, tmp_path, monkeypatch):
    monkeypatch.setattr(vectors_module, "CHUNK_ROWS", 10)

    def stop(done: int, total: int, note: str) -> None:
        if done >= 37:
            raise Stopped

    stopped, resumed = toy(), toy()
    with pytest.raises(Stopped):
        encode(stopped, collection, tmp_path, progress=stop)
    encode(resumed, collection, tmp_path)
    assert len(resumed.encoded) == 75 - 30
    assert not list(tmp_path.rglob("*.part.*"))
    whole = score_embedder(toy(), collection).rows
    assert score_embedder(toy(), collection, cache=tmp_path).rows == whole


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork to make a process that can be killed")
def test_a_killed_encoding_goes_on_where_it_was_killed(collection, toy, tmp_path, monkeypatch):
    monkeypatch.setattr(vectors_module, "CHUNK_ROWS", 10)
    held_out(collection)  # read the tables here, so that the child does not start threads

    def kill(done: int, total: int, note: str) -> None:
        if done >= 37:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            encode(toy(), collection, tmp_path, progress=kill)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    resumed = toy()
    encode(resumed, collection, tmp_path)
    assert len(resumed.encoded) == 75 - 30
    assert score_embedder(toy(), collection, cache=tmp_path).rows == score_embedder(toy(), collection).rows


def test_a_count_of_rows_without_its_file_is_not_believed(collection, toy, tmp_path):
    encode(toy(), collection, tmp_path)
    for path in tmp_path.rglob("*.npy"):
        path.with_suffix(".part.json").write_text('{"done": 20}')
        path.unlink()
    embedder = toy()
    encode(embedder, collection, tmp_path)
    assert len(embedder.encoded) == 75


def test_two_processes_do_not_write_the_same_file(collection, toy, tmp_path):
    from filelock import FileLock

    encode(toy(), collection, tmp_path)
    (path,) = tmp_path.rglob("corpus-*.npy")
    path.unlink()
    embedder = toy()
    with FileLock(path.with_suffix(".lock")):
        encode(embedder, collection, tmp_path)
    assert len(embedder.encoded) == 50
    assert not path.exists()


def test_a_large_corpus_reaches_the_model_in_chunks(collection, toy, monkeypatch):
    monkeypatch.setattr(vectors_module, "CHUNK_ROWS", 10)
    embedder = toy()
    encode(embedder, collection)
    assert embedder.largest_batch == 10


def test_progress_counts_every_item_of_both_sides(collection, toy):
    seen = []
    encode(toy(), collection, progress=lambda done, total, note: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (75, 75)


def test_vectors_that_are_not_numbers_are_refused_and_not_kept(collection, toy, tmp_path, monkeypatch):
    monkeypatch.setattr(toy, "_vector", lambda self, item: np.full(self.dimension, np.nan))
    with pytest.raises(WorkbenchError, match="not numbers"):
        encode(toy(), collection, tmp_path)
    assert not [path for path in tmp_path.rglob("*.npy") if ".part" not in path.name]


def test_a_full_disk_is_told_in_words(collection, toy, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vectors_module.os, "posix_fallocate", full, raising=False)
    with pytest.raises(WorkbenchError, match="is full"):
        encode(toy(), collection, tmp_path)


def test_no_fingerprint_leads_out_of_the_cache(tmp_path):
    assert vectors_folder(tmp_path, "../../etc", "a/b").parent == tmp_path
