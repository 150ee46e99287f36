"""A remote endpoint: a fold in the Evaluate tab that describes one, tries it, and holds its key for one evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import gradio as gr

from workbench.errors import WorkbenchError
from workbench.evaluation.remote_cost import preview_evaluation
from workbench.models.remote import PREFIX, add_remote, remote_model, remotes
from workbench.models.remote_check import check_remote, preview_words
from workbench.models.remote_keys import handed_keys
from workbench.models.remote_shapes import SHAPES, shape_named
from workbench.ui import cards
from workbench.ui.choices import checkpoint_choices, embedder_choices, remote_choices
from workbench.ui.page import Page, Widgets, view
from workbench.ui.part_generate import read_price
from workbench.ui.place import Place

NOT_OPEN = (
    "This page is open to others, and this computer would send requests to whatever address they write. Start the page "
    "on your own computer or with --auth USER:PASSWORD, or use the command “models remote”."
)
SHAPE_LABELS = [
    ("OpenAI-compatible: /v1/embeddings", "openai"),
    ("Cohere: /v2/embed", "cohere"),
    ("Text Embeddings Inference: /embed", "tei"),
    ("Ollama: /api/embed", "ollama"),
]


class RemoteModels:
    """The widgets and their handlers.

    models: the select that offers the new model; collection: what would be sent to it.
    """

    def __init__(self, page: Page, models: gr.Dropdown, collection: gr.Dropdown) -> None:
        self.page, self.models = page, models
        self.sends = view("evaluate-sends")
        with gr.Accordion("A remote endpoint", open=False, elem_id="remote", elem_classes=["inner"]):
            with gr.Row(elem_classes=["form-row"]):
                self.shape = gr.Dropdown(SHAPE_LABELS, value="openai", label="Shape", elem_id="remote-shape")
                self.name = gr.Textbox(label="Name here", placeholder="mini", max_length=64, elem_id="remote-name")
            with gr.Row(elem_classes=["form-row"]):
                self.address = gr.Textbox(
                    label="Address", placeholder=SHAPES["openai"].address, max_length=300, elem_id="remote-address",
                    info="Empty: the service's own.",
                )  # fmt: skip
                self.model = gr.Textbox(
                    label="Model", placeholder="text-embedding-3-small", max_length=200, elem_id="remote-model",
                    info="Its name there.",
                )  # fmt: skip
                self.price = gr.Textbox(
                    label="Price", max_lines=1, elem_id="remote-price", info="Of a million tokens; may stay empty."
                )
            self.add = gr.Button("Add it", elem_id="remote-add")
            with gr.Row(elem_classes=["form-row"]):
                self.key = gr.Textbox(
                    label="Key", type="password", max_length=1000, elem_id="remote-key",
                    info="For trying it and for one evaluation. It is kept nowhere; an environment variable lasts.",
                )  # fmt: skip
                self.keyed = gr.Dropdown(label="The key is for", allow_custom_value=False, elem_id="remote-keyed")
            self.attempt = gr.Button("Try that one", elem_id="remote-try")
            self.found = view("remote-found")
        self._wire(collection)

    def _wire(self, collection: gr.Dropdown) -> None:
        page, described = self.page, [self.name, self.shape, self.address, self.model, self.price]
        page.on([self.shape.change], self.show_example, [self.shape], [self.address], keeps=True)
        page.on([self.add.click], self.add_remote_model, [self.models, *described],
                [self.found, self.models, self.keyed])  # fmt: skip
        page.on([self.attempt.click], self.try_remote_model, [self.keyed, self.key], [self.found],
                queue=True, waits_on=self.found)  # fmt: skip
        page.on([self.models.change, collection.change], self.show_sends, [self.models, collection], [self.sends],
                keeps=True)  # fmt: skip

    @property
    def widgets(self) -> list[Any]:
        """What `draw` changes."""
        return [self.keyed, self.key]

    def choices(self) -> list[tuple[str, str]]:
        """The embedders that can be evaluated here."""
        workspace = self.page.workspace
        remote = remote_choices(workspace, "embedder") if self._allowed else []
        return [*embedder_choices(workspace), *checkpoint_choices(workspace, "embedder"), *remote]

    def draw(self) -> Widgets:
        """The key field empty, and the models that it may be for."""
        choices = remote_choices(self.page.workspace, "embedder")
        return {self.keyed: gr.Dropdown(choices=choices, value=choices[-1][1] if choices else None), self.key: ""}

    def environment(self, models: Iterable[str], keyed: str | None, key: str) -> Mapping[str, str]:
        """What the job is told beside its spec: the key, if one was given for a model that it evaluates.

        Raises WorkbenchError for remote models where the page is open to others.
        """
        chosen = [model for model in models if model.startswith(PREFIX)]
        if chosen and not self._allowed:
            raise WorkbenchError(NOT_OPEN)
        if not (key or "").strip() or keyed not in chosen:
            return {}
        return handed_keys([(remote_model(self.page.workspace, keyed), key)])

    def show_example(self, place: Place, shape: str) -> Widgets:
        """How an address of the shape looks."""
        return {self.address: gr.Textbox(placeholder=shape_named(shape).address)}

    def add_remote_model(
        self, place: Place, models: list[str] | None, name: str, shape: str, address: str, model: str, price: str
    ) -> Widgets:
        """Describe a model and choose it; sends nothing."""
        self._check_allowed()
        values = {"name": name.strip(), "shape": shape, "address": address.strip() or shape_named(shape).address}
        added = add_remote(self.page.workspace, {**values, "model": model, "price": read_price(price)})
        told = f"Added as {added.reference}. {added.host} gets what is sent to it; nothing has been sent yet."
        return {
            self.found: cards.notice(told, tone="good"),
            self.models: gr.Dropdown(
                choices=self.choices(),
                value=[*(models or []), added.reference],
                multiselect=True,
                allow_custom_value=True,
            ),
            self.keyed: gr.Dropdown(choices=remote_choices(self.page.workspace, "embedder"), value=added.reference),
        }

    def try_remote_model(self, place: Place, keyed: str | None, key: str) -> Widgets:
        """One tiny call with a made-up text."""
        self._check_allowed()
        if not keyed:
            raise WorkbenchError("There is no remote model yet. Add one first.")
        found = check_remote(self.page.workspace, keyed.removeprefix(PREFIX), key=key or "")
        told = (
            f"{found['reference']} answers: vectors of {found['dimension']:,} numbers, in {found['milliseconds']:,} ms."
        )
        return {self.found: cards.notice(told, tone="good")}

    def show_sends(self, place: Place, models: list[str] | None, collection: str | None) -> Widgets:
        """Who gets how much of the collection if the chosen models are evaluated; nothing where none is remote."""
        known = {one.reference for one in remotes(self.page.workspace)} if self._allowed else set()
        chosen = [model for model in models or [] if model in known]
        if not chosen or not collection:
            return {self.sends: ""}
        told = [preview_words(one) for one in preview_evaluation(self.page.workspace, collection, chosen)]
        return {self.sends: cards.notice("What leaves this computer:", told, tone="warn", closable=False)}

    @property
    def _allowed(self) -> bool:
        return bool(self.page.may_run_code)

    def _check_allowed(self) -> None:
        if not self._allowed:
            raise WorkbenchError(NOT_OPEN)
