from __future__ import annotations

import numpy as np
import pytest

from workbench.collection.store import Collection, Item
from workbench.errors import WorkbenchError
from workbench.evaluation import held_out as held_out_module
from workbench.evaluation.held_out import held_out


def ids_of(collection: Collection, side: str, rows: np.ndarray) -> list[str]:
    identifiers = list(collection.side(side)["id"])
    return [identifiers[row] for row in rows.tolist()]


def answers(collection: Collection, name: str) -> dict[str, dict[str, float]]:
    """{source id: {target id: gain}} of a direction."""
    direction = held_out(collection).directions[name]
    sources = ids_of(collection, direction.source_side, direction.source_rows)
    targets = ids_of(collection, direction.target_side, direction.target_rows)
    return {
        source: {targets[place]: gain for place, gain in found.items()}
        for source, found in zip(sources, direction.relevant, strict=True)
    }


def test_captions_with_pictures_and_tunes_are_asked_in_all_seven_ways(collection):
    assert list(held_out(collection).directions) == [
        "all", "text->audio", "text->image", "audio->text", "image->text", "audio->image", "image->audio",
    ]  # fmt: skip
    assert answers(collection, "all")["q020"] == {"p020": 1.0, "t020": 1.0}
    assert answers(collection, "text->image")["q020"] == {"p020": 1.0}
    assert answers(collection, "image->text")["p020"] == {"q020": 1.0}
    assert answers(collection, "audio->image")["t020"] == {"p020": 1.0}


def test_the_corpus_of_a_component_split_is_what_training_never_saw(workspace, build):
    queries = [Item(text=f"query {n}", id=f"q{n}") for n in range(3)]
    documents = [Item(text=f"document {n}", id=f"d{n}") for n in range(5)]
    collection = build(
        workspace,
        "parts",
        queries,
        documents,
        [("q0", "d0", 1.0, "train"), ("q0", "d1", 0.0, "train"), ("q1", "d2", 1.0, "eval"), ("q2", "d3", 1.0, "eval")],
    )
    direction = held_out(collection).directions["all"]
    assert ids_of(collection, "corpus", direction.target_rows) == ["d2", "d3", "d4"]


def test_mined_negatives_do_not_shrink_the_corpus(workspace, build):
    queries = [Item(text=f"query {n}", id=f"q{n}") for n in range(2)]
    documents = [Item(text=f"document {n}", id=f"d{n}") for n in range(4)]
    judged = [("q0", "d0", 1.0, "train"), ("q1", "d1", 1.0, "eval")]
    before = held_out(build(workspace, "before", queries, documents, judged))
    mined = [*judged, ("q0", "d2", 0.0, "train", "mined"), ("q0", "d1", 0.0, "train", "mined")]
    after = held_out(build(workspace, "after", queries, documents, mined))
    assert len(before.directions["all"].target_rows) == len(after.directions["all"].target_rows) == 3


def test_a_relevant_document_stays_in_the_corpus_even_if_training_named_it(workspace, build):
    collection = build(
        workspace,
        "shared",
        [Item(text="query 0", id="q0"), Item(text="query 1", id="q1")],
        [Item(text="document 0", id="d0"), Item(text="document 1", id="d1")],
        [("q0", "d1", 1.0, "train"), ("q1", "d1", 1.0, "eval")],
    )
    assert answers(collection, "all") == {"q1": {"d1": 1.0}}


def test_the_corpus_of_a_query_split_is_the_whole_corpus(workspace, build):
    documents = [Item(text=f"document {n}", id=f"d{n}") for n in range(4)]
    collection = build(
        workspace,
        "fixed",
        [Item(text="query 0", id="q0"), Item(text="query 1", id="q1")],
        documents,
        [("q0", "d0", 1.0, "train"), ("q1", "d0", 1.0, "eval")],
        method="query",
    )
    assert len(held_out(collection).directions["all"].target_rows) == 4


def test_relevant_is_a_score_above_zero_and_keeps_its_grade(workspace, build):
    collection = build(
        workspace,
        "graded",
        [Item(text="query 0", id="q0"), Item(text="query 1", id="q1")],
        [Item(text=f"document {n}", id=f"d{n}") for n in range(4)],
        [
            ("q0", "d0", 3.0, "eval"),
            ("q0", "d1", 0.5, "eval"),
            ("q0", "d2", 0.0, "eval"),
            ("q0", "d3", -1.0, "eval"),
            ("q0", "d1", 0.25, "eval"),
            ("q1", "d2", 0.0, "eval"),
        ],
    )
    assert answers(collection, "all") == {"q0": {"d0": 3.0, "d1": 0.5}}
    assert held_out(collection).directions["all"].left_out == 1


