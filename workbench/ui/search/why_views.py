"""The HTML of “Why this result”: marked words, a heat map over the picture, a bar of seconds under the player.

What carries the score is told three ways: by strength of colour, by a title on each part, and by a list in words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from workbench.collection.store import Item
from workbench.explain import APPROXIMATION, Part, Why, why_result
from workbench.explain.parts import FAINT
from workbench.index.look import Look
from workbench.index.results import SearchResult
from workbench.index.search import Searcher
from workbench.ui import cards, words
from workbench.ui.media_route import MediaRoute

LEVELS = 5
LISTED = 5
AGAINST = 0.25
DASHED = "What is dashed speaks against: without it the score rises."
LEGEND = (
    '<p class="why-legend small quiet"><span class="scale" aria-hidden="true"></span>'
    "<span>from carries nothing to carries most</span></p>"
)


def explained(searcher: Searcher, query: Item, found: SearchResult, look: Look, media_route: MediaRoute) -> str:
    """The whole section for a document that is looked at, by the scores of the search that found it.

    It takes some eighty scores of the model, so it is made when it is asked for. Raises WorkbenchError as `why_result`.
    """
    told = why_result(searcher, found.index, query, look.item.id, reranker=found.reranker, dimension=found.dimension)
    urls = {
        kind: media_route.url(look.collection.name, look.collection.fingerprint, "corpus", look.row, kind)
        for kind in ("image", "audio")
        if getattr(look.item, kind) is not None
    }
    return draw(told, urls.get("image", ""), urls.get("audio", ""))


def draw(found: Why, image: str = "", audio: str = "") -> str:
    """The section. image, audio: addresses of the document's picture and sound, empty where it has none."""
    counted = f"{APPROXIMATION} {words.count(found.scored, 'score was', 'scores were')} taken."
    drawn = "".join(
        (
            _picture(found, image) if image and found.of("box") else "",
            _sound(found, audio) if audio and found.of("second") else "",
            _text("The words of the document", found.text, found.parts),
            _text("The words of your question", found.query_text, found.query_parts),
            f'<p class="small quiet">{DASHED}</p>' if _speaks_against(found) else "",
            "".join(f'<p class="small">{cards.text(note)}</p>' for note in found.notes),
        )
    )
    return (
        '<section class="why" aria-labelledby="why-title"><h3 class="label" id="why-title">Why this result</h3>'
        f'<p class="small quiet">{cards.text(counted)}</p>{drawn}</section>'
    )


def _speaks_against(found: Why) -> bool:
    return any(part.strength < 0 and level(part.strength) for part in (*found.parts, *found.query_parts))


def level(strength: float) -> int:
    """Which background a strength gets: 0, that of what carries nothing, to LEVELS. What barely spoils gets none."""
    if abs(strength) <= (FAINT if strength >= 0 else AGAINST):
        return 0
    return max(1, min(LEVELS, math.ceil(abs(strength) * LEVELS)))


def _picture(found: Why, address: str) -> str:
    boxes = "".join(_box(part) for part in found.of("box") if level(part.strength))
    most = found.strongest("box", count=LISTED)
    places = words.listing(list(dict.fromkeys(part.label for part in most)))
    said = f"Heat map of the picture. What carries most is {places}." if places else "No place carries the score."
    named = list({part.label: part for part in reversed(most)}.values())[::-1]
    return (
        f'<div class="why-picture"><img src="{cards.text(address)}" alt=""><div class="heat" role="img" '
        f'aria-label="{cards.text(said)}">{boxes}</div></div>{LEGEND}{_listed("Places of the picture", named)}'
    )


def _box(part: Part) -> str:
    left, top, width, height = (f"{100 * value:.3f}%" for value in part.box or (0.0, 0.0, 0.0, 0.0))
    more = " against" if part.strength < 0 else " top" if part.strength == 1 else ""
    return (
        f'<i class="box s{level(part.strength)}{more}" title="{cards.text(_told(part))}" '
        f'style="left:{left};top:{top};width:{width};height:{height}"></i>'
    )


