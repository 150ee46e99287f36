"""The HTML of the queue on the Runs tab: what is at work, what waits and in which order, and whether it is paused."""

from __future__ import annotations

import time
from collections.abc import Sequence

from workbench import jobs
from workbench.ui import cards, words

WORK_WORDS = {
    "train": "training",
    "fit": "measuring",
    "evaluate": "evaluation",
    "map": "a map",
    "index": "indexing",
    "check": "data doctor",
    "mine": "hard negatives",
    "generate": "written queries",
    "add-model": "a look at a model",
    "join-models": "joining of models",
}


def queue(computing: Sequence[jobs.InLine], waiting: Sequence[jobs.InLine], hold: jobs.Hold | None) -> str:
    """The card of the queue; empty where there is nothing to say. What changes with every step is not in it."""
    if not computing and not waiting and hold is None:
        return ""
    listed = [_at_work(one, hold) for one in computing]
    listed += [_waits(one, place, len(waiting)) for place, one in enumerate(waiting)]
    rows = (
        f'<ol class="queue" tabindex="0" aria-label="Queue">{"".join(f"<li>{row}</li>" for row in listed)}</ol>'
        if listed
        else ""
    )
    return cards.card(_state(computing, waiting, hold) + rows, label="Queue")


def signature(computing: Sequence[jobs.InLine], waiting: Sequence[jobs.InLine], hold: jobs.Hold | None) -> str:
    """Changes whenever the card does."""
    at_work = [f"{one.name} {one.status.state} {one.status.device}" for one in computing]
    return "|".join([hold.words if hold else "", *at_work, "-", *(one.name for one in waiting)])


def _state(computing: Sequence[jobs.InLine], waiting: Sequence[jobs.InLine], hold: jobs.Hold | None) -> str:
    """The sentence on top, and what can be done."""
    count = words.count(len(waiting), "job waits", "jobs wait") if waiting else "nothing waits"
    if hold is not None:
        said = f"<p><strong>{cards.text(hold.words)}</strong> {cards.text(count.capitalize())}.</p>"
        buttons = cards.button("Go on now", "go-on", primary=True, identifier="queue-go-on")
        return f'<div class="split">{said}<div class="actions">{buttons}</div></div>'
    said = cards.text(f"{len(computing)} at work, {count}." if computing else f"{count.capitalize()}.")
    more = '<button type="button" class="link small" data-unfold="queue-pause">Until a time, or every day</button>'
    after = f"Finish {'this' if len(computing) < 2 else 'these'}, then pause"
    buttons = cards.button(after, "pause", when="after", identifier="queue-pause-after") + cards.button(
        "Pause at once", "pause", when="now", identifier="queue-pause-now"
    )
    return f'<div class="split"><p>{said}</p><div class="actions">{buttons}{more}</div></div>'


def _at_work(one: jobs.InLine, hold: jobs.Hold | None) -> str:
    where = f"on {one.status.device}" if ":" in one.status.device else ""
    ending = "" if hold is None or (hold.at_once and one.goes_on) else "ends before the pause begins for it"
    if hold is not None and not ending:
        ending = "saves what it has, then waits"
    return f'<span class="place">{cards.state_chip(one.status.state)}</span>{_what(one, where, ending)}'


def _waits(one: jobs.InLine, place: int, count: int) -> str:
    wanted = f"for {one.wanted}" if one.wanted else ""
    begun = f"goes on from step {one.status.step:,}" if one.status.step and one.work == "train" else ""
    moves = "".join(
        _move(one.name, where, sign, said, usable)
        for where, sign, said, usable in (
            ("first", "first", "to the front", place > 0),
            ("up", "up", "up", place > 0),
            ("down", "down", "down", place < count - 1),
        )
    )
    return f'<span class="place">{place + 1}.</span>{_what(one, wanted, begun)}<span class="moves">{moves}</span>'


def _what(one: jobs.InLine, *more: str) -> str:
    named = cards.button(one.name, "choose", run=one.name) if one.work == "train" else f"<b>{cards.text(one.name)}</b>"
    said = " · ".join(part for part in (WORK_WORDS.get(one.work, one.work), *more) if part)
    return f'<span class="what">{named}<span class="small quiet">{cards.text(said)}</span></span>'


def _move(name: str, where: str, sign: str, said: str, usable: bool) -> str:
    label = cards.text(f"Move {name} {said}")
    return (
        f'<button type="button" class="move" data-act="move" data-name="{cards.text(name)}" data-where="{where}" '
        f'aria-label="{label}" title="{label}"{"" if usable else " disabled"}>{cards.icon(sign)}</button>'
    )


def about_hours(rules: jobs.Rules) -> str:
    """What hours the queue keeps, and which clock they are of."""
    kept = f"The queue works between {rules.hours.begin} and {rules.hours.end}. " if rules.hours else ""
    clock = f"The clock that counts is that of the computer which runs the workbench: {time.strftime('%H:%M %Z')}."
    return f'<p class="small quiet">{cards.text(kept + clock)}</p>'
