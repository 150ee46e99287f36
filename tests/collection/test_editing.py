"""Changing a collection: every change is whole or not there, and can be taken back."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from datasets import load_from_disk

from tests.collection.uploads import set_split
from workbench.collection import editing, store
from workbench.collection.editing import changes, edit_collection, undo
from workbench.collection.store import Collection, Item, list_collections, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.job_folder import create_job_folder
from workbench.workspace import Workspace, new_folder, open_workspace


@pytest.fixture
def pets(workspace: Workspace) -> Workspace:
    """Twelve questions, each with one answer, two of them also with a wrong one."""
    make_pets(workspace)
    return workspace


def make_pets(workspace: Workspace) -> None:
    with new_folder(workspace.collection("pets")) as folder, CollectionWriter(folder) as writer:
        for number in range(12):
            query = writer.add("queries", Item(text=f"question {number}"))
            writer.judge(query, writer.add("corpus", Item(text=f"answer {number}", meta={"page": number})))
            if number < 2:
                writer.judge(query, writer.add("corpus", Item(text=f"wrong {number}")), 0.0)
        writer.finish("pets", labels={"query": "question", "document": "answer"}, source={})


def ids(workspace: Workspace, side: str) -> dict[str, str]:
    table = open_collection(workspace, "pets").side(side)
    return dict(zip(table["text"][:], table["id"][:], strict=True))


def judged(workspace: Workspace) -> set[tuple[Any, ...]]:
    """What is judged, in the texts of the items, with the score, the split and the source."""
    collection = open_collection(workspace, "pets")
    queries = {value: key for key, value in ids(workspace, "queries").items()}
    documents = {value: key for key, value in ids(workspace, "corpus").items()}
    rows = collection.judgements.to_list()
    return {(queries[r["query"]], documents[r["document"]], r["score"], r["split"], r["source"]) for r in rows}


def check_counts(workspace: Workspace) -> None:
    """The card says what the tables hold, and any script can open them."""
    collection = open_collection(workspace, "pets")
    tables = {part: load_from_disk(str(collection.path / part)) for part in ("queries", "corpus", "judgements")}
    assert collection.card.counts["queries"] == len(tables["queries"]) == len(set(tables["queries"]["id"][:]))
    assert collection.card.counts["documents"] == len(tables["corpus"]) == len(set(tables["corpus"]["id"][:]))
    assert collection.card.counts["train"] + collection.card.counts["eval"] == len(tables["judgements"])
    assert not (collection.path / store.STAGED).exists()


def test_judgements_are_added_replaced_and_forgotten(pets: Workspace) -> None:
    before, queries, documents = judged(pets), ids(pets, "queries"), ids(pets, "corpus")
    with edit_collection(pets, "pets", "Reviewed") as edit:
        edit.judge(queries["question 0"], documents["wrong 0"], 1.0, "train", "reviewed", {"when": 1.5})
        edit.judge(queries["question 3"], documents["answer 4"], 0.0, "train", "mined")
        edit.unjudge([(queries["question 1"], documents["wrong 1"]), (queries["question 5"], documents["answer 5"])])
        edit.unjudge([(queries["question 6"], documents["answer 6"])], source="mined")
    after = judged(pets)
    assert {row[:2] for row in before - after} == {
        ("question 0", "wrong 0"),
        ("question 1", "wrong 1"),
        ("question 5", "answer 5"),
    }
    assert after - before == {
        ("question 0", "wrong 0", 1.0, "train", "reviewed"),
        ("question 3", "answer 4", 0.0, "train", "mined"),
    }
    meta = [row["meta"] for row in open_collection(pets, "pets").judgements if row["source"] == "reviewed"]
    assert [json.loads(text) for text in meta] == [{"when": 1.5}]
    check_counts(pets)
    assert undo(pets, "pets").what == "Reviewed"
    assert judged(pets) == before
    check_counts(pets)


def test_duplicates_are_merged_and_their_judgements_move(pets: Workspace) -> None:
    before, documents, queries = judged(pets), ids(pets, "corpus"), ids(pets, "queries")
    with edit_collection(pets, "pets", "Merged") as edit:
        edit.merge(
            "corpus", {documents["answer 7"]: documents["answer 8"], documents["answer 8"]: documents["wrong 0"]}
        )
        edit.merge("queries", {queries["question 0"]: queries["question 8"]})
    after = judged(pets)
    assert "answer 7" not in ids(pets, "corpus") and "answer 8" not in ids(pets, "corpus")
    assert {row[:3] for row in after if row[1] == "wrong 0"} == {
        ("question 7", "wrong 0", 1.0),
        ("question 8", "wrong 0", 1.0),
    }
    check_counts(pets)
    undo(pets, "pets")
    assert judged(pets) == before


def test_items_are_added_dropped_and_known_ones_recognised(pets: Workspace) -> None:
    fingerprint = open_collection(pets, "pets").fingerprint
    old = open_collection(pets, "pets")
    with edit_collection(pets, "pets", "Added") as edit:
        known = edit.add("corpus", Item(text="answer 1"))
        new = edit.add("corpus", Item(text="answer 99", image=b"bytes"))
        assert edit.has("corpus", new) and edit.has("corpus", known) and not edit.has("corpus", "nothing")
        query = edit.add("queries", Item(text="question 99"))
        edit.judge(query, new, 2.0)
    assert len(open_collection(pets, "pets").corpus) == 15
    assert open_collection(pets, "pets").card.modalities["document"] == ["text", "text+image"]
    assert ("question 99", "answer 99", 2.0, "train", "upload") in judged(pets)
    assert open_collection(pets, "pets").item("corpus", 14).image == b"bytes"
    # Whoever had it open, or asks for the version it began with, sees it as it was.
    assert len(old.corpus) == len(open_collection(pets, "pets", fingerprint).corpus) == 14
    assert open_collection(pets, "pets", fingerprint).name == "pets"
    with edit_collection(pets, "pets", "Dropped") as edit:
        edit.drop("corpus", [new])
    check_counts(pets)
    assert all(row[1] != "answer 99" for row in judged(pets))
    assert [change.what for change in changes(pets, "pets")] == ["Dropped", "Added"]
    undo(pets, "pets")
    undo(pets, "pets")
    assert open_collection(pets, "pets").fingerprint == fingerprint
    with pytest.raises(WorkbenchError, match="Nothing has been changed"):
        undo(pets, "pets")
    with pytest.raises(WorkbenchError, match="no longer kept"):
        open_collection(pets, "pets", "0000")


def test_many_small_additions_stay_few_files_and_one_step(pets: Workspace) -> None:
    for number in range(20):
        with edit_collection(pets, "pets", "Labelled", coalesce=True) as edit:
            edit.judge(edit.add("queries", Item(text=f"typed {number}")), ids(pets, "corpus")["answer 1"])
    assert len(list((open_collection(pets, "pets").path / "queries").glob("*.arrow"))) <= editing.MANY_FILES
    assert [change.what for change in changes(pets, "pets")] == ["Labelled"]
    assert open_collection(pets, "pets").card.counts["queries"] == 32
    check_counts(pets)
    undo(pets, "pets")
    assert open_collection(pets, "pets").card.counts["queries"] == 12


def test_the_version_that_an_unfinished_run_began_with_is_kept(pets: Workspace) -> None:
    def label(number: int) -> str:
        with edit_collection(pets, "pets", "Labelled", coalesce=True) as edit:
            edit.judge(edit.add("queries", Item(text=f"typed {number}")), ids(pets, "corpus")["answer 1"])
        return open_collection(pets, "pets").fingerprint

    first, begun = label(0), label(1)
    spec = {"collection": "pets", "collection_fingerprint": begun}
    job = create_job_folder(pets.run("queued"), "train", spec, {})
    for number in range(2, 2 * editing.KEPT_VERSIONS):
        with edit_collection(pets, "pets", f"Change {number}") as edit:
            edit.card(source={"number": number})
        label(number)
    assert len(open_collection(pets, "pets", begun).queries) == 14
    with pytest.raises(WorkbenchError, match="no longer kept"):
        open_collection(pets, "pets", first)
    (job.path / "summary.json").write_text("{}")
    with edit_collection(pets, "pets", "The last") as edit:
        edit.card(source={})
    with pytest.raises(WorkbenchError, match="no longer kept"):
        open_collection(pets, "pets", begun)


def test_sides_are_swapped_and_queries_change_split(pets: Workspace) -> None:
    before, queries = judged(pets), ids(pets, "queries")
    with edit_collection(pets, "pets", "Held out") as edit:
        set_split(edit, queries.values(), "train")
        set_split(edit, [queries["question 3"]], "eval")
    assert {row[0] for row in judged(pets) if row[3] == "eval"} == {"question 3"}
    assert "1 query" in open_collection(pets, "pets").card.split["sentence"]
    with edit_collection(pets, "pets", "Turned round") as edit:
        edit.swap_sides()
    assert "answer 3" in ids(pets, "queries") and "question 3" in ids(pets, "corpus")
    assert open_collection(pets, "pets").card.labels == {"query": "answer", "document": "question"}
    assert {row[0] for row in judged(pets) if row[3] == "eval"} == {"answer 3"}
    check_counts(pets)
    undo(pets, "pets")
    undo(pets, "pets")
    assert judged(pets) == before


def test_a_stray_file_beside_the_runs_stops_no_change(pets: Workspace) -> None:
    (pets.runs / ".DS_Store").write_text("mine")
    with edit_collection(pets, "pets", "Named") as edit:
        edit.card(labels={"query": "ask", "document": "find"})
    assert [change.what for change in changes(pets, "pets")] == ["Named"]


def test_a_change_that_fails_or_changes_nothing_leaves_nothing(pets: Workspace) -> None:
    before = open_collection(pets, "pets").card
    with pytest.raises(RuntimeError), edit_collection(pets, "pets", "Fails") as edit:
        edit.add("corpus", Item(text="half"))
        raise RuntimeError
    with edit_collection(pets, "pets", "Nothing"):
        pass
    with pytest.raises(ValueError, match="not there"), edit_collection(pets, "pets", "Wrong") as edit:
        edit.judge(ids(pets, "queries")["question 1"], "nowhere")
    assert open_collection(pets, "pets").card == before and changes(pets, "pets") == []
    check_counts(pets)


def _change_for_ever(root: Path) -> None:
    workspace = open_workspace(root)
    collection = Collection(workspace.collection("pets"))
    document = collection.corpus["id"][0]
    for number in range(10_000):
        with edit_collection(workspace, "pets", f"Change {number}") as edit:
            edit.judge(edit.add("queries", Item(text=f"more {number}")), document)


def test_a_kill_at_any_moment_leaves_a_whole_collection(pets: Workspace) -> None:
    context = multiprocessing.get_context("fork")
    for attempt in range(6):
        process = context.Process(target=_change_for_ever, args=(pets.root,))
        process.start()
        time.sleep(0.35 + 0.07 * attempt)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert [card.name for card in list_collections(pets)] == ["pets"]
        open_collection(pets, "pets").judged()
        with edit_collection(pets, "pets", "After") as edit:
            edit.card(source={"attempt": attempt})
        check_counts(pets)
    assert len(changes(pets, "pets")) <= editing.KEPT_VERSIONS


def test_a_decided_change_is_completed_by_whoever_opens_next(pets: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editing, "finish_change", lambda path: None)
    monkeypatch.setattr(editing.shutil, "rmtree", lambda *args, **kwargs: None)
    with edit_collection(pets, "pets", "Decided") as edit:
        edit.add("corpus", Item(text="one more"))
    monkeypatch.undo()
    assert "one more" in ids(pets, "corpus")
    check_counts(pets)
