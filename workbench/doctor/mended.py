"""Which findings of the last check have been mended since, so that a check need not be made again after every fix.

Kept in check.json as {"mended": {"3": when}}: the number of the finding, and the time of the change that mended it, 0
where nothing was left to do. A change that was taken back counts no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.collection.editing import Change, changes
from workbench.collection.store import open_collection
from workbench.doctor.check import CHECK_FILE, Check, read_check
from workbench.doctor.findings import Finding
from workbench.workspace import Workspace, read_json, write_json

MENDED = "mended"


@dataclass(frozen=True)
class Standing:
    """How a check stands today.

    mended: the number of a finding to the change that mended it, None where nothing was left to do. newest: the change
    that would be taken back next. changed: the collection was also changed by something other than these fixes, so
    that the check says too little or too much.
    """

    check: Check
    mended: dict[int, Change | None]
    newest: Change | None
    changed: bool

    @property
    def left(self) -> list[Finding]:
        """The findings that have not been mended."""
        return [finding for number, finding in enumerate(self.check.findings) if number not in self.mended]

    @property
    def blocking(self) -> list[Finding]:
        """What should be mended before training; nothing where the check no longer holds."""
        return [] if self.changed else [finding for finding in self.left if finding.severity == "blocks"]


def note_mended(workspace: Workspace, name: str, numbers: Iterable[int], done: bool) -> None:
    """Note that these findings of the last check were mended by the newest change, or (not `done`) needed none."""
    path = open_collection(workspace, name).path / CHECK_FILE
    stored = read_json(path)
    if not stored:
        return
    newest = changes(workspace, name)[:1] if done else []
    when = newest[0].when if newest else 0.0
    write_json(path, {**stored, MENDED: {**stored.get(MENDED, {}), **{str(number): when for number in numbers}}})


def read_standing(workspace: Workspace, name: str) -> Standing | None:
    """How the last check of a collection stands; None if there is none."""
    check = read_check(workspace, name)
    if check is None:
        return None
    path = open_collection(workspace, name).path / CHECK_FILE
    since = changes(workspace, name)
    by_time = {change.when: change for change in since}
    stored = (read_json(path) or {}).get(MENDED, {})
    mended: dict[int, Change | None] = {}
    for number, when in stored.items():
        if not when or when in by_time:
            mended[int(number)] = by_time.get(when)
    others = [change for change in since if change.when > check.created and change not in mended.values()]
    fixed = any(change is not None for change in mended.values())
    return Standing(check, mended, since[0] if since else None, not check.current and (bool(others) or not fixed))
