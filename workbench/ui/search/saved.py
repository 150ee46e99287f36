"""Searches that the user keeps: the list of them below the results, each opened or removed with one press."""

from __future__ import annotations

from workbench.index.registry import get_index
from workbench.index.saved import Saved, get_saved, remove_saved, save_search, saved_searches
from workbench.ui import cards, words
from workbench.ui.page import Page, Widgets, tell, view
from workbench.ui.place import Place


class SavedSearches:
    """The widget of the list."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.view = view("search-saved")

    def draw(self) -> Widgets:
        """The list, read from disk; nothing where nothing is saved."""
        return {self.view: _listed(saved_searches(self.page.workspace))}

    def save(self, index: str, place: Place) -> Widgets:
        """Keep the search that the address names."""
        kept = save_search(self.page.workspace, index, q=place.q, asked=place.asked, how=place.how)
        tell(f"Saved: {kept.name}", duration=4, title="Search")
        return self.draw()

    def remove(self, identifier: str) -> Widgets:
        """Forget one."""
        remove_saved(self.page.workspace, identifier)
        return self.draw()

    def place(self, place: Place, identifier: str) -> Place:
        """The place that asks a saved search. Raises WorkbenchError if it, or its index, is gone."""
        kept = get_saved(self.page.workspace, identifier)
        card = get_index(self.page.workspace, kept.index)
        return place.at(
            index=card.name, collection=card.collection, q=kept.q, asked=kept.asked, how=kept.how, part="ask"
        )


def _listed(saved: list[Saved]) -> str:
    if not saved:
        return ""
    rows = "".join(_row(place, one) for place, one in enumerate(saved))
    title = f"{words.count(len(saved), 'saved search', 'saved searches')}"
    return (
        f'<details class="card saved"><summary>{cards.text(title)}</summary>'
        f'<ul class="judgements">{rows}</ul></details>'
    )


def _row(place: int, saved: Saved) -> str:
    name, given = cards.text(saved.name), f'data-saved="{cards.text(saved.id)}"'
    return (
        f'<li><button type="button" class="opens" data-act="open-saved" {given} id="saved-{place}">{name}</button>'
        f'<span class="quiet small">{cards.text(saved.index)} · {words.clock(saved.created)}</span>'
        f'<button type="button" class="close" data-act="remove-saved" {given} id="saved-{place}-remove" '
        f'aria-label="Remove the saved search {name}">{cards.icon("close")}</button></li>'
    )
