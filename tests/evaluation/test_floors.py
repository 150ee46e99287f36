from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation.conftest import make_collection
from workbench.collection.store import Item
from workbench.errors import Stopped
from workbench.evaluation import floors as module
from workbench.evaluation.floors import by_chance, floors
from workbench.evaluation.held_out import held_out
from workbench.evaluation.statistics import compare

COUNT, HELD = 40, 30
MEASURES = ("ndcg@10", "recall@10")


@pytest.fixture
def texts(workspace):
    """Questions and passages that share one rare word; every third question shares none."""
    questions = [Item(text=f"who is {'w' if n % 3 else 'nobody'}{n}", id=f"q{n:02}") for n in range(COUNT)]
    passages = [Item(text=f"this is w{n}", id=f"d{n:02}") for n in range(COUNT)]
    split = ["eval" if n >= COUNT - HELD else "train" for n in range(COUNT)]
    return make_collection(
        workspace, "texts", questions, passages, [(f"q{n:02}", f"d{n:02}", 1.0, split[n]) for n in range(COUNT)]
    )


def rows_of(found, model):
    return {row["direction"]: row for row in found.rows if row["model"] == model}


def test_full_text_finds_what_shares_a_word_and_guessing_next_to_nothing(texts):
    held = held_out(texts)
    found = floors(texts, held, MEASURES)
    asked = held.directions["all"].source_rows
    shares = asked % 3 != 0
    by_words = found.ndcg["bm25", "all"]
    assert np.array_equal(by_words[shares], np.ones(shares.sum()))
    # Without the rare word all passages are equal in “is”, and the first ten by id come first.
    assert (by_words[~shares][4:] == 0).all()
    row = rows_of(found, "bm25")["all"]
    assert (row["queries"], row["documents"]) == (HELD, HELD) and set(row["metrics"]) == set(MEASURES)
    assert row["metrics"]["ndcg@10"] == pytest.approx(by_words.mean())
    low, high = row["interval"]
    assert low < by_words.mean() < high
    assert rows_of(found, "random")["all"]["metrics"]["recall@10"] == pytest.approx(10 / HELD, abs=0.05)
    assert compare(found.ndcg["random", "all"], by_words)["verdict"] == "better"


def test_only_where_both_sides_have_words_is_full_text_asked(collection):
    found = floors(collection, held_out(collection), MEASURES)
    assert rows_of(found, "bm25") == {}
    assert list(rows_of(found, "random")) == list(held_out(collection).directions)


def test_a_corpus_of_texts_and_pictures_is_searched_by_its_texts(workspace):
    questions = [Item(text=f"who is w{n}", id=f"q{n}") for n in range(6)]
    documents = [
        Item(text=f"this is w{n}", id=f"d{n}") if n % 2 else Item(image=b"x%d" % n, id=f"d{n}") for n in range(6)
    ]
    mixed = make_collection(
        workspace, "mixed", questions, documents, [(f"q{n}", f"d{n}", 1.0, "eval") for n in range(6)]
    )
    found = floors(mixed, held_out(mixed), MEASURES)
    assert found.ndcg["bm25", "all"].tolist() == [0, 1, 0, 1, 0, 1]
    assert set(rows_of(found, "bm25")) == {"all", "text->text"}


def test_guessing_is_what_chance_gives_and_the_same_every_time(build, workspace):
    """Each of n documents is at each rank with chance 1/n, so NDCG@10 is Σ gain / n · Σ discount / ideal."""
    questions = [Item(text=f"q {n}", id=f"q{n:02}") for n in range(20)]
    documents = [Item(text=f"d {n}", id=f"d{n:02}") for n in range(25)]
    judgements = [
        (f"q{n:02}", f"d{(n + step) % 25:02}", gain, "eval") for n in range(20) for step, gain in ((0, 3.0), (1, 1.0))
    ]
    graded = build(workspace, "graded", questions, documents, judgements)
    direction = held_out(graded).directions["all"]
    discounts = 1 / np.log2(np.arange(2, 12))
    expected = 4 / len(direction.target_rows) * discounts.sum() / (3 + discounts[1])
    found = by_chance(direction, MEASURES, draws=400)
    assert found["ndcg@10"].mean() == pytest.approx(expected, abs=0.01)
    assert found["recall@10"].mean() == pytest.approx(10 / len(direction.target_rows), abs=0.01)
    assert np.array_equal(by_chance(direction, MEASURES)["ndcg@10"], by_chance(direction, MEASURES)["ndcg@10"])
    assert len(set(by_chance(direction, MEASURES)["ndcg@10"])) > 5, "the mean of many draws, not one"


def test_of_many_queries_a_sample_is_asked_and_says_so(texts, monkeypatch):
    monkeypatch.setattr(module, "MOST_ASKED", 12)
    whole = held_out(texts)
    found = floors(texts, whole, MEASURES)
    values = found.ndcg["bm25", "all"]
    assert np.isfinite(values).sum() == 12 and len(values) == HELD
    assert rows_of(found, "bm25")["all"]["queries"] == 12
    asked = np.isfinite(values)
    monkeypatch.undo()
    assert np.array_equal(floors(texts, whole, MEASURES).ndcg["bm25", "all"][asked], values[asked])
    assert rows_of(found, "random")["all"]["queries"] == HELD
    assert compare(values, np.ones(HELD))["queries"] == 12


def test_a_direction_that_is_another_one_is_not_asked_again_and_progress_may_stop_it(texts, monkeypatch):
    seen = []
    floors(texts, held_out(texts), MEASURES, progress=lambda *step: seen.append(step))
    assert [step[0] for step in seen] == list(range(1, HELD + 1))
    assert seen[-1][1] == HELD, "`all` is `text->text` here"

    def stop(done, total, note):
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        floors(texts, held_out(texts), MEASURES, progress=stop)
