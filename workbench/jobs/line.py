"""The line of the jobs that compute: who does, who waits, and in which order.

The order is that of their creation, unless the user has moved one. What stands for it is a number, a job's place: the
moment of its creation until it is moved.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, Status
from workbench.jobs.devices import wanted_device
from workbench.jobs.observe import find, job_folders, lives, watch
from workbench.jobs.rules import Rules, change_rules, read_rules
from workbench.jobs.works import WORKS_THAT_GO_ON, uses_device
from workbench.workspace import Workspace

Where = Literal["first", "up", "down", "last"]
APART_SECONDS = 0.001


@dataclass(frozen=True)
class InLine:
    """A job that computes or waits to. wanted: the device that it names, else empty."""

    job: JobFolder
    work: str
    created: float
    wanted: str
    status: Status

    @property
    def name(self) -> str:
        return self.job.name

    @property
    def waits(self) -> bool:
        return self.status.state == "queued"

    @property
    def goes_on(self) -> bool:
        """Whether it keeps what it has done when it is set aside; else it ends before a pause begins for it."""
        return self.work in WORKS_THAT_GO_ON

    def lives(self) -> bool:
        """Whether its processes live; one whose are gone is written down as crashed."""
        return lives(self.job, self.status) or not watch(self.job).ended


class Line:
    """Looks at the line again and again, and reads only what has changed since the last time."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._known: dict[str, tuple[tuple[int, int], InLine | None]] = {}

    def look(self) -> tuple[list[InLine], list[InLine]]:
        """The jobs that compute and those that wait, both in their order; some may have been killed since."""
        known = self._known
        self._known = {}
        for folder in (self.workspace.runs, self.workspace.jobs):
            for job in job_folders(folder):
                self._known[str(job.path)] = self._read(job, known.get(str(job.path)))
        found = in_order([one for _, one in self._known.values() if one is not None], read_rules(self.workspace))
        return [one for one in found if not one.waits], [one for one in found if one.waits]

    def _read(
        self, job: JobFolder, before: tuple[tuple[int, int], InLine | None] | None
    ) -> tuple[tuple[int, int], InLine | None]:
        try:
            stat = os.stat(job.path / "status.json")
            signature = (stat.st_ino, stat.st_mtime_ns)
        except OSError:
            signature = (0, 0)
        return before if before is not None and before[0] == signature else (signature, _in_line(job))


def _in_line(job: JobFolder) -> InLine | None:
    """The job as it stands in line, or None if it has ended, needs no device, or cannot be read."""
    status = job.status()
    if status.ended:
        return None
    try:
        described = job.job
        work, spec = str(described["work"]), dict(described["spec"])
        one = InLine(job, work, float(described["created"]), wanted_device(spec), status)
    except (WorkbenchError, TypeError, ValueError):
        return None
    return one if uses_device(work, spec) else None


def the_line(workspace: Workspace) -> tuple[list[InLine], list[InLine]]:
    """The living jobs that compute, and those that wait, both in their order."""
    computing, waiting = Line(workspace).look()
    return [one for one in computing if one.lives()], [one for one in waiting if one.lives()]


def in_order(jobs: Iterable[InLine], rules: Rules) -> list[InLine]:
    """The jobs by their places."""
    return sorted(jobs, key=lambda one: (_place(one, rules), one.created, one.name))


def move(workspace: Workspace, name: str, where: Where) -> list[str]:
    """Put a waiting job elsewhere in the line; returns the names of all that wait, as they stand now.

    Raises WorkbenchError if it does not wait.
    """
    names: list[str] = []

    def change(rules: Rules) -> Rules:
        computing, waiting = the_line(workspace)
        by_name = {one.name: one for one in waiting}
        if name not in by_name:
            raise WorkbenchError(f"“{name}” does not wait in the queue: it is {watch(find(workspace, name)).state}.")
        names.extend(moved(list(by_name), name, where))
        places = sorted(_place(one, rules) for one in waiting)
        for i in range(1, len(places)):
            places[i] = max(places[i], places[i - 1] + APART_SECONDS)
        kept = {one.name: _kept(one, rules) for one in computing if one.name in rules.places}
        now = {other: (by_name[other].created, place) for other, place in zip(names, places, strict=True)}
        return replace(rules, places=kept | now)

    change_rules(workspace, change)
    return names


def moved(names: list[str], name: str, where: Where) -> list[str]:
    """The names with one of them moved."""
    place, rest = names.index(name), [other for other in names if other != name]
    to = {"first": 0, "up": max(0, place - 1), "down": place + 1, "last": len(rest)}[where]
    return [*rest[:to], name, *rest[to:]]


def put_back(workspace: Workspace, job: JobFolder) -> None:
    """Put a job that was set aside before all that wait, so that it goes on before others begin."""
    created = float(job.job["created"])

    def change(rules: Rules) -> Rules:
        _, waiting = Line(workspace).look()
        places = [_place(one, rules) for one in waiting if one.name != job.name]
        first = min([created, *(place - 1.0 for place in places)])
        return replace(rules, places={**rules.places, job.name: (created, first)})

    with suppress(WorkbenchError):  # a full disk: it keeps the place that it had
        change_rules(workspace, change)


def _place(one: InLine, rules: Rules) -> float:
    made, place = rules.places.get(one.name, (one.created, one.created))
    return place if made == one.created else one.created  # else the name was somebody else's before


def _kept(one: InLine, rules: Rules) -> tuple[float, float]:
    return one.created, _place(one, rules)
