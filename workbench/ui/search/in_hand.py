"""Which index the page searches: the one the address names, else the newest of the collection in hand."""

from __future__ import annotations

from workbench.collection.named import Named
from workbench.index.registry import IndexCard, list_indexes
from workbench.ui import job_views
from workbench.ui.place import Place
from workbench.workspace import Workspace


def index_in_hand(workspace: Workspace, place: Place) -> IndexCard | None:
    """The index in hand; None while it is being made, or where there is none."""
    listed = list_indexes(workspace)
    chosen = next((card for card in listed if card.name == place.index), None)
    if chosen is None and place.index and job_views.open_jobs(workspace, "index"):
        return None  # it is being made just now
    if place.asked:  # an item of one collection, which the index of another knows nothing of
        named = Named.read(place.asked)
        mine = [card for card in listed if named is not None and card.collection == named.collection]
        return chosen if chosen in mine else next(iter(mine), None)
    mine = [card for card in listed if card.collection == place.collection]
    return chosen or next(iter([*mine, *listed]), None)
