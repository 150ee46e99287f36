"""An item of a collection that Search is asked with, as the address names it (`asked=COLLECTION:queries:ID`).

Another tab sends the page there; a refresh or a shared address asks the same again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from workbench.collection.named import Named
from workbench.collection.store import Collection, Item
from workbench.errors import WorkbenchError
from workbench.index.registry import IndexCard
from workbench.ui import cards, words
from workbench.ui.choices import embedder_choices, model_name
from workbench.ui.data_views import has_media, item_box
from workbench.ui.page import Page, view
from workbench.ui.place import Place


class Asked:
    """What stands above the search while the address names an item: the item, or why it cannot be asked yet."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.view = view("search-asked")

    def collection(self, place: Place) -> str:
        """The collection of the item; empty where the address names none."""
        named = Named.read(place.asked)
        return named.collection if named else ""

    def item(self, place: Place) -> Item:
        """The item that the address names. Raises WorkbenchError if it is there no more."""
        named, collection, row = self._find(place)
        item = collection.item(named.side, row)
        return item if named.side == "queries" else replace(item, id="")  # a document that asks is a query of its own

    def is_there(self, place: Place) -> bool:
        """Whether the address names an item that can be asked with."""
        try:
            return bool(self._find(place))
        except WorkbenchError:
            return False  # what `draw` shows says why

    def draw(self, place: Place, index: IndexCard | None, waiting: bool) -> str:
        """The item, asked of `index`; without one the button that makes it. Empty where the address names no item."""
        if not place.asked:
            return ""
        try:
            box = self._box(place)
        except WorkbenchError as error:
            return cards.empty(error.message, _put_away())
        if index is not None:
            key = f'data-index="{cards.text(index.name)}@{index.created}"'
            return f'<section class="card asked-card" {key}>{box}<div class="actions">{_put_away()}</div></section>'
        name = cards.text(self.collection(place))
        if waiting:
            said, button = f"It is asked as soon as “{name}” can be searched.", ""
        else:
            said = f"There is no index of “{name}” yet, so this cannot be asked there."
            button = cards.button(
                f"Make it searchable with {model_name(self.model(place))}",
                "make",
                primary=True,
                identifier="asked-make",
            )
        return (
            f'<section class="card asked-card">{box}<div><p>{said}</p>'
            f'<div class="actions">{button}{_put_away()}</div></div></section>'
        )

    def model(self, place: Place) -> str:
        """The model that would read the collection: the run in hand, else the newest, else the starter."""
        references = [reference for _, reference in embedder_choices(self.page.workspace)]
        mine = f"run:{place.run}"
        return mine if mine in references else references[0]

    def _find(self, place: Place) -> tuple[Named, Collection, int]:
        """What is named, its collection, and its row there. Raises WorkbenchError if there is no such thing."""
        named = Named.read(place.asked)
        if named is None:
            raise WorkbenchError("The address names no item to search with. Choose one on the Evaluate tab.")
        return named, *named.find(self.page.workspace)

    def _box(self, place: Place) -> str:
        named, collection, row = self._find(place)
        item = collection.item(named.side, row)
        shown = item_box(item, collection, named.side, row, self.page.media, "asked")
        said = item.text or item.file if has_media(item) else ""
        label = f"Searching with this {words.modality(item.modality)}"
        caption = f'<p class="caption" tabindex="0">{cards.text(said)}</p>' if said else ""
        return f'<div class="item" role="group" aria-label="{cards.text(label)}">{shown}{caption}</div>'


def nothing_given(*fields: Any) -> bool:
    """Whether none of the fields that ask holds anything."""
    return not any(field.strip() if isinstance(field, str) else field for field in fields)


def _put_away() -> str:
    return cards.button("Put it away", "put-away", identifier="asked-put-away")
