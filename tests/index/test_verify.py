"""Each thing that can be wrong with an index is found, counted and named; nothing is found where nothing is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.conftest import png_bytes
from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench import cli
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index import reading, row_checks, table
from workbench.index import verify as verifying
from workbench.index.build import build_index
from workbench.index.registry import get_index, publish
from workbench.index.verify import verify
from workbench.workspace import Workspace

ROWS = 60
Look = Callable[[], dict[str, dict[str, Any]]]


@pytest.fixture
def index(workspace: Workspace, toy: ToyEmbedder) -> Any:
    """The open table of an index of 60 texts and 3 pictures."""
    pictures = [Item(image=png_bytes((9, 9, shade)), file=f"{shade}.png") for shade in (1, 2, 3)]
    make_collection(workspace, "words", [*texts(ROWS), *pictures])
    build_index(workspace, "words", "words", "toy", embedder=toy)
    return table.connect(workspace).open_table(get_index(workspace, "words").table)


@pytest.fixture
def look(workspace: Workspace, toy: ToyEmbedder) -> Look:
    """The findings by kind."""

    def look() -> dict[str, dict[str, Any]]:
        found = verify(workspace, "words", load_embedder=lambda *_, **__: toy)
        assert found["ok"] == all(one["severity"] == "note" for one in found["findings"])
        return {one["kind"]: one for one in found["findings"]}

    return look


def spoil(index: Any, workspace: Workspace, rows: slice, change: Callable[[np.ndarray], np.ndarray]) -> list[str]:
    """Put other vectors in some rows; the ids of those."""
    held = index.search().select(["id", "row", "modality", "text", "file", "vector"]).limit(1000).to_arrow()
    held = held.slice(rows.start, rows.stop - rows.start)
    vectors = change(np.stack([np.array(one, np.float32) for one in held["vector"].to_pylist()]))
    columns = {name: held[name].to_pylist() for name in ("id", "row", "modality", "text", "file")}
    columns |= {"meta": [None] * len(held), "thumbnail": [None] * len(held)}
    index.delete(f"id IN ({', '.join(repr(one) for one in columns['id'])})")
    index.add(table.rows_to_add(columns, vectors, "float32"))
    return list(columns["id"])


def test_a_whole_index_has_no_findings(workspace: Workspace, index: Any, look: Look) -> None:
    assert look() == {}
    assert verify(workspace, "words", load_embedder=lambda *_, **__: ToyEmbedder())["rows"] == ROWS + 3


def test_vectors_that_cannot_be_searched_are_counted_and_named(workspace: Workspace, index: Any, look: Look) -> None:
    infinite = spoil(index, workspace, slice(0, 7), lambda vectors: vectors * np.inf)
    long = spoil(index, workspace, slice(0, 2), lambda vectors: vectors * 2)
    found = look()
    assert (found["not-finite"]["count"], found["not-unit"]["count"]) == (7, 2)
    assert set(found["not-finite"]["examples"]) < set(infinite) and len(found["not-finite"]["examples"]) == 5
    assert sorted(found["not-unit"]["examples"]) == sorted(long)
    assert found["not-unit"]["words"].startswith("2 rows have a vector whose length is not one")
    assert found.keys() == {"not-finite", "not-unit"}


def test_half_precision_is_not_taken_for_a_wrong_length(workspace: Workspace, toy: ToyEmbedder, look: Look) -> None:
    make_collection(workspace, "words", texts(300))
    build_index(workspace, "words", "words", "toy", embedder=toy, precision="float16")
    assert look() == {}


def test_signs_that_are_not_those_of_their_vector_are_found() -> None:
    """A table of the precision `rescored` keeps them beside the vector."""
    import pyarrow as pa

    vectors = np.array([[1, -1, 1, -1, 1, -1, 1, -1, 1], [-1, 1, 1, 1, 1, 1, 1, 1, 1]], np.float32) / 3
    signs = pa.array(np.array([0b10101010, 0b10000000, 0b11111111, 0b10000000], np.uint8))
    columns = {"id": ["good", "bad"], "row": [0, 1], "modality": ["text"] * 2, "text": ["x"] * 2}
    lists = {
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), 9),
        "bits": pa.FixedSizeListArray.from_arrays(signs, 2),
    }
    rows = row_checks.Rows(9, "float32")
    rows.take(pa.record_batch({**columns, **lists}))
    assert [(one.kind, one.count, one.examples) for one in rows.findings()] == [("bits", 1, ["bad"])]


def test_rows_that_are_there_twice_or_empty_are_found(index: Any, look: Look) -> None:
    one = np.eye(1, 32, dtype=np.float32)
    columns = {"id": ["new"], "row": [0], "modality": ["text"], "text": [""], "file": [""], "meta": [None]}
    index.add(table.rows_to_add({**columns, "thumbnail": [None]}, one, "float32"))
    index.add(table.rows_to_add({**columns, "thumbnail": [None], "row": [70], "text": ["x"]}, one, "float32"))
    index.add(
        table.rows_to_add({**columns, "thumbnail": [None], "row": [71], "id": [""], "text": ["x"]}, one, "float32")
    )
    found = look()
    assert {kind: found[kind]["count"] for kind in ("id-twice", "row-twice", "no-text", "no-id", "count")} == {
        "id-twice": 1, "row-twice": 1, "no-text": 1, "no-id": 1, "count": 3
    }  # fmt: skip
    assert found["id-twice"]["examples"] == ["new"] and found["extra"]["count"] == 3


def test_rows_that_were_lost_are_wrong_but_a_collection_that_has_grown_is_not(
    workspace: Workspace, toy: ToyEmbedder, look: Look
) -> None:
    make_collection(workspace, "words", texts(10))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    opened = table.connect(workspace).open_table(get_index(workspace, "words").table)
    lost = opened.search().select(["id"]).limit(2).to_arrow()["id"].to_pylist()
    opened.delete(f"id IN ({', '.join(repr(one) for one in lost)})")
    found = look()["missing"]
    assert (found["severity"], found["count"], sorted(found["examples"])) == ("wrong", 2, sorted(lost))
    shutil.rmtree(workspace.collection("words"))
    make_collection(workspace, "words", [*texts(9), *texts(4, "fresh")])
    build_index(workspace, "words", "words", "toy", embedder=toy)
    shutil.rmtree(workspace.collection("words"))
    make_collection(workspace, "words", [*texts(8), *texts(7, "fresh")])
    found = look()
    assert {kind: (one["severity"], one["count"]) for kind, one in found.items()} == {
        "missing": ("note", 3), "extra": ("note", 1)
    }  # fmt: skip
    assert found["missing"]["words"] == "3 documents of “words” are not in the index yet. Update the index."


def test_a_picture_without_its_bytes_is_found(workspace: Workspace, toy: ToyEmbedder, look: Look) -> None:
    good, empty = Item(image=png_bytes(), file="good.png"), Item(image=b"", file="empty.png")
    documents = make_collection(workspace, "words", [*texts(3), good, empty])
    build_index(workspace, "words", "words", "toy", embedder=toy)
    found = look()
    assert found["no-media"]["examples"] == [documents[-1].id] and found["no-media"]["count"] == 1


def test_a_card_that_speaks_of_other_vectors_is_found(workspace: Workspace, index: Any, look: Look) -> None:
    card = get_index(workspace, "words")
    publish(workspace, replace(card, fingerprint="another", dimension=64, kind="IVF_RQ", rows=5))
    index.drop_index("text_idx")
    assert {"fingerprint", "dimension", "columns", "structure", "full-text", "count", "model"} == look().keys()


def test_a_model_that_has_changed_or_gone_is_found(workspace: Workspace, index: Any) -> None:
    changed = verify(workspace, "words", load_embedder=lambda *_, **__: ToyEmbedder(fingerprint="toy-2"))
    assert [one["kind"] for one in changed["findings"]] == ["model"] and not changed["ok"]

    def gone(*_: Any, **__: Any) -> Any:
        raise WorkbenchError("There is no run “toy”.")

    found = verify(workspace, "words", load_embedder=gone)["findings"]
    assert [one["words"] for one in found] == ["The model “toy” cannot be loaded. There is no run “toy”."]


def test_what_is_gone_is_told_and_not_raised(workspace: Workspace, index: Any, look: Look) -> None:
    shutil.rmtree(workspace.collection("words"))
    assert (look()["no-collection"]["severity"], look()["no-collection"]["count"]) == ("note", ROWS + 3)
    table.drop_table(workspace, get_index(workspace, "words").table)
    assert look().keys() == {"table"}
    with pytest.raises(WorkbenchError, match="There is no index named “other”"):
        verify(workspace, "other")


def test_no_more_than_a_batch_of_vectors_is_in_memory(
    workspace: Workspace, index: Any, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "SCAN_ROWS", 16)
    monkeypatch.setattr(reading, "SLICE_BYTES", 16 * 4 * 32)
    seen = []
    monkeypatch.setattr(row_checks, "_vectors", lambda batch, size: seen.append(len(batch)) or np.eye(len(batch), size))
    spoil(index, workspace, slice(5, 30), lambda vectors: vectors)  # two pieces, one of them with rows taken out
    assert look() == {}
    assert sum(seen) == ROWS + 3 and max(seen) <= 16


def test_the_command_says_what_it_found_and_ends_with_one(
    workspace: Workspace, index: Any, toy: ToyEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaders = {"load_embedder": lambda *_, **__: toy}
    monkeypatch.setattr(verifying.verify, "__kwdefaults__", {"progress": None, **loaders})
    words = ["index", "verify", "words", "--workspace", str(workspace.root)]
    fine = CliRunner().invoke(cli.app, words)
    assert fine.exit_code == 0 and "Nothing is wrong with “words”: 63 rows" in fine.output
    spoil(index, workspace, slice(0, 3), lambda vectors: vectors * 0)
    wrong = CliRunner().invoke(cli.app, words)
    assert wrong.exit_code == 1 and "3 rows have a vector whose length is not one" in wrong.output
    told = CliRunner().invoke(cli.app, [*words, "--json"])
    assert told.exit_code == 1 and json.loads(told.stdout)["findings"][0]["kind"] == "not-unit"
