"""An index follows its collection, moves to another model, goes back and is compacted, and answers all the while."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.index.test_build import rows_on_disk, small_chunks, stop_after, stored
from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench.collection.editing import edit_collection
from workbench.collection.store import Item, remove_collection
from workbench.errors import Stopped, WorkbenchError
from workbench.index import build, finishing, life, recall, registry, table
from workbench.index.build import build_index, run_index
from workbench.index.fields import Condition
from workbench.index.registry import building, get_index, list_indexes, remove_index
from workbench.index.search import Searcher
from workbench.job_folder import create_job_folder
from workbench.workspace import Workspace

__all__ = ["small_chunks"]


@pytest.fixture
def words(workspace: Workspace, toy: ToyEmbedder) -> list[Item]:
    """An index “words” of forty documents; what was embedded for it is forgotten."""
    documents = make_collection(workspace, "words", texts(40))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    toy.encoded.clear()
    return documents


def change(workspace: Workspace, add: Sequence[Item] = (), drop: Sequence[Item] = ()) -> None:
    with edit_collection(workspace, "words", "test") as edit:
        for item in add:
            edit.add("corpus", item)
        edit.drop("corpus", [item.id for item in drop])


def ask(searcher: Searcher, text: str, **options: Any) -> list[str]:
    return [hit.text for hit in searcher.search("words", Item(text=text), model="toy", top=3, **options).hits]


def test_an_update_embeds_only_what_is_new_and_deletes_what_is_gone(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, words: list[Item]
) -> None:
    change(workspace, texts(5, "new"), words[:3])
    card = get_index(workspace, "words")
    assert life.behind(workspace, card).words == "The collection has changed since: 5 more, 3 fewer."
    assert ask(searcher, "document 1")[0] == "document 1"
    result = life.update_index(workspace, "words", embedder=toy)
    assert (result["added"], result["removed"], result["changed"], result["rows"]) == (5, 3, 0, 42)
    assert len(toy.encoded) == 5
    rows = stored(workspace, "words")
    assert sorted(rows["text"]) == sorted([f"document {n}" for n in range(3, 40)] + [f"new {n}" for n in range(5)])
    assert len(set(rows["row"])) == 42, "two rows of one table never share a number"
    assert ask(searcher, "new 4")[0] == "new 4" and "document 1" not in ask(searcher, "document 1")
    updated = get_index(workspace, "words")
    assert (updated.rows, updated.modalities) == (42, {"text": 42})
    assert not life.behind(workspace, updated)
    for item, vector in zip(rows["text"], rows["vector"], strict=True):
        np.testing.assert_array_equal(vector, toy.vector(Item(text=item)))


def test_a_hit_of_an_updated_index_knows_where_its_document_is_now(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, words: list[Item]
) -> None:
    change(workspace, texts(2, "new"), words[:3])
    life.update_index(workspace, "words", embedder=toy)
    for text, row in (("document 3", 0), ("new 1", 38)):
        assert searcher.search("words", Item(text=text), model="toy").hits[0].row == row


def test_changed_metadata_are_written_anew_without_embedding(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher
) -> None:
    documents = [Item(text=f"document {n}", meta={"page": n, "odd": float("nan")}) for n in range(20)]
    make_collection(workspace, "words", documents)
    build_index(workspace, "words", "words", "toy", embedder=toy)
    assert life.update_index(workspace, "words", embedder=toy)["changed"] == 0
    remove_collection(workspace, "words")
    documents[7] = Item(text="document 7", meta={"page": 700}, file="seven.txt")
    make_collection(workspace, "words", documents[::-1])
    toy.encoded.clear()
    result = life.update_index(workspace, "words", embedder=toy)
    assert (result["added"], result["removed"], result["changed"], toy.encoded) == (0, 0, 1, [])
    assert ask(searcher, "anything", where=[Condition("page", "700")]) == ["document 7"]
    assert get_index(workspace, "words").fields[0]["high"] == 700
    np.testing.assert_array_equal(stored(workspace, "words")["vector"][7], toy.vector(documents[7]))


def test_an_update_with_nothing_to_do_loads_no_model_and_writes_no_table(
    workspace: Workspace, words: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "load_embedder", None)
    before = get_index(workspace, "words")
    (workspace.index / ".registry.json.left").write_text("{", encoding="utf-8")
    result = life.update_index(workspace, "words")
    assert not list(workspace.index.glob(".*")), "what a kill left goes, also where nothing else is written"
    assert (result["added"], result["removed"], result["changed"]) == (0, 0, 0)
    assert get_index(workspace, "words") == before
    with edit_collection(workspace, "words", "test") as edit:
        edit.judge(edit.add("queries", Item(text="a query")), words[0].id)
    assert not life.behind(workspace, before), "judgements are no documents"
    life.update_index(workspace, "words")
    after = get_index(workspace, "words")
    assert after.collection_fingerprint != before.collection_fingerprint and after.table == before.table


def test_a_stopped_update_is_gone_on_with_and_the_index_answers_as_before_meanwhile(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, words: list[Item], small_chunks: None
) -> None:
    change(workspace, texts(200, "new"), words[:3])
    before = get_index(workspace, "words")
    with pytest.raises(Stopped):
        life.update_index(workspace, "words", embedder=toy, progress=stop_after(37 + 129))
    assert get_index(workspace, "words") == before
    assert ask(searcher, "document 1")[0] == "document 1" and "new 1" not in ask(searcher, "new 1")
    # Another change of the collection in between does not matter.
    change(workspace, texts(10, "newer"))
    build_index(workspace, "other", "words", "toy", embedder=ToyEmbedder())
    toy.encoded.clear()
    assert life.update_index(workspace, "words", embedder=toy)["rows"] == 247
    assert len(toy.encoded) == 210 - 128
    assert ask(searcher, "new 1")[0] == "new 1"


def test_rolling_back_switches_to_the_state_before_and_forth_again(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, words: list[Item]
) -> None:
    with pytest.raises(WorkbenchError, match="no earlier state"):
        life.roll_back(workspace, "words")
    first = get_index(workspace, "words")
    change(workspace, texts(5, "new"), words[:3])
    life.update_index(workspace, "words", embedder=toy)
    second = get_index(workspace, "words")
    back = life.roll_back(workspace, "words")
    assert (back.table, back.rows, back.created) == (first.table, 40, first.created)
    assert ask(searcher, "document 1")[0] == "document 1" and "new 1" not in ask(searcher, "new 1")
    assert life.behind(workspace, back).words == "The collection has changed since: 5 more, 3 fewer."
    assert life.roll_back(workspace, "words") == second
    assert ask(searcher, "new 1")[0] == "new 1"
    # The state before the one before is no longer kept.
    change(workspace, texts(1, "third"))
    life.update_index(workspace, "words", embedder=toy)
    third = get_index(workspace, "words")
    assert table.tables_of(workspace, "words") == [second.table, third.table]


def test_an_update_after_rolling_back_takes_the_place_of_what_was_rolled_back(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, words: list[Item]
) -> None:
    change(workspace, texts(5, "new"), words[:3])
    life.update_index(workspace, "words", embedder=toy)
    life.roll_back(workspace, "words")
    life.update_index(workspace, "words", embedder=toy)
    card = get_index(workspace, "words")
    assert card.rows == 42 and card.before is not None and card.before.rows == 40
    assert ask(searcher, "new 1")[0] == "new 1"
    assert table.tables_of(workspace, "words") == [card.before.table, card.table]


def test_another_model_takes_over_when_it_is_ready_and_can_be_rolled_back(
    workspace: Workspace, searcher: Searcher, words: list[Item], small_chunks: None
) -> None:
    other = ToyEmbedder(fingerprint="toy-2")
    with pytest.raises(Stopped):
        life.reembed(workspace, "words", "other", embedder=other, progress=stop_after(1))
    assert ask(searcher, "document 1")[0] == "document 1"
    life.reembed(workspace, "words", "other", dimension=16, precision="float16", embedder=other)
    card = get_index(workspace, "words")
    assert (card.model, card.dimension, card.precision, card.rows) == ("other", 16, "float16", 40)
    assert searcher.search("words", Item(text="document 1")).hits[0].text == "document 1"
    assert life.roll_back(workspace, "words").model == "toy"
    assert ask(searcher, "document 1")[0] == "document 1"


def test_an_update_refuses_a_model_that_has_changed(workspace: Workspace, words: list[Item]) -> None:
    change(workspace, texts(1, "new"))
    with pytest.raises(WorkbenchError, match=r"has changed since the index “words” was built.*reembed"):
        life.update_index(workspace, "words", embedder=ToyEmbedder(fingerprint="toy-2"))
    assert len(table.all_tables(workspace)) == 1


def test_compacting_changes_no_answer_and_keeps_the_state_before_unless_told(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher, words: list[Item]
) -> None:
    change(workspace, texts(5, "new"), words[:3])
    life.update_index(workspace, "words", embedder=toy)
    before, answers = get_index(workspace, "words"), ask(searcher, "new 1")
    life.compact(workspace, "words", embedder=toy)
    card = get_index(workspace, "words")
    assert card.table != before.table and card.previous == before.previous
    assert ask(searcher, "new 1") == answers
    life.compact(workspace, "words", forget=True, embedder=toy)
    card = get_index(workspace, "words")
    assert card.before is None and table.tables_of(workspace, "words") == [card.table]
    assert ask(searcher, "new 1") == answers


def test_an_index_whose_collection_is_gone_can_be_compacted_but_not_updated(
    workspace: Workspace, toy: ToyEmbedder, words: list[Item]
) -> None:
    remove_collection(workspace, "words")
    assert "collection is gone" in life.behind(workspace, get_index(workspace, "words")).words
    assert life.compact(workspace, "words")["rows"] == 40
    with pytest.raises(WorkbenchError, match="no collection named"):
        life.update_index(workspace, "words", embedder=toy)


def test_whoever_comes_second_to_an_index_is_told(workspace: Workspace, toy: ToyEmbedder, words: list[Item]) -> None:
    change(workspace, texts(1, "new"))
    with building(workspace, "words"):
        for work in (
            lambda: life.update_index(workspace, "words", embedder=toy),
            lambda: life.reembed(workspace, "words", "toy", embedder=toy),
            lambda: life.compact(workspace, "words", embedder=toy),
            lambda: life.roll_back(workspace, "words"),
            lambda: remove_index(workspace, "words"),
        ):
            with pytest.raises(WorkbenchError, match="being built just now"):
                work()
    assert life.update_index(workspace, "words", embedder=toy)["added"] == 1


def test_a_removed_index_leaves_nothing_even_if_its_deletion_was_cut_short(
    workspace: Workspace, toy: ToyEmbedder, words: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(workspace, texts(1, "new"))
    life.update_index(workspace, "words", embedder=toy)
    (workspace.index / ".registry.json.left").write_text("{", encoding="utf-8")
    (workspace.index / f".probe-{2**22 + 1}-left").mkdir()  # no process has such a number
    monkeypatch.setattr(registry, "drop_gone", lambda *_: None)
    remove_index(workspace, "words")
    monkeypatch.undo()
    assert len(table.all_tables(workspace)) == 2 and list_indexes(workspace) == []
    make_collection(workspace, "others", texts(3))
    build_index(workspace, "others", "others", "toy", embedder=toy)
    assert table.all_tables(workspace) == [get_index(workspace, "others").table]
    left = {path.name for path in workspace.index.iterdir()} - {f"{get_index(workspace, 'others').table}.lance"}
    assert left == {"registry.json"}
    assert not (workspace.locks / "index-words.lock").exists()


def test_a_copy_that_was_cut_short_is_not_gone_on_with(
    workspace: Workspace, toy: ToyEmbedder, words: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(workspace, texts(5, "new"))

    def cut_short(self: Path, target: Path) -> None:
        raise Stopped

    monkeypatch.setattr(Path, "rename", cut_short)
    with pytest.raises(Stopped):
        life.update_index(workspace, "words", embedder=toy)
    monkeypatch.undo()
    assert len(table.tables_of(workspace, "words")) == 2 and rows_on_disk(workspace) == 40
    assert life.update_index(workspace, "words", embedder=toy)["rows"] == 45
    assert len(toy.encoded) == 5


def test_an_index_of_before_this_version_can_be_read_and_updated(
    workspace: Workspace, toy: ToyEmbedder, words: list[Item]
) -> None:
    path = workspace.index / "registry.json"
    kept = registry.read_json(path)
    del kept["gone"], kept["indexes"]["words"]["previous"], kept["indexes"]["words"]["built_rows"]
    registry.write_json(path, kept)
    change(workspace, texts(1, "new"))
    assert life.update_index(workspace, "words", embedder=toy)["rows"] == 41
    assert life.roll_back(workspace, "words").rows == 40


def test_jobs_do_what_their_action_says(
    workspace: Workspace, toy: ToyEmbedder, words: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "load_embedder", lambda *_, **__: toy)
    monkeypatch.setattr(build, "load_embedder", lambda *_, **__: toy)

    def run(action: str, **options: Any) -> dict[str, Any]:
        spec = life.action_spec(workspace, "words", action, **options)
        return run_index(workspace, create_job_folder(workspace.job(action), "index", spec, {}))

    change(workspace, texts(2, "new"))
    assert run("update")["added"] == 2
    assert run("reembed", model="toy", dimension=16)["dimension"] == 16
    assert run("compact", forget=True)["rows"] == 42
    assert get_index(workspace, "words").before is None
    with pytest.raises(WorkbenchError, match="cannot “explode”"):
        run("explode")


class TestLarge:
    """The approximate index of a large table follows, and is built anew where it has to be."""

    @pytest.fixture(autouse=True)
    def large(self, workspace: Workspace, toy: ToyEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(table, "APPROXIMATE_FROM_ROWS", 1000)
        # Measuring costs the most by far; a few of the table's vectors, asking once, do here.
        monkeypatch.setattr(recall, "EFFORTS", ((50, 25),))
        monkeypatch.setattr(recall, "SAMPLE", 10)
        make_collection(workspace, "words", [Item(text=f"group {n % 20} item {n}") for n in range(1200)])
        build_index(workspace, "words", "words", "toy", embedder=toy)
        toy.encoded.clear()

    def grow(self, workspace: Workspace, toy: ToyEmbedder, number: int, count: int) -> registry.IndexCard:
        change(workspace, [Item(text=f"group {n % 20} more {number} {n}") for n in range(count)])
        life.update_index(workspace, "words", embedder=toy)
        return get_index(workspace, "words")

    def deltas(self, workspace: Workspace, card: registry.IndexCard) -> int:
        stats = table.connect(workspace).open_table(card.table).index_stats("vector_idx")
        assert stats is not None and stats.num_unindexed_rows == 0
        return int(stats.num_indices or 0)

    def test_new_rows_make_a_delta_until_deltas_pile_up(
        self, workspace: Workspace, toy: ToyEmbedder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(finishing, "MOST_DELTAS", 3)
        seen = []
        for number in range(3):
            card = self.grow(workspace, toy, number, 20)
            seen.append(self.deltas(workspace, card))
            assert card.kind == "IVF_RQ" and card.recall >= 0.95 and card.probes > 0
        assert seen == [2, 3, 1]
        assert card.built_rows == card.rows == 1260
        assert len(toy.encoded) == 60

    def test_a_table_that_grew_or_shrank_far_is_indexed_from_nothing(
        self, workspace: Workspace, toy: ToyEmbedder
    ) -> None:
        card = self.grow(workspace, toy, 0, 700)
        assert (self.deltas(workspace, card), card.built_rows, card.rows) == (1, 1900, 1900)
        rows = stored(workspace, "words")
        with edit_collection(workspace, "words", "test") as edit:
            edit.drop("corpus", rows["id"][:1000])
        life.update_index(workspace, "words", embedder=toy)
        card = get_index(workspace, "words")
        assert (card.kind, card.rows, card.probes) == ("exact", 900, 0), "a small table is searched exactly again"

    def test_compacting_builds_the_index_from_nothing_also_without_a_model(
        self, workspace: Workspace, toy: ToyEmbedder
    ) -> None:
        assert self.deltas(workspace, self.grow(workspace, toy, 0, 20)) == 2
        life.compact(workspace, "words")
        card = get_index(workspace, "words")
        assert (self.deltas(workspace, card), card.kind, card.rows) == (1, "IVF_RQ", 1220)
        assert card.recall >= 0.95
