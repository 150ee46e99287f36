"""The library's trainer put together for a recipe: its loss, its batches, the arguments that the settings ask for."""

from __future__ import annotations

from typing import Any

from transformers import PrinterCallback

from workbench.job_folder import JobFolder
from workbench.settings import TrainSettings
from workbench.training.finite import finite_trainer
from workbench.training.freezing import learning_rates
from workbench.training.pieces import in_pieces, pieces_a_batch
from workbench.training.preparing import prompts_of_columns
from workbench.training.trainer import trainer_class, training_arguments


def make_trainer(
    job: JobFolder,
    spec: dict[str, Any],
    recipe: Any,
    settings: TrainSettings,
    datasets: Any,
    total_steps: int,
    **watching: Any,
) -> Any:
    """The library's trainer of a recipe whose model has been prepared; `watching`: its evaluator and its callbacks."""
    base, arguments_class = recipe.classes()
    pieces = pieces_a_batch(spec["kind"], recipe.objective, settings)
    arguments = training_arguments(
        arguments_class,
        job.path / "checkpoints",
        settings.model_copy(update={"gradient_accumulation": settings.gradient_accumulation * pieces}),
        total_steps=total_steps,
        learning_rate_mapping=learning_rates(recipe.model, settings.part_learning_rates),
        prompts=prompts_of_columns(recipe.model, datasets) or None,
        **recipe.extra_arguments(),
    )
    trainer = finite_trainer(trainer_class(base, in_pieces(recipe.sampler(), pieces)), job, settings)(
        model=recipe.model, args=arguments, train_dataset=datasets, loss=recipe.loss(), **watching
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
