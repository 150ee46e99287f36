"""Texts: copies, lengths, scripts and personal data, and nothing said of what is as it should be."""

from __future__ import annotations

import random

import pytest

from tests.doctor.making import found, judgement, make, text_pairs, words
from tests.doctor.planting import encoded, photo
from workbench.collection.store import Item
from workbench.doctor.examples import in_words
from workbench.doctor.texts import script_of
from workbench.workspace import Workspace


def test_twins_with_the_same_answers_are_worth_knowing_and_others_hurt(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    queries["alike"] = queries["q11"].upper()
    judgements.append(judgement("alike", "d11"))
    alike = make(workspace, queries, corpus, judgements)
    apart = make(workspace, queries, corpus, [*judgements, judgement("alike", "d12")], name="apart")
    assert [(one.kind, one.severity) for one in found(alike)] == [("exact-duplicate", "note")]
    assert [(one.kind, one.severity) for one in found(apart)] == [("exact-duplicate", "hurts")]
    assert in_words(alike, found(alike)[0]) == [f"“{queries['q11']}” = “{queries['alike']}”"]


def test_a_text_on_both_sides_is_no_duplicate(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    corpus["copy"] = queries["q11"]
    assert found(make(workspace, queries, corpus, judgements)) == []


def test_items_of_several_modalities_are_not_the_same_for_their_text_alone(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    items: dict[str, str | Item] = {
        key: Item(text="the same words", image=encoded(photo(number, (96, 72)))) for number, key in enumerate(corpus)
    }
    assert found(make(workspace, queries, items, judgements)) == []


def test_near_copies_bring_their_exact_copies_along(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    corpus |= {"near": f"{corpus['d5']} indeed", "exact": f"{corpus['d5']} INDEED"}
    (near,) = found(make(workspace, queries, corpus, judgements), "near-duplicate")
    assert near.groups == [["d5", "near", "exact"]]


def test_many_short_queries_are_how_they_are(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    for number in range(0, 60, 6):
        queries[f"q{number}"] = queries[f"q{number}"].split()[0]
    assert found(make(workspace, queries, corpus, judgements), "length") == []


def test_one_word_among_sentences_and_bare_punctuation_say_hardly_anything(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    queries |= {"q7": "bees", "q8": "?!", "q9": "🐝 🌻 🐝 🌻"}
    (finding,) = found(make(workspace, queries, corpus, judgements), "length")
    assert finding.groups == [["q7"], ["q8"]]
    assert finding.fixable


def test_labels_of_one_word_are_fine_among_labels(workspace: Workspace) -> None:
    corpus = {f"d{number}": words(30, random.Random(number)) for number in range(40)}
    queries = {f"q{number}": words(1, random.Random(100 + number)) for number in range(40)}
    rows = [judgement(f"q{number}", f"d{number}") for number in range(40)]
    assert found(make(workspace, queries, corpus, rows)) == []


def test_scripts_are_counted_where_there_are_several(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    corpus |= {
        "d5": "Москва — столица России",
        "d6": "東京は日本の首都です",
        "d7": "서울은 한국의 수도이다",
        "d8": "42 43 44",
    }
    (finding,) = found(make(workspace, queries, corpus, judgements), "length")
    assert finding.detail["scripts"] == {"Latin": 56, "Cyrillic": 1, "Chinese or Japanese": 1, "Hangul": 1}
    assert "3 documents are written in Cyrillic (1), Chinese or Japanese (1) and Hangul (1)" in finding.sentence
    assert not finding.fixable


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("naïve café", "Latin"),
        ("Ελλάδα and more", "Greek"),
        ("ひらがなとカタカナ", "Chinese or Japanese"),
        ("مرحبا", "Arabic"),
        ("12 €", ""),
        ("π", ""),
    ],
)
def test_the_script_of_a_text_is_that_of_most_of_its_letters(text: str, script: str) -> None:
    if text.startswith("Ελλ"):
        text = "Ελλάδα a"
    assert script_of(text) == script


def test_personal_data_is_counted_by_kind_and_never_shown(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    queries["q5"] += " jane.doe@acme.com or john@acme.com"
    items: dict[str, str | Item] = {**corpus, "d6": Item(text="call +49 30 1234567", image=b"-")}
    collection = make(workspace, queries, items, judgements)
    first, second = found(collection, "personal-data")
    assert first.sentence == "1 query holds personal data: 2 e-mail addresses."
    assert second.sentence == "1 document holds personal data: 1 phone number."
    shown = str([first.as_json(), second.as_json(), in_words(collection, first), in_words(collection, second)])
    assert not any(secret in shown for secret in ("jane", "john", "acme", "1234567"))


def test_personal_data_in_metadata_is_told_by_its_column(workspace: Workspace) -> None:
    queries, corpus, judgements = text_pairs(60)
    meta = {"author": "jane.doe@acme.com", "id": 4539578763621486, "year": 2023}
    items: dict[str, str | Item] = {**corpus, "d6": Item(text=corpus["d6"], meta=meta)}
    (finding,) = found(make(workspace, queries, items, judgements))
    assert finding.sentence == "The metadata of 1 document (“author”) holds personal data: 1 e-mail address."
    assert not finding.fixable and "jane" not in str(finding.as_json())
