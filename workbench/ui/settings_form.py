"""The form of all training settings, made from their declarations: groups, fields, and what cannot work beside them."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Any

import gradio as gr
from pydantic.fields import FieldInfo

from workbench.errors import WorkbenchError
from workbench.models.catalogue import describe
from workbench.models.source import typed_reference
from workbench.settings import GROUPS, TrainSettings, check_settings, is_list
from workbench.training.presets import conflicts_here
from workbench.ui import cards
from workbench.ui.page import Page, Widgets, view

FIELDS: dict[str, FieldInfo] = dict(TrainSettings.model_fields)


class SettingsForm:
    """An accordion with one accordion a group. `widgets` holds the field of each setting, `notes` what is wrong.

    summary: where all that cannot work is told once more, beside the button that starts the run.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.widgets: dict[str, Any] = {}
        self.notes: dict[str, gr.HTML] = {}
        with gr.Accordion(
            f"Advanced: {len(FIELDS)} settings", open=False, elem_id="train-advanced", elem_classes=["card"]
        ):
            for group in GROUPS:
                self._group(group)

    def _group(self, group: str) -> None:
        slug = group.lower().replace(" ", "-")
        with gr.Accordion(
            group, open=group == GROUPS[0], elem_id=f"settings-{slug}", elem_classes=["inner", "settings-group"]
        ):
            self.notes[group] = view(f"settings-{slug}-note")
            for name in of_group(group):
                self.widgets[name] = make_field(name, FIELDS[name])

    def place_summary(self) -> None:
        """Put the summary here."""
        self.summary = view("train-conflicts")

    @property
    def outputs(self) -> list[Any]:
        """What `tell` changes."""
        return [self.summary, *self.notes.values()]

    @property
    def left(self) -> list[Any]:
        """The events of a field having been changed; a text counts once it is left."""
        return [field.blur if isinstance(field, gr.Textbox) else field.input for field in self.widgets.values()]

    def refuse(self, error: WorkbenchError) -> Widgets:
        """No conflicts, but values that no setting takes."""
        return {**self.tell([]), self.summary: cards.notice(error.message, error.problems, closable=False)}

    def look(self, model: str, kind: str, values: Sequence[Any]) -> list[tuple[str, str]]:
        """The conflicts of the fields' values. Raises WorkbenchError for values that no setting takes."""
        given = {name: value for name, value in zip(self.widgets, values, strict=True) if value is not None}
        settings = check_settings(read_values(given))
        return conflicts_here(settings, kind, describe(self.page.workspace, typed_reference(model)))

    def tell(self, found: list[tuple[str, str]]) -> Widgets:
        """Conflicts under the heading of their group, and all of them in the summary."""
        lines = {name: f"{FIELDS[name].title}: {words}" for name, words in found}
        shown: Widgets = {
            note: "".join(cards.notice(lines[name], closable=False) for name in of_group(group) if name in lines)
            for group, note in self.notes.items()
        }
        head = "This cannot start yet:"
        return {**shown, self.summary: cards.notice(head, list(lines.values()), closable=False) if lines else ""}


def of_group(group: str) -> list[str]:
    """The settings of a group, in their order."""
    return [name for name, info in FIELDS.items() if extra(info, "group") == group]


def extra(info: FieldInfo, key: str) -> str:
    """What a declaration says besides its title and line: `unit`, `group`."""
    declared = info.json_schema_extra
    return str(declared.get(key, "")) if isinstance(declared, dict) else ""


def make_field(name: str, info: FieldInfo) -> Any:
    """The widget of one declared setting: its title and unit, its default, what more of it does."""
    unit = extra(info, "unit")
    label = f"{info.title} ({unit})" if unit and unit != str(info.title).lower() else str(info.title)
    words_of: dict[str, Any] = {"label": label, "info": info.description, "elem_id": f"setting-{name}"}
    kind = info.annotation
    if kind is bool:
        return gr.Checkbox(value=bool(info.default), **words_of)
    if kind in (int, float):
        return gr.Number(value=info.default, precision=0 if kind is int else None, **words_of)
    if typing.get_origin(kind) is typing.Literal:
        return gr.Dropdown(choices=list(typing.get_args(kind)), value=info.default, **words_of)
    return gr.Textbox(value=show_value(info.default), **words_of)


def show_value(value: Any) -> Any:
    """A setting as its widget shows it: a list as words with commas."""
    return ", ".join(str(part) for part in value) if isinstance(value, list) else value


def read_values(changed: dict[str, Any]) -> dict[str, Any]:
    """Changed settings as `check_settings` takes them; lists are split at commas.

    Raises WorkbenchError where a model is named that the page may not use.
    """
    return {name: _read_value(name, value) for name, value in changed.items()}


def _read_value(name: str, value: Any) -> Any:
    if name.endswith("_model"):
        return typed_reference(value) if value.strip() else ""
    return [part.strip() for part in value.split(",") if part.strip()] if is_list(name) else value
