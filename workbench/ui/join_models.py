"""Join two models: a fold in the Train tab that makes one model of a text embedder and encoders of media."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.models.source import typed_reference
from workbench.ui.choices import embedder_choices, encoder_choices
from workbench.ui.models import TICK_SECONDS, ModelWork
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place
from workbench.workspace import check_name

INFO = (
    "Text keeps its vectors; pictures and sounds learn to meet them. In the first run only what joins them learns at "
    "first, then all of it."
)
TYPED = "Choose one, or type the id of a model on the Hugging Face Hub."


class JoinModels(ModelWork):
    """The widgets and their handlers.

    model: the select that offers the joined model as soon as it is there, filled by `choices(kind, collection)`.
    """

    work = "join-models"

    def __init__(
        self, page: Page, model: gr.Dropdown, inputs: list[gr.Radio | gr.Dropdown],
        choices: Callable[[str, str], list[tuple[str, str]]],
    ) -> None:  # fmt: skip
        self.page, self.model, self.choices = page, model, choices
        with gr.Accordion("Join two models", open=False, elem_id="join-models", elem_classes=["card"]) as self.fold:
            self.text = gr.Dropdown(
                label="Text embedder", allow_custom_value=True, value=None, info=INFO, elem_id="join-text"
            )
            with gr.Row():
                self.image = gr.Dropdown(
                    label="Encoder of pictures", allow_custom_value=True, value=None, info=TYPED, elem_id="join-image"
                )
                self.audio = gr.Dropdown(
                    label="Encoder of sound", allow_custom_value=True, value=None, info=TYPED, elem_id="join-audio"
                )
            self.name = gr.Textbox(label="Name of the joined model", max_length=64, elem_id="join-name")
            self.start = gr.Button("Join", elem_id="join-start")
            self.found = view("join-found")
            self.timer = gr.Timer(TICK_SECONDS, active=False)
        outputs = [self.found, self.timer, self.model]
        selects = [self.text, self.image, self.audio]
        page.on([self.fold.expand], self.offer_parts, [], selects)
        page.on([self.start.click], self.join_models, [*selects, self.name], outputs)
        page.on([self.timer.tick], self.look_at_joined, inputs, outputs, keeps=True)
        page.on([self.found.click], self.use_joined, [], outputs)

    def offer_parts(self, place: Place) -> Widgets:
        """What can be joined, when the fold is opened."""
        workspace = self.page.workspace
        return {
            self.text: gr.Dropdown(choices=embedder_choices(workspace)),
            self.image: gr.Dropdown(choices=encoder_choices(workspace, "image")),
            self.audio: gr.Dropdown(choices=encoder_choices(workspace, "audio")),
        }

    def join_models(
        self, place: Place, text: str | None, image: str | None, audio: str | None, name: str
    ) -> Widgets:  # fmt: skip
        """Begin the joining in the background."""
        workspace = self.page.workspace
        name = check_name((name or "").strip(), "model")
        if not (text and (image or audio)):
            raise WorkbenchError("Choose a text embedder and an encoder of pictures, of sound, or one of each.")
        parts = {"text": text, "image": image, "audio": audio}
        spec = {part: typed_reference(reference) if reference else "" for part, reference in parts.items()}
        jobs.start(workspace, self.work, jobs.free_name(workspace, f"join-{name}"), {**spec, "name": name})
        return self._draw()

    def look_at_joined(self, place: Place, kind: str, collection: str) -> Widgets:
        """How far the joining is; the model is offered as soon as it is there."""
        return self._look(kind, collection)

    def use_joined(self, place: Place, event: gr.EventData) -> Widgets:
        """What the buttons of the job's card do."""
        return self._use(event)
