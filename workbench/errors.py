"""The errors a user reads: what happened, where, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence


class WorkbenchError(Exception):
    """Something the user can mend, told in plain sentences.

    ``ui/`` and ``cli.py`` each show it in their own form, in one place. `problems` lists every bad row
    or file at once, so that nobody mends an upload one row at a time.
    """

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems = list(problems)

    def __str__(self) -> str:
        return "\n".join([self.message, *self.problems])


class Stopped(Exception):
    """The user asked for a graceful stop, and the work has reached a point where it can be resumed."""
