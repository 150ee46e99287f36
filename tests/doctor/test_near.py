"""What is nearly the same is found among very many, and nothing else."""

from __future__ import annotations

import random
import time

import pytest

from tests.doctor.making import words
from workbench.doctor.near import near_text_groups, normalised, same_groups, without_marks


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A  red\tcircle ", "a red circle"),
        ("Straße", "STRASSE"),
        ("ﬁne", "fine"),
        ("e\u0301te\u0301", "été"),
        ("ＡＢＣ１", "abc1"),
    ],
)
def test_texts_are_the_same_but_for_case_spaces_and_unicode_form(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a red circle", "a blue circle"),
        ("a large red star left of a blue ring on mint", "a large red star right of a blue ring on mint"),
        ("c++", "c#"),
        ("-5", "5"),
        ("3.5", "35"),
        ("dog bites man", "man bites dog"),
        ("the who", "who"),
        ("左边的红色圆圈在蓝色方块上面", "右边的红色圆圈在蓝色方块上面"),
        ("!", "?"),
    ],
)
def test_short_texts_that_mean_something_else_are_not_near(one: str, other: str) -> None:
    assert near_text_groups([one, other]) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a red circle.", "a red circle"),
        ("“how do bees fly?”", "how do bees fly"),
        ("the dog on the beach", "a dog on a beach"),
    ],
)
def test_texts_that_differ_in_marks_or_articles_are_near(one: str, other: str) -> None:
    assert near_text_groups([one, other]) == [[0, 1]]


def test_a_long_text_with_one_word_changed_is_near_and_with_five_is_not() -> None:
    long = words(100, random.Random(1)).split()
    one, five = long.copy(), long.copy()
    one[50] = "changed"
    five[10::20] = ["changed"] * 5
    assert near_text_groups([" ".join(long), " ".join(five), " ".join(one)]) == [[0, 2]]


def test_in_a_text_of_forty_words_one_may_be_added_and_none_replaced() -> None:
    text = words(40, random.Random(1)).split()
    assert near_text_groups([" ".join(text), " ".join([*text, "more"])]) == [[0, 1]]
    assert near_text_groups([" ".join(text), " ".join(["other", *text[1:]])]) == []


def test_long_texts_with_other_numbers_in_them_are_not_near() -> None:
    invoice = words(100, random.Random(2))
    assert near_text_groups([f"{invoice} invoice 1204", f"{invoice} invoice 1205"]) == []


def test_every_member_of_a_group_is_near_its_first() -> None:
    """A chain of small steps leads far away; its end is no duplicate of its beginning."""
    chain = [words(100, random.Random(3)).split()]
    for step in range(30):
        chain.append([*chain[-1][:step], f"new{'abcdefghij'[step % 10]}x", *chain[-1][step + 1 :]])
    groups = near_text_groups([" ".join(text) for text in chain])
    assert groups
    for group in groups:
        for other in group[1:]:
            one, two = (set(zip(text, text[1:], text[2:], strict=False)) for text in (chain[group[0]], chain[other]))
            assert len(one & two) >= 0.9 * len(one | two)


def test_twenty_thousand_texts_are_searched_in_seconds() -> None:
    chance = random.Random(4)
    texts = [words(60, chance) for _ in range(20_000)]
    texts[15_000] = texts[3] + " once"
    started = time.process_time()
    assert near_text_groups(texts) == [[3, 15_000]]
    assert time.process_time() - started < 15


def test_many_texts_from_one_template_take_no_longer() -> None:
    letter = words(100, random.Random(5))
    texts = [f"{letter} number {number}" for number in range(3_000)]
    started = time.process_time()
    assert near_text_groups(texts) == []
    assert time.process_time() - started < 15


def test_same_groups_leave_out_what_has_no_key() -> None:
    assert same_groups(["a", None, "b", "a", "", None, ""]) == [[0, 3]]


def test_articles_stay_in_names() -> None:
    assert without_marks("the who") == "the who"
