"""Settings that cannot work with another, with the device or with the model, in words and before the start."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.settings.lesson import OBJECTIVES
from workbench.settings.taken import of_no_use

if TYPE_CHECKING:
    from workbench.settings import TrainSettings

Conflict = tuple[str, str]
LIMITS_OF = {"min_pixels": "image", "max_pixels": "image", "audio_seconds": "audio", "video_frames": "video"}
SEES = {"image": "pictures", "audio": "sound", "video": "video"}
GUIDED = ("auto", "contrastive-guided")
TAUGHT = ("auto", "margin", "distillation")
SCALED = ("auto", "contrastive")


@dataclass(frozen=True)
class ModelFacts:
    """What of a model decides which settings work with it. None and empty mean unknown.

    kind: of the run, which may differ from the model's own. sizes: the Matryoshka dimensions of its vectors, the full
    one first, where none are chosen.
    """

    kind: str = "embedder"
    modalities: tuple[str, ...] = ()
    dimension: int | None = None
    sizes: tuple[int, ...] = ()


def conflicts(
    settings: TrainSettings,
    *,
    device: str = "cpu",
    model: ModelFacts | None = None,
    installed: Callable[[str], bool] | None = None,
) -> list[Conflict]:
    """The settings that cannot work as they stand: (field, sentence) pairs, in the order of the form.

    device: "cpu", "cuda" or "mps". model: what is known of the base model. installed: whether a package is there.
    """
    about = model or ModelFacts()
    there = installed or is_installed
    found = {
        **dict(_batches(settings)),
        **dict(_learning(settings, device, there)),
        **dict(_objective(settings, about)),
        **dict(_learnt(settings, about)),
        **dict(_memory(settings, device, there)),
        **dict(_inputs(settings, about)),
        **dict(_watching(settings, there)),
    }
    return [(name, found[name]) for name in type(settings).model_fields if name in found]


def is_installed(package: str) -> bool:
    """Whether a package can be imported, found without importing it."""
    return importlib.util.find_spec(package) is not None


def asks_for_a_device(settings: TrainSettings) -> bool:
    """Whether the device decides if these settings can work, so that it is worth looking for one."""
    return (
        settings.precision == "fp16"
        or settings.attention == "flash_attention_2"
        or settings.optimizer == "adamw-8bit"
        or settings.base_in_4_bit
        or settings.compile
    )


def _batches(settings: TrainSettings) -> Iterator[Conflict]:
    if settings.mini_batch_size > settings.batch_size:
        yield (
            "mini_batch_size",
            f"A mini-batch is a part of the batch of {settings.batch_size}. Choose {settings.batch_size} or less.",
        )


def _learning(settings: TrainSettings, device: str, there: Callable[[str], bool]) -> Iterator[Conflict]:
    if settings.optimizer == "adamw-8bit" and (missing := _quantising(device, there)):
        yield "optimizer", f"AdamW in 8 bits {missing} Choose adamw or adafactor."
    if settings.schedule == "constant" and settings.warmup_ratio:
        yield "schedule", "constant has no warm-up. Choose constant_with_warmup, or a warm-up of 0."
    wrong = [words for words in settings.part_learning_rates if not _is_rate(words)]
    if wrong:
        yield "part_learning_rates", f"“{wrong[0]}” is no rate of a part. Write part=rate, for example image=1e-4."


def _is_rate(words: str) -> bool:
    part, _, rate = words.partition("=")
    try:
        return bool(part.strip()) and 0 < float(rate) <= 1
    except ValueError:
        return False


def _objective(settings: TrainSettings, model: ModelFacts) -> Iterator[Conflict]:
    objective = settings.objective
    if objective not in ("auto", *OBJECTIVES[model.kind]):
        others = ", ".join(("auto", *OBJECTIVES[model.kind]))
        yield "objective", f"“{objective}” is no objective of a {model.kind}. Choose {others}."
    if settings.hardness and (model.kind != "embedder" or objective not in SCALED):
        yield "hardness", "Only the objective contrastive of an embedder weighs answers by hardness. Set it to 0."
    if settings.guide_model and (model.kind != "embedder" or objective not in GUIDED):
        yield "guide_model", "Only the objective contrastive-guided of an embedder takes a guide model. Leave it empty."
    if objective == "contrastive-guided" and not settings.guide_model:
        yield "guide_model", "The objective contrastive-guided needs a guide model: an embedder to ask."
    if settings.teacher_model and objective not in TAUGHT:
        yield "teacher_model", "Only the objectives margin and distillation take a teacher model. Leave it empty."
    if objective in ("margin", "distillation") and not settings.teacher_model:
        yield "teacher_model", f"The objective {objective} needs a teacher model to learn from."
    yield from _matryoshka(settings, model)
    yield from of_no_use(settings, model.kind)


def _matryoshka(settings: TrainSettings, model: ModelFacts) -> Iterator[Conflict]:
    sizes, weights = settings.matryoshka_dimensions, settings.matryoshka_weights
    used = [size for size in sizes if size <= (model.dimension or size)]
    if len(used) < len(sizes):
        yield (
            "matryoshka_dimensions",
            f"The model's vectors have {model.dimension:,} dimensions. Choose none that is larger.",
        )
    if (sizes or weights) and not settings.matryoshka:
        field = "matryoshka_dimensions" if sizes else "matryoshka_weights"
        yield field, "Matryoshka is off. Tick it, or leave this empty."
    trained = sorted({model.dimension, *used}, reverse=True) if sizes and model.dimension else list(model.sizes)
    if settings.matryoshka and weights and trained and len(weights) != len(trained):
        each = ", ".join(str(size) for size in trained)
        yield "matryoshka_weights", f"{len(weights)} weights for {len(trained)} sizes. Write one for each of {each}."


def _learnt(settings: TrainSettings, model: ModelFacts) -> Iterator[Conflict]:
    if settings.thaw_after and model.kind != "embedder":
        yield (
            "thaw_after",
            f"Only an embedder can have new projections, and this run trains a {model.kind}. Set it to 0.",
        )
    if not settings.lora_rank:
        for name in ("lora_alpha", "lora_targets", "lora_dropout", "lora_rank_stabilised", "lora_dora"):
            if getattr(settings, name):
                yield name, "This belongs to LoRA, and its rank is 0. Give a rank, or leave this as it was."
    elif settings.lora_dora and settings.base_in_4_bit:
        yield "lora_dora", "DoRA needs the base's own weights, not 4 bits of them. Choose one of the two."
    if settings.thaw_after and settings.lora_rank:
        yield "thaw_after", "LoRA holds the towers still from beginning to end. Set this to 0, or the LoRA rank."
    if settings.lora_rank and settings.frozen_parts:
        yield "frozen_parts", "LoRA freezes the weights already. Choose frozen parts or a LoRA rank."


def _memory(settings: TrainSettings, device: str, there: Callable[[str], bool]) -> Iterator[Conflict]:
    if settings.precision == "fp16" and device == "cpu":
        yield "precision", "The number format fp16 needs a GPU, and there is none here. Choose auto, fp32 or bf16."
    if settings.attention == "flash_attention_2":
        if device != "cuda":
            yield "attention", "flash_attention_2 needs an NVIDIA GPU, and there is none here. Choose sdpa."
        elif not there("flash_attn"):
            yield "attention", "flash_attention_2 needs the package flash-attn: pip install flash-attn, or choose sdpa."
        elif settings.precision == "fp32":
            yield "attention", "flash_attention_2 computes in half formats alone. Choose bf16, or sdpa."
    if settings.compile and device == "cpu" and not (shutil.which("c++") or shutil.which("g++") or shutil.which("cl")):
        yield "compile", "Compiling needs a C++ compiler, and none is installed here. Leave it off."
    if settings.base_in_4_bit:
        if missing := _quantising(device, there):
            yield "base_in_4_bit", f"A base in 4 bits {missing} Leave it off."
        elif not settings.lora_rank:
            yield "base_in_4_bit", "Weights in 4 bits cannot be trained, only LoRA adapters on them. Give a LoRA rank."


def _quantising(device: str, there: Callable[[str], bool]) -> str:
    if device != "cuda":
        return "needs an NVIDIA GPU, and there is none here."
    return "" if there("bitsandbytes") else "needs a package: pip install bitsandbytes."


def _inputs(settings: TrainSettings, model: ModelFacts) -> Iterator[Conflict]:
    if settings.min_pixels and settings.max_pixels and settings.min_pixels > settings.max_pixels:
        yield "min_pixels", f"The smallest picture is larger than the largest, {settings.max_pixels:,} pixels."
    for name, modality in LIMITS_OF.items():
        if getattr(settings, name) and model.modalities and not reads(model, modality):
            yield name, f"This model reads no {SEES[modality]}. Leave it at 0."
    for name in ("query_prompt", "document_prompt"):
        if getattr(settings, name) and model.kind == "reranker":
            yield name, "A reranker reads query and document together, with no prompt before each. Leave it empty."


def reads(model: ModelFacts, modality: str) -> bool:
    """Whether the model takes this modality, alone or with another; a model of pictures also takes videos."""
    parts = {part for kind in model.modalities for part in kind.split("+")}
    return modality in parts or (modality == "video" and "image" in parts)


def _watching(settings: TrainSettings, there: Callable[[str], bool]) -> Iterator[Conflict]:
    if settings.early_stopping and settings.early_stopping >= settings.evaluations:
        yield (
            "early_stopping",
            f"The run is scored {settings.evaluations} times, so it can never wait for {settings.early_stopping} "
            "of them. Choose fewer, or more evaluations.",
        )
    if settings.tracker != "none" and not there(settings.tracker):
        yield "tracker", f"{settings.tracker} is not installed. Type: pip install {settings.tracker}"
