"""Training settings, declared once: they become the form, ``--set key=value``, job.json and the documentation.

Each field says its unit and what more of it does. A preset fills the fields that depend on the collection's size
and on how long the user wants to wait.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from workbench.errors import WorkbenchError

Kind = Literal["embedder", "reranker", "late-interaction"]
KINDS: tuple[Kind, ...] = ("embedder", "reranker", "late-interaction")
Preset = Literal["quick", "balanced", "best"]
PRESETS: tuple[Preset, ...] = ("quick", "balanced", "best")
PRESET_WORDS: dict[str, tuple[str, str]] = {
    "quick": ("Quick look", "A few passes over the pairs. Tells you whether the data works."),
    "balanced": ("Balanced", "More passes at a gentler pace. What most people want."),
    "best": ("Best quality", "Many passes; the best checkpoint is kept. For the model you ship."),
}


def _setting(default: Any, title: str, words: str, *, unit: str = "", **limits: Any) -> Any:
    return Field(default, title=title, description=words, json_schema_extra={"unit": unit}, **limits)


class TrainSettings(BaseModel):
    """Every setting of a fine-tuning run."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    epochs: float = _setting(
        4.0,
        "Passes",
        "How often the run sees every pair. More fits your data better until the held-out score stops rising.",
        unit="passes over the training pairs",
        gt=0,
        le=1000,
    )
    max_steps: int = _setting(
        0,
        "Step limit",
        "Ends the run after this many steps, whatever the passes say. 0 means no limit.",
        unit="steps",
        ge=0,
    )
    batch_size: int = _setting(
        128,
        "Batch",
        "Pairs compared with each other in one step. A larger batch is a harder, better lesson.",
        unit="pairs",
        ge=2,
        le=65536,
    )
    mini_batch_size: int = _setting(
        0,
        "Mini-batch",
        "Pairs held in memory at once. Changes memory and speed, not the result. Lower it when memory runs out. "
        "0 chooses by the model's size.",
        unit="pairs",
        ge=0,
    )
    learning_rate: float = _setting(
        2e-5,
        "Learning rate",
        "How large each correction is. Too high forgets what the model knew, too low learns nothing in time.",
        gt=0,
        le=1,
    )
    warmup_ratio: float = _setting(
        0.1,
        "Warm-up",
        "Share of the steps in which the learning rate rises from zero.",
        unit="share of steps",
        ge=0,
        lt=1,
    )
    weight_decay: float = _setting(
        0.01, "Weight decay", "Pulls weights towards zero. More of it resists learning the pairs by heart.", ge=0, le=1
    )
    max_grad_norm: float = _setting(
        1.0, "Gradient limit", "Larger corrections are scaled down to this length. Lower is calmer and slower.", gt=0
    )
    temperature: float = _setting(
        0.05,
        "Temperature",
        "How sharply the right answer must beat the wrong ones. Lower is stricter.",
        gt=0,
        le=1,
    )
    matryoshka_dimensions: list[int] = _setting(
        [],
        "Matryoshka dimensions",
        "Sizes at which the vectors must also work when cut. Empty: the full size and its halves down to 16.",
        unit="dimensions",
    )
    negatives_per_query: int = _setting(
        3,
        "Negatives per query",
        "Wrong answers shown with each right one (rerankers). More is slower and stricter.",
        unit="documents",
        ge=1,
        le=64,
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = _setting(
        "auto", "Number format", "auto takes bf16 on a GPU that has it, else fp32. Half formats save memory and time."
    )
    gradient_checkpointing: bool = _setting(
        False,
        "Gradient checkpointing",
        "Computes parts twice to save most of the activation memory. About a third slower.",
    )
    lora_rank: int = _setting(
        0,
        "LoRA rank",
        "Trains small adapters of this rank instead of all weights. 0 trains all weights.",
        unit="rank",
        ge=0,
        le=1024,
    )
    max_text_tokens: int = _setting(
        0,
        "Longest text",
        "Longer texts are cut. 0 keeps the model's own limit. Longer costs memory.",
        unit="tokens",
        ge=0,
    )
    evaluations: int = _setting(
        5,
        "Evaluations",
        "How often the held-out score is taken during the run, evenly spread.",
        unit="times",
        ge=1,
        le=1000,
    )
    evaluation_queries: int = _setting(
        500,
        "Queries per evaluation",
        "Held-out queries scored during the run; the untouched model and the verdict use all of them.",
        unit="queries",
        ge=10,
    )
    loader_workers: int = _setting(
        -1,
        "Loader processes",
        "Processes that decode media beside the training. -1 chooses: several beside a GPU, one on a processor of four "
        "or more cores, none on a smaller one, where they would only take the training's time.",
        unit="processes",
        ge=-1,
        le=64,
    )
    seed: int = _setting(0, "Seed", "The same seed and data give the same run on the same machine.", ge=0)

    @field_validator("matryoshka_dimensions")
    @classmethod
    def _positive_and_descending(cls, value: list[int]) -> list[int]:
        if any(dimension < 1 for dimension in value):
            raise ValueError("dimensions are whole numbers from 1")
        return sorted(set(value), reverse=True)


def check_settings(values: dict[str, Any]) -> TrainSettings:
    """Validate settings; raises WorkbenchError that names every wrong one, what it got and what it takes."""
    try:
        return TrainSettings(**values)
    except ValidationError as error:
        problems = []
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"])
            known = (
                ""
                if name in TrainSettings.model_fields
                else f" Known settings: {', '.join(TrainSettings.model_fields)}."
            )
            problems.append(f"{name} = {problem['input']!r}: {problem['msg']}.{known}")
        raise WorkbenchError("Some settings cannot be used:", problems) from error


def parse_overrides(pairs: list[str]) -> dict[str, Any]:
    """Read ``--set key=value`` words. Lists are written with commas. Values are checked by `check_settings`."""
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise WorkbenchError(f"“{pair}” is not a setting. Write it as key=value, for example epochs=3.")
        if key == "matryoshka_dimensions":
            values[key] = [part for part in value.split(",") if part]
        else:
            values[key] = value
    return values
