"""A loaded model made ready to learn as the settings say: its inputs, its prompts, and which weights change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PIL import Image

from workbench.errors import WorkbenchError
from workbench.models.limits import limits_of, set_limits
from workbench.models.number_format import widen_what_learns
from workbench.settings import TrainSettings
from workbench.training.adapters import add_adapters
from workbench.training.freezing import freeze
from workbench.training.precision import half_format

PICTURE = (512, 512)


def prepare(model: Any, settings: TrainSettings) -> None:
    """Set how a model reads and what of it learns. Raises WorkbenchError for what it cannot do."""
    set_inputs(model, settings)
    set_learning(model, settings)


def set_inputs(model: Any, settings: TrainSettings) -> None:
    """Set the model's inputs, prompts and attention. Raises WorkbenchError for what this model cannot do."""
    if settings.max_text_tokens:
        cut_texts(model, settings.max_text_tokens)
    limit_inputs(model, settings)
    for task, prompt in (("query", settings.query_prompt), ("document", settings.document_prompt)):
        if prompt:
            model.prompts[task] = prompt
    if settings.attention != "auto":
        set_attention(model, settings.attention)
    if settings.attention == "flash_attention_2" and half_format(settings) is None:
        raise WorkbenchError("The attention flash_attention_2 computes in bf16 or fp16 alone. Choose sdpa.")


def limit_inputs(model: Any, settings: TrainSettings) -> None:
    """Set the limits that the settings name; those that the model brings along and they leave at 0 stay."""
    names = ("min_pixels", "max_pixels", "audio_seconds", "video_frames")
    wanted = {name: getattr(settings, name) for name in names if getattr(settings, name)}
    if not wanted:
        return
    limits = replace(limits_of(model), **wanted)
    set_limits(model, limits)
    if limits_of(model) != limits:
        raise WorkbenchError("This model has no place for limits of its inputs. Leave them at 0.")


def set_learning(model: Any, settings: TrainSettings) -> None:
    """Leave trainable what is to be learnt, in numbers wide enough for it. Raises WorkbenchError for what cannot be."""
    if settings.lora_rank:
        add_adapters(model, settings)
    elif settings.frozen_parts:
        freeze(model, settings.frozen_parts)
    widen_what_learns(model)
    if settings.gradient_checkpointing:
        check_checkpointing(model)


def check_checkpointing(model: Any) -> None:
    """Raise WorkbenchError if no part of the model can compute its activations twice: the library would only log it."""
    parts = [part for part in model.modules() if part is not model and hasattr(part, "gradient_checkpointing_enable")]
    if not any(getattr(part, "supports_gradient_checkpointing", True) for part in parts):
        raise WorkbenchError("No part of this model can compute itself twice. Leave Gradient checkpointing off.")


def cut_texts(model: Any, tokens: int) -> None:
    """Let the model read so many tokens of a text. Raises WorkbenchError if its pictures would no longer fit.

    A processor of several modalities takes the length that its tokenizer was saved with, not the tokenizer's own.
    """
    model.max_seq_length = tokens
    for module in model.modules():
        tokenizer: Any = getattr(getattr(module, "processor", None), "tokenizer", None)
        if "max_length" in getattr(tokenizer, "init_kwargs", {}):
            tokenizer.init_kwargs["max_length"] = tokens
            tokenizer.max_length = tokens
    if "image" in model.modalities:
        try:
            model.preprocess([Image.new("RGB", PICTURE)])
        except ValueError as error:
            raise WorkbenchError(
                f"A picture takes more than {tokens} tokens of this model, and they count as text. "
                "Set Longest text higher, or to 0."
            ) from error


def set_attention(model: Any, attention: str) -> None:
    """Let all of a model's trunks compute attention so. Raises WorkbenchError if one of them cannot."""
    from transformers import PreTrainedModel

    trunks = [module for module in model.modules() if isinstance(module, PreTrainedModel)]
    for trunk in trunks:
        try:
            trunk.set_attn_implementation(attention)
        except (ImportError, ValueError) as error:
            raise WorkbenchError(f"The attention {attention} cannot be used: {str(error).splitlines()[0]}") from error
    if not trunks or any(trunk.config._attn_implementation != attention for trunk in trunks):
        raise WorkbenchError(f"This model cannot compute its attention by {attention}. Choose auto.")


def prompts_of_columns(model: Any, datasets: Any) -> dict[str, str]:
    """{column: prompt} for the trainer: a query's before the column `query`, a document's before all others.

    Empty where the model has no prompts, and for models that read query and document together.
    """
    prompts = {task: (getattr(model, "prompts", None) or {}).get(task) or "" for task in ("query", "document")}
    tables = list(datasets.values()) if isinstance(datasets, dict) else [datasets]
    if not any(prompts.values()) or not hasattr(model, "encode_query"):
        return {}
    columns = dict.fromkeys(name for table in tables for name in table.column_names if name not in ("label", "score"))
    found = {name: prompts["query" if name == "query" else "document"] for name in columns}
    return {name: prompt for name, prompt in found.items() if prompt}


def routes_of_columns(model: Any, columns: list[str]) -> dict[str, str]:
    """{column: task} for the trainer of a model with a Router; empty for any other.

    Where the sides have routes of their own, the column `query` goes the one of queries and all others that of
    documents. Where the modality decides, nothing may be forced, and yet the trainer insists on a mapping.
    """
    from sentence_transformers.base.modules import Router

    routers = [module for module in model if isinstance(module, Router)]
    if not routers:
        return {}
    tasks = {task for router in routers for task, _ in router.route_mappings if task}
    tasks |= {task for router in routers for task in ("query", "document") if task in router.sub_modules}
    if not tasks:
        return {"none": "ROUTE"}
    return {name: "query" if name == "query" else "document" for name in columns}
