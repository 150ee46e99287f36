"""What is listed is what can be searched; removing leaves nothing."""

from __future__ import annotations

import json

import pytest

from tests.index.test_build import stop_after
from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench.errors import Stopped, WorkbenchError
from workbench.index import filling, table
from workbench.index.build import build_index
from workbench.index.registry import building, get_index, list_indexes, new_table_name, remove_index
from workbench.workspace import Workspace


def test_indexes_are_listed_newest_first(workspace: Workspace, toy: ToyEmbedder) -> None:
    assert list_indexes(workspace) == []
    make_collection(workspace, "words", texts(5))
    for name in ("one", "two", "three"):
        build_index(workspace, name, "words", "toy", embedder=toy)
    assert [card.name for card in list_indexes(workspace)] == ["three", "two", "one"]
    card = get_index(workspace, "two")
    assert (card.collection, card.model, card.fingerprint, card.rows) == ("words", "toy", "toy-1", 5)


def test_removing_an_index_removes_its_files_and_no_other(workspace: Workspace, toy: ToyEmbedder) -> None:
    make_collection(workspace, "words", texts(5))
    # Names that a careless prefix would confuse.
    for name in ("a", "a-1", "a-1-1"):
        build_index(workspace, name, "words", "toy", embedder=toy)
    remove_index(workspace, "a")
    assert [card.name for card in list_indexes(workspace)] == ["a-1-1", "a-1"]
    assert {table.index_and_number(name)[0] for name in table.all_tables(workspace)} == {"a-1", "a-1-1"}
    with pytest.raises(WorkbenchError, match="no index named “a”"):
        remove_index(workspace, "a")


def test_an_unfinished_build_is_not_listed_and_can_be_removed(
    workspace: Workspace, toy: ToyEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "FIRST_CHUNK_ROWS", 64)
    make_collection(workspace, "words", texts(200))
    with pytest.raises(Stopped):
        build_index(workspace, "words", "words", "toy", embedder=toy, progress=stop_after(70))
    assert list_indexes(workspace) == [] and table.all_tables(workspace)
    with pytest.raises(WorkbenchError, match="no index named"):
        get_index(workspace, "words")
    remove_index(workspace, "words")
    assert table.all_tables(workspace) == []


def test_an_index_that_is_being_built_is_not_removed(workspace: Workspace, toy: ToyEmbedder) -> None:
    make_collection(workspace, "words", texts(5))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    with building(workspace, "words"), pytest.raises(WorkbenchError, match="being built just now"):
        remove_index(workspace, "words")
    assert get_index(workspace, "words").rows == 5


def test_a_table_name_is_never_given_twice(workspace: Workspace, toy: ToyEmbedder) -> None:
    make_collection(workspace, "words", texts(5))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    first = get_index(workspace, "words").table
    remove_index(workspace, "words")
    build_index(workspace, "words", "words", "toy", embedder=toy)
    assert get_index(workspace, "words").table != first
    (workspace.index / "registry.json").unlink()
    assert new_table_name(workspace, "other") not in [first, *table.all_tables(workspace)]
    assert table.index_and_number(new_table_name(workspace, "words"))[1] > 2


def test_a_registry_that_cannot_be_read_is_told_in_words(workspace: Workspace) -> None:
    path = workspace.index / "registry.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(WorkbenchError, match="cannot be read"):
        list_indexes(workspace)
    path.write_text(json.dumps({"schema": 99, "indexes": {}}), encoding="utf-8")
    with pytest.raises(WorkbenchError, match="has format 99"):
        list_indexes(workspace)
