"""The table of all settings in docs/training.md, written from their declarations:

python -m workbench.settings.documentation
"""

from __future__ import annotations

import typing
from pathlib import Path

from pydantic.fields import FieldInfo

from workbench.settings import GROUPS, TrainSettings

BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "training.md"
LIMITS = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "below {}"}


def settings_table() -> str:
    """A Markdown table for each group: the key for `--set` and job.json, what it takes, its default and its line."""
    head = ["| key | title | takes | default | what it does |", "| --- " * 5 + "|"]
    parts = []
    for group in GROUPS:
        fields = {name: field for name, field in TrainSettings.model_fields.items() if _extra(field, "group") == group}
        parts.append("\n".join([f"### {group}", "", *head, *(row(name, field) for name, field in fields.items())]))
    return "\n\n".join(parts)


def row(name: str, field: FieldInfo) -> str:
    """One setting as a line of its table."""
    default = ", ".join(map(str, field.default)) if isinstance(field.default, list) else field.default
    shown = f"`{str(default).lower() if isinstance(default, bool) else default}`" if default != "" else "empty"
    return f"| `{name}` | {field.title} | {takes(field)} | {shown} | {field.description} |"


def takes(field: FieldInfo) -> str:
    """The choices of a setting, or its unit and limits."""
    kind = field.annotation
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(kind))
    if kind is bool:
        return "`true`, `false`"
    limits = [
        words.format(f"{value:g}")
        for rule in field.metadata
        for name, words in LIMITS.items()
        if (value := getattr(rule, name, None)) is not None
    ]
    unit = _extra(field, "unit")
    listed = "a list with commas" if typing.get_origin(kind) is list else ""
    return ", ".join(part for part in (listed, unit, " ".join(limits)) if part) or "text"


def _extra(field: FieldInfo, key: str) -> str:
    extra = field.json_schema_extra
    return str(extra.get(key, "")) if isinstance(extra, dict) else ""


def write() -> None:
    """Put the table into docs/training.md, between its two marks."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{settings_table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write()