def test_text_against_text_is_read_one_way_only(workspace, build):
    collection = build(
        workspace,
        "questions",
        [Item(text=f"question {n}", id=f"q{n}") for n in range(3)],
        [Item(text=f"answer {n}", id=f"d{n}") for n in range(3)],
        [(f"q{n}", f"d{n}", 1.0, "eval") for n in range(3)],
    )
    assert list(held_out(collection).directions) == ["all", "text->text"]


def test_text_and_picture_together_are_a_modality_of_their_own(workspace, build):
    collection = build(
        workspace,
        "pages",
        [Item(text="query 0", id="q0")],
        [Item(text="caption 0", image=b"picture 0", id="d0"), Item(image=b"picture 1", id="d1")],
        [("q0", "d0", 1.0, "eval"), ("q0", "d1", 1.0, "eval")],
    )
    assert set(held_out(collection).directions) == {
        "all", "text->image", "text->text+image", "image->text", "text+image->text", "image->text+image",
        "text+image->image",
    }  # fmt: skip


def test_a_sentence_with_twelve_recordings_has_twelve_answers_and_they_do_not_answer_each_other(workspace, build):
    recordings = [Item(audio=f"recording {n}".encode(), id=f"r{n:02}") for n in range(12)]
    collection = build(
        workspace,
        "spoken",
        [Item(text="digit 1", id="q")],
        recordings,
        [("q", recording.id, 1.0, "eval") for recording in recordings],
    )
    assert len(answers(collection, "text->audio")["q"]) == 12
    assert len(answers(collection, "audio->text")) == 12
    assert "audio->audio" not in held_out(collection).directions


def test_where_the_corpus_is_fixed_a_training_query_may_join_two_documents(workspace, build):
    """Else a picture and a tune that belong together would count as a mistake."""
    collection = build(
        workspace,
        "joined",
        [Item(text="query 0", id="q0"), Item(text="query 1", id="q1")],
        [Item(image=b"picture 0", id="p"), Item(audio=b"tune 0", id="t0"), Item(audio=b"tune 1", id="t1")],
        [("q0", "p", 1.0, "train"), ("q0", "t0", 1.0, "train"), ("q1", "p", 2.0, "eval"), ("q1", "t1", 1.0, "eval")],
        method="query",
    )
    assert answers(collection, "image->audio") == {"p": {"t0": 1.0, "t1": 1.0}}


def test_targets_stand_in_the_order_of_their_ids(workspace, build):
    collection = build(
        workspace,
        "order",
        [Item(text="query 0", id="q0")],
        [Item(text=f"document {n}", id=identifier) for n, identifier in enumerate(["b", "c", "a"])],
        [("q0", "b", 1.0, "eval")],
    )
    direction = held_out(collection).directions["all"]
    assert ids_of(collection, "corpus", direction.target_rows) == ["a", "b", "c"]
    assert direction.relevant == [{1: 1.0}]


def test_of_very_many_documents_a_sample_is_asked_and_all_can_still_be_found(collection, monkeypatch):
    monkeypatch.setattr(held_out_module, "MOST_DOCUMENTS_ASKED", 10)
    directions = held_out(collection).directions
    assert [len(directions[name].source_rows) for name in ("all", "image->text", "audio->image")] == [25, 10, 10]
    assert len(directions["audio->image"].target_rows) == 25
    assert directions["image->text"].unasked == 15
    again = held_out(collection).directions["image->text"]
    assert np.array_equal(directions["image->text"].source_rows, again.source_rows)


def test_no_media_are_read(collection, monkeypatch):
    def refuse(*_):
        raise AssertionError("an item was read")

    monkeypatch.setattr(Collection, "item", refuse)
    monkeypatch.setattr(Collection, "items", refuse)
    rows = held_out(collection).rows()
    assert {key: len(found) for key, found in rows.items()} == {
        ("queries", "source"): 25, ("queries", "target"): 25, ("corpus", "source"): 50, ("corpus", "target"): 50,
    }  # fmt: skip


def test_a_collection_with_nothing_held_out_says_so(workspace, build):
    collection = build(
        workspace, "small", [Item(text="q", id="q")], [Item(text="d", id="d")], [("q", "d", 1.0, "train")]
    )
    with pytest.raises(WorkbenchError, match="no held-out judgements"):
        held_out(collection)
