"""Writes down how a run's model came to be, for its script: its start, what was made of it, what was set on it."""

from __future__ import annotations

from typing import Any

from workbench.models.families import SIDES
from workbench.models.source import find
from workbench.models.starter import starter_folder
from workbench.settings import TrainSettings
from workbench.workspace import Workspace


def start_of(workspace: Workspace, reference: str, trusted: bool) -> dict[str, Any]:
    """Where the plain library finds the model behind a reference."""
    source = find(workspace, reference, trust_remote_code=trusted)
    return {
        "reference": reference,
        "folder": str(source.folder or starter_folder()),
        "revision": source.revision,
        "trusted": trusted or source.trusted,
    }


def made_of(model: Any) -> str:
    """The dotted name, within the embedder it starts from, of the trunk of a model that was made here; else empty."""
    return str(getattr(model, "trunk_place", ""))


def new_weights(model: Any) -> dict[str, Any]:
    """What a run begins with and no folder holds, as arrays: `head.…` of a model made here, `adapter.…` of LoRA."""
    found = {}
    if made_of(model):
        head = next(module for module in model if type(module).__name__ == "Dense")
        found = {f"head.{name}": value for name, value in head.state_dict().items()}
    found |= {f"adapter.{name}": value for name, value in model.named_parameters() if ".lora_" in name}
    return {name: value.detach().float().cpu().numpy() for name, value in found.items()}


def adapters_of(settings: TrainSettings) -> dict[str, Any]:
    """The arguments of peft's LoraConfig as `add_adapters` gives them; empty where all weights are trained."""
    if not settings.lora_rank:
        return {}
    found: dict[str, Any] = {
        "r": settings.lora_rank,
        "lora_alpha": settings.lora_alpha or 2 * settings.lora_rank,
        "target_modules": settings.lora_targets or "all-linear",
        "lora_dropout": settings.lora_dropout,
    }
    found |= {"use_rslora": True} if settings.lora_rank_stabilised else {}
    return found | ({"use_dora": True} if settings.lora_dora else {})


def set_on(model: Any) -> dict[str, Any]:
    """What a loaded model was given that its folder need not state: prompts, pooling, padding of texts, 32 bits."""
    prompts = getattr(model, "prompts", None) or {}
    pooling = [module for module in model.modules() if hasattr(module, "include_prompt")]
    padded = {
        name: dict(module.processing_kwargs["text"])
        for name, module in model.named_modules()
        if (getattr(module, "processing_kwargs", None) or {}).get("text", {}).get("padding") == "max_length"
    }
    return {
        "prompts": {side: prompts[side] for side in SIDES if prompts.get(side)},
        "pools_prompt": all(module.include_prompt for module in pooling),
        "padded": padded,
        "in_32_bits": all(str(value.dtype) == "torch.float32" for value in model.parameters()),
    }


def frozen_names(recipe: Any) -> list[str]:
    """The dotted names under which weights were held still by the settings."""
    from workbench.training.freezing import prefixes_of

    if recipe.settings.lora_rank:
        return []
    return [name for part in recipe.settings.frozen_parts for name in prefixes_of(recipe.model, part)]
