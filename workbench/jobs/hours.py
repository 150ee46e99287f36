"""Times as people write them: 07:00, a date with a time, and the hours of a day."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from workbench.errors import WorkbenchError

CLOCK = re.compile(r"(\d{1,2})[:.h](\d{2})")


@dataclass(frozen=True)
class Hours:
    """A part of every day, from `begin` to `end`, both as 20:00; over midnight where the end comes first."""

    begin: str
    end: str

    def hold(self, moment: float) -> bool:
        """Whether a moment (seconds since 1970) lies in these hours, by the clock of this computer."""
        now, begin, end = time.strftime("%H:%M", time.localtime(moment)), self.begin, self.end
        return begin <= now < end if begin < end else now >= begin or now < end

    def next_begin(self, moment: float) -> float:
        """When they begin next after a moment."""
        return next_time(self.begin, moment)


def read_hours(begin: str, end: str) -> Hours:
    """The hours between two times of day. Raises WorkbenchError for what is no time, and for no hours at all."""
    hours = Hours(_clock(begin), _clock(end))
    if hours.begin == hours.end:
        raise WorkbenchError(f"From {hours.begin} to {hours.end} is no time at all. Give two different times.")
    return hours


def read_moment(text: str, now: float) -> float:
    """The next time a clock shows `text` (07:00), or the moment of a date and time (2026-11-22 07:00).

    Raises WorkbenchError for anything else, and for a moment that has passed.
    """
    text = text.strip()
    if CLOCK.fullmatch(text):
        return next_time(_clock(text), now)
    try:
        if len(text) <= len("2026-11-22"):  # a day alone does not say when
            raise ValueError
        moment = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise WorkbenchError(
            f"“{text[:40]}” is no time. Write it as 07:00, or with its day: 2026-11-22 07:00."
        ) from None
    if moment <= now:
        raise WorkbenchError(f"“{text[:40]}” has passed: it is {in_words(now, 0)} now. Give a later time.")
    return moment


def next_time(clock: str, now: float) -> float:
    """The first moment after `now` at which the clock of this computer shows `clock`."""
    hour, minute = (int(part) for part in clock.split(":"))
    today = datetime.fromtimestamp(now).replace(hour=hour, minute=minute, second=0, microsecond=0)
    moments = ((today + timedelta(days=days)).timestamp() for days in range(3))
    return next(moment for moment in moments if moment > now)


def in_words(moment: float, now: float) -> str:
    """07:00 today, 07:00 tomorrow, else 07:00 on 22 November 2026."""
    then, today = datetime.fromtimestamp(moment), datetime.fromtimestamp(now).date()
    clock = then.strftime("%H:%M")
    if then.date() == today:
        return clock
    if then.date() == today + timedelta(days=1):
        return f"{clock} tomorrow"
    return f"{clock} on {then.day} {then.strftime('%B %Y')}"


def _clock(text: str) -> str:
    found = CLOCK.fullmatch(text.strip())
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        raise WorkbenchError(f"“{text.strip()[:40]}” is no time of day. Write it as 07:00.")
    return f"{int(found[1]):02}:{found[2]}"
