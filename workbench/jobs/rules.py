"""What the user has laid down for the queue, in queue.json of the workspace: a pause, hours, who was moved.

Read by every process that waits or works, so that it holds for all of them and outlives them. Replaced whole, under a
lock, so that two pages that change it at once lose nothing of each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from filelock import FileLock, Timeout

from workbench.errors import WorkbenchError
from workbench.jobs.hours import Hours, in_words, read_hours, read_moment
from workbench.workspace import Workspace, disk_full_in_words, read_json, write_json

LOCK_PATIENCE_SECONDS = 10.0
CLOCK_TOLERANCE_SECONDS = 60.0
# How every note of a job begins that waits for the queue and not for a device.
HELD = "Paused"


@dataclass(frozen=True)
class Pause:
    """Nothing new starts from `since` to `until`, or until somebody says so. at_once: what runs is set aside too."""

    since: float
    until: float | None = None
    at_once: bool = False


@dataclass(frozen=True)
class Rules:
    """hours: work in these hours of a day alone, but for the ones up to `open_until`. places: (created, place) of the
    jobs that were moved, whose place else is the moment of their creation."""

    pause: Pause | None = None
    hours: Hours | None = None
    open_until: float = 0.0
    places: dict[str, tuple[float, float]] = field(default_factory=dict)

    def open(self, moment: float) -> bool:
        """Whether the hours allow work at a moment."""
        return self.hours is None or moment < self.open_until or self.hours.hold(moment)


@dataclass(frozen=True)
class Hold:
    """The queue is held: until when (None: until somebody says so), whether what runs stops too, and all in words."""

    until: float | None
    at_once: bool
    words: str


def read_rules(workspace: Workspace) -> Rules:
    """The rules as they stand; none where the file is missing or damaged."""
    try:
        value = read_json(workspace.queue)
        return _rules(value) if isinstance(value, dict) else Rules()
    except (OSError, ValueError, TypeError, KeyError, AttributeError, WorkbenchError):
        return Rules()


def change_rules(workspace: Workspace, change: Callable[[Rules], Rules]) -> Rules:
    """Replace the rules by what `change` makes of them, with nobody else changing them meanwhile."""
    lock = FileLock(workspace.locks / "queue.lock", timeout=LOCK_PATIENCE_SECONDS)
    try:
        with lock, disk_full_in_words(workspace.root):
            rules = change(read_rules(workspace))
            write_json(workspace.queue, asdict(rules))
            return rules
    except Timeout:
        raise WorkbenchError("Somebody else is changing the queue just now. Try again in a moment.") from None


def pause(workspace: Workspace, until: str = "", at_once: bool = False) -> Hold:
    """Start nothing new, until a time such as 07:00 or until `go_on`. at_once: what can be set aside is.

    Raises WorkbenchError for a time that is none, or has passed.
    """
    now = time.time()
    begun = Pause(now, read_moment(until, now) if until.strip() else None, at_once)
    hold = held(change_rules(workspace, lambda rules: replace(rules, pause=begun)), now)
    assert hold is not None
    return hold


def go_on(workspace: Workspace) -> None:
    """End a pause; and outside the hours that the queue keeps, work even so until they have come and gone."""

    def end(rules: Rules) -> Rules:
        now = time.time()
        skipped = 0.0 if rules.hours is None or rules.open(now) else rules.hours.next_begin(now)
        return replace(rules, pause=None, open_until=max(rules.open_until, skipped))

    change_rules(workspace, end)


def work_between(workspace: Workspace, begin: str, end: str) -> Hours:
    """Work in these hours of every day alone: at their end what runs is set aside, and goes on at the next begin."""
    hours = read_hours(begin, end)
    change_rules(workspace, lambda rules: replace(rules, hours=hours, open_until=0.0))
    return hours


def work_always(workspace: Workspace) -> None:
    """Take back `work_between`."""
    change_rules(workspace, lambda rules: replace(rules, hours=None, open_until=0.0))


def held(rules: Rules, now: float) -> Hold | None:
    """What holds the queue at a moment, or None."""
    pause = rules.pause
    if pause is not None and pause.until is not None and now >= pause.until:
        pause = None
    if pause is None and rules.open(now):
        return None
    at_once = not rules.open(now) or (pause is not None and pause.at_once)
    if pause is not None and pause.until is None:
        return Hold(None, at_once, f"{HELD}. The queue goes on when you say so.")
    after = now if pause is None or pause.until is None else pause.until
    until = after if rules.hours is None or rules.open(after) else rules.hours.next_begin(after)
    words = f"{HELD} until {in_words(until, now)}."
    if rules.hours is not None and not rules.open(after):
        words += f" The queue works between {rules.hours.begin} and {rules.hours.end}."
    if pause is not None and now < pause.since - CLOCK_TOLERANCE_SECONDS:
        words += " The clock of this computer has been set back since then."
    return Hold(until, at_once, words)


def hold_now(workspace: Workspace) -> Hold | None:
    """What holds the queue now, or None."""
    return held(read_rules(workspace), time.time())


def _rules(value: dict[str, Any]) -> Rules:
    paused, hours = value.get("pause"), value.get("hours")
    until = None if paused is None or paused.get("until") is None else float(paused["until"])
    return Rules(
        None if paused is None else Pause(float(paused["since"]), until, bool(paused.get("at_once"))),
        None if hours is None else read_hours(str(hours["begin"]), str(hours["end"])),
        float(value.get("open_until") or 0.0),
        {str(name): (float(made), float(place)) for name, (made, place) in (value.get("places") or {}).items()},
    )
