"""What to do about a job that went wrong: a table of the known failures, each with words, a button and what it sets.

    advice = advice_for(job)          None where there is nothing to advise
    advice.words                      what happened and what helps, in sentences
    advice.press                      what the button says; empty where nothing is to be pressed
    advice.changes                    settings for a new run like this one; empty where Resume goes on with this one

Everything is read from the job's folder, so that it is the same on the page, in the terminal and after a restart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.training.out_of_memory import ABOUT as MEMORY
from workbench.training.out_of_memory import reads
from workbench.workspace import read_json

LOG_BYTES = 8_000
RESUME, AGAIN, CHECK = "Resume", "Start again", "Look at it in Check"
LORA_RANK = 16
LEAST_TEXT_TOKENS = 64


@dataclass(frozen=True)
class Advice:
    """What to do about one failure; `about` names it for programs."""

    about: str
    words: str
    press: str = ""
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What a job's folder tells of its end. said: its reason, its problems and the end of its log, in one text.

    reads: how its batches can be read, see `out_of_memory.reads`.
    """

    said: str
    settings: dict[str, Any]
    reads: str
    out_of_memory: bool
    signal: int | None
    pairs_at_once: int
    on_gpu: bool


@dataclass(frozen=True)
class Known:
    """One known failure: how it is recognised, and what is advised. Nothing is advised where that gives None."""

    about: str
    fits: Callable[[Facts], bool]
    advise: Callable[[Facts], tuple[str, str, dict[str, Any]]]


def advice_for(job: JobFolder, events: list[dict[str, Any]] | None = None) -> Advice | None:
    """What to do about a job that failed or crashed, or what a run at work has done about it by itself.

    events: the job's, as the caller has read them.
    """
    status, events = job.status(), list(job.events()) if events is None else events
    if status.state not in ("failed", "crashed"):
        applied = [event for event in events if event.get("event") == "advice" and event.get("applied")]
        return Advice(str(applied[-1]["about"]), str(applied[-1]["words"])) if applied else None
    facts = _facts(job, events)
    for known in TABLE:
        if known.fits(facts):
            words, press, changes = known.advise(facts)
            return Advice(known.about, words, press, changes)
    return None


def _facts(job: JobFolder, events: list[dict[str, Any]]) -> Facts:
    last = {str(event.get("event")): event for event in events}
    try:
        spec = job.spec
    except WorkbenchError:
        spec = {}
    failed = last.get("failed", {})
    ended = read_json(job.path / "exit.json") or {}
    status = job.status()
    problems = [str(problem) for problem in failed.get("problems") or []]
    said = "\n".join(
        [status.reason, str(failed.get("reason") or ""), *problems, _end_of_log(job, _part_begins(events))]
    )
    settings = dict(spec.get("settings") or {})
    started, metrics = last.get("started", {}), last.get("metrics", {})
    batch = int(settings.get("batch_size") or 0)
    return Facts(
        said=said,
        settings=settings,
        reads=reads(str(spec.get("kind")), spec.get("objective")),
        out_of_memory=bool(ended.get("out_of_memory") or (status.state == "failed" and failed.get("out_of_memory"))),
        signal=ended.get("signal"),
        pairs_at_once=min(batch, int(started.get("mini_batch_size") or settings.get("mini_batch_size") or batch)),
        on_gpu="device_bytes" in metrics,
    )


def _part_begins(events: list[dict[str, Any]]) -> int:
    """Where in log.txt the last part of the job begins: what earlier parts said is no longer what is wrong."""
    return max((int(event["log_bytes"]) for event in events if "log_bytes" in event), default=0)


