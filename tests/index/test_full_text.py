from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from workbench.index import full_text as module
from workbench.index.full_text import NOT_FOUND, FullText, _found, full_text

TEXTS = [
    "apple pie", "pear and not", "日本語の文章", "กินข้าว ภาษาไทย", 'a "quote" inside', "", None, "apple apple", "Café",
    "text:apple", "(NOT)", "w" * 60,
]  # fmt: skip


@pytest.fixture(scope="module")
def words() -> Iterator[FullText]:
    with full_text(TEXTS) as ready:
        yield ready


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("apple", [7, 0, 9]), ('"apple pie"', [0, 7, 9]), ("app*", []), ("apple AND NOT pie", [0, 1, 7, 9, 10]),
        ("+pie -apple", [0, 7, 9]), ("pie~2 peer~", [0]), ("(apple", [7, 0, 9]), ("apple^9", [7, 0, 9]),
        ('{"match": {"query": "pie"}}', [0]), ("cafe", [8]), ("日本語", [2]), ("ภาษาไทย", [3]), ("w" * 60, [11]),
        ('"', []), ("*", []), ("\\", []), (" \n", []), ("\x00", []), ("' OR 1=1; DROP TABLE texts --", []),
        ("", []), ("apple " * 3000, [7, 0, 9]),
    ],
)  # fmt: skip
def test_what_somebody_wrote_is_words_and_no_syntax(words: FullText, query: str, right: list[int]) -> None:
    assert sorted(place for place in words.rank(query, 5).tolist() if place != NOT_FOUND) == sorted(right)


def test_scores_are_those_of_bm25() -> None:
    random = np.random.default_rng(0)
    chances = 1 / np.arange(1, 61)
    words = np.array([f"w{number}" for number in range(60)])
    drawn = [random.choice(words, random.integers(2, 20), p=chances / chances.sum()).tolist() for _ in range(300)]
    counts = [Counter(text) for text in drawn]
    frequency = Counter(word for count in counts for word in count)
    mean = np.mean([len(text) for text in drawn])

    def score(query: list[str], place: int) -> float:
        total = 0.0
        for word in query:
            rarity = math.log(1 + (300 - frequency[word] + 0.5) / (frequency[word] + 0.5))
            times = counts[place][word]
            total += rarity * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * len(drawn[place]) / mean))
        return total

    with full_text([" ".join(text) for text in drawn]) as table:
        for query in (["w3", "w17"], ["w0"], ["w40", "w1", "w9"]):
            scores, places = _found(table._table, "position", " ".join(query), 300)
            assert len(places) > 10
            assert np.allclose(scores, [score(query, place) for place in places.tolist()], atol=1e-5)


def test_of_equal_scores_the_earlier_position_comes_first_however_many_are_tied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TIED", 2)
    random = np.random.default_rng(1)
    texts = ["same words" if one < 0.7 else "same same words" for one in random.random(400)]
    longer = [place for place, text in enumerate(texts) if text.startswith("same same")]
    shorter = [place for place, text in enumerate(texts) if not text.startswith("same same")]
    with full_text(texts) as words:
        assert words.rank("same", 10).tolist() == longer[:10]
        assert words.rank("words", 10).tolist() == shorter[:10]
        assert words.rank("same", 200).tolist() == [*longer, *shorter][:200]


def test_fewer_texts_than_asked_for_are_filled_up(words: FullText) -> None:
    assert words.rank("pie", 3).tolist() == [0, NOT_FOUND, NOT_FOUND]
    for texts in ([], ["", None]):
        with full_text(texts) as none:
            assert none.rank("pie", 2).tolist() == [NOT_FOUND, NOT_FOUND]


def test_texts_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 3)
    with full_text(f"number{place}" for place in range(10)) as words:
        assert [words.rank(f"number{place}", 1).tolist() for place in (0, 2, 3, 9)] == [[0], [2], [3], [9]]


def test_nothing_is_left_behind_also_when_the_work_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(KeyError), full_text(TEXTS) as words:
        assert words.rank("pie", 1).tolist() == [0] and list(tmp_path.iterdir())
        raise KeyError
    assert list(tmp_path.iterdir()) == []
