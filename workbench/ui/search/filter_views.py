"""The fields that limit a search by the documents' metadata, and what the page says is chosen in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.index.fields import Condition
from workbench.index.registry import IndexCard
from workbench.ui import cards

Counts = Mapping[str, Mapping[str, int]]


def filters(index: IndexCard, chosen: Sequence[Condition] = (), counts: Counts | None = None) -> str:
    """A choice for each field of the documents' metadata; empty where there is none worth choosing by.

    counts: by field and value, how many documents have it under the other conditions; without, of the whole index.
    """
    of_field = {condition.field: condition for condition in chosen}
    fields = "".join(
        _filter(place, field, of_field.get(str(field["name"])), (counts or {}).get(str(field["name"])))
        for place, field in enumerate(index.fields)
    )
    if not fields:
        return ""
    return f'<div class="fields filters" role="group" aria-label="Only documents with">{fields}</div>'


def counts_of(index: IndexCard, counts: Counts | None) -> list[list[str]]:
    """The words of each choice's options in turn, [identifier, words, …], with the counts of what was last found."""
    return [
        [f"search-filter-{place}", *_options(field, (counts or {}).get(str(field["name"])))]
        for place, field in enumerate(index.fields)
        if field["kind"] == "text"
    ]


def _options(field: dict[str, Any], counts: Mapping[str, int] | None) -> list[str]:
    shown = field["values"] if counts is None else counts
    return [f"{value} ({shown.get(value, 0):,})" for value in field["values"]]


def _filter(place: int, field: dict[str, Any], chosen: Condition | None, counts: Mapping[str, int] | None) -> str:
    name, identifier = cards.text(field["name"]), f"search-filter-{place}"
    if field["kind"] == "text":
        values = zip(field["values"], _options(field, counts), strict=True)
        options = cards.options_of([("", "any"), *values], (chosen.value or "") if chosen else "")
        return f'<label><span>{name}</span><select id="{identifier}" data-field="{name}">{options}</select></label>'
    low, high = (f"{field[end]:.12g}" for end in ("low", "high"))
    step = "1" if field["whole"] else "any"
    ends = "".join(
        f'<input type="number" id="{identifier}-{end}" data-field="{name}" data-end="{end}" placeholder="{shown}" '
        f'step="{step}" aria-label="{name} {said}" autocomplete="off"{_value(chosen, end)}>'
        for end, shown, said in (("low", low, "from"), ("high", high, "to"))
    )
    return f'<div class="range"><span>{name}</span><div>{ends.replace("><", "><span>to</span><", 1)}</div></div>'


def _value(chosen: Condition | None, end: str) -> str:
    number = getattr(chosen, end) if chosen is not None and chosen.value is None else math.inf
    return f' value="{number:.12g}"' if math.isfinite(number) else ""
