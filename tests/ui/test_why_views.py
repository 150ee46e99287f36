"""How an explanation is drawn: every part is told in words too, hostile text stays text, and all can be read."""

from __future__ import annotations

import re

import pytest

from tests.ui.small import NASTY
from workbench.explain import Part, Why
from workbench.explain.parts import with_strengths
from workbench.ui.search import why_views
from workbench.ui.theme import ASSETS


def of_text(text: str, drops: dict[str, float], query: str = "") -> Why:
    def parts(of: str) -> list[Part]:
        found = [
            Part("word", drop, word, tuple(match.span() for match in re.finditer(re.escape(word), of)))
            for word, drop in drops.items()
            if word in of
        ]
        return with_strengths(found)

    return Why(0.7, parts(text), parts(query), 12, text=text, query_text=query)


def test_words_are_marked_by_strength_and_listed_the_strongest_first() -> None:
    drawn = why_views.draw(of_text("a red lamp, not red enough", {"red": 0.4, "lamp": 0.1, "not": -0.2, "a": 0.0}))
    assert drawn.count('<mark class="s5 carries" title="red: without it the score falls by 0.400">red</mark>') == 2
    assert '<mark class="s2"' in drawn
    assert '<mark class="s3 against" title="not: without it the score rises by 0.200">not</mark>' in drawn
    assert re.findall(r"<li>(\w+)", drawn) == ["red", "lamp"]
    assert "An approximation: parts are covered one by one and the score is taken again." in drawn
    assert "12 scores were taken" in drawn


def test_the_text_is_whole_however_its_parts_lie() -> None:
    text = "One sentence here. Another one there."
    parts = with_strengths(
        [
            Part("passage", 0.1, text[:18], ((0, 18),)),
            Part("passage", 0.5, text[19:], ((19, len(text)),)),
            Part("word", 0.3, "one", ((27, 30),)),
        ]
    )
    drawn = why_views.draw(Why(0.5, parts, [], 6, text=text))
    shown = re.search(r'aria-label="The words of the document">(.*?)</p>', drawn)
    assert shown and re.sub(r"<[^>]+>", "", shown[1]) == text
    assert re.findall(r"<li>(\w+)", drawn) == ["one"]
    assert '<mark class="s5 carries" title="one: without it the score falls by 0.300">one</mark>' in drawn


def test_hostile_words_stay_words() -> None:
    drawn = why_views.draw(of_text(NASTY, {NASTY: 0.5}, query=NASTY))
    assert "<script" not in drawn and "<img" not in drawn and "onerror=" not in drawn.replace("&quot;", "")


def test_the_heat_lies_over_the_picture_and_is_said_in_words() -> None:
    parts = with_strengths(
        [
            Part("box", 0.4, "top right", box=(0.75, 0.0, 0.25, 0.25)),
            Part("box", 0.0, "in the middle", box=(0.25, 0.25, 0.25, 0.25)),
            Part("box", -0.2, "bottom left", box=(0.0, 0.75, 0.25, 0.25)),
        ]
    )
    drawn = why_views.draw(Why(0.5, parts, [], 17), image="/media/p?sig=1")
    assert 'src="/media/p?sig=1"' in drawn
    assert 'aria-label="Heat map of the picture. What carries most is top right."' in drawn
    assert re.findall(r'class="box ([^"]+)"', drawn) == ["s5 top", "s3 against"]
    assert "left:75.000%;top:0.000%;width:25.000%;height:25.000%" in drawn
    assert "from carries nothing to carries most" in drawn and "What is dashed speaks against" in drawn


def test_the_seconds_stand_under_a_player() -> None:
    spans = [(0.0, 0.5), (0.5, 1.0), (1.0, 1.2)]
    drops = [0.0, 0.3, 0.1]
    parts = [Part("second", drop, f"{s:g}–{e:g} s", span=(s, e)) for drop, (s, e) in zip(drops, spans, strict=True)]
    drawn = why_views.draw(Why(0.5, with_strengths(parts), [], 4), audio="/media/s")
    assert '<audio controls preload="none" src="/media/s"' in drawn
    assert "What carries most is 0.5–1 s and 1–1.2 s." in drawn
    assert re.findall(r"flex-grow:([\d.]+)", drawn) == ["0.500", "0.500", "0.200"]


def test_where_nothing_carries_the_score_it_says_so() -> None:
    parts = [Part("box", 0.0, "top left", box=(0.0, 0.0, 1.0, 1.0))]
    drawn = why_views.draw(Why(0.5, parts, [], 17, notes=["No single part carries it."]), image="/p")
    assert "No place carries the score." in drawn and "No single part carries it." in drawn
    assert '<i class="box' not in drawn


def colours(theme: str) -> dict[str, tuple[float, float, float]]:
    block = re.search(rf"{re.escape(theme)} \{{(.*?)\n\}}", (ASSETS / "tokens.css").read_text(), re.DOTALL)
    assert block
    found = re.findall(r"--([\w-]+): #([0-9a-f]{6})", block[1])
    return {name: tuple(int(value[at : at + 2], 16) / 255 for at in (0, 2, 4)) for name, value in found}  # type: ignore[misc]


def luminance(colour: tuple[float, ...]) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [":root", ".dark"])
def test_marked_words_can_be_read_in_both_themes(theme: str) -> None:
    strengths = re.findall(r"\.why \.s\d \{ --strength: (\d+)%; \}", (ASSETS / "why.css").read_text())
    assert len(strengths) == why_views.LEVELS
    tokens = colours(theme)
    for share in (int(strength) / 100 for strength in strengths):
        ground = [share * a + (1 - share) * b for a, b in zip(tokens["series-2"], tokens["card"], strict=True)]
        lighter, darker = sorted((luminance(tokens["ink"]), luminance(tuple(ground))), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5
