"""The part of a run's script that makes its model and its loss, with the library's own classes alone."""

from __future__ import annotations

from typing import Any

# What a second-stage model is made of around the trunk of an embedder, as `models.reranker` makes it.
_MADE = {
    "CrossEncoder": """head = Dense(
    width, 1, activation_function=nn.Identity(), module_input_name="sentence_embedding", module_output_name="scores"
)
modules = [trunk, Pooling(width, pooling_mode="lasttoken"), head]""",
    "MultiVectorEncoder": """head = Dense(
    width, 128, bias=False, activation_function=nn.Identity(),
    module_input_name="token_embeddings", module_output_name="token_embeddings",
)
modules = [trunk, head, MultiVectorMask(), Normalize(module_input_name="token_embeddings")]""",
}
_MADE_IMPORTS = {
    "CrossEncoder": [
        "from sentence_transformers.base.modules import Dense",
        "from sentence_transformers.sentence_transformer.modules import Pooling",
    ],
    "MultiVectorEncoder": [
        "from sentence_transformers.base.modules import Dense, Normalize",
        "from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask",
    ],
}


def model_imports(recipe: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """The lines that import what the model and its loss are made of."""
    modules: dict[str, list[str]] = {}
    for module, name in recipe["imports"]:
        if name not in modules.setdefault(module, []):
            modules[module].append(name)
    if recipe.get("made_of"):
        modules.setdefault("torch", []).append("nn")
    if recipe.get("made_of") or recipe.get("adapters"):
        modules.setdefault("torch", []).append("from_numpy")
    lines = [f"from {module} import {', '.join(sorted(names))}" for module, names in modules.items()]
    lines += _MADE_IMPORTS[recipe["class"]] if recipe.get("made_of") else []
    lines += ["from peft import LoraConfig"] if recipe.get("adapters") else []
    lines += ["from transformers import PreTrainedModel"] if settings.get("attention", "auto") != "auto" else []
    return lines


def model_of(recipe: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """The lines that make `model` as it was before its first step, and `loss`."""
    kind = recipe["class"]
    if recipe.get("made_of"):
        lines = [
            f"trunk = {_loaded('SentenceTransformer', recipe['start'], recipe, 'START')}"
            f".get_submodule({recipe['made_of']!r})",
            "width = trunk.get_embedding_dimension()",
            *_MADE[kind].splitlines(),
            'head.load_state_dict({name: from_numpy(ROWS[f"head.{name}"]) for name in head.state_dict()})',
            f"model = {kind}(modules=modules{', device=' + repr('cpu') if _on_cpu(recipe) else ''})",
        ]
    else:
        lines = [f"model = {_loaded(kind, recipe['start'], recipe, 'START')}"]
    lines += _set_on(recipe, settings)
    lines += _learnt(recipe)
    if recipe.get("guide"):
        lines.append(f"guide = {_loaded('SentenceTransformer', recipe['guide'], recipe, 'GUIDE')}")
        lines.append("guide.eval().requires_grad_(False)")
    return [*lines, f"loss = {recipe['loss']}"]


def _on_cpu(recipe: dict[str, Any]) -> bool:
    return bool(recipe["arguments"].get("use_cpu"))


def _loaded(kind: str, start: dict[str, Any], recipe: dict[str, Any], name: str) -> str:
    more = [f"revision={start['revision']!r}"] if start["revision"] else []
    more += ["trust_remote_code=True"] if start["trusted"] else []
    more += ["device='cpu'"] if _on_cpu(recipe) else []
    return f"{kind}({', '.join([name, *more, 'model_kwargs={' + repr('use_safetensors') + ': True}'])})"


def _set_on(recipe: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """What is done to the loaded model: 32 bits, the length and padding of texts, prompts, pooling and attention."""
    given = recipe.get("set_on") or {}
    lines = ["model.float()"] if given.get("in_32_bits") else []
    if longest := int(settings.get("max_text_tokens") or 0):
        lines += [f"model.max_seq_length = {longest}", "for module in model.modules():"]
        lines += ['    tokenizer = getattr(getattr(module, "processor", None), "tokenizer", None)']
        lines += ['    if "max_length" in getattr(tokenizer, "init_kwargs", {}):']
        lines += [f'        tokenizer.init_kwargs["max_length"] = tokenizer.max_length = {longest}']
    if given.get("prompts"):
        lines.append(f"model.prompts.update({given['prompts']!r})")
    if not given.get("pools_prompt", True):
        lines += ["for module in model.modules():", '    if hasattr(module, "include_prompt"):']
        lines += ["        module.include_prompt = False"]
    for name, words in (given.get("padded") or {}).items():
        lines.append(f"model.get_submodule({name!r}).processing_kwargs['text'] = {words!r}")
    if settings.get("attention", "auto") != "auto":
        lines += ["for module in model.modules():", "    if isinstance(module, PreTrainedModel):"]
        lines += [f"        module.set_attn_implementation({settings['attention']!r})"]
    return lines


def _learnt(recipe: dict[str, Any]) -> list[str]:
    """Which weights change: adapters with the run's first weights, or all but the frozen ones."""
    lines = []
    if adapters := recipe.get("adapters"):
        lines.append(f"model.add_adapter(LoraConfig({', '.join(f'{name}={adapters[name]!r}' for name in adapters)}))")
        lines += ["for name, weight in model.named_parameters():"]
        lines += ['    if f"adapter.{name}" in ROWS:', '        weight.data = from_numpy(ROWS[f"adapter.{name}"])']
    if frozen := recipe.get("frozen"):
        lines += ["for name, weight in model.named_parameters():"]
        lines += [f"    if f'{{name}}.'.startswith({tuple(f'{name}.' for name in frozen)!r}):"]
        lines += ["        weight.requires_grad_(False)"]
    return lines