def _sound(found: Why, address: str) -> str:
    parts = found.of("second")
    bars = "".join(_second(part) for part in parts)
    most = found.strongest("second", count=LISTED)
    spans = words.listing([part.label for part in most[:3]])
    said = f"The seconds of the sound. What carries most is {spans}." if spans else "No second carries the score."
    end = parts[-1].span[1] if parts[-1].span else 0.0
    return (
        f'<audio controls preload="none" src="{cards.text(address)}" aria-label="The sound"></audio>'
        f'<div class="why-seconds" role="img" aria-label="{cards.text(said)}">{bars}</div>'
        f'<p class="split small quiet"><span>0 s</span><span>{end:g} s</span></p>{_listed("Seconds", most)}'
    )


def _second(part: Part) -> str:
    start, end = part.span or (0.0, 0.0)
    against = " against" if part.strength < 0 else ""
    return (
        f'<i class="s{level(part.strength)}{against}" title="{cards.text(_told(part))}" '
        f'style="flex-grow:{end - start:.3f}"><b style="height:{100 * abs(part.strength):.0f}%"></b></i>'
    )


def _text(title: str, text: str, parts: Sequence[Part]) -> str:
    """A text with its words marked; empty where nothing of it was tried."""
    placed = [part for part in parts if part.places]
    if not placed:
        return ""
    most = sorted((part for part in placed if part.strength > FAINT), key=lambda part: -part.drop)
    listed = [part for part in most if part.kind == "word"] or most
    return (
        f'<div class="why-text"><h4 class="small">{cards.text(title)}</h4>'
        f'<p tabindex="0" role="group" aria-label="{cards.text(title)}">{_marked(text, placed)}</p>'
        f"{_listed(title, listed[:LISTED])}</div>"
    )


def _marked(text: str, parts: Sequence[Part]) -> str:
    """The text cut where parts begin and end, each piece marked as the passage and the word that hold it."""
    spans = [(start, end, part) for part in parts for start, end in part.places]
    edges = sorted({0, len(text), *(edge for start, end, _ in spans for edge in (start, end))})
    holding: dict[str, dict[int, Part]] = {"passage": {}, "word": {}}
    for start, end, part in spans:
        holding[part.kind] |= dict.fromkeys(edges[edges.index(start) : edges.index(end)], part)
    return "".join(
        _piece(text[start:end], holding["passage"].get(start), holding["word"].get(start))
        for start, end in pairwise(edges)
    )


def _piece(text: str, passage: Part | None, word: Part | None) -> str:
    """A word of a passage has the passage's background, and is underlined if it carries the score itself."""
    shown, ground = cards.text(text), passage or word
    carries = word is not None and word.strength > 0 and level(word.strength) > (0 if passage else 3)
    if ground is None or not (level(ground.strength) or carries):
        return shown
    classes = f"s{level(ground.strength)}{' against' * (ground.strength < 0)}{' carries' * carries}"
    told = word if word is not None and carries else ground
    return f'<mark class="{classes}" title="{cards.text(_told(told))}">{shown}</mark>'


def _listed(title: str, parts: Sequence[Part]) -> str:
    """The strongest parts in words, for those who do not see the colours, and the numbers for all."""
    if not parts:
        return ""
    lines = "".join(
        f'<li>{cards.text(part.label[:120])} <span class="quiet">{words.number(part.drop)}</span></li>'
        for part in parts
    )
    label = f"{title} that carry most: how far the score falls without each"
    return f'<ol class="why-list small" aria-label="{cards.text(label)}">{lines}</ol>'


def _told(part: Part) -> str:
    if part.drop >= 0:
        return f"{part.label[:80]}: without it the score falls by {words.number(part.drop)}"
    return f"{part.label[:80]}: without it the score rises by {words.number(-part.drop)}"
