"""How a setting is declared: its default, title, what more of it does, unit, limits, and the group it is shown in."""

from __future__ import annotations

from typing import Any

from pydantic import Field

GROUPS = (
    "Time",
    "Batches",
    "Learning",
    "Objective",
    "Negatives",
    "What is learnt",
    "Memory",
    "Inputs",
    "Watching",
)


def setting(group: str, default: Any, title: str, words: str, *, unit: str = "", **limits: Any) -> Any:
    """A field of the settings. Raises ValueError for a group that the form does not show."""
    if group not in GROUPS:
        raise ValueError(f"no such group of settings: {group}")
    return Field(default, title=title, description=words, json_schema_extra={"unit": unit, "group": group}, **limits)