def _end_of_log(job: JobFolder, begins: int) -> str:
    """The end of log.txt, where the whole report of an error stands, of the part that begins there."""
    try:
        with open(job.path / "log.txt", "rb") as file:
            file.seek(0, 2)
            file.seek(max(begins, file.tell() - LOG_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _says(*patterns: str) -> Callable[[Facts], bool]:
    """Whether a failure's own words, or the end of its log, match one of these."""
    joined = re.compile("|".join(patterns), re.IGNORECASE)
    return lambda facts: bool(joined.search(facts.said))


def _fixed(words: str, press: str = RESUME) -> Callable[[Facts], tuple[str, str, dict[str, Any]]]:
    return lambda facts: (words, press, {})


def _ran_out(facts: Facts) -> tuple[str, str, dict[str, Any]]:
    """Memory: fewer pairs at once where that is possible, else what makes each pair smaller."""
    if not facts.settings:
        return "Memory ran out. Close other programs or choose a smaller model, then resume it.", RESUME, {}
    if facts.signal and facts.on_gpu:
        return (
            "The system ended it because the computer's own memory ran out, not the GPU's. Start it again with one "
            "loader process, or close other programs.",
            f"{AGAIN} with one loader process",
            {"loader_workers": 1},
        )
    if facts.reads == "whole":
        half = max(2, facts.settings["batch_size"] // 2)
        return (
            "Memory ran out, and this objective needs its whole batch at once. A smaller batch learns from fewer pairs "
            "in a step.",
            f"{AGAIN} with a batch of {half}",
            {"batch_size": half},
        )
    if facts.pairs_at_once > 1:
        half = facts.pairs_at_once // 2
        return (
            f"Memory ran out with a mini-batch of {facts.pairs_at_once}. With {half} it needs about half as much, and "
            "the result stays the same.",
            f"{AGAIN} with a mini-batch of {half}",
            {"mini_batch_size": half},
        )
    return _smaller_pairs(facts)


def _smaller_pairs(facts: Facts) -> tuple[str, str, dict[str, Any]]:
    """Memory ran out with one pair at once: the next thing that saves memory and has not been tried."""
    one = "Memory ran out with a single pair at once. "
    if not facts.settings.get("gradient_checkpointing"):
        words = "Gradient checkpointing saves most of what is left to save and makes it about a third slower."
        return one + words, f"{AGAIN} with gradient checkpointing", {"gradient_checkpointing": True}
    if not facts.settings.get("lora_rank"):
        words = "LoRA trains small adapters in place of all weights and needs a fraction of the memory for it."
        return one + words, f"{AGAIN} with LoRA", {"lora_rank": LORA_RANK}
    tokens = int(facts.settings.get("max_text_tokens") or 0)
    if tokens > LEAST_TEXT_TOKENS:
        half = max(LEAST_TEXT_TOKENS, tokens // 2)
        return one + "Shorter texts need less.", f"{AGAIN} with {half} tokens", {"max_text_tokens": half}
    return one + "Choose a smaller model, or a lower longest text and smaller pictures.", "", {}


def _calmer(facts: Facts) -> tuple[str, str, dict[str, Any]]:
    rate = float(facts.settings.get("learning_rate") or 0) / 10
    changes: dict[str, Any] = {"learning_rate": rate}
    if facts.settings.get("precision") == "fp16":
        changes["precision"] = "fp32"
    words = (
        "The loss is not a number any more: the learning rate is too high for this model, or the number format too "
        "narrow. Nothing that was learnt after that is worth keeping."
    )
    return words, f"{AGAIN} with a learning rate of {rate:g}", changes


PACKAGE = re.compile(r"No module named '([\w.]+)'")


def _package(facts: Facts) -> tuple[str, str, dict[str, Any]]:
    found = PACKAGE.search(facts.said)
    name = f"“{found.group(1).split('.')[0]}”" if found else "that it needs"
    return (
        f"The package {name} is not installed. Models that read pictures and text want: pip install -r "
        "requirements-gpu.txt. Install it where the workbench runs, then resume.",
        RESUME,
        {},
    )


# The first that fits counts: the narrow ones stand before the wide ones.
TABLE: tuple[Known, ...] = (
    Known("loss is not a number", _says(r"loss at step [\d,]+ is not a number"), _calmer),
    Known(MEMORY, lambda facts: facts.out_of_memory, _ran_out),
    Known(
        "disk full",
        _says(r"no space left on device", r"disk that holds .* is full", r"os error 28"),
        _fixed("The disk is full. Free some space: old runs are the largest, and Runs removes them. Then resume it."),
    ),
    Known(
        "no permission on the Hub",
        _says(r"\b40[13] Client Error", r"asks its users to agree", r"hf auth login", r"GatedRepoError"),
        _fixed(
            "The Hub refused it: a login is missing, has no right to this repository, or terms are to be agreed to on "
            "its page. Type: hf auth login – with a token that may do it, then resume."
        ),
    ),
    Known("missing package", _says(r"No module named '", r"needs a package", r"ModuleNotFoundError"), _package),
    Known(
        "driver lost",
        _says(
            r"no CUDA-capable device",
            r"CUDA driver (?:error|initialization)",
            r"NVML",
            r"unspecified launch failure",
            r"device-side assert",
            r"GPU is lost",
            r"CUDA error: (?:unknown|uncorrectable|device)",
        ),
        _fixed(
            "The GPU or its driver has gone away, as it does when it overheats, loses power or its driver is updated. "
            "Restart the computer if nvidia-smi does not list it, then resume: it goes on from the last checkpoint."
        ),
    ),
    Known(
        "bad file",
        _says(r"the (?:picture|sound|video) (?:is|holds|says|has)\b", r"cannot be read: the "),
        _fixed(
            "A file of the collection cannot be read. Check finds it with all others like it and leaves them out; then "
            "start the run again.",
            CHECK,
        ),
    ),
    Known(
        "loader killed",
        _says(r"process that decodes media was killed", r"DataLoader worker .* killed"),
        lambda facts: (
            "A process that decodes media was killed, most often because memory ran out.",
            f"{AGAIN} without loader processes",
            {"loader_workers": 0},
        ),
    ),
    Known(
        "killed",
        lambda facts: facts.signal == 9,
        _fixed("It was killed from outside. Nothing up to its last checkpoint is lost: resume it."),
    ),
    Known(
        "killed",
        _says(r"background process is gone"),
        _fixed("Its process is gone: killed, or the computer was restarted. Resume goes on from the last checkpoint."),
    ),
)
