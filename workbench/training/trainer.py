"""The library's trainers, with what a background run needs: our batches, whole checkpoints, cards without user data."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from workbench.errors import Stopped
from workbench.job_folder import JobFolder
from workbench.models.load import best_device
from workbench.settings import TrainSettings
from workbench.training.adapters import has_adapters, load_learnt, save_learnt
from workbench.training.checkpoints import STATE_FILE, mark_complete, write_state
from workbench.training.precision import half_format
from workbench.training.schedules import schedule_arguments
from workbench.training.tracking import tracker_arguments

# What an evaluation hands the trainer to choose the best checkpoint by, whichever of its figures that is.
METRIC = "chosen"
# A checkpoint by the clock: every so many seconds, or so many times the time that writing one takes if that is longer.
SAVE_SECONDS, SAVING_SHARE = 600.0, 20
OPTIMIZERS = {"adafactor": "adafactor", "adamw-8bit": "adamw_bnb_8bit"}


class RunCallback(TrainerCallback):
    """Tells the job folder what the trainer does, marks whole checkpoints, and ends the training at a STOP.

    evaluated: the steps after which the run is scored. Checkpoints are also written by the clock, so that a crash in a
    long run loses minutes. keep: how many of them stay at least.
    """

    def __init__(self, job: JobFolder, total_steps: int, evaluated: Collection[int] = (), keep: int = 0) -> None:
        self.job = job
        self.total_steps = total_steps
        self.keep = keep
        self.evaluated = frozenset(evaluated)
        self.saved_at, self.saving_seconds, self.saved_step = time.monotonic(), 0.0, -1

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """After each optimizer step: progress, and a look whether the user asked for a stop."""
        try:
            self.job.progress(state.global_step, self.total_steps, "Training")
        except Stopped:
            control.should_save = control.should_training_stop = True
            control.should_evaluate = False  # the scoring that is due is made up for when the run goes on
        else:
            control.should_evaluate |= state.global_step in self.evaluated
            control.should_save |= control.should_evaluate or self._checkpoint_is_due(args, state.global_step)
        self.asked_at = time.monotonic()
        return control

    def _checkpoint_is_due(self, args: Any, step: int) -> bool:
        """By the clock, and seldom where writing one takes long; only where the mean loss of some steps is logged, so
        that no such mean is cut in two by a resume."""
        waited = time.monotonic() - self.saved_at
        return step % args.logging_steps == 0 and waited >= max(SAVE_SECONDS, SAVING_SHARE * self.saving_seconds)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Loss, learning rate and speed go to events.jsonl."""
        logs = logs or {}
        if "loss" in logs:
            self.job.emit(
                "metrics",
                step=state.global_step,
                loss=float(logs["loss"]),
                learning_rate=float(logs.get("learning_rate", 0.0)),
                gradient_norm=float(logs.get("grad_norm", 0.0)),
                **memory(),
            )

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A checkpoint counts only when everything of it is on disk."""
        if not args.should_save:
            return
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        mark_complete(checkpoint, state.best_model_checkpoint, self.keep)
        if state.global_step != self.saved_step:
            self.saved_at, self.saved_step = time.monotonic(), state.global_step
            self.saving_seconds = self.saved_at - self.asked_at
            self.job.emit("checkpoint", step=state.global_step)


class EarlyStopping(TrainerCallback):
    """Ends the training after so many evaluations in a row that brought nothing better.

    It looks at the trainer's own history, which every checkpoint holds, so a resumed run stops where it would have.
    """

    def __init__(self, job: JobFolder, patience: int) -> None:
        self.job = job
        self.patience = patience

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The evaluation just made is in the history already."""
        if self.waited(state) >= self.patience:
            self.job.say(f"no better for {self.patience} evaluations, so the run ends at step {state.global_step}")
            control.should_training_stop = True

    @staticmethod
    def waited(state: Any) -> int:
        """Evaluations since the best one."""
        scores = [entry[f"eval_{METRIC}"] for entry in state.log_history if f"eval_{METRIC}" in entry]
        return len(scores) - 1 - scores.index(max(scores)) if scores else 0


