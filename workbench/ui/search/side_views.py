"""The HTML of two searches side by side: what both found, what differs, and which of them was picked how often."""

from __future__ import annotations

from workbench.index.preference import Pipeline, Score
from workbench.index.registry import IndexCard
from workbench.index.results import Hit, SearchResult
from workbench.ui import cards, words
from workbench.ui.choices import model_name
from workbench.ui.media_route import MediaRoute
from workbench.ui.search.views import Shown
from workbench.workspace import Workspace

SIDES = ("left", "right")
Pair = tuple[SearchResult, SearchResult]


def title(pipeline: Pipeline, card: IndexCard | None) -> str:
    """A pipeline in words: the index, the model that reads it, the size, the reranker."""
    if card is None:
        return pipeline.index
    parts = [f"{card.name}, read by {model_name(card.model)}", f"{pipeline.dimension or card.dimension} dimensions"]
    parts += [f"reranked by {model_name(pipeline.reranker)}"] if pipeline.reranker else []
    return " · ".join(parts)


def columns(
    found: Pair,
    titles: tuple[str, str],
    workspace: Workspace,
    media_route: MediaRoute,
    *,
    key: str = "",
    told: str = "",
) -> str:
    """Both lists. key: set while they are unnamed and wait for a pick. told: what was picked, after that."""
    same = _ids(found[0]) == _ids(found[1])
    names = titles if not key else ("One list", "The other list")
    drawn = "".join(_column(place, found, names[place], workspace, media_route, bool(key)) for place in (0, 1))
    return f'{_asks(key, same)}{_said(told)}{_differs(found, same)}<div class="rankings sides">{drawn}</div>'


def _asks(key: str, same: bool) -> str:
    if not key:
        return ""
    if same:
        return (
            '<p class="quiet" role="status">Both lists are the same for this question, so there is nothing to pick. '
            "Ask another one.</p>"
        )
    buttons = "".join(
        cards.button(label, "pick", identifier=f"side-pick-{pick}", key=key, pick=pick)
        for label, pick in (("Left is better", "left"), ("No difference", ""), ("Right is better", "right"))
    )
    return (
        '<div class="card picking"><p>Which list answers better? Which is which is told after your pick.</p>'
        f'<div class="actions">{buttons}</div></div>'
    )


def _said(told: str) -> str:
    return f'<p class="picked" role="status" tabindex="-1" id="side-picked">{cards.text(told)}</p>' if told else ""


def _differs(found: Pair, same: bool) -> str:
    """In a sentence, how far the two lists are apart."""
    first, second = _ids(found[0]), _ids(found[1])
    if same and first:
        return '<p class="quiet small">Both lists are the same.</p>'
    common = len(set(first) & set(second))
    moved = sum(first.index(one) != second.index(one) for one in set(first) & set(second))
    said = f"{common} of {max(len(first), len(second))} are in both lists"
    return f'<p class="quiet small">{said}{f", {moved} of them at another rank" if moved else ""}.</p>'


def _column(place: int, found: Pair, name: str, workspace: Workspace, media_route: MediaRoute, blind: bool) -> str:
    mine, other = found[place], found[1 - place]
    shown, ids = Shown(workspace, media_route, mine.hits, f"side-{SIDES[place]}"), _ids(other)
    listed = "".join(_answer(place, hit, ids, shown, blind) for hit in mine.hits)
    stages = ("encode", "search", "rerank") if mine.reranker else ("encode", "search")
    spent = " · ".join(f"{stage} {mine.milliseconds.get(stage, 0.0):,.0f} ms" for stage in stages)
    time = f'<p class="quiet small">{"" if blind else cards.text(spent)}</p>'
    body = f'<ol class="answers" aria-labelledby="side-{SIDES[place]}">{listed}</ol>'
    body = body if listed else '<p class="quiet">Nothing was found.</p>'
    return f'<section><h3 class="label" id="side-{SIDES[place]}">{cards.text(name)}</h3>{time}{body}</section>'


def _answer(place: int, hit: Hit, other: list[str], shown: Shown, blind: bool) -> str:
    box, caption = shown.box(hit)
    below = f'<p class="caption" tabindex="0">{cards.text(caption)}</p>' if caption else ""
    score = "" if blind else f'<span class="small quiet">{words.number(hit.score, 2)}</span>'
    alone = "" if hit.id in other else " alone"
    return (
        f'<li class="answer{alone}"><div class="place"><b>{hit.rank}</b>{_moved(hit, other)}</div>'
        f'<div class="item">{box}{below}</div><div class="verdict">{score}</div></li>'
    )


def _moved(hit: Hit, other: list[str]) -> str:
    """Where the other list has it: an arrow with the number of ranks, and words for a screen reader."""
    if hit.id not in other:
        return '<span class="moved only">only here</span>'
    by = other.index(hit.id) + 1 - hit.rank
    if not by:
        return f'<span class="moved" title="same rank">{cards.icon("flat")}<span class="unseen">same rank</span></span>'
    arrow, said = ("up", "higher") if by > 0 else ("down", "lower")
    return (
        f'<span class="moved" title="{other.index(hit.id) + 1} in the other list">{cards.icon(arrow)}{abs(by)}'
        f'<span class="unseen"> {said} than in the other list</span></span>'
    )


def score(counted: Score, titles: tuple[str, str]) -> str:
    """How often each was picked blind, and whether that shows a difference."""
    decided = counted.first + counted.second
    if not decided + counted.ties:
        return (
            '<p class="quiet small">No picks yet for these two. Tick “Blind”, ask your own questions, and pick the '
            "better list: the score is kept here.</p>"
        )
    rows = [[cards.text(titles[0]), str(counted.first)], [cards.text(titles[1]), str(counted.second)]]
    rows += [["No difference", str(counted.ties)]] if counted.ties else []
    return cards.card(
        f"<p>{_verdict(counted, titles)}</p>"
        + cards.table(["Way to search", ">Picked"], rows, caption="How often each was picked")
        + '<p class="quiet small">Each question counts once, by its last pick. Decide beforehand how many you will '
        "judge: who stops when it looks good is fooled by chance.</p>",
        label="Your picks so far",
    )


def _verdict(counted: Score, titles: tuple[str, str]) -> str:
    decided = counted.first + counted.second
    if counted.share is None or counted.interval is None:
        return f"{cards.chip('No difference shown yet', '', 'flat')} Neither list was picked over the other."
    ahead = 0 if counted.first > counted.second else 1
    picks, share = max(counted.first, counted.second), max(counted.share, 1 - counted.share)
    low, high = counted.interval if ahead else (1 - counted.interval[1], 1 - counted.interval[0])
    said = f"picked in {picks} of {decided}: {share:.0%} [{low:.0%}, {high:.0%}]".replace("%", " %")
    if not counted.better:
        chip = cards.chip("No difference shown yet", "", "flat")
        return f"{chip} <b>{cards.text(titles[ahead])}</b> was {said}. The interval holds 50 %, which is chance."
    chip = cards.chip("Preferred", "good", "tick")
    return f"{chip} <b>{cards.text(titles[counted.better - 1])}</b> was {said}."


def _ids(found: SearchResult) -> list[str]:
    return [hit.id for hit in found.hits]
