"""The settings of how long and how fast a run learns, and how it is watched."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from workbench.settings.declare import setting


class TimeSettings(BaseModel):
    """How long a run takes."""

    epochs: float = setting(
        "Time",
        4.0,
        "Passes",
        "How often the run sees every pair. More fits your data better until the held-out score stops rising.",
        unit="passes over the training pairs",
        gt=0,
        le=1000,
    )
    max_steps: int = setting(
        "Time",
        0,
        "Step limit",
        "Ends the run after this many steps, whatever the passes say. 0 means no limit.",
        unit="steps",
        ge=0,
    )
    early_stopping: int = setting(
        "Time",
        0,
        "Early stopping",
        "Ends the run when so many evaluations in a row brought nothing better. More waits longer. 0 never does.",
        unit="evaluations",
        ge=0,
    )


class BatchSettings(BaseModel):
    """What one step sees at once."""

    batch_size: int = setting(
        "Batches",
        128,
        "Batch",
        "Pairs compared with each other in one step. A larger batch is a harder, better lesson.",
        unit="pairs",
        ge=2,
        le=65536,
    )
    mini_batch_size: int = setting(
        "Batches",
        0,
        "Mini-batch",
        "Pairs held in memory at once. Changes memory and speed, not the result. Lower it when memory runs out. "
        "0 chooses by the model's size.",
        unit="pairs",
        ge=0,
    )
    gradient_accumulation: int = setting(
        "Batches",
        1,
        "Gradient accumulation",
        "Batches added up before each correction of the weights. More is steadier, with fewer corrections a pass. "
        "Documents are compared within each batch alone, so a larger batch teaches more.",
        unit="batches",
        ge=1,
        le=1024,
    )


class LearningSettings(BaseModel):
    """How large the corrections are."""

    learning_rate: float = setting(
        "Learning",
        2e-5,
        "Learning rate",
        "How large each correction is. Too high forgets what the model knew, too low learns nothing in time.",
        gt=0,
        le=1,
    )
    part_learning_rates: list[str] = setting(
        "Learning",
        [],
        "Learning rates of parts",
        "Other rates for the parts of the model whose names begin so, for example 0=1e-5, 2=1e-3. A new part wants "
        "a higher rate than a trained one.",
        unit="part=rate",
    )
    schedule: Literal[
        "cosine", "linear", "constant", "constant_with_warmup", "cosine_with_restarts", "polynomial", "inverse_sqrt"
    ] = setting(
        "Learning",
        "cosine",
        "Schedule",
        "How the learning rate falls from its peak: cosine and linear to zero, polynomial sooner, cosine_with_restarts "
        "to zero four times, inverse_sqrt fast at first and never to zero, the constant ones not at all.",
    )
    warmup_ratio: float = setting(
        "Learning",
        0.1,
        "Warm-up",
        "Share of the steps in which the learning rate rises from zero.",
        unit="share of steps",
        ge=0,
        lt=1,
    )
    optimizer: Literal["adamw", "adafactor", "adamw-8bit"] = setting(
        "Learning",
        "adamw",
        "Optimizer",
        "Adafactor keeps less in memory than AdamW and is a little slower to learn; adamw-8bit keeps a quarter.",
    )
    weight_decay: float = setting(
        "Learning",
        0.01,
        "Weight decay",
        "Pulls weights towards zero. More of it resists learning the pairs by heart.",
        ge=0,
        le=1,
    )
    max_grad_norm: float = setting(
        "Learning",
        1.0,
        "Gradient limit",
        "Larger corrections are scaled down to this length. Lower is calmer and slower.",
        gt=0,
    )
    seed: int = setting("Learning", 0, "Seed", "The same seed and data give the same run on the same machine.", ge=0)


class WatchingSettings(BaseModel):
    """How often a run is scored, and who else is told."""

    evaluations: int = setting(
        "Watching",
        5,
        "Evaluations",
        "How often the held-out score is taken and a checkpoint kept during the run, evenly spread.",
        unit="times",
        ge=1,
        le=1000,
    )
    evaluation_queries: int = setting(
        "Watching",
        500,
        "Queries per evaluation",
        "Held-out queries scored during the run; an embedder's verdict uses all there are. A reranker and a "
        "late-interaction run take at most 100 of them during the run, and no more than this for the verdict.",
        unit="queries",
        ge=10,
    )
    keep_checkpoints: int = setting(
        "Watching",
        0,
        "Checkpoints kept",
        "So many checkpoints stay as models beside the result, to be evaluated too: the newest, and the best. Each "
        "takes the space of a model. Runs with adapters keep none.",
        unit="checkpoints",
        ge=0,
        le=100,
    )
    tracker: Literal["none", "tensorboard", "trackio", "wandb"] = setting(
        "Watching",
        "none",
        "Tracker",
        "Also writes the curves for this program, into the run's folder. wandb sends them to its own service.",
    )
