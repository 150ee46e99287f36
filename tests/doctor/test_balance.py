"""Collections that lean to one side, or were brought the wrong way round."""

from __future__ import annotations

import random

from tests.conftest import png_bytes
from tests.doctor.making import found, judgement, make, text_pairs, words
from workbench.collection.store import Item, open_collection
from workbench.doctor.balance import find_direction
from workbench.doctor.check import check_collection
from workbench.doctor.examined import Examined
from workbench.doctor.fixes import fix
from workbench.workspace import Workspace


def test_sides_that_are_turned_round_are_found_and_turned_back(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    turned = [(document, query, *rest) for query, document, *rest in judgements]
    (finding,) = found(make(workspace, corpus, queries, turned))
    assert (finding.kind, finding.severity, finding.count) == ("direction", "hurts", 1)
    assert "the usual query has 40 words and the usual document 8" in finding.sentence
    check_collection(workspace, "made")
    assert "Turned the collection round" in fix(workspace, "made", "direction")
    assert fix(workspace, "made", "direction") == "Nothing was left to mend."
    mended = open_collection(workspace, "made")
    assert found(mended) == []
    assert set(mended.queries["id"][:]) == set(queries)


def test_turning_round_draws_a_split_anew_that_would_leak(workspace: Workspace) -> None:
    """Split by query, documents are shared: turned round, those would be queries of train and eval."""
    chance = random.Random(0)
    passages = {f"p{number}": words(60, chance) for number in range(40)}
    questions = {f"a{number}": words(6, chance) for number in range(20)}
    judgements = [
        judgement(f"p{number}", f"a{(number + step) % 20}", split="eval" if number < 8 else "train")
        for number in range(40)
        for step in range(2)
    ]
    make(workspace, passages, questions, judgements, method="query")
    check_collection(workspace, "made")
    fix(workspace, "made", "direction")
    turned = open_collection(workspace, "made")
    assert found(turned) == []
    held = set(turned.judged("eval").queries)
    assert held and not held & set(turned.judged("train").queries)
    assert turned.card.split["method"] == "query"
    assert f"{len(held)} queries are held out" in turned.card.split["sentence"]


def test_a_text_on_both_sides_stays_in_one_split_when_they_are_turned(workspace: Workspace) -> None:
    chance = random.Random(0)
    passages = {f"p{number}": words(60, chance) for number in range(60)}
    answers = {f"a{number}": words(6, chance) for number in range(60)}
    shared = {f"p{number}": passages[f"p{number}"] for number in range(1, 60, 3)}
    rows = [judgement(f"p{number}", f"a{number}") for number in range(60)]
    rows += [judgement(f"p{number - 1}", f"p{number}", split="eval") for number in range(1, 60, 3)]
    make(workspace, passages, {**answers, **shared}, rows, method="query")
    check_collection(workspace, "made")
    fix(workspace, "made", "direction")
    table = open_collection(workspace, "made").judgements[:]
    seen: dict[str, set[str]] = {"train": set(), "eval": set()}
    for query, document, split in zip(table["query"], table["document"], table["split"], strict=True):
        seen[split] |= {query, document}
    assert seen["eval"] and not seen["eval"] & seen["train"]


def test_one_long_text_for_many_short_ones_is_turned_round(workspace: Workspace) -> None:
    chance = random.Random(1)
    passages = {f"p{number}": words(25, chance) for number in range(20)}
    questions = {f"a{number}": words(7, chance) for number in range(100)}
    rows = [judgement(f"p{number % 20}", f"a{number}", split="train") for number in range(100)]
    assert [finding.kind for finding in found(make(workspace, passages, questions, rows))] == ["direction"]


def test_class_labels_in_place_of_captions_are_worth_knowing(workspace: Workspace) -> None:
    labels = {f"l{number}": name for number, name in enumerate(["cat", "dog", "bird", "red fox"])}
    pictures = {f"p{number}": Item(image=png_bytes((number, 0, 0))) for number in range(80)}
    rows = [judgement(f"l{number % 4}", f"p{number}", split="train") for number in range(80)]
    (finding,) = found(make(workspace, labels, pictures, rows), "direction")
    assert (finding.severity, finding.fixable, finding.count) == ("note", False, 4)
    assert finding.sentence.startswith("4 short texts ask for 80 documents: that looks like class labels")


def test_what_is_said_of_labels_is_about_all_of_them_however_many_pairs(workspace: Workspace) -> None:
    corpus = {f"d{number}": words(9, random.Random(number)) for number in range(800)}
    labels = {f"l{number}": f"label {number}" for number in range(30)}
    rows = [judgement(label, document, split="train") for label in labels for document in corpus]
    (finding,) = find_direction(Examined(make(workspace, labels, corpus, rows)))
    assert finding.sentence.startswith("30 short texts ask for 800 documents")
    assert (finding.count, finding.detail["labels"]) == (30, 30)

    many = {f"l{number}": f"label {number}" for number in range(250)}
    rows = [judgement(label, f"d{number}", split="train") for label in many for number in range(100)]
    assert not list(find_direction(Examined(make(workspace, many, corpus, rows, name="many"))))


def test_short_queries_with_long_answers_are_as_they_should_be(workspace: Workspace) -> None:
    chance = random.Random(2)
    queries = {f"q{number}": words(2, chance) for number in range(300)}
    corpus = {f"d{number}": words(80, chance) for number in range(600)}
    rows = [judgement(f"q{number % 300}", f"d{number}", split="train") for number in range(600)]
    assert found(make(workspace, queries, corpus, rows)) == []


def test_a_document_that_answers_nearly_everything_is_an_imbalance(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(300)
    judgements += [judgement(f"q{number}", "d11") for number in range(300) if number % 10 and number != 11]
    (finding,) = found(make(workspace, queries, corpus, judgements))
    assert (finding.kind, finding.side, finding.groups) == ("imbalance", "corpus", [["d11"]])
    assert "1 document holds 47% of the relevant judgements, up to 270 each" in finding.sentence


def test_a_large_class_among_small_ones_is_an_imbalance(workspace: Workspace) -> None:
    queries = {f"q{number}": words(5, random.Random(number)) for number in range(10)}
    corpus = {f"d{number}": words(30, random.Random(1000 + number)) for number in range(300)}
    rows = [
        judgement("q0" if number >= 90 else f"q{number % 10}", f"d{number}", split="train") for number in range(300)
    ]
    (finding,) = found(make(workspace, queries, corpus, rows), "imbalance")
    assert finding.groups == [["q0"]]


def test_unjudged_and_empty_collections_are_no_fault(workspace: Workspace) -> None:
    _, corpus, _ = text_pairs(20)
    assert found(make(workspace, {}, corpus, [], method="none")) == []
    assert found(make(workspace, {}, {}, [], method="none", name="empty")) == []
