"""Low-rank adapters: trained instead of the weights, kept whole in checkpoints, and merged into the result.

The library saves adapters beside the address of the model they belong to, and opens that again to load them: a model
that lies on another computer by then, or that is part of a larger one, cannot be opened. So a checkpoint carries all
that was learnt in one file of ours, and the result holds plain weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

LEARNT_FILE = "learnt.safetensors"


def add_adapters(model: Any, rank: int) -> None:
    """Freeze the weights of the model's main part and train adapters of this rank on all its linear layers."""
    from peft import LoraConfig

    model.add_adapter(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear"))


def has_adapters(model: Any) -> bool:
    """Whether any layer of the model wears an adapter."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return any(isinstance(module, BaseTunerLayer) for module in model.modules())


def save_learnt(model: Any, folder: Path) -> None:
    """Write everything that is being trained to LEARNT_FILE in `folder`."""
    from safetensors.torch import save_file

    learnt = {name: value.detach().cpu().contiguous() for name, value in _trained(model)}
    save_file(learnt, str(folder / LEARNT_FILE))


def load_learnt(model: Any, folder: Path) -> None:
    """Put what `save_learnt` wrote back into a model of the same shape. Raises KeyError if it lacks a weight."""
    import torch
    from safetensors.torch import load_file

    learnt = load_file(str(folder / LEARNT_FILE))
    with torch.no_grad():
        for name, value in _trained(model):
            value.copy_(learnt[name])


def merge_adapters(model: Any) -> None:
    """Add the adapters to the weights and take them off, so that the model is a plain one again."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, BaseTunerLayer):
                layer.merge()
                setattr(parent, name, layer.get_base_layer())
    for module in model.modules():
        if getattr(module, "_hf_peft_config_loaded", False):  # else it would save adapters it no longer has
            module._hf_peft_config_loaded = False
            del module.peft_config
    model.requires_grad_(True)


def _trained(model: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in model.named_parameters() if value.requires_grad]
