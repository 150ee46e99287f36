"""A collection on disk that somebody has damaged."""

from __future__ import annotations

import pytest

from workbench.collection.store import Card, Item, list_collections, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, new_folder


def write_documents(workspace: Workspace, name: str) -> None:
    with new_folder(workspace.collection(name)) as folder, CollectionWriter(folder) as writer:
        writer.add("corpus", Item(text="a document"))
        writer.finish(name, labels={}, source={})


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '"card"'])
def test_a_damaged_card_is_told_in_words_and_hides_no_other_collection(workspace: Workspace, content: str) -> None:
    write_documents(workspace, "whole")
    write_documents(workspace, "torn")
    (workspace.collection("torn") / "card.json").write_text(content)
    assert [card.name for card in list_collections(workspace)] == ["whole"]
    with pytest.raises(WorkbenchError, match=r"“torn” is damaged: its card\.json cannot be read"):
        open_collection(workspace, "torn")


def test_a_stray_file_beside_the_collections_is_no_collection(workspace: Workspace) -> None:
    write_documents(workspace, "whole")
    (workspace.collections / "notes.txt").write_text("mine")
    assert [card.name for card in list_collections(workspace)] == ["whole"]


def test_the_rows_of_a_collection_count_each_judgement_once() -> None:
    assert Card("pets", counts={"queries": 2, "documents": 3, "train": 4, "eval": 5, "wrong": 6}).rows == 14
