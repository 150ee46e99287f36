"""Where in the page someone is: the open tab and what is chosen there, as it stands in the page's address.

Kept in the address so that a refresh, a bookmark or a second browser tab shows the same, and nothing is kept in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qs, urlencode

from workbench.index.question import LONGEST_HOW, LONGEST_WORDS
from workbench.workspace import NAME_PATTERN

LONGEST_ID = 1000
# The ids of a user's items, and what is searched for, may be anything. Ids are looked up among ids, words are only
# searched for, and neither becomes part of a path. By the longest that each may be.
FREE = {"asked": LONGEST_ID, "query": LONGEST_ID, "q": LONGEST_WORDS, "how": LONGEST_HOW, "sides": LONGEST_ID}
TABS = ("data", "train", "runs", "evaluate", "search")


@dataclass(frozen=True)
class Place:
    """The tab and the names chosen; an empty name means "the newest there is".

    part: what of the Data tab, or of the Evaluate tab, is shown. compared, query, family: what is opened there, see
    `evaluate.compared`. asked: the item that Search is asked with, see `asked`. q, how: the words that Search is asked
    with and all else that the search asks for, see `index.question`. sides: the two ways to search
    that are compared, see `search.side`.
    """

    tab: str = "data"
    collection: str = ""
    run: str = ""
    evaluation: str = ""
    index: str = ""
    part: str = ""
    compared: str = ""
    query: str = ""
    family: str = ""
    asked: str = ""
    q: str = ""
    how: str = ""
    sides: str = ""

    @classmethod
    def read(cls, query: str) -> Place:
        """The place in a query string such as ``tab=runs&run=emoji-1``. Anything that is no name is left out."""
        given = parse_qs((query or "").removeprefix("?"))
        values = {field.name: given.get(field.name, [""])[0] for field in fields(cls)}
        values = {key: value if _fits(key, value) else "" for key, value in values.items()}
        values["tab"] = values["tab"] if values["tab"] in TABS else TABS[0]
        return cls(**values)

    def write(self) -> str:
        """The query string that `read` reads back."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        return urlencode({key: value for key, value in values.items() if value})

    def at(self, **changes: str) -> Place:
        """This place with some names changed. What a search is limited to stays behind with its index."""
        if changes.get("index", self.index) != self.index:
            changes.setdefault("how", "")
        if changes.get("asked"):
            changes.setdefault("q", "")
        return replace(self, **changes)


def _fits(field: str, value: str) -> bool:
    return len(value) <= FREE[field] if field in FREE else bool(NAME_PATTERN.fullmatch(value))
