"""``python -m workbench.training.dry_run FOLDER``: take a few real steps and say what they cost.

Started by `fit` in a process of its own, so that running out of memory, or being ended for it by the system, harms
nothing else. FOLDER holds ask.json (workspace, spec, and the largest mini-batch worth trying). told.json is written
after each try, so that what was learnt survives this process: {"trying", "points", and at the end the figures of a
`Measurement`} or {"error": words}.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.collection.store import Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.settings import TrainSettings, check_settings
from workbench.training.fit import first_sizes, largest_that_fits, smallest_size
from workbench.training.out_of_memory import is_out_of_memory, let_go_of_memory, reads
from workbench.workspace import open_workspace, read_json, write_json

if TYPE_CHECKING:
    from workbench.evaluation.held_out import HeldOut

PARENT_POLL_SECONDS = 0.5
NOTHING_FITS = "Not even one pair at once fits into this device's memory. Choose a smaller model, or LoRA."


class DryRun:
    """A configuration tried at several sizes. told: what has been found so far, as in told.json."""

    def __init__(self, folder: Path) -> None:
        from workbench.training.meter import Meter
        from workbench.training.recipe import objective_of

        ask = read_json(folder / "ask.json")
        self.folder = folder
        self.workspace = open_workspace(ask["workspace"])
        spec = ask["spec"]
        self.whole = open_collection(self.workspace, spec["collection"], spec["collection_fingerprint"])
        settings = check_settings(spec["settings"])
        # A part of the collection may be of another shape than the whole, which says what is learnt.
        self.spec = spec | {"objective": objective_of(spec, self.whole, settings, spec["kind"])}
        self.settings = settings.model_copy(
            update={"gradient_accumulation": 1, "loader_workers": 0, "early_stopping": 0, "tracker": "none"}
        )
        self.asked = asked_at_once(self.spec, self.settings)
        self.at_most = int(ask.get("at_most") or self.asked or self.settings.batch_size)
        self.told: dict[str, Any] = {"points": ask.get("points") or []}
        self.meter = Meter()

    def measure(self) -> None:
        """Find the largest mini-batch that fits, then time ordinary steps and a scoring with it."""
        from workbench.training.longest import longest_pairs, ordinary_pairs, write_part
        from workbench.training.measurements import device_name

        batch = self.settings.batch_size
        longest = write_part(self.whole, longest_pairs(self.whole, batch), self.folder / "longest")
        size = self._largest(longest)
        if self.asked and size < self.asked:
            raise WorkbenchError(too_large(self.spec, self.asked, size))
        ordinary = write_part(self.whole, ordinary_pairs(self.whole, batch), self.folder / "ordinary")
        self._tell(trying=size)
        seconds, scoring = self._steps(ordinary, size, score=True)
        self._tell(
            trying=None,
            peak_bytes=dict(map(tuple, self.told["points"]))[size],
            seconds_per_batch=seconds,
            mini_batch_size=size,
            **scoring,
            device=device_name(),
            device_bytes=self.meter.device_bytes,
            measured_at=time.time(),
        )

    def _largest(self, longest: Collection) -> int:
        """The largest size that was seen to fit: two give a line, and what the line promises is tried."""
        from workbench.models.catalogue import describe
        from workbench.training.objectives import SMALL_MODEL

        least = smallest_size(self.spec)
        parameters = int(describe(self.workspace, self.spec["model"])["parameters"] or 0)
        small, large = first_sizes(self.at_most, least, 0 < parameters < SMALL_MODEL)
        while not self._fits(longest, small):
            if small <= least:
                raise WorkbenchError(NOTHING_FITS)
            small = large = max(least, small // 2)
        while large > small and not self._fits(longest, large):
            large //= 2
        size = largest_that_fits(self.told["points"], self.meter.budget, self.at_most)
        while size > small and not self._fits(longest, size):
            size = max(small, size // 2)
        return max(size, small)

    def _fits(self, collection: Collection, size: int) -> bool:
        """Whether steps of this size stay within the budget; the peak is told either way, if it could be seen."""
        known = dict(map(tuple, self.told["points"]))
        if size not in known:
            self._tell(trying=size)
            if not self._survives(collection, size):
                self.at_most = min(self.at_most, max(1, size - 1))
                return False
            known[size] = self.meter.peak()
            self._tell(points=sorted([one, peak] for one, peak in known.items()))
        return bool(known[size] <= self.meter.budget)

    def _survives(self, collection: Collection, size: int) -> bool:
        try:
            self._steps(collection, size)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    def _steps(self, collection: Collection, size: int, *, score: bool = False) -> tuple[float, dict[str, float]]:
        """Two steps or more on a small collection; timed, twice through its batches: seconds of a step, of scorings."""
        from workbench.training.assembling import make_trainer
        from workbench.training.kinds import RECIPES
        from workbench.training.run import seed_everything

        let_go_of_memory()
        self.meter.reset()
        settings = sized(self.settings, self.spec, size)
        seed_everything(settings.seed)
        recipe: Any = RECIPES[self.spec["kind"]](self.workspace, collection, self.spec, settings)
        prepare_model(recipe, settings)
        datasets = recipe.datasets()
        batches = batches_of(recipe, datasets)
        steps = 2 * batches if score else max(2, batches)
        clock = Clock.callback(steps)
        trainer = make_trainer(
            JobFolder(self.folder), self.spec, recipe, settings, datasets, steps, evaluator=[], callbacks=[clock]
        )
        without_saving(trainer.args)
        trainer.train()
        return clock.seconds, scoring_seconds(recipe, self.whole, self.settings) if score else {}

    def _tell(self, **fields: Any) -> None:
        self.told |= fields
        write_json(self.folder / "told.json", self.told)


class Clock:
    """Times optimizer steps; the first half of them, which warm up, do not count."""

    @staticmethod
    def callback(steps: int) -> Any:
        """A callback of the trainer whose `seconds` is the mean of the steps that count."""
        import torch
        from transformers import TrainerCallback

        class Timed(TrainerCallback):
            """See `Clock`."""

            def __init__(self) -> None:
                self.times = [0.0]

            def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if state.global_step == steps // 2:
                    self.times = [time.perf_counter()]

            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                self.times.append(time.perf_counter())

            @property
            def seconds(self) -> float:
                return (self.times[-1] - self.times[0]) / max(1, len(self.times) - 1)

        return Timed()


def sized(settings: TrainSettings, spec: dict[str, Any], size: int) -> TrainSettings:
    """The settings with so many pairs held at once: the mini-batch, or the batch where it is read whole."""
    part = "batch_size" if reads(spec["kind"], spec.get("objective")) == "whole" else "mini_batch_size"
    return settings.model_copy(update={part: size})


def asked_at_once(spec: dict[str, Any], settings: TrainSettings) -> int:
    """The pairs that the run will hold at once whatever is measured, so those to measure; 0 where it may choose."""
    if reads(spec["kind"], spec.get("objective")) == "whole":
        return settings.batch_size
    return min(settings.mini_batch_size, settings.batch_size)


def too_large(spec: dict[str, Any], asked: int, fitting: int) -> str:
    """That so many pairs at once do not fit, and how many do."""
    if reads(spec["kind"], spec.get("objective")) == "whole":
        return (
            f"A batch of {asked:,} does not fit into this device's memory, and the objective {spec['objective']} "
            f"compares the whole batch at once. A batch of {fitting:,} does."
        )
    return f"A mini-batch of {asked:,} does not fit into this device's memory. One of {fitting:,} does."


def prepare_model(recipe: Any, settings: TrainSettings) -> None:
    """Make the model ready as a run does."""
    from workbench.training.preparing import prepare

    prepare(recipe.model, settings)


def batches_of(recipe: Any, datasets: Any) -> int:
    """How many batches go once through all lessons, at most a few where their order is fixed."""
    if not isinstance(datasets, dict):
        return 1
    sampler = recipe.sampler()
    return max(1, sum(len(sampler(dataset)) for dataset in datasets.values()))


def without_saving(arguments: Any) -> None:
    """Steps and nothing else: no checkpoint, no scoring, no log."""
    from transformers.trainer_utils import IntervalStrategy, SaveStrategy

    arguments.eval_strategy = IntervalStrategy.NO
    arguments.save_strategy = SaveStrategy.NO
    arguments.logging_strategy = IntervalStrategy.NO
    arguments.load_best_model_at_end = False


def scoring_seconds(recipe: Any, whole: Collection, settings: TrainSettings) -> dict[str, float]:
    """How long one scoring of the whole collection takes, and one during the run, from one of a small part of it."""
    from workbench.evaluation.held_out import held_out

    recipe.model.eval()
    if hasattr(recipe, "first_stage"):
        return second_stage_seconds(recipe, held_out(whole), settings)
    began = time.perf_counter()
    recipe.score(quick=False)
    seconds = time.perf_counter() - began
    full = held_out(whole)
    asked = min(len(full.directions["all"].source_rows), settings.evaluation_queries)
    each = seconds / max(1, sum(len(rows) for rows in recipe.held.rows().values()))
    items = sum(len(rows) for rows in full.rows().values())
    quick = asked + len(full.directions["all"].target_rows)
    return {"scoring_seconds": each * items, "quick_seconds": each * min(items, quick)}


def second_stage_seconds(recipe: Any, full: HeldOut, settings: TrainSettings) -> dict[str, float]:
    """As `scoring_seconds`, where a first stage reads all documents once and each query's first ones are put in order.

    Scored twice: the second time the first stage's order is known.
    """
    from workbench.training.second_stage import RERANKED

    times = [time.perf_counter()]
    for _ in range(2):
        queries = len(recipe.score(quick=False).per_query)
        times.append(time.perf_counter())
    ordering = times[2] - times[1]
    finding = max(0.0, times[1] - times[0] - ordering)
    part, whole = recipe.held.directions[recipe.direction], full.directions[recipe.direction]
    asked = min(len(whole.source_rows), settings.evaluation_queries)
    a_pair = ordering / max(1, queries * min(RERANKED, len(part.target_rows)))
    each = a_pair * min(RERANKED, len(whole.target_rows))
    items = (len(whole.target_rows) + asked) / max(1, len(part.target_rows) + queries)
    # The order is found once in a run: half of that time goes to each of its two scorings of all queries.
    return {"scoring_seconds": each * asked + finding * items / 2, "quick_seconds": each * min(100, asked)}


def die_with_parent() -> None:
    """Leave when the process that asked is gone: nobody would read the answer."""
    parent = os.getppid()

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=look, name="parent", daemon=True).start()


def main(folder: Path) -> int:
    """Measure, and tell either figures or why there are none."""
    die_with_parent()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        DryRun(folder).measure()
    except WorkbenchError as error:
        write_json(folder / "told.json", {"error": error.message, "problems": error.problems})
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
