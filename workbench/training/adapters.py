"""Low-rank adapters: trained instead of the weights, kept whole in checkpoints, and merged into the result.

The library saves adapters beside the address of the model they belong to, and opens that again to load them: a model
that lies on another computer by then, or that is part of a larger one, cannot be opened. So a checkpoint carries all
that was learnt in one file of ours, and the result holds plain weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.models.checkpoint import LEARNT_FILE
from workbench.settings import TrainSettings

SHOWN = 12


def add_adapters(model: Any, settings: TrainSettings) -> None:
    """Freeze the weights of the model's main part and train adapters on its linear layers, as the settings say.

    Raises WorkbenchError if the model's main part takes none, or has no layer of the names in `lora_targets`.
    """
    from peft import LoraConfig

    wanted = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha or 2 * settings.lora_rank,
        target_modules=adapted_layers(model, settings),
        lora_dropout=settings.lora_dropout,
        use_rslora=settings.lora_rank_stabilised,
        use_dora=settings.lora_dora,
    )
    if settings.base_in_4_bit:
        quantise(model.transformers_model)
    model.add_adapter(wanted)


def adapted_layers(model: Any, settings: TrainSettings) -> str | list[str]:
    """The layers that get adapters: every linear one, or those whose names end so. Raises as `add_adapters` does."""
    import torch

    wanted = settings.lora_targets
    if not model.has_peft_compatible_model():
        raise WorkbenchError("This model has no part that takes LoRA adapters. Set the LoRA rank to 0.")
    if not wanted:
        return "all-linear"
    linear = [name for name, layer in model.transformers_model.named_modules() if isinstance(layer, torch.nn.Linear)]
    known = dict.fromkeys(name.rsplit(".", 1)[-1] for name in linear)
    missing = [name for name in wanted if not any(f".{layer}".endswith(f".{name}") for layer in linear)]
    if missing:
        raise WorkbenchError(f"The model has no linear layer “{missing[0]}”. It has: {', '.join(list(known)[:SHOWN])}.")
    return wanted


def quantise(module: Any) -> None:
    """Hold the weights of a model's linear layers in 4 bits (NF4), where adapters are then trained upon them.

    Raises WorkbenchError if bitsandbytes is not installed. Layers that make the output stay as they are.
    """
    import torch

    try:
        from bitsandbytes.nn import Linear4bit, Params4bit
    except ImportError as error:
        raise WorkbenchError(
            "A base in 4 bits needs the package bitsandbytes. Type: pip install bitsandbytes"
        ) from error
    output = module.get_output_embeddings() if hasattr(module, "get_output_embeddings") else None
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is torch.nn.Linear and layer is not output:
                small = Linear4bit(
                    layer.in_features, layer.out_features, layer.bias is not None, torch.bfloat16, quant_type="nf4"
                )
                small.weight = Params4bit(layer.weight.data, requires_grad=False, quant_type="nf4")
                small.bias = layer.bias
                setattr(parent, name, small.to(layer.weight.device))
    module.is_loaded_in_4bit = True  # peft asks this before it wraps such a layer


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
    """Add the adapters to the weights and take them off, so that the model is a plain one again.

    Weights in 4 bits are widened first to exactly what the adapters were trained upon.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, BaseTunerLayer):
                setattr(parent, name, _merged(layer))
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if _in_4_bit(layer):
                setattr(parent, name, widened(layer))
    for module in model.modules():
        if getattr(module, "_hf_peft_config_loaded", False):  # else it would save adapters it no longer has
            module._hf_peft_config_loaded = False
            del module.peft_config
        if "is_loaded_in_4bit" in vars(module):
            del module.is_loaded_in_4bit
    model.requires_grad_(True)


def _merged(layer: Any) -> Any:
    """The layer under an adapter, with the adapter added to its weights."""
    import torch

    base = layer.get_base_layer()
    if not _in_4_bit(base):
        layer.merge()
        return layer.get_base_layer()
    plain = widened(base)
    with torch.no_grad():  # merged in place, the sum would be rounded to 4 bits again
        for adapter in layer.active_adapters:
            plain.weight += layer.get_delta_weight(adapter).to(plain.weight)
    return plain


def widened(layer: Any) -> Any:
    """A plain linear layer of the weights that a 4-bit one computes with."""
    import torch
    from bitsandbytes.functional import dequantize_4bit

    weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(torch.float32)
    plain = torch.nn.Linear(layer.in_features, layer.out_features, layer.bias is not None, device=weight.device)
    plain.weight = torch.nn.Parameter(weight)
    if layer.bias is not None:
        plain.bias = torch.nn.Parameter(layer.bias.data.to(torch.float32))
    return plain


def _in_4_bit(layer: Any) -> bool:
    return getattr(getattr(layer, "weight", None), "quant_state", None) is not None


def _trained(model: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in model.named_parameters() if value.requires_grad]
