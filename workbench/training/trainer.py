"""The library's trainers, with what a background run needs: our batches, whole checkpoints, cards without user data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder
from workbench.models.load import best_device
from workbench.settings import TrainSettings
from workbench.training.adapters import has_adapters, load_learnt, save_learnt
from workbench.training.tracking import tracker_arguments
from workbench.workspace import read_json

COMPLETE = "complete"
METRIC = "ndcg@10"
OPTIMIZERS = {"adafactor": "adafactor", "adamw-8bit": "adamw_bnb_8bit"}


class RunCallback(TrainerCallback):
    """Tells the job folder what the trainer does, marks whole checkpoints, and ends the training at a STOP."""

    def __init__(self, job: JobFolder, total_steps: int) -> None:
        self.job = job
        self.total_steps = total_steps

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """After each optimizer step: progress, and a look whether the user asked for a stop."""
        if self.job.stop_requested():
            control.should_save = True
            control.should_training_stop = True
        else:
            self.job.progress(state.global_step, self.total_steps, "Training")
        return control

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
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if args.should_save:
            (folder / COMPLETE).touch()
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
        if self._waited(state) >= self.patience:
            self.job.say(f"no better for {self.patience} evaluations, so the run ends at step {state.global_step}")
            control.should_training_stop = True

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A run that was killed after its last evaluation ends at its next step."""
        if self._waited(state) >= self.patience:
            control.should_training_stop = True

    @staticmethod
    def _waited(state: Any) -> int:
        """Evaluations since the best one."""
        scores = [entry[f"eval_{METRIC}"] for entry in state.log_history if f"eval_{METRIC}" in entry]
        return len(scores) - 1 - scores.index(max(scores)) if scores else 0


def run_callbacks(job: JobFolder, settings: TrainSettings, total_steps: int) -> list[TrainerCallback]:
    """What listens to the trainer of a run."""
    stopping = [EarlyStopping(job, settings.early_stopping)] if settings.early_stopping else []
    return [RunCallback(job, total_steps), *stopping]


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

    folder: of the checkpoints, within the run's. Evaluation and checkpoint share a rhythm, so that the best is there
    to keep. Raises WorkbenchError for a number format that the device has not.
    """
    import torch

    if settings.precision == "fp16" and best_device() == "cpu":
        raise WorkbenchError("The number format fp16 needs a GPU, and there is none here. Choose auto, fp32 or bf16.")
    rhythm = max(1, -(-total_steps // settings.evaluations))
    workers = loader_processes(settings)
    bf16 = settings.precision == "bf16" or (
        settings.precision == "auto" and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    )
    return arguments_class(
        output_dir=str(folder),
        max_steps=total_steps,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        gradient_accumulation_steps=settings.gradient_accumulation,
        lr_scheduler_type=settings.schedule,
        warmup_steps=int(settings.warmup_ratio * total_steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        bf16=bf16,
        fp16=settings.precision == "fp16",
        use_cpu=best_device() == "cpu",  # without it bf16 is refused where there is no GPU
        activation_checkpointing=settings.gradient_checkpointing,
        eval_strategy="steps",
        eval_steps=rhythm,
        save_strategy="steps",
        save_steps=rhythm,
        save_total_limit=2,
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


def last_checkpoint(folder: Path) -> Path | None:
    """The latest whole checkpoint; half-written ones, left by a kill or a full disk, are removed."""
    found = []
    for path in folder.glob("checkpoint-*"):
        if (path / COMPLETE).exists():
            found.append(path)
        else:
            shutil.rmtree(path)
    return max(found, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)


def best_checkpoint(latest: Path) -> Path:
    """The best checkpoint as `latest` knows it; `latest` itself where it names none, or one that is gone."""
    best = (read_json(latest / "trainer_state.json") or {}).get("best_model_checkpoint")
    found = latest.parent / Path(best).name if best else latest
    return found if found.is_dir() else latest
