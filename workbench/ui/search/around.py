"""What stands around results: how many and how long it took above them; other pages and what to take away below."""

from __future__ import annotations

from workbench.index.question import MOST, Question
from workbench.index.results import SearchResult
from workbench.models.remote import PREFIX as REMOTE
from workbench.ui import cards, words


def head(found: SearchResult, question: Question, rows: int) -> str:
    """How many were found among how many, and the milliseconds of each stage."""
    counted = words.count(len(found.hits), "result")
    if question.offset:
        counted = f"Results {question.offset + 1:,} to {question.offset + len(found.hits):,}"
    among = "" if found.matching is None else f" among {found.matching:,} of {rows:,} documents"
    stages = ("encode", "search", "rerank") if found.reranker else ("encode", "search")
    spent = " · ".join(_stage(found, name) for name in stages)
    took = sum(found.milliseconds.get(name, 0.0) for name in stages)
    # As one types only models of this machine are asked: each question to another one may cost, and leaves the house.
    remote = any((name or "").startswith(REMOTE) for name in (found.model, found.reranker))
    quick = "" if remote else f' data-took="{took:.0f}"'
    return f'<p class="quiet small stages" role="status" tabindex="-1"{quick}>{counted}{among} · {spent}</p>'


def notes(found: SearchResult) -> str:
    """What was left out of what was asked for, and why."""
    return "".join(f'<p class="small left-out">{cards.icon("info")} {cards.text(note)}</p>' for note in found.notes)


def _stage(found: SearchResult, name: str) -> str:
    """Milliseconds of a stage; over them, how many items a second it gets through."""
    pace = found.per_second.get(name)
    said = f' title="{pace:,.0f} items a second"' if pace else ""
    return f"<span{said}>{name} {found.milliseconds.get(name, 0.0):,.0f} ms</span>"


def kept_away(name: str, asked: str) -> str:
    """What the results are kept away from, and the button that lets them come near again."""
    if not name:
        return ""
    return (
        f'<p class="kept-away"><span class="chip">Less like “{cards.text(name)}”'
        f'<button type="button" data-act="liked" data-asked="{cards.text(asked)}" id="search-liked" '
        f'aria-label="No longer less like {cards.text(name)}">{cards.icon("close")}</button></span></p>'
    )


def nothing(question: Question, asked: str) -> str:
    """What is said where nothing was found, or nothing more."""
    if question.offset:
        back = cards.button(
            "Back to the first results", "turn", asked=asked, offset="0", identifier="search-first-page"
        )
        return f'<p class="quiet none" role="status" tabindex="-1">There are no more results.</p><div>{back}</div>'
    return '<p class="quiet none" role="status">Nothing was found. Widen what is shown, or ask in other words.</p>'


def foot(found: SearchResult, question: Question, asked: str, most: int, can_save: bool) -> str:
    """The pages before and after, and what can be kept. most: documents that can be found at all."""
    turns = ""
    if question.offset:
        turns += _turn("Previous", question.offset - question.count, asked)
    end = question.offset + question.count
    if len(found.hits) == question.count and end < most and end <= MOST["offset"]:
        turns += _turn("Next", end, asked)
    csv = cards.button("Results as CSV", "csv", asked=asked, identifier="search-csv")
    csv = (cards.button("Save this search", "save", asked=asked, identifier="search-save") if can_save else "") + csv
    return f'<div class="split after-hits"><nav class="actions" aria-label="Pages of results">{turns}</nav>' + (
        f'<div class="actions">{csv}</div></div>'
    )


def _turn(label: str, offset: int, asked: str) -> str:
    identifier = f"search-{label.lower()}"
    return cards.button(label, "turn", asked=asked, offset=str(max(0, offset)), identifier=identifier)
