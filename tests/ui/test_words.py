"""Numbers and nouns in the page's words."""

from __future__ import annotations

import math
from pathlib import Path

import gradio as gr
import pytest

from workbench.collection.store import Card
from workbench.ui import page, train_views, words
from workbench.ui.page import tell


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.6, "1 min"), (432, "7 min 12 s"), (11_100, "3 h 5 min"), (None, "–"), (math.nan, "–")],
)
def test_durations_are_said_with_their_two_largest_units(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(("count", "said"), [(512, "512 B"), (51.2e9, "51.2 GB"), (999.4e3, "999 kB"), (3e12, "3 TB")])
def test_sizes_are_decimal(count: float, said: str) -> None:
    assert words.size(count) == said


def test_differences_carry_a_real_minus_sign() -> None:
    assert words.signed(-0.004) == "−0.004"
    assert words.interval([-0.001, 0.009]) == "[−0.001, 0.009]"


@pytest.mark.parametrize(
    ("noun", "plural"),
    [
        ("query", "queries"),
        ("photo", "photos"),
        ("box", "boxes"),
        ("picture or tune", "pictures or tunes"),
        ("id_2", "id_2"),
    ],
)
def test_the_users_nouns_get_a_plural(noun: str, plural: str) -> None:
    assert words.count(2, noun) == f"2 {plural}"


def test_directions_and_modalities_are_said_in_words() -> None:
    assert words.direction("text->image") == "text → picture"
    assert words.direction("all") == "as uploaded"
    assert words.modality("text+image") == "text and picture"


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, "–"), (42.2, "42 s"), (203, "3 min 20 s"), (2271, "38 min"), (11_109, "3 h 5 min")]
)
def test_what_is_left_is_said_no_finer_than_it_is_known(seconds: float | None, said: str) -> None:
    assert words.remaining(seconds) == said


def test_a_run_is_called_by_its_name_in_the_lesson() -> None:
    spec = {
        "kind": "reranker", "first_stage": "run:mine", "objective_words": "",
        "settings": {"negatives_per_query": 2, "matryoshka": False},
    }  # fmt: skip
    said = train_views.lesson_words(Card("demo"), spec, {})
    assert "those that mine took for right" in said


def test_a_short_message_shows_names_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Info", lambda words, **_: said.append(words))
    tell("Taken back: <img src=x onerror=alert(1)>.")
    assert said == ["Taken back: &lt;img src=x onerror=alert(1)&gt;."]
    sources = {path.name: path.read_text() for path in Path(page.__file__).parent.rglob("*.py")}
    assert [name for name, text in sources.items() if "gr.Info(" in text or "gr.Warning(" in text] == ["page.py"]
