"""Writes down a loss of the library as the Python expression that makes it again."""

from __future__ import annotations

import inspect
from typing import Any

from workbench.training.objectives import Sharpened

Imports = list[list[str]]


def written_loss(loss: Any, missing: list[str]) -> tuple[str | None, Imports]:
    """The loss as an expression over `model` (and `guide`), and the (module, name) pairs it imports.

    Every argument of its constructor must be readable from the object, else the expression is None and `missing` says
    why.
    """
    imports: Imports = []
    try:
        if isinstance(loss, dict):
            each = [f"{name!r}: {_expression(one, imports)}" for name, one in loss.items()]
            return "{" + ", ".join(each) + "}", imports
        return _expression(loss, imports), imports
    except LookupError as error:
        missing.append(f"the loss, of which {error.args[0]} cannot be written down")
        return None, []


def _expression(loss: Any, imports: Imports) -> str:
    """The call that makes this loss. Raises LookupError for an argument that cannot be read back."""
    kind = type(loss)
    if not kind.__module__.startswith("sentence_transformers."):
        raise LookupError(kind.__name__)
    imports.append([kind.__module__.rsplit(".", 1)[0], kind.__name__])
    words = []
    for name, parameter in list(inspect.signature(kind.__init__).parameters.items())[1:]:
        if name in ("model", "guide"):
            words.append(name if parameter.kind is not parameter.KEYWORD_ONLY else f"{name}={name}")
            continue
        if name == "loss":
            words.append(_expression(loss.loss, imports))
            continue
        if parameter.kind is parameter.VAR_KEYWORD:  # handed on to torch's own loss; none of ours has any
            continue
        # The cached losses hand their arguments on to the plain one inside.
        holder = loss if hasattr(loss, name) else getattr(loss, "loss", None)
        if not hasattr(holder, name):
            raise LookupError(f"{kind.__name__}.{name}")
        value = getattr(holder, name)
        if value is parameter.default or (is_plain(value) and value == parameter.default):
            continue
        words.append(f"{name}={_argument(value, f'{kind.__name__}.{name}', imports)}")
    return f"{kind.__name__}({', '.join(words)})"


def _argument(value: Any, name: str, imports: Imports) -> str:
    import torch

    if is_plain(value):
        return repr(value)
    if isinstance(value, Sharpened):
        return f"lambda queries, documents: {_argument(value.cosine, name, imports)}(queries, documents) / " + repr(
            value.temperature
        )
    if isinstance(value, torch.Tensor) and value.ndim == 0:
        imports.append(["torch", "tensor"])
        return f"tensor({value.item()!r})"
    if inspect.isfunction(value) and value.__module__.startswith("sentence_transformers."):
        imports.append([value.__module__, value.__name__])
        return value.__name__
    raise LookupError(name)


def is_plain(value: Any) -> bool:
    """Whether a value can be written as Python source and read back the same."""
    if isinstance(value, (list, tuple)):
        return all(is_plain(part) for part in value)
    if isinstance(value, dict):
        return all(isinstance(name, str) and is_plain(part) for name, part in value.items())
    return value is None or isinstance(value, (bool, int, float, str))