def evaluated_steps(total_steps: int, evaluations: int) -> list[int]:
    """The steps after which a run is scored: so many, evenly spaced, the last step among them."""
    count = max(1, min(evaluations, total_steps))
    return [-(-total_steps * number // count) for number in range(1, count + 1)]


def run_callbacks(job: JobFolder, settings: TrainSettings, total_steps: int) -> list[TrainerCallback]:
    """What listens to the trainer of a run."""
    stopping = [EarlyStopping(job, settings.early_stopping)] if settings.early_stopping else []
    evaluated = evaluated_steps(total_steps, settings.evaluations)
    return [RunCallback(job, total_steps, evaluated, settings.keep_checkpoints), *stopping]


def is_over(state: Any, settings: TrainSettings, total_steps: int) -> bool:
    """Whether a run whose trainer has this state has no step left to do."""
    waited = settings.early_stopping and EarlyStopping.waited(state) >= settings.early_stopping
    return bool(state.global_step >= total_steps or waited)


def memory() -> dict[str, Any]:
    """The memory this process holds, and the device's peak where there is one, in bytes."""
    import psutil
    import torch

    figures: dict[str, Any] = {"process_bytes": psutil.Process().memory_info().rss}
    if torch.cuda.is_available():
        figures["device_bytes"] = torch.cuda.max_memory_reserved()
    return figures


def trainer_class(base: type, sampler: Callable[..., Any]) -> type:
    """A trainer of the library with our batches, that writes checkpoints from one process only.

    It keeps users' rows out of the model cards. sampler: called once for each data set, in their order.
    """
    import torch

    class RunTrainer(base):  # type: ignore[misc, valid-type]
        """See `trainer_class`."""

        def get_batch_sampler(self, dataset: Any, **wanted: Any) -> Any:
            """Our batches. They are not among the arguments, which are pickled into every checkpoint."""
            return sampler(dataset, **wanted)

        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """The library's card shows rows of the training data, which are the user's own: leave them out."""

        def compute_loss(self, *given: Any, **named: Any) -> Any:
            """While towers are held still, a batch may teach nothing: then no weight gets a gradient of its loss."""
            loss = super().compute_loss(*given, **named)
            if torch.is_grad_enabled() and torch.is_tensor(loss) and not loss.requires_grad:
                return loss.detach().requires_grad_()
            return loss

        control: Any
        written_step = -1

        def _evaluate(self, *given: Any, **named: Any) -> dict[str, float]:
            """First a checkpoint, so that a stop or a crash during the scoring loses no step. Afterwards chance goes on
            from where the checkpoint has it, as it does in a run that is resumed there."""
            self._save_checkpoint(self.model, None)
            self.control = self.callback_handler.on_save(self.args, self.state, self.control)
            metrics = super()._evaluate(*given, **named)
            self._load_rng_state(self._checkpoint())
            self.control.should_save = True
            return dict(metrics)

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            """After a scoring the step's checkpoint is there: only the scores and the best so far are added."""
            if self.written_step != self.state.global_step:
                super()._save_checkpoint(model, trial)
                self.written_step = self.state.global_step
            elif self.args.should_save:
                self.keep_scores()

        def _checkpoint(self) -> str:
            return str(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")

        def keep_scores(self) -> None:
            """Put the scores of this step into its checkpoint."""
            if self.state.best_global_step == self.state.global_step:
                self.state.best_model_checkpoint = self._checkpoint()
            write_state(Path(self._checkpoint()), self.state)

        def catch_up(self, checkpoint: Path, evaluated: Collection[int]) -> None:
            """Take the trainer to where a checkpoint has it, and make up for the scoring if that did not come about."""
            from transformers import TrainerState

            self.state = TrainerState.load_from_json(str(checkpoint / STATE_FILE))
            scored = {entry["step"] for entry in self.state.log_history if f"eval_{METRIC}" in entry}
            if self.state.global_step in scored or self.state.global_step not in evaluated:
                return
            self._load_from_checkpoint(str(checkpoint))
            self.model.eval()
            scores = self.evaluator(self.model, epoch=self.state.epoch, steps=self.state.global_step)
            metrics = {f"eval_{METRIC}": scores[METRIC]}
            self.state.log_history.append({**metrics, "epoch": self.state.epoch, "step": self.state.global_step})
            self._determine_best_metric(metrics, None)
            self.keep_scores()

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            if self.args.should_save:
                super()._save(output_dir, state_dict)
                if has_adapters(self.model):
                    save_learnt(self.model, Path(output_dir or self.args.output_dir))

        def _load_from_checkpoint(self, checkpoint_path: str) -> None:
            if has_adapters(self.model):
                load_learnt(self.model, Path(checkpoint_path))
            else:
                super()._load_from_checkpoint(checkpoint_path)

        def _load_best_model(self) -> None:
            """The best checkpoint's weights, or an error: the library would log one and go on with the last weights."""
            self._load_from_checkpoint(self.state.best_model_checkpoint)

    return RunTrainer


def training_arguments(
    arguments_class: type,
    folder: Path,
    settings: TrainSettings,
    *,
    total_steps: int,
    **extra: Any,
) -> Any:
    """The library's training arguments for our settings.

    folder: of the checkpoints, within the run's. Here only the last step is scored and saved: `RunCallback` asks for
    all others. Raises WorkbenchError for a number format that the device has not.
    """
    import torch

    half = half_format(settings)
    workers = loader_processes(settings)
    return arguments_class(
        output_dir=str(folder),
        max_steps=total_steps,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        gradient_accumulation_steps=settings.gradient_accumulation,
        **schedule_arguments(settings, total_steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        bf16=half == "bf16",
        fp16=half == "fp16",
        use_cpu=best_device() == "cpu",  # without it bf16 is refused where there is no GPU
        activation_checkpointing=settings.gradient_checkpointing,
        eval_strategy="steps",
        eval_steps=total_steps,
        save_strategy="steps",
        save_steps=total_steps,
        load_best_model_at_end=True,
        metric_for_best_model=f"eval_{METRIC}",
        greater_is_better=True,
        logging_steps=max(1, min(10, total_steps // 50)),
        logging_first_step=True,
        dataloader_num_workers=workers,
        dataloader_persistent_workers=workers > 0,
        dataloader_pin_memory=torch.cuda.is_available(),
        seed=settings.seed,
        data_seed=settings.seed,
        disable_tqdm=True,
        **_only_where_set(settings),
        **tracker_arguments(settings.tracker, folder.parent),
        **extra,
    )


def _only_where_set(settings: TrainSettings) -> dict[str, Any]:
    """Arguments that are left to the library unless a setting asks for another."""
    found: dict[str, Any] = {}
    if settings.optimizer in OPTIMIZERS:
        found["optim"] = OPTIMIZERS[settings.optimizer]
    if settings.compile:
        found["torch_compile"] = True
    return found


def loader_processes(settings: TrainSettings) -> int:
    """How many processes decode media beside the training: what the settings say, or what suits the machine."""
    import torch

    if settings.loader_workers >= 0:
        return settings.loader_workers
    cores = os.cpu_count() or 1
    if torch.cuda.is_available():
        return min(8, max(1, cores - 1))
    return 1 if cores >= 4 else 0
