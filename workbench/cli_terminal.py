"""What every command shares: its options, one sentence for an error, a progress line, and one JSON object."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, Status, finite
from workbench.workspace import Workspace

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", metavar="DIR", help="The workspace; else $WORKBENCH_WORKSPACE, else ./workspace."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the whole report of an unexpected error.")]
NameArgument = Annotated[str, typer.Argument(metavar="N", help="The collection's name.")]
MODEL_HELP = "starter, run:NAME, run:NAME@STEP, remote:NAME, a folder, or a Hub id."
WORK_FAILED, WRONG_USAGE = 1, 2


@contextmanager
def in_words(debug: bool = False) -> Iterator[None]:
    """Turn whatever goes wrong in a command into one plain sentence on stderr and exit code 1.

    What libraries print goes to stderr, so that stdout holds the answer alone.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (typer.Exit, typer.Abort):
        raise
    except WorkbenchError as error:
        fail(str(error), debug)
    except KeyboardInterrupt:
        fail("Interrupted.", debug)
    except Exception as error:
        line = traceback.format_exception_only(error)[-1].strip().splitlines()[0][:300].rstrip(".")
        fail(
            f"It ended with an error that the workbench has no words for: {line}. --debug shows the whole report.",
            debug,
        )


def fail(words: str, debug: bool = False) -> None:
    """Say why on stderr and leave with exit code 1."""
    if debug and sys.exc_info()[0] is not None:
        traceback.print_exc()
    say(words)
    raise typer.Exit(WORK_FAILED)


def confirm(question: str, yes: bool) -> None:
    """Ask before something is deleted. Where nobody can be asked, only `yes` is leave: exit code 2 without it."""
    if yes:
        return
    if not sys.stdin.isatty():
        say(f"{question} Nobody can be asked here. Add --yes to say so.")
        raise typer.Exit(WRONG_USAGE)
    typer.confirm(question, abort=True, err=True)


def _kind(value: str) -> str:
    from workbench.settings import KINDS

    return _one_of(KINDS, value)


def _preset(value: str) -> str:
    from workbench.settings import PRESETS

    return _one_of(PRESETS, value)


def _one_of(options: Iterable[str], value: str) -> str:
    if value not in options:
        raise typer.BadParameter(f"“{value}” is none of {', '.join(options)}.")
    return value


KindOption = Annotated[str, typer.Option("--kind", callback=_kind, help="embedder, reranker or late-interaction.")]
PresetOption = Annotated[str, typer.Option("--preset", callback=_preset, help="quick, balanced or best.")]


def say(words: str) -> None:
    """Tell the person at the terminal something that is not the answer."""
    print(words, file=sys.stderr, flush=True)


def answer(value: dict[str, Any], as_json: bool, words: str) -> None:
    """Print the answer of a command: the object, or its `words`."""
    print(json.dumps(finite(value), ensure_ascii=False, allow_nan=False) if as_json else words, flush=True)


def do_job(workspace: Workspace, work: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Start a job, show its progress, wait for it, and return its result.

    Raises WorkbenchError with the job's own words, and every problem it named, if it does not finish.
    """
    job = jobs.start(workspace, work, name, spec)
    status = follow(job)
    result = job.result()
    if status.state == "finished" and result is not None:
        return result
    raise not_finished(job, status)


def follow(job: JobFolder) -> Status:
    """Show a job's progress until it ends. Ctrl-C asks it to stop and waits; a second one leaves it to stop alone."""
    line = ProgressLine(job.name)
    try:
        try:
            return jobs.wait(job, line.show)
        except KeyboardInterrupt:
            line.close()
            say(f"Stopping “{job.name}”. Press Ctrl-C again to leave it to stop by itself.")
            jobs.stop(job)
            return jobs.wait(job, line.show)
    except KeyboardInterrupt:
        raise WorkbenchError(
            f"“{job.name}” goes on stopping in the background. To see it: python -m workbench runs show {job.name}"
        ) from None
    finally:
        line.close()


def not_finished(job: JobFolder, status: Status) -> WorkbenchError:
    """The error that tells why a job did not finish."""
    if status.state == "failed" and (failed := job.last_event("failed")):
        sentence = (status.reason or str(failed.get("reason", ""))).splitlines()[0]
        return WorkbenchError(sentence, [str(problem) for problem in failed.get("problems") or []])
    return WorkbenchError(status.reason or f"“{job.name}” was {status.state} before it was done.")


class ProgressLine:
    """How far a job is, on stderr: one line that is written over on a terminal, now and then a new one in a file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.over = sys.stderr.isatty()
        self.open = False
        self.last: object = None

    def show(self, status: Status) -> None:
        """Show a job's state."""
        if status.ended:
            return
        self.step(status.step, status.total, status.note or status.state, status.eta_seconds)

    def step(self, step: int, total: int, note: str, eta_seconds: float | None = None) -> None:
        """Show that `step` of `total` is done."""
        tenth = 10 * step // total if total else 0
        if not self.over:
            if (note, tenth) != self.last:
                say(self._words(step, total, note, eta_seconds))
        else:
            sys.stderr.write(f"\r\x1b[K{self._words(step, total, note, eta_seconds)[:110]}")
            sys.stderr.flush()
            self.open = True
        self.last = (note, tenth)

    def close(self) -> None:
        """End a line that was being written over."""
        if self.open:
            sys.stderr.write("\n")
            self.open = False

    def _words(self, step: int, total: int, note: str, eta_seconds: float | None) -> str:
        counted = f" · {step:,} of {total:,}" if total else ""
        left = f" · about {duration(eta_seconds)} left" if eta_seconds and eta_seconds >= 1 else ""
        return f"{self.name}: {note}{counted}{left}"


def duration(seconds: float) -> str:
    """Seconds in words: 40 s, 3 min, 2 h 10 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def ago(moment: float) -> str:
    """How long ago a moment (seconds since 1970) was: 40 s ago."""
    return f"{duration(max(0.0, time.time() - moment))} ago"


def lasting(model: str) -> str:
    """A model reference that means the same from every current directory: folders become absolute."""
    path = Path(model).expanduser()
    return str(path.absolute()) if path.is_dir() and model not in ("starter", "starter-reranker") else model


def known_collection(workspace: Workspace, name: str) -> str:
    """Check that a collection is there, before a process is started for it; returns its name."""
    if not (workspace.collection(name) / "card.json").exists():
        raise WorkbenchError(f"There is no collection named “{name}”. Import one first.")
    return name


def quiet_libraries(debug: bool) -> None:
    """Keep the libraries' own progress bars and advice off the terminal of a command that computes here."""
    if not debug:
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
