"""Out of memory: told apart from other errors, and what to hold less of, so that a run goes on by itself.

A batch is read in mini-batches with the same result, so a run that ran out of memory begins again at its last
checkpoint with half as many pairs held at once, down to one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.job_folder import JobFolder
from workbench.memory import WORDS, chain, is_out_of_memory, let_go_of_memory

if TYPE_CHECKING:
    from workbench.settings import TrainSettings

__all__ = ["WORDS", "chain", "is_out_of_memory", "let_go_of_memory"]
ABOUT = "out of memory"
USUAL = {"embedder": "contrastive", "reranker": "bce", "late-interaction": "contrastive"}


def reads(kind: str, objective: str | None) -> str:
    """How a run of this kind and objective can read its batches: `mini-batches`, `pieces` or `whole`."""
    objective = objective or USUAL.get(kind, "")
    from workbench.settings.taken import BY_LOSS, IN_PIECES

    if objective in BY_LOSS.get(kind, ()):
        return "mini-batches"
    return "pieces" if objective in IN_PIECES.get(kind, ()) else "whole"


def held_at_once(recipe: Any, kind: str, settings: TrainSettings) -> int:
    """The pairs that a run holds in memory at once: its mini-batch, or the batch where there is no smaller part."""
    from workbench.training.objectives import LARGEST_GUIDED_MINI_BATCH, mini_batch_size

    way = reads(kind, recipe.objective)
    if way == "whole":
        return settings.batch_size
    if way == "pieces":  # it is read whole unless a mini-batch is asked for
        return piece_of(settings.batch_size, settings.mini_batch_size or settings.batch_size)
    most = LARGEST_GUIDED_MINI_BATCH if recipe.objective == "contrastive-guided" else settings.batch_size
    return min(settings.batch_size, most, mini_batch_size(recipe.model, settings))


def piece_of(batch: int, wanted: int) -> int:
    """The largest part of a batch, of at most `wanted` pairs, that divides it evenly."""
    return next(size for size in range(min(batch, max(1, wanted)), 0, -1) if batch % size == 0)


def until_it_fits(
    job: JobFolder,
    settings: TrainSettings,
    begin: Callable[[TrainSettings], Any],
    train: Callable[[JobFolder, Any, TrainSettings], None],
) -> Any:
    """Train what `begin` makes, and return it. When memory runs out in its steps, begin again with half the mini-batch.

    It then starts as a resumed run does: with the untouched weights and the seed, then from the last checkpoint.
    Raises what ended the training where no less can be held in memory, and whatever ended the beginning, which a
    smaller mini-batch does not help.
    """
    while True:
        begun = begin(settings)
        smaller = _smaller_if_needed(job, begun, settings, train)
        if smaller is None:
            return begun
        settings = smaller
        del begun
        let_go_of_memory()


def _smaller_if_needed(
    job: JobFolder, begun: Any, settings: TrainSettings, train: Callable[[JobFolder, Any, TrainSettings], None]
) -> TrainSettings | None:
    """Train; the settings to begin again with when memory ran out. The error, whose frames hold the model, is gone."""
    try:
        train(job, begun, settings)
    except Exception as error:
        if is_out_of_memory(error) and (smaller := halve(job, begun.recipe, settings)):
            return smaller
        raise
    return None


def told_smaller(job: JobFolder, settings: TrainSettings) -> TrainSettings:
    """The settings with the mini-batch that this run has come down to before, where it ran out of memory.

    A resumed run that chose its mini-batch keeps it, whatever has been measured since, so that it ends bit for bit as
    it would have.
    """
    told = [event for event in job.events("advice") if event.get("about") == ABOUT and event.get("applied")]
    if told:
        return settings.model_copy(update={"mini_batch_size": int(told[-1]["value"])})
    begun = int((job.last_event("started") or {}).get("mini_batch_size") or 0)
    if begun and not job.spec["settings"].get("mini_batch_size"):
        return settings.model_copy(update={"mini_batch_size": begun})
    return settings


def halve(job: JobFolder, recipe: Any, settings: TrainSettings) -> TrainSettings | None:
    """The settings with half the mini-batch, told as advice in the job folder; None where no less can be held."""
    if reads(job.spec["kind"], recipe.objective) == "whole":
        return None
    current = held_at_once(recipe, job.spec["kind"], settings)
    if current <= 1:
        return None
    smaller = current // 2
    words = (
        f"Memory ran out with a mini-batch of {current}, so the run goes on with {smaller}. The result stays the same."
    )
    job.emit(
        "advice",
        step=job.status().step,
        about=ABOUT,
        setting="mini_batch_size",
        value=smaller,
        was=current,
        applied=True,
        words=words,
    )
    job.say(words)
    return settings.model_copy(update={"mini_batch_size": smaller})
