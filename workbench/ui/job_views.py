"""How a background job looks on any tab: its progress, its reason when it ended badly, and what can be done."""

from __future__ import annotations

from typing import Any

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.jobs.works import WORKS_THAT_GO_ON
from workbench.models.remote import PREFIX
from workbench.ui import cards
from workbench.ui.page import Page
from workbench.workspace import Workspace

IN_THE_OWNERS_NAME = ("push", "generate")


def open_jobs(workspace: Workspace, *works: str, collection: str = "") -> list[JobFolder]:
    """The jobs of some works that are at work, and those that ended badly and have not been put away.

    collection: only those for this one.
    """
    found = jobs.list_jobs(workspace, *works, collection=collection)
    return [job for job in found if jobs.watch(job).state != "finished"]


def job_card(job: JobFolder, title: str) -> str:
    """The card of one job: a bar and Stop while it works; what went wrong, and what to press, when it ended badly."""
    status = jobs.watch(job)
    if not status.ended:
        stop = cards.button("Stop", "stop", name=job.name) if status.state != "stopping" else ""
        return cards.progress(title, status, stop)
    again = cards.button("Resume", "resume", name=job.name) if job.work in WORKS_THAT_GO_ON else ""
    buttons = f"{again}{cards.button('Put away', 'dismiss', name=job.name)}"
    if status.state == "stopped":
        return cards.progress(title, status, buttons)
    first, *rest = (status.reason or "It ended without saying why; its log.txt may tell.").splitlines()
    return cards.notice(f"{title}: {first}", rest, closable=False) + f'<div class="actions after">{buttons}</div>'


def use_job(page: Page, act: str, name: str) -> None:
    """Do what a button of a job card says: stop, resume, dismiss. Other words do nothing.

    Raises WorkbenchError for a resume that a page open to others may not do.
    """
    workspace = page.workspace
    if act == "stop":
        jobs.stop(jobs.find(workspace, name))
    elif act == "resume":
        check_may_begin(page, jobs.find(workspace, name))
        jobs.resume(workspace, name)
    elif act == "dismiss":
        jobs.remove(workspace, name)


def check_may_begin(page: Page, job: JobFolder) -> None:
    """Raise WorkbenchError if this page's users may not have a work like this one done.

    On a page open to others nobody but its owner starts what goes out in the owner's name, or runs a model's own code.
    """
    if not page.may_run_code and (
        job.work in IN_THE_OWNERS_NAME or job.spec.get("trust_remote_code") or _asks_remote(job.spec)
    ):
        raise WorkbenchError(
            f"This page is open to others, and “{job.name}” runs a model's own code or goes out in its owner's name. "
            "Start it in the terminal."
        )


def _asks_remote(spec: dict[str, Any]) -> bool:
    """Whether a work asks a model behind an address, for which its owner pays."""
    named = [spec.get("model"), spec.get("reranker"), spec.get("round_trip"), *(spec.get("models") or [])]
    return any(str(one).startswith(PREFIX) for one in named)
