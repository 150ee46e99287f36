"""Read the records of delimited text, so that a quote that is opened and never closed costs its own row and no other.

Python's csv reader takes everything after such a quote for one cell, up to the next quote or the end of the table, and
says nothing. Here the line with the quote is told to be bad, and reading goes on with the line below it.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator

MAX_CELL_CHARACTERS = 1 << 24
LONG_LINES, MOST_LONG = 1000, 20  # a stray quote that swallowed so many lines costs time: not for ever
STRAY_QUOTE = (
    "a quote is opened and not closed as it should be. Put quotes around the whole cell, and double those within it."
)
_END = "\x00end\x00"


def records(text: Iterable[str], separator: str) -> Iterator[tuple[list[str], str]]:
    """The cells of every record, and "" or what is wrong with it; of a bad one there are no cells, of a blank line too.

    text: its lines, with their ends. Quotes inside a cell on one line are taken as meant. Raises csv.Error where
    stray quotes swallow so much, so often, that nothing can be made of the rest.
    """
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    lines = _Lines(text)
    # A space before a quote is no part of the cell; programs that write one after the comma are many.
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
    long = 0
    while True:
        lines.taken.clear()
        try:
            for record in reader:
                yield record, ""
                lines.taken.clear()
            return
        except csv.Error as error:
            if not lines.taken:
                raise
            first, *rest = lines.taken
            mended = None if rest else _in_one_line(first, separator)
            if len(rest) > LONG_LINES:
                long += 1
                if long > MOST_LONG:
                    raise
            lines.waiting.extendleft(reversed(rest))
            too_long = len(first) > MAX_CELL_CHARACTERS and "limit" in str(error)
            problem = (
                f"a cell has more than {MAX_CELL_CHARACTERS:,} characters. Shorten it." if too_long else STRAY_QUOTE
            )
        yield (mended, "") if mended is not None else ([], problem)


class _Lines:
    """The lines of a text; `taken` are those of the record that is being read, `waiting` are to be read once more."""

    def __init__(self, text: Iterable[str]) -> None:
        self._text = iter(text)
        self.taken: list[str] = []
        self.waiting: deque[str] = deque()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.waiting.popleft() if self.waiting else next(self._text)
        self.taken.append(line)
        return line


def _in_one_line(line: str, separator: str) -> list[str] | None:
    """The cells of a line whose quotes are not as they should be, if none of them stays open at its end."""
    try:
        found = list(csv.reader([line.rstrip("\r\n"), _END], delimiter=separator, skipinitialspace=True))
    except csv.Error:
        return None
    return found[0] if len(found) > 1 else None
