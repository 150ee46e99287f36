"""The parts of a model by name: which weights a tower, a route or a module holds; freezing them, rates of their own.

A part is a modality that has a tower of its own (`text`, `image`, `audio`), the `projections` of a joined model, or a
piece of a parameter's dotted name, such as `vision_tower`, `audio` or `0.sub_modules.audio`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from workbench.errors import WorkbenchError

# What the libraries call the tower of a modality: CLIP, SigLIP, CLAP, LLaVA, Qwen-VL and their kin.
TOWERS = {
    "text": ("text_model", "language_model", "text_encoder"),
    "image": ("vision_model", "vision_tower", "visual", "vision_encoder"),
    "audio": ("audio_model", "audio_tower", "audio_encoder"),
}
SHOWN = 12
PROJECTIONS = "projections"


def freeze(model: Any, parts: Iterable[str]) -> int:
    """Leave the weights of these parts as they are. Returns how many parameters that holds still.

    Raises WorkbenchError for a part that the model has not, and if nothing would be left to learn.
    """
    for part in parts:
        prefixes = prefixes_of(model, part)
        for name, value in model.named_parameters():
            if lies_within(name, prefixes):
                value.requires_grad_(False)
    if not any(value.requires_grad for value in model.parameters()):
        raise WorkbenchError(f"With {', '.join(parts)} frozen nothing is left to learn. Freeze fewer parts.")
    return sum(value.numel() for value in model.parameters() if not value.requires_grad)


def learning_rates(model: Any, rates: Iterable[str]) -> dict[str, float]:
    """Words such as `audio=1e-3` as the library's `learning_rate_mapping`: {pattern of names: rate}.

    Raises WorkbenchError for words that say no rate and for a part that the model has not.
    """
    found: dict[str, float] = {}
    for part, rate in map(read_rate, rates):
        for prefix in prefixes_of(model, part):
            # The library looks at the names within the loss, which holds the model: model.0…, loss.model.0…
            found[rf"^(?:[A-Za-z_]+\.)*{re.escape(prefix)}(?:\.|$)"] = rate
    return found


def read_rate(words: str) -> tuple[str, float]:
    """`audio=1e-3` as a part and its learning rate. Raises WorkbenchError if it is neither."""
    part, equals, rate = (piece.strip() for piece in words.partition("="))
    try:
        value = float(rate)
    except ValueError:
        value = 0.0
    if not part or not equals or not 0 < value <= 1:
        raise WorkbenchError(f"“{words}” is no learning rate of a part. Write it as part=rate, for example image=1e-4.")
    return part, value


def prefixes_of(model: Any, part: str) -> list[str]:
    """The dotted names under which a part's parameters lie. Raises WorkbenchError, with the model's parts, if none."""
    names = [name for name, _ in model.named_parameters()]
    if part in TOWERS:
        found = [*_routes(model, part), *_named(names, TOWERS[part])]
    else:
        found = list(_projections(model)) if part == PROJECTIONS else _named(names, (part,))
    if not found:
        whose = f"no part of its own for {part}" if part in TOWERS else f"no part “{part}”"
        raise WorkbenchError(f"The model has {whose}. It has: {', '.join(part_names(model))}.")
    return [
        name for name in dict.fromkeys(found) if not any(lies_within(name, [other]) for other in found if other != name)
    ]


def part_names(model: Any) -> list[str]:
    """Names by which the larger parts of a model can be meant, the modalities with a tower of their own first."""
    names = [name for name, _ in model.named_parameters()]
    towers = [kind for kind in TOWERS if _routes(model, kind) or _named(names, TOWERS[kind])]
    modules = dict.fromkeys(_module(name) for name in names)
    return [*towers, *([PROJECTIONS] if any(_projections(model)) else []), *modules][:SHOWN]


def _module(parameter: str) -> str:
    """The first telling piece of a parameter's name: vision_tower of 0.sub_modules.trunk.0.model.vision_tower.x."""
    pieces = [piece for piece in parameter.split(".")[:-1] if piece not in ("model", "auto_model", "sub_modules")]
    telling = [piece for piece in pieces if not piece.isdigit()]
    return (telling or pieces or [parameter])[min(1, max(len(telling) - 1, 0))]


def _routes(model: Any, modality: str) -> Iterator[str]:
    """The routes of a Router that take this modality and no other."""
    for name, module in model.named_modules():
        mappings = getattr(module, "route_mappings", None)
        if not mappings or not hasattr(module, "sub_modules"):
            continue
        taken: dict[str, set[str]] = {}
        for (_, kind), route in mappings.items():
            taken.setdefault(route, set()).update((kind,) if isinstance(kind, str) else kind or ())
        for route, kinds in taken.items():
            if kinds - {"message"} == {modality}:  # a chat template is one more way to hand in the same
                yield f"{name}.sub_modules.{route}"


def _projections(model: Any) -> Iterator[str]:
    """The linear layers by which the routes of a Router that read no text meet those that do."""
    from sentence_transformers.base.modules import Dense, Router

    for name, module in model.named_modules():
        if not isinstance(module, Router):
            continue
        for route, modules in module.sub_modules.items():
            parts: Any = modules
            if "text" not in getattr(parts[0], "modalities", ("text",)):
                found = [place for place, part in enumerate(parts) if isinstance(part, Dense)]
                yield from (f"{name}.sub_modules.{route}.{place}" for place in found)


def _named(names: list[str], parts: Iterable[str]) -> list[str]:
    """The shortest prefixes of parameter names that end in one of these pieces."""
    found: dict[str, None] = {}
    for part in parts:
        # A number is the place of a module in the model, not of a layer deep in it.
        before = "" if part[:1].isdigit() else r"(?:.*?\.)??"
        pattern = re.compile(rf"^{before}{re.escape(part)}(?=\.|$)")
        found.update((match.group(0), None) for name in names if (match := pattern.match(name)))
    return list(found)


def lies_within(name: str, prefixes: Iterable[str]) -> bool:
    """Whether a dotted name is one of these, or lies under one."""
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)
