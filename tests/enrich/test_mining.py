"""Mining as a job: what is mined, from what, how it is kept, and how it goes again."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.enrich.toys import ToyEmbedder, ToyReranker, scenes
from workbench.collection.editing import changes, edit_collection, undo
from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.enrich.hard_negatives import MiningSettings
from workbench.enrich.mining import drop_mined, mine, mine_collection, mining_spec, run_mining
from workbench.errors import WorkbenchError
from workbench.evaluation.held_out import held_out
from workbench.job_folder import create_job_folder
from workbench.settings import TrainSettings
from workbench.training.kinds import EmbedderRecipe
from workbench.training.lessons import hard_wrong, lessons
from workbench.training.pairs import known_wrong, training_pairs, with_negatives
from workbench.workspace import Workspace, new_folder

LOOSE = MiningSettings(per_query=3, margin=0.99)


def mined_rows(collection: Collection) -> list[dict[str, Any]]:
    return [row for row in collection.judgements.to_list() if row["source"] == "mined"]


def test_every_kind_of_document_is_mined_from_the_train_split_alone(workspace: Workspace) -> None:
    collection = scenes(workspace)
    result = mine_collection(workspace, "scenes", ToyEmbedder(), LOOSE)
    after = open_collection(workspace, "scenes")
    rows = mined_rows(after)
    assert result["mined"] == len(rows) > 0
    train, held = collection.judged("train"), collection.judged("eval")
    train_ids = {collection.corpus["id"][row] for row in train.documents}
    assert {row["document"] for row in rows} <= train_ids
    assert {row["query"] for row in rows}.isdisjoint({collection.queries["id"][row] for row in held.queries})
    assert {(row["score"], row["split"]) for row in rows} == {(0.0, "train")}
    kinds = after.document_modalities
    by_kind = {kind: sum(kinds[after.document_rows[row["document"]]] == kind for row in rows) for kind in set(kinds)}
    assert by_kind["image"] > 0 and by_kind["audio"] > 0
    right = {(row["query"], row["document"]) for row in after.judgements.to_list() if row["score"] > 0}
    assert right.isdisjoint({(row["query"], row["document"]) for row in rows})


def test_a_mined_judgement_says_where_it_comes_from(workspace: Workspace) -> None:
    scenes(workspace)
    mine_collection(workspace, "scenes", ToyEmbedder(), LOOSE)
    for row in mined_rows(open_collection(workspace, "scenes")):
        meta = json.loads(row["meta"])
        assert meta.keys() == {"model", "similarity", "rank", "positive_similarity"}
        assert meta["model"] == "toy" and meta["rank"] >= 1
        assert meta["similarity"] <= 0.99 * meta["positive_similarity"] + 1e-6


def test_only_one_kind_is_mined_where_one_is_asked_for(workspace: Workspace) -> None:
    scenes(workspace)
    settings = LOOSE.model_copy(update={"document_modality": "audio"})
    mine_collection(workspace, "scenes", ToyEmbedder(), settings)
    after = open_collection(workspace, "scenes")
    assert {after.document_modalities[after.document_rows[row["document"]]] for row in mined_rows(after)} == {"audio"}
    with pytest.raises(WorkbenchError, match="no video document"):
        mine_collection(workspace, "scenes", ToyEmbedder(), LOOSE.model_copy(update={"document_modality": "video"}))


def test_a_model_that_reads_no_sound_mines_the_rest_and_says_so(workspace: Workspace) -> None:
    scenes(workspace)
    embedder = ToyEmbedder()
    embedder.modalities = ("text", "image")
    assert mine_collection(workspace, "scenes", embedder, LOOSE)["unread"] == ["audio"]
    after = open_collection(workspace, "scenes")
    assert {after.document_modalities[after.document_rows[row["document"]]] for row in mined_rows(after)} == {"image"}
    embedder.modalities = ("image",)
    with pytest.raises(WorkbenchError, match="cannot read text"):
        mine_collection(workspace, "scenes", embedder, LOOSE)


def test_mining_again_replaces_what_was_mined_and_leaves_what_was_reviewed(workspace: Workspace) -> None:
    scenes(workspace)
    mine_collection(workspace, "scenes", ToyEmbedder(), LOOSE)
    first = mined_rows(open_collection(workspace, "scenes"))
    with edit_collection(workspace, "scenes", "reviewed") as edit:
        edit.judge(first[0]["query"], first[0]["document"], 0.0, "train", "reviewed", {"when": 1})
        edit.judge(first[1]["query"], first[1]["document"], 1.0, "train", "reviewed", {"when": 1})
    mine_collection(workspace, "scenes", ToyEmbedder(), MiningSettings(per_query=1, margin=0.99))
    rows = open_collection(workspace, "scenes").judgements.to_list()
    pairs = [(row["query"], row["document"]) for row in rows]
    assert len(pairs) == len(set(pairs))
    kept = {(row["query"], row["document"]): row["source"] for row in rows}
    assert kept[first[0]["query"], first[0]["document"]] == kept[first[1]["query"], first[1]["document"]] == "reviewed"
    assert sum(row["source"] == "mined" for row in rows) < len(first)


def test_mining_is_one_change_that_can_be_undone_and_dropped(workspace: Workspace) -> None:
    before = scenes(workspace).judgements.to_list()
    found = mine_collection(workspace, "scenes", ToyEmbedder(), LOOSE)["mined"]
    assert changes(workspace, "scenes")[0].what == f"Mined {found:,} hard negatives with “toy”"
    assert drop_mined(workspace, "scenes") == found
    assert open_collection(workspace, "scenes").judgements.to_list() == before
    undo(workspace, "scenes")
    assert len(mined_rows(open_collection(workspace, "scenes"))) == found
    undo(workspace, "scenes")
    assert open_collection(workspace, "scenes").judgements.to_list() == before
    assert drop_mined(workspace, "scenes") == 0


def test_mining_does_not_change_what_is_asked_in_an_evaluation(workspace: Workspace) -> None:
    before = held_out(scenes(workspace))
    mine_collection(workspace, "scenes", ToyEmbedder(), LOOSE)
    after = held_out(open_collection(workspace, "scenes"))
    for name, direction in before.directions.items():
        assert np.array_equal(direction.target_rows, after.directions[name].target_rows)
        assert direction.relevant == after.directions[name].relevant


def test_where_documents_are_shared_the_whole_corpus_is_looked_at(workspace: Workspace) -> None:
    with new_folder(workspace.collection("shared")) as folder, CollectionWriter(folder) as writer:
        for number in range(30):  # a chain: one component
            query = writer.add("queries", Item(text=f"question {number}"))
            for other in (number, number + 1):
                writer.judge(query, writer.add("corpus", Item(text=f"answer {other}")))
        for number in range(31, 40):
            writer.add("corpus", Item(text=f"answer {number}"))
        writer.finish("shared", labels={}, source={})
    collection = open_collection(workspace, "shared")
    assert collection.card.split["method"] == "query"
    mined, _ = mine(collection, ToyEmbedder(), MiningSettings(per_query=20, margin=None))
    assert set(mined.documents.tolist()) == set(range(40))
    assert set(mined.queries.tolist()) == set(collection.judged("train").queries.tolist())


def test_a_query_that_is_a_document_itself_is_not_its_own_negative(workspace: Workspace) -> None:
    with new_folder(workspace.collection("twins")) as folder, CollectionWriter(folder) as writer:
        for number in range(12):
            query = writer.add("queries", Item(text=f"question {number}"))
            writer.add("corpus", Item(text=f"question {number}"))
            writer.judge(query, writer.add("corpus", Item(text=f"the same question {number}")))
        writer.finish("twins", labels={}, source={}, fraction=0.0)
    collection = open_collection(workspace, "twins")
    mined, _ = mine(collection, ToyEmbedder(), MiningSettings(per_query=30, margin=None))
    query_ids, document_ids = collection.queries["id"][:], collection.corpus["id"][:]
    assert len(mined)
    assert all(query_ids[q] != document_ids[d] for q, d in zip(mined.queries, mined.documents, strict=True))


def test_a_reranker_drops_what_it_takes_for_right(workspace: Workspace) -> None:
    collection = scenes(workspace)
    mined, screened = mine(collection, ToyEmbedder(), LOOSE, reranker=ToyReranker())
    assert screened is not None and len(screened.scores) == len(mined) > 0
    numbers = [int(collection.item("corpus", row).image.decode().split()[1]) for row in mined.documents.tolist()
               if collection.document_modalities[row] == "image"]  # fmt: skip
    assert all(number % 2 for number in numbers)
    _, counts = np.unique(mined.queries, return_counts=True)
    assert counts.max() == 6  # three pictures and three tunes
    mine_collection(workspace, "scenes", ToyEmbedder(), LOOSE, reranker=ToyReranker())
    meta = json.loads(mined_rows(open_collection(workspace, "scenes"))[0]["meta"])
    assert (meta["reranker"], meta["reranker_score"], meta["positive_reranker_score"]) == ("toy-reranker", 0.1, 0.9)


def test_vectors_are_kept_for_the_next_mining_whatever_is_judged_meanwhile(workspace: Workspace) -> None:
    scenes(workspace)
    embedder = ToyEmbedder()
    mine_collection(workspace, "scenes", embedder, LOOSE)
    encoded = len(embedder.encoded)
    mine_collection(workspace, "scenes", embedder, MiningSettings(per_query=1))
    assert encoded == 40 + 85 and len(embedder.encoded) == encoded


def test_a_change_made_while_mining_is_not_undone_by_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = scenes(workspace)
    wanted, _ = mine(collection, ToyEmbedder(), LOOSE)
    pairs = [
        (collection.queries["id"][q], collection.corpus["id"][d])
        for q, d in zip(wanted.queries, wanted.documents, strict=True)
    ]
    reviewed, dropped = pairs[0], pairs[-1][1]

    class Slow(ToyEmbedder):
        done = False

        def encode_queries(self, items: Any, **_: Any) -> np.ndarray:
            if not self.done:
                self.done = True
                with edit_collection(workspace, "scenes", "meanwhile") as edit:
                    edit.judge(*reviewed, 1.0, "train", "reviewed")
                    edit.drop("corpus", [dropped])
            return super().encode_queries(items)

        encode_documents = encode_queries

    result = mine_collection(workspace, "scenes", Slow(), LOOSE)
    rows = open_collection(workspace, "scenes").judgements.to_list()
    assert result["mined"] < len(wanted)
    assert [row["source"] for row in rows if (row["query"], row["document"]) == reviewed] == ["reviewed"]
    assert dropped not in {row["document"] for row in rows}


def test_the_job_mines_with_the_starter_and_drops_again(workspace: Workspace) -> None:
    with new_folder(workspace.collection("words")) as folder, CollectionWriter(folder) as writer:
        for number in range(12):
            query = writer.add("queries", Item(text=f"a red circle number {number}"))
            writer.judge(query, writer.add("corpus", Item(text=f"circle {number} in red")))
        writer.finish("words", labels={}, source={})
    spec = mining_spec(workspace, collection="words", model="starter", per_query=2, margin=None)
    result = run_mining(workspace, create_job_folder(workspace.job("mine-1"), "mine", spec, {}))
    assert result["mined"] > 0 and result["model"] == "starter" and result["unread"] == []
    check_that_runs_learn_from_it(workspace, open_collection(workspace, "words"))
    spec = mining_spec(workspace, collection="words", drop=True)
    dropped = run_mining(workspace, create_job_folder(workspace.job("mine-2"), "mine", spec, {}))
    assert dropped == {"collection": "words", "dropped": result["mined"]}


def check_that_runs_learn_from_it(workspace: Workspace, collection: Collection) -> None:
    wrong = known_wrong(collection, mined=True)
    settings = TrainSettings(epochs=3, negatives_per_query=2)
    recipe = EmbedderRecipe(workspace, collection, {"model": "starter"}, settings)
    (dataset,) = recipe.datasets().values()
    assert dataset.column_names == ["query", "document", "negative"]
    rows = dataset.with_format(None)
    shown: dict[int, set[int]] = {}
    for query, negative in zip(rows["query"][:], rows["negative"][:], strict=True):
        shown.setdefault(query, set()).add(negative)
    assert shown == {query: set(told.tolist()) for query, told in wrong.items()}  # two each, in three passes

    learnt = lessons(collection, training_pairs(collection), recipe.start, settings)
    assert set(hard_wrong(collection, recipe.start)) == set(wrong)
    hard = np.array([d in wrong[q] for q, d in zip(learnt.queries.tolist(), learnt.documents.tolist(), strict=True)])
    half = len(hard) // 2
    assert hard[half:].mean() > 2 * hard[:half].mean()


def test_what_cannot_be_mined_is_said_before_the_start(workspace: Workspace) -> None:
    with new_folder(workspace.collection("pages")) as folder, CollectionWriter(folder) as writer:
        writer.add("corpus", Item(text="a page"))
        writer.finish("pages", labels={}, source={})
    with pytest.raises(WorkbenchError, match="no pairs to train on"):
        mining_spec(workspace, collection="pages", model="starter")
    with pytest.raises(WorkbenchError, match="Choose the model"):
        mining_spec(workspace, collection="pages")
    with pytest.raises(WorkbenchError, match="no collection named"):
        mining_spec(workspace, collection="nowhere", model="starter")


def test_training_shows_the_mined_documents_another_one_each_pass(workspace: Workspace) -> None:
    scenes(workspace)
    mine_collection(workspace, "scenes", ToyEmbedder(), LOOSE)
    collection = open_collection(workspace, "scenes")
    wrong = known_wrong(collection)
    assert known_wrong(collection, mined=False) == {}
    for pairs in training_pairs(collection):
        shown = with_negatives(collection, pairs, wrong, seed=0, copies=3)
        assert shown.negatives is not None
        kind = pairs.name.partition("->")[2]
        by_query: dict[int, list[int]] = {}
        for query, negative in zip(shown.queries.tolist(), shown.negatives.tolist(), strict=True):
            by_query.setdefault(query, []).append(negative)
        for query, negatives in by_query.items():
            told = [row for row in wrong.get(query, []) if collection.document_modalities[row] == kind]
            if told:
                assert set(negatives) <= set(told)
                assert len(set(negatives)) == min(3, len(told))
