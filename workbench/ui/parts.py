"""The parts of a tab: what can be done with the collection or the evaluation in hand, one of them shown at a time.

A part is named in the address (`part=check`). It makes its widgets inside a column of its own and wires its handlers
itself; a handler may return ``{page.place: place.at(part="review")}`` to move on to another part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from workbench.ui import cards
from workbench.ui.page import Widgets
from workbench.ui.place import Place


class Part(Protocol):
    """One part. `name` stands in the address, `title` on its button; `widgets`: all that `draw` and `hide` change."""

    name: str
    title: str
    widgets: list[Any]

    def draw(self, place: Place, subject: Any) -> Widgets:
        """Values for its widgets when it is the part shown, read from disk."""
        ...

    def hide(self) -> Widgets:
        """Values for its widgets when it is not: its column unseen, its timer still."""
        ...


def chosen(parts: Sequence[Part], place: Place) -> Part:
    """The part that the address names, else the first."""
    return next((part for part in parts if part.name == place.part), parts[0])


def draw_parts(parts: Sequence[Part], place: Place, subject: Any) -> Widgets:
    """The widgets of all parts: the chosen one drawn and the others hidden; all hidden without a subject."""
    shown = chosen(parts, place) if subject is not None else None
    changed: Widgets = {}
    for part in parts:
        if part is not shown:
            changed |= part.hide()
    if shown is not None:
        changed |= shown.draw(place, subject)
    return changed


def buttons(parts: Sequence[Part], shown: Part, badges: Mapping[str, tuple[str, str]], noun: str = "collection") -> str:
    """The row of buttons. badges: by a part's name, what stands behind its title, and that in words."""
    made = ""
    for part in parts:
        label, said = badges.get(part.name, ("", ""))
        badge = f' <span class="badge" title="{cards.text(said)}">{cards.text(label)}</span>' if label else ""
        current = ' aria-current="true"' if part is shown else ""
        made += (
            f'<button type="button" class="part" data-act="part" data-part="{part.name}" '
            f'id="part-{part.name}"{current}>{cards.text(part.title)}{badge}</button>'
        )
    return f'<nav class="parts" aria-label="Parts of the {cards.text(noun)}">{made}</nav>'
