"""The Train tab: where to start from, how long to learn, and every setting for whoever wants it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench import jobs
from workbench.collection.store import Card, list_collections, open_collection
from workbench.doctor.mended import read_standing
from workbench.errors import WorkbenchError
from workbench.models.catalogue import describe
from workbench.models.source import typed_reference
from workbench.settings import KINDS, PRESET_WORDS, PRESETS
from workbench.training.spec import train_spec
from workbench.ui import train_views, words
from workbench.ui.choices import base_choices, collection_in_hand, with_limits
from workbench.ui.fit_card import FitCard
from workbench.ui.join_models import JoinModels
from workbench.ui.models import AddModel
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place
from workbench.ui.settings_form import SettingsForm, read_values, show_value
from workbench.workspace import check_name, propose_name

TRUST_WORDS = (
    "Some models bring program code of their own, which then runs on this machine with your rights. Tick this only for "
    "an author you trust."
)


def build(page: Page, tab: gr.Tab) -> None:
    """Fill the Train tab."""
    TrainTab(page, tab)


class TrainTab:
    """The widgets of the tab and their handlers."""

    def __init__(self, page: Page, tab: gr.Tab) -> None:
        self.page = page
        self.top = view("train-top")
        with gr.Row(elem_id="train-main", elem_classes=["wide-narrow"], visible=False) as self.main:
            with gr.Column(elem_id="train-choices", min_width=0):
                with gr.Column(elem_classes=["card"], min_width=0):
                    self.model = gr.Dropdown(
                        label="Start from", allow_custom_value=True, elem_id="train-model",
                        info="Choose one, or type the id of a model on the Hugging Face Hub.",
                    )  # fmt: skip
                    self.about = view("train-about")
                    self.trust = gr.Checkbox(
                        label="Let this model run its own code", info=TRUST_WORDS, elem_id="train-trust"
                    )
                    self.kind = gr.Radio(
                        [(words.KIND_WORDS[kind], kind) for kind in KINDS], value=KINDS[0], label="What to train",
                        elem_id="train-kind", elem_classes=["choices"],
                    )  # fmt: skip
                self.preset = gr.Radio(
                    [("\n".join(PRESET_WORDS[preset]), preset) for preset in PRESETS], value=PRESETS[0],
                    label="How long to learn", elem_id="train-preset", elem_classes=["presets"],
                )  # fmt: skip
                self.lesson = view("train-lesson")
                self.form = SettingsForm(page)
                self.settings = self.form.widgets
            with gr.Column(elem_id="train-start-card", elem_classes=["card"], min_width=0):
                self.summary = view("train-summary")
                self.collection = gr.Dropdown(label="Collection", elem_id="train-collection")
                self.name = gr.Textbox(label="Name of the run", max_length=64, elem_id="train-name")
                self.doubts = view("train-doubts")
                self.form.place_summary()
                self.fit = FitCard(page)
                self.start = gr.Button("Start training", variant="primary", elem_id="train-start")
        self.timer = gr.Timer(3600.0, active=False)
        self.adding = AddModel(page, self.model, [self.kind, self.collection], self._offered)
        self.joining = JoinModels(page, self.model, [self.kind, self.collection], self._offered)
        self._wire(tab)

    def _wire(self, tab: gr.Tab) -> None:
        page, settings = self.page, list(self.settings.values())
        chosen = [self.collection, self.model, self.kind, self.preset]
        proposed = [self.about, self.trust, self.lesson, self.summary, self.name, *settings, *self.form.outputs,
                    self.fit.view, self.timer]  # fmt: skip
        brought = [widget for one in (self.adding, self.joining) for widget in (one.fold, one.found, one.timer)]
        page.refresh(tab, "train", self.refresh, [*chosen, self.name, self.trust, *settings],
                     [self.top, self.main, self.doubts, self.collection, self.model, *proposed, *brought],
                     timer=self.timer)  # fmt: skip
        page.on([self.kind.input], self.choose_kind, chosen, [self.model, *proposed])
        page.on([self.model.input, self.preset.input], self.propose, chosen, proposed)
        page.on([self.collection.input], self.choose_collection, chosen, [self.top, self.doubts, self.model, *proposed])
        form = [*chosen, self.trust, *settings]
        page.on([self.trust.input, *self.form.left], self.follow, form,
                [*self.form.outputs, self.lesson, self.summary, self.fit.view, self.timer],
                each=True, keeps=True)  # fmt: skip
        self.fit.wire("train", self.timer, form, self.read_spec)
        page.on([self.doubts.click], self.look_at_doubts)
        page.on([self.start.click], self.start_training, [*chosen, self.name, self.trust, *settings])

    def refresh(
        self, place: Place, shown: str | None, model: str | None, kind: str, preset: str, name: str, trust: bool,
        *settings: Any,
    ) -> Widgets:  # fmt: skip
        """What can be trained, read from disk. A form that was filled for the collection in hand stays as it is."""
        workspace = self.page.workspace
        collection = collection_in_hand(workspace, place)
        if not collection:
            return {self.top: train_views.nothing(), self.main: gr.Row(visible=False)}
        names = [card.name for card in list_collections(workspace)]
        card = open_collection(workspace, collection).card
        choices = self._models(kind, card)
        if shown == collection and model and ("/" in model or model in {value for _, value in choices}):
            filled = self.follow(place, collection, model, kind, preset, trust, *settings)
            if jobs.free_name(workspace, name) != propose_name(name):  # the run that was started with it has it now
                filled[self.name] = self._name(collection, kind, preset)
        else:
            model = "starter-reranker" if kind == "reranker" else "starter"
            filled = self.propose(place, collection, model, kind, preset)
        return {
            self.top: train_views.top(card),
            self.main: gr.Row(visible=True),
            self.doubts: train_views.doubts(read_standing(workspace, collection)),
            self.collection: gr.Dropdown(choices=names, value=collection),
            self.model: gr.Dropdown(choices=choices, value=model),
            **filled,
            **self.adding.recall(),
            **self.joining.recall(),
        }

    def _name(self, collection: str, kind: str, preset: str) -> str:
        """A free name for a run."""
        return jobs.free_name(
            self.page.workspace, f"{collection}-{preset}" if kind == "embedder" else f"{collection}-{kind}"
        )

    def choose_collection(self, place: Place, collection: str, model: str, kind: str, preset: str) -> Widgets:
        """Another collection: its words, and the settings that fit its size."""
        card = open_collection(self.page.workspace, collection).card
        return {
            self.page.place: place.at(collection=collection),
            self.top: train_views.top(card),
            self.doubts: train_views.doubts(read_standing(self.page.workspace, collection)),
            self.model: gr.Dropdown(choices=self._models(kind, card), value=model),
            **self.propose(place, collection, model, kind, preset),
        }

    def look_at_doubts(self, place: Place) -> Widgets:
        """Go to where what blocks the training can be mended."""
        return {self.page.place: place.at(tab="data", part="check")}

    def choose_kind(self, place: Place, collection: str, model: str, kind: str, preset: str) -> Widgets:
        """Another kind of model: other models to start from."""
        choices = self._models(kind, open_collection(self.page.workspace, collection).card)
        fitting = "starter-reranker" if kind == "reranker" else "starter"
        model = model if model in {value for _, value in choices} else fitting
        return {
            self.model: gr.Dropdown(choices=choices, value=model),
            **self.propose(place, collection, model, kind, preset),
        }

    def _models(self, kind: str, card: Card) -> list[tuple[str, str]]:
        """What a run may start from, those last that cannot read the collection."""
        needed = [*card.modalities["query"], *card.modalities["document"]]
        return with_limits(self.page.workspace, base_choices(self.page.workspace, kind), needed)

    def _offered(self, kind: str, collection: str) -> list[tuple[str, str]]:
        return self._models(kind, open_collection(self.page.workspace, collection).card)

    def propose(self, place: Place, collection: str, model: str, kind: str, preset: str) -> Widgets:
        """The settings that a preset gives, in words and in the form."""
        workspace = self.page.workspace
        about = describe(workspace, typed_reference(model))
        shown = {self.trust: gr.Checkbox(visible="/" in model and self.page.may_run_code, value=False)}
        try:
            spec = train_spec(workspace, collection=collection, model=model, kind=kind, preset=preset, starts=False)
        except WorkbenchError as error:
            return {
                self.about: train_views.about(about),
                self.lesson: train_views.cannot(error),
                self.summary: "",
                self.fit.view: "",
                **shown,
            }
        card = open_collection(workspace, collection).card
        return {
            **shown,
            self.about: train_views.about(about),
            self.lesson: train_views.lesson(card, spec, about),
            self.summary: train_views.summary(card, spec),
            self.name: self._name(collection, kind, preset),
            **{widget: show_value(spec["settings"][name]) for name, widget in self.settings.items()},
            **self.form.tell([]),
            **self.fit.draw(spec),
        }

    def follow(
        self, place: Place, collection: str, model: str, kind: str, preset: str, trust: bool, *settings: Any
    ) -> Widgets:
        """What the form says now: what of it cannot work, how it will learn, and whether it fits.

        All at once, as each alone would have to look at the collection and the model again.
        """
        try:
            found = self.form.look(model, kind, settings)
        except WorkbenchError as error:
            return {**self.form.refuse(error), **self.fit.refuse(error)}
        told = self.form.tell(found)
        try:
            spec = self.read_spec(collection, model, kind, preset, trust, *settings)
        except WorkbenchError as error:
            # What stands beside its field needs no second place; the lesson stays as it was.
            lesson = {} if found else {self.lesson: train_views.cannot(error)}
            return {**told, **lesson, **self.fit.refuse(error)}
        card = open_collection(self.page.workspace, collection).card
        about = describe(self.page.workspace, typed_reference(model))
        lesson = {self.lesson: train_views.lesson(card, spec, about), self.summary: train_views.summary(card, spec)}
        return {**told, **lesson, **self.fit.draw(spec)}

    def start_training(
        self, place: Place, collection: str, model: str, kind: str, preset: str, name: str, trust: bool, *settings: Any
    ) -> Widgets:
        """Start the run in the background and go to where it can be watched."""
        check_name(name, "run")
        spec = self.read_spec(collection, model, kind, preset, trust, *settings, starts=True)
        jobs.start(self.page.workspace, "train", name, spec)
        return {self.page.place: place.at(tab="runs", run=name, collection=collection)}

    def read_spec(
        self, collection: str, model: str, kind: str, preset: str, trust: bool, *settings: Any, starts: bool = False
    ) -> dict[str, Any]:
        """The spec of the run that the form describes; `starts` as for `train_spec`. Raises WorkbenchError for what
        cannot work."""
        if trust and not self.page.may_run_code:
            raise WorkbenchError(
                "This page is open to others, so no model may run its own code here. Start the page on your own "
                "computer or with --auth USER:PASSWORD, or choose a model that needs no code."
            )
        chosen: dict[str, Any] = {
            "collection": collection,
            "model": typed_reference(model),
            "kind": kind,
            "preset": preset,
            "trust_remote_code": trust,
        }
        workspace = self.page.workspace
        usual = train_spec(workspace, **chosen, starts=False)["settings"]
        given = dict(zip(self.settings, settings, strict=True))
        changed = {key: value for key, value in given.items() if value is not None and value != show_value(usual[key])}
        return train_spec(workspace, **chosen, overrides=read_values(changed), starts=starts)
