"""The settings of what a run learns, from what, and which weights it changes."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, field_validator

from workbench.settings.declare import setting

EmbedderObjective = Literal[
    "contrastive", "contrastive-guided", "similarity", "binary", "graded", "margin", "distillation"
]  # fmt: skip
RerankerObjective = Literal["bce", "lambda", "listwise", "contrastive", "margin", "distillation"]
LateInteractionObjective = Literal["contrastive", "distillation"]
ObjectiveName = Literal["auto", EmbedderObjective, RerankerObjective, LateInteractionObjective]
# What a run of each kind can learn; `auto` stands for one of them.
OBJECTIVES: dict[str, tuple[str, ...]] = {
    "embedder": get_args(EmbedderObjective),
    "reranker": get_args(RerankerObjective),
    "late-interaction": get_args(LateInteractionObjective),
}


class ObjectiveSettings(BaseModel):
    """What counts as better."""

    objective: ObjectiveName = setting(
        "Objective",
        "auto",
        "Objective",
        "What the model learns from each pair. auto chooses by what your judgements say.",
    )
    temperature: float = setting(
        "Objective",
        0.05,
        "Temperature",
        "How sharply the right answer must beat the wrong ones. Lower is stricter.",
        gt=0,
        le=1,
    )
    hardness: float = setting(
        "Objective",
        0.0,
        "Hardness",
        "How much more the wrong answers count that look most right. 0 counts all alike.",
        ge=0,
        le=100,
    )
    guide_model: str = setting(
        "Objective",
        "",
        "Guide model",
        "An embedder that takes documents out of the comparison that it holds for right answers too. Empty: none.",
        unit="model",
    )
    teacher_model: str = setting(
        "Objective",
        "",
        "Teacher model",
        "A larger model whose scores the objectives margin and distillation copy. Empty: none.",
        unit="model",
    )
    matryoshka: bool = setting(
        "Objective", True, "Matryoshka", "Trains the vectors to work when cut to a smaller size too."
    )
    matryoshka_dimensions: list[int] = setting(
        "Objective",
        [],
        "Matryoshka dimensions",
        "Sizes at which the vectors must also work when cut. Empty: the full size and its halves down to 16.",
        unit="dimensions",
    )
    matryoshka_weights: list[float] = setting(
        "Objective",
        [],
        "Matryoshka weights",
        "How much each of those sizes counts, from the largest to the smallest. Empty: all alike.",
        unit="one for each dimension",
    )

    @field_validator("matryoshka_dimensions")
    @classmethod
    def _positive_and_descending(cls, value: list[int]) -> list[int]:
        if any(dimension < 1 for dimension in value):
            raise ValueError("dimensions are whole numbers from 1")
        return sorted(set(value), reverse=True)

    @field_validator("matryoshka_weights")
    @classmethod
    def _positive(cls, value: list[float]) -> list[float]:
        if any(weight <= 0 for weight in value):
            raise ValueError("weights are numbers above 0")
        return value


class NegativesSettings(BaseModel):
    """Wrong answers beside the right ones."""

    negatives_per_query: int = setting(
        "Negatives",
        3,
        "Negatives per query",
        "Wrong answers shown with each right one (rerankers). More is slower and stricter.",
        unit="documents",
        ge=1,
        le=64,
    )
    mined_negatives: int = setting(
        "Negatives",
        0,
        "Mined negatives",
        "Wrong answers shown beside each pair: those that an embedder itself takes for right, or that the first stage "
        "of a late-interaction run does. More is slower and stricter. At 0 an embedder looks for none, and a "
        "late-interaction run shows one.",
        unit="documents",
        ge=0,
        le=64,
    )


class LearntSettings(BaseModel):
    """Which weights change."""

    lora_rank: int = setting(
        "What is learnt",
        0,
        "LoRA rank",
        "Trains small adapters of this rank instead of all weights. 0 trains all weights.",
        ge=0,
        le=1024,
    )
    lora_alpha: int = setting(
        "What is learnt",
        0,
        "LoRA alpha",
        "How strongly the adapters count; more learns faster. 0 takes twice the rank.",
        ge=0,
        le=8192,
    )
    lora_targets: list[str] = setting(
        "What is learnt",
        [],
        "LoRA layers",
        "Ends of the names of the layers that get adapters, for example q_proj, v_proj. Empty: every linear layer.",
        unit="layer names",
    )
    lora_dropout: float = setting(
        "What is learnt",
        0.0,
        "LoRA dropout",
        "Share of the adapters' input left out at each step. More resists learning the pairs by heart.",
        unit="share",
        ge=0,
        lt=1,
    )
    lora_rank_stabilised: bool = setting(
        "What is learnt",
        False,
        "Rank-stabilised LoRA",
        "Divides by the root of the rank, so that large ranks learn as fast as small ones.",
    )
    lora_dora: bool = setting(
        "What is learnt",
        False,
        "DoRA",
        "Learns length and direction of each weight apart. Closer to training all weights, and slower.",
    )
    thaw_after: float = setting(
        "What is learnt",
        0.0,
        "Thaw after",
        "Share of the steps in which only the new projections of a joined model learn, before all of it does. More "
        "keeps the towers longer as they were, 1 for good. Where nothing is said, 0.3 in a joined model's first run.",
        unit="share of steps",
        ge=0,
        le=1,
    )
    frozen_parts: list[str] = setting(
        "What is learnt",
        [],
        "Frozen parts",
        "Parts whose weights stay as they are: towers by modality, for example text, or any part by name.",
        unit="part names",
    )
