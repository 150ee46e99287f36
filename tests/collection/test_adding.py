"""Adding to a collection that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collection.uploads import picture, text_pairs, text_table, zip_of
from workbench.collection.adding import add_to_collection
from workbench.collection.editing import changes, edit_collection, undo
from workbench.collection.exporting import export_collection
from workbench.collection.import_job import run_import
from workbench.collection.importing import import_collection, import_documents, import_lock
from workbench.collection.store import Collection, Item, open_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import create_job_folder
from workbench.workspace import Workspace


def told(collection: Collection) -> dict[tuple[str, str], tuple[float, str]]:
    """Query text and document text (or file) to score and split."""
    table = collection.judgements[:]
    shown = {
        side: {row["id"]: row["text"] or row["image"]["path"] for row in collection.side(side)}
        for side in ("queries", "corpus")
    }
    return {
        (shown["queries"][query], shown["corpus"][document]): (score, split)
        for query, document, score, split in zip(
            table["query"], table["document"], table["score"], table["split"], strict=True
        )
    }


@pytest.fixture
def pairs(workspace: Workspace, tmp_path: Path) -> Collection:
    """Twenty questions with an answer each, six of them held out, as whole components."""
    import_collection(workspace, "pairs", text_table(tmp_path / "pairs.csv", text_pairs(20)))
    return open_collection(workspace, "pairs")


def held_out(collection: Collection) -> list[tuple[str, str]]:
    return [pair for pair, (_, split) in told(collection).items() if split == "eval"]


def test_new_rows_join_and_known_ones_are_recognised(workspace: Workspace, pairs: Collection, tmp_path: Path) -> None:
    before = told(pairs)
    more = text_table(tmp_path / "more.csv", text_pairs(25))
    result = add_to_collection(workspace, "pairs", more)
    assert result["added"] == {"queries": 5, "documents": 5, "judgements": 5}
    assert result["known"] == {"queries": 20, "documents": 20, "judgements": 20}
    assert (result["queries"], result["documents"]) == (25, 25)
    after = told(open_collection(workspace, "pairs"))
    assert {pair: after[pair] for pair in before} == before
    assert all(after[pair] == (1.0, "train") for pair in after.keys() - before.keys())
    assert changes(workspace, "pairs")[0].what == ("Added 5 queries, 5 documents and 5 judgements from “more.csv”")


def test_an_addition_can_be_undone(workspace: Workspace, pairs: Collection, tmp_path: Path) -> None:
    add_to_collection(workspace, "pairs", text_table(tmp_path / "more.csv", text_pairs(25)))
    undo(workspace, "pairs")
    assert open_collection(workspace, "pairs").fingerprint == pairs.fingerprint


def test_the_same_table_again_changes_nothing(workspace: Workspace, pairs: Collection, tmp_path: Path) -> None:
    result = add_to_collection(workspace, "pairs", tmp_path / "pairs.csv")
    assert not any(result["added"].values())
    assert changes(workspace, "pairs") == []
    assert open_collection(workspace, "pairs").card == pairs.card


def test_what_hangs_together_with_a_held_out_item_is_held_out(
    workspace: Workspace, pairs: Collection, tmp_path: Path
) -> None:
    assert pairs.card.split["method"] == "component"
    question, answer = held_out(pairs)[0]
    trained = next(pair for pair, (_, split) in told(pairs).items() if split == "train")
    rows = [
        ("query", "document"),
        ("found through the next row", "another answer"),
        ("asked otherwise", "another answer"),
        ("asked otherwise", answer),
        (question, "a second answer"),
        ("of the trained", trained[1]),
        (trained[0], "a third answer"),
        ("new", "newer"),
    ]
    add_to_collection(workspace, "pairs", text_table(tmp_path / "more.csv", rows))
    after = told(open_collection(workspace, "pairs"))
    splits = [after[row][1] for row in rows[1:]]
    assert splits == ["eval", "eval", "eval", "eval", "train", "train", "train"]


def test_in_a_split_by_query_a_held_out_document_may_be_trained_on(workspace: Workspace, tmp_path: Path) -> None:
    rows = [("query", "document"), *((f"question {number}", f"answer {number % 2}") for number in range(20))]
    import_collection(workspace, "shared", text_table(tmp_path / "shared.csv", rows))
    collection = open_collection(workspace, "shared")
    assert collection.card.split["method"] == "query"
    question, answer = held_out(collection)[0]
    more = [("query", "document"), (question, "more"), ("new", answer)]
    add_to_collection(workspace, "shared", text_table(tmp_path / "more.csv", more))
    after = told(open_collection(workspace, "shared"))
    assert (after[question, "more"][1], after["new", answer][1]) == ("eval", "train")


def test_a_better_score_is_taken_and_what_a_person_said_stays(
    workspace: Workspace, pairs: Collection, tmp_path: Path
) -> None:
    query, document = pairs.judgements[0]["query"], pairs.judgements[0]["document"]
    other = pairs.corpus["id"][-1]
    with edit_collection(workspace, "pairs", "Reviewed") as edit:
        edit.judge(query, document, 0.0, pairs.judgements[0]["split"], "reviewed")
        edit.judge(query, other, 0.0, pairs.judgements[0]["split"], "mined")
    texts = {row["id"]: row["text"] for side in ("queries", "corpus") for row in pairs.side(side)}
    rows = [("query", "document"), (texts[query], texts[document]), (texts[query], texts[other])]
    add_to_collection(workspace, "pairs", text_table(tmp_path / "more.csv", rows))
    after = told(open_collection(workspace, "pairs"))
    assert after[texts[query], texts[document]][0] == 0.0
    assert after[texts[query], texts[other]] == (1.0, pairs.judgements[0]["split"])


def test_the_columns_keep_the_roles_of_the_first_import(workspace: Workspace, tmp_path: Path) -> None:
    rows = [("text", "title"), *((f"long text {number}", f"title {number}") for number in range(9))]
    roles = {"query": "text", "document": "title"}
    import_collection(workspace, "turned", text_table(tmp_path / "a.csv", rows), roles)
    table = text_table(tmp_path / "b.csv", [("text", "title"), ("long text 9", "title 9")])
    add_to_collection(workspace, "turned", table)
    assert "long text 9" in open_collection(workspace, "turned").queries["text"][:]
    with edit_collection(workspace, "turned", "Turned round") as edit:
        edit.swap_sides()
    table = text_table(tmp_path / "c.csv", [("text", "title"), ("long text 10", "title 10")])
    add_to_collection(workspace, "turned", table)
    assert "title 10" in open_collection(workspace, "turned").queries["text"][:]


def test_pictures_of_a_zip_are_recognised_by_their_bytes(workspace: Workspace, tmp_path: Path) -> None:
    def upload(name: str, numbers: range) -> Path:
        table = "caption,photo\n" + "".join(f"caption {number},{name}-{number}.png\n" for number in numbers)
        photos = {f"{name}-{number}.png": picture(number) for number in numbers}
        return zip_of(tmp_path / f"{name}.zip", {"pairs.csv": table, **photos})

    import_collection(workspace, "photos", upload("first", range(6)))
    result = add_to_collection(workspace, "photos", upload("second", range(3, 9)))
    assert result["added"] == {"queries": 3, "documents": 3, "judgements": 3}
    collection = open_collection(workspace, "photos")
    assert collection.item("corpus", collection.document_rows[Item(image=picture(8)).content_id()]).thumbnail


def test_files_without_a_table_join_as_documents_and_a_table_labels_them(workspace: Workspace, tmp_path: Path) -> None:
    import_documents(workspace, "files", zip_of(tmp_path / "a.zip", {f"{n}.png": picture(n) for n in range(12)}))
    more = zip_of(tmp_path / "b.zip", {f"{n}.png": picture(n) for n in range(10, 14)})
    assert add_to_collection(workspace, "files", more, documents=True)["added"]["documents"] == 2
    table = "caption,photo\n" + "".join(f"caption {n},{n}.png\n" for n in range(12))
    labelled = zip_of(tmp_path / "c.zip", {"pairs.csv": table, **{f"{n}.png": picture(n) for n in range(12)}})
    result = add_to_collection(workspace, "files", labelled)
    assert result["added"] == {"queries": 12, "documents": 0, "judgements": 12}
    assert result["judgements"]["eval"] > 0
    card = open_collection(workspace, "files").card
    assert card.split["method"] == "component" and card.labels == {"query": "caption", "document": "photo"}


def test_what_the_source_holds_out_is_held_out_unless_training_has_had_it(
    workspace: Workspace, pairs: Collection, tmp_path: Path
) -> None:
    trained = next(query for (query, _), (_, split) in told(pairs).items() if split == "train")
    rows = [("query", "document", "split"), ("new", "newer", "test"), ("more", "most", "train"), (trained, "x", "test")]
    table = text_table(tmp_path / "more.csv", rows)
    add_to_collection(workspace, "pairs", table)
    after = told(open_collection(workspace, "pairs"))
    assert [after[row[:2]][1] for row in rows[1:]] == ["eval", "train", "train"]
    import_documents(workspace, "files", zip_of(tmp_path / "a.zip", {f"{n}.png": picture(n) for n in range(3)}))
    rows = [("query", "document", "split"), ("one", "first", "train"), ("two", "second", "test")]
    add_to_collection(workspace, "files", text_table(tmp_path / "first.csv", rows))
    files = open_collection(workspace, "files")
    assert sorted(files.judgements["split"][:]) == ["eval", "train"]
    assert files.card.split["method"] == "given"


def test_one_collection_can_be_added_to_another_by_its_export(
    workspace: Workspace, pairs: Collection, tmp_path: Path
) -> None:
    rows = [("query", "document"), *((f"question {n}", f"answer {n}") for n in range(15, 30))]
    import_collection(workspace, "other", text_table(tmp_path / "other.csv", rows))
    other = told(open_collection(workspace, "other"))
    result = add_to_collection(workspace, "pairs", Path(export_collection(workspace, "other")["path"]))
    assert result["added"]["judgements"] == 10 and result["known"]["judgements"] == 5
    before, after = told(pairs), told(open_collection(workspace, "pairs"))
    assert after == {**other, **before}


def test_a_folder_of_pictures_is_added_as_documents(workspace: Workspace, pairs: Collection, tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", {f"{n}.png": picture(n) for n in range(3)})
    assert add_to_collection(workspace, "pairs", archive)["added"] == {"queries": 0, "documents": 3, "judgements": 0}
    assert open_collection(workspace, "pairs").card.modalities["document"] == ["text", "image"]


def test_bad_rows_are_told_and_the_good_ones_join(workspace: Workspace, pairs: Collection, tmp_path: Path) -> None:
    table = text_table(tmp_path / "more.csv", [("query", "document"), ("new", "newer"), ("nothing", "")])
    result = add_to_collection(workspace, "pairs", table)
    assert result["added"]["judgements"] == 1
    assert [line["row"] for line in result["skipped"]] == [3]


def test_a_source_of_no_use_leaves_everything_as_it_was(
    workspace: Workspace, pairs: Collection, tmp_path: Path
) -> None:
    table = text_table(tmp_path / "more.csv", [("query", "document"), ("nothing", ""), ("", "nothing")])
    with pytest.raises(WorkbenchError, match="None of the 2 rows"):
        add_to_collection(workspace, "pairs", table)
    assert open_collection(workspace, "pairs").card == pairs.card
    assert not list(workspace.collections.glob(".pairs*"))


def test_adding_to_nothing_says_so(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="There is no collection named “none”"):
        add_to_collection(workspace, "none", text_table(tmp_path / "a.csv", text_pairs()))


def test_only_one_addition_at_a_time(workspace: Workspace, pairs: Collection, tmp_path: Path) -> None:
    with import_lock(workspace, "pairs"), pytest.raises(WorkbenchError, match="being imported right now"):
        add_to_collection(workspace, "pairs", tmp_path / "pairs.csv")


def test_a_job_that_was_done_already_tells_its_result_again(
    workspace: Workspace, pairs: Collection, tmp_path: Path
) -> None:
    more = text_table(tmp_path / "more.csv", text_pairs(25))
    spec = {"name": "pairs", "source": str(more), "roles": None, "add": True}
    job = create_job_folder(workspace.job("import-pairs"), "import", spec, {})
    result = run_import(workspace, job)
    assert result["added"]["queries"] == 5
    assert run_import(workspace, job) == result
