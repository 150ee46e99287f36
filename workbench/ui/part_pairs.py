"""The first part of the Data tab: the collection at a glance."""

from __future__ import annotations

from workbench.collection.store import Collection
from workbench.ui import data_views
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place


class PairsPart:
    """Sample pairs, and the rows that were left out."""

    name, title = "pairs", "Pairs"

    def __init__(self, page: Page) -> None:
        self._page = page
        self.view = view("data-collection")
        self.widgets = [self.view]

    def draw(self, place: Place, collection: Collection) -> Widgets:
        """The collection as it is on disk."""
        return {self.view: data_views.collection(collection, self._page.media)}

    def hide(self) -> Widgets:
        """Nothing of it."""
        return {self.view: ""}
