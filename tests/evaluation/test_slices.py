"""Slices: which groups are made of the held-out queries, and what is said of each."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from workbench.collection.store import Item
from workbench.evaluation.held_out import ALL, held_out
from workbench.evaluation.slices import groups, slices

COUNT = 80
TEXTS = (
    "the old harbour in the evening light with boats",
    "der alte Hafen im Abendlicht mit vielen kleinen Booten",
)


def text_of(number):
    return f"{TEXTS[number % 2]} {number}" if number % 4 else f"boat {number}"


@pytest.fixture
def made(workspace, build):
    """Queries of two languages and lengths; documents with a city, a year and a link; a third of them trained on."""
    queries = [Item(text=text_of(n), id=f"q{n:03}", meta={"asked by": "me" if n < 8 else "you"}) for n in range(COUNT)]
    documents = [
        Item(
            image=f"picture {n}".encode(),
            id=f"d{n:03}",
            meta={"city": ("Rome", "Bonn")[n % 2], "year": 1900 + n, "link": f"http://x/{n}", "tags": ["a"]},
        )
        for n in range(COUNT)
    ]
    judgements = [(f"q{n:03}", f"d{n:03}", 1.0, "eval" if n % 5 else "train") for n in range(COUNT)]
    judgements += [(f"q{n:03}", f"d{n + 1:03}", 1.0, "train") for n in range(0, COUNT, 10)]
    judgements += [("q000", "d002", 1.0, "train", "mined")]
    return build(workspace, "made", queries, documents, judgements, method="query")


def found(made):
    return {family: Counter(labels.tolist()) for family, labels in groups(made, held_out(made).directions[ALL])}


def test_every_family_has_its_groups(made):
    families = found(made)
    asked = [n for n in range(COUNT) if n % 5]
    assert families["modality"] == {"text": 64}
    assert families["answer"] == {"image": 64}
    assert families["length"] == Counter("1 to 3 words" if n % 4 == 0 else "9 to 20 words" for n in asked)
    assert families["language"]["English"] == sum(n % 4 == 2 for n in asked)
    assert families["language"]["German"] == sum(n % 2 for n in asked)
    assert families["seen"] == {"an answer was seen in training": 8, "answers are new": 56}, "mined ones do not count"
    assert families["query: asked by"] == Counter("me" if n < 8 else "you" for n in asked)
    assert families["document: city"] == {"Rome": 32, "Bonn": 32}
    assert len(families["document: year"]) == 4 and set(families["document: year"].values()) == {16}
    assert set(families["document: tags"]) == {""}
    assert "document: link" not in families, "of many values that are no numbers nothing can be made"


def test_a_group_in_which_a_model_is_worse_is_found_and_small_ones_say_so(made):
    direction = held_out(made).directions[ALL]
    rng = np.random.default_rng(0)
    base = rng.uniform(0.3, 0.7, len(direction.source_rows))
    rome = dict(groups(made, direction))["document: city"] == "Rome"
    tuned = base + np.where(rome, -0.1, 0.1) + rng.normal(0, 0.02, len(base))
    rows = slices(made, direction, {"base": base, "tuned": tuned})
    told = {(row["family"], row["value"], row["model"]): row for row in rows}
    assert "modality" not in {row["family"] for row in rows}, "one group is no slice"
    for city, chosen, verdict in (("Rome", rome, "worse"), ("Bonn", ~rome, "better")):
        row = told["document: city", city, "tuned"]
        assert row["comparison"]["verdict"] == verdict and row["comparison"]["p_holm"] >= row["comparison"]["p"]
        assert row["queries"] == 32 and not row["small"]
        assert row["ndcg@10"] == pytest.approx(tuned[chosen].mean())
        assert row["interval"][0] < row["ndcg@10"] < row["interval"][1]
        assert "comparison" not in told["document: city", city, "base"]
    assert told["seen", "an answer was seen in training", "base"]["small"]


def test_a_collection_of_pictures_alone_has_no_slices_of_words(workspace, build):
    items = [[Item(image=f"{side}{n}".encode(), id=f"{side}{n}") for n in range(6)] for side in "qd"]
    made = build(workspace, "seen", *items, [(f"q{n}", f"d{n}", 1.0, "eval") for n in range(6)])
    direction = held_out(made).directions[ALL]
    assert slices(made, direction, {"one": np.ones(6)}) == []
