"""The parts of a document that carry its score, on planted data: the truth is known before it is asked for."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest

from tests.conftest import png_bytes, wav_bytes
from workbench import media
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.explain import sounds, texts, why
from workbench.explain.parts import Part


class Planted:
    """A score that follows from the content by a rule; it counts what it is asked."""

    def __init__(self, rule: Callable[[Item], float]) -> None:
        self.rule = rule
        self.asked = 0
        self.most_at_once = 0

    def __call__(self, documents: Sequence[Item]) -> np.ndarray:
        self.asked += len(documents)
        self.most_at_once = max(self.most_at_once, len(documents))
        return np.array([self.rule(document) for document in documents])

    def ask(self, queries: Sequence[Item], document: Item) -> np.ndarray:
        self.asked += len(queries)
        return np.array([self.rule(query) for query in queries])


def strongest(parts: Sequence[Part]) -> Part:
    return max(parts, key=lambda part: part.drop)


def test_the_one_word_that_matters_carries_the_score_wherever_it_stands() -> None:
    text = "The Lamp is on the table, and the lamp is green."
    found = why(Planted(lambda item: 0.2 + 0.6 * ("lamp" in (item.text or "").lower())), Item(text=text))
    assert found.score == pytest.approx(0.8)
    lamp = strongest(found.parts)
    assert (lamp.label, lamp.strength, lamp.drop) == ("Lamp", 1.0, pytest.approx(0.6))
    assert [text[start:end] for start, end in lamp.places] == ["Lamp", "lamp"]
    assert all(part.strength == 0 for part in found.parts if part is not lamp)
    assert [part.label for part in found.strongest("word")] == ["Lamp"]


def test_a_word_that_spoils_the_score_is_told_from_one_that_carries_it() -> None:
    def rule(item: Item) -> float:
        return 0.5 + 0.4 * ("red" in (item.text or "")) - 0.2 * ("not" in (item.text or ""))

    parts = {part.label: part.strength for part in why(Planted(rule), Item(text="it is not a red thing")).parts}
    assert parts["red"] == 1.0
    assert parts["not"] == pytest.approx(-0.5)


@pytest.mark.parametrize("where", [0, 150, 299])
def test_in_a_long_text_the_sentence_is_found_and_then_the_word(where: int) -> None:
    sentences = [f"Number {number} speaks of things like {number * 7}." for number in range(300)]
    sentences[where] = "Here the heron stands in water."
    score = Planted(lambda item: float("heron" in (item.text or "")))
    found = why(score, Item(text=" ".join(sentences)))
    assert "heron" in strongest(found.of("passage")).label
    assert strongest(found.of("word")).label == "heron"
    assert found.scored == score.asked <= 1 + texts.MOST_PASSAGES + texts.MOST_WORDS
    assert score.most_at_once <= 16


def test_a_long_text_without_sentences_is_cut_between_words() -> None:
    words = [f"w{number}" for number in range(200)]
    found = why(Planted(lambda item: float("w123" in (item.text or "").split())), Item(text=" ".join(words)))
    assert strongest(found.of("word")).label == "w123"


def test_a_text_without_spaces_is_taken_letter_by_letter() -> None:
    found = why(Planted(lambda item: float("红" in (item.text or ""))), Item(text="一个红色的圆"))
    assert strongest(found.parts).label == "红"


@pytest.mark.parametrize("text", ["lamp", "…", "?!"])
def test_a_text_of_one_word_or_none_is_not_taken_apart(text: str) -> None:
    found = why(Planted(lambda item: 0.5), Item(text=text))
    assert [part.label for part in found.parts] == (["lamp"] if text == "lamp" else [])
    assert found.scored == 1


def red_share(item: Item, left: float, top: float, right: float, bottom: float) -> float:
    pixels = np.asarray(media.decode_image(item.image or b"")).astype(float)
    height, width, _ = pixels.shape
    part = pixels[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    return float(part[..., 0].mean() - part[..., 1].mean()) / 255


def striped() -> bytes:
    """Blue with a red square in the top right quarter, of the size of a sixty-fourth."""
    from PIL import Image

    picture = Image.new("RGB", (160, 120), (30, 40, 200))
    picture.paste((220, 20, 20), (120, 15, 140, 30))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_the_quarter_of_a_picture_that_matters_is_hot_and_the_rest_is_cold() -> None:
    score = Planted(lambda item: red_share(item, 0.5, 0, 1, 0.5))
    found = why(score, Item(image=striped()))
    inside = [part for part in found.parts if part.box and part.box[0] >= 0.5 and part.box[1] < 0.5]
    assert sum(part.drop > 0 for part in inside) >= 1
    # A red square covered with the mean colour, which is nearly blue.
    assert strongest(found.parts) in inside
    assert all(part.strength <= 0.01 for part in found.parts if part not in inside)
    assert found.scored == score.asked <= 1 + 16 + 2 * 16


def test_the_heat_is_refined_to_the_spot() -> None:
    found = why(Planted(lambda item: red_share(item, 0, 0, 1, 1)), Item(image=striped()))
    hot = strongest(found.parts)
    assert hot.box == pytest.approx((0.8125, 0.1875, 0.0625, 0.0625), abs=0.07)
    assert hot.label == "top right"
    areas = sum(part.box[2] * part.box[3] for part in found.parts if part.box)
    assert areas == pytest.approx(1.0)


def test_a_picture_of_which_no_part_matters_says_so() -> None:
    found = why(Planted(lambda item: 0.3), Item(image=png_bytes()))
    assert not found.strongest("box")
    assert found.notes and all(part.strength == 0 for part in found.parts)


def test_the_second_that_matters_is_found() -> None:
    def loud(item: Item) -> float:
        samples, rate = media.decode_audio(item.audio or b"")
        return float(np.abs(samples[round(1.5 * rate) : round(2.0 * rate)]).mean())

    found = why(Planted(loud), Item(audio=wav_bytes(seconds=4.0)))
    carrying = [part.span for part in found.parts if part.strength > 0.1]
    assert carrying == [(1.5, 1.75), (1.75, 2.0)]
    assert found.scored == 1 + 16


@pytest.mark.parametrize("seconds", [0.03, 0.5, 7.3, 31.9, 3599.0, 9000.0])
def test_the_windows_of_a_sound_cover_it_once(seconds: float) -> None:
    spans = sounds.windows(seconds)
    assert len(spans) <= sounds.MOST_WINDOWS
    assert spans[0][0] == 0 and spans[-1][1] == pytest.approx(seconds, abs=1e-3)
    assert all(end == start for (_, end), (start, _) in pairwise(spans))


def test_a_document_of_words_and_a_picture_is_explained_by_both() -> None:
    def rule(item: Item) -> float:
        return red_share(item, 0, 0, 1, 1) + 0.3 * ("red" in (item.text or ""))

    found = why(Planted(rule), Item(text="a red square", image=striped()))
    assert strongest(found.of("word")).label == "red"
    assert strongest(found.of("box")).label == "top right"


def test_the_words_of_the_query_are_weighed_too() -> None:
    found = why(Planted(lambda item: float("red" in (item.text or ""))), Item(text="red"), Item(text="something red"))
    assert [(part.label, part.strength) for part in found.query_parts] == [("something", 0.0), ("red", 1.0)]
    assert why(Planted(lambda item: 1.0), Item(text="red"), Item(image=png_bytes())).query_parts == []


def test_asked_twice_it_answers_the_same() -> None:
    def of() -> object:
        return why(Planted(lambda item: red_share(item, 0, 0, 1, 1)), Item(image=striped())).as_json()

    assert of() == of()


def test_a_video_and_scores_that_are_not_numbers_are_refused_in_words() -> None:
    with pytest.raises(WorkbenchError, match="A video cannot be taken apart"):
        why(Planted(lambda item: 1.0), Item(video=b"film"))
    with pytest.raises(WorkbenchError, match="not numbers"):
        why(Planted(lambda item: float("nan")), Item(text="a lamp"))
