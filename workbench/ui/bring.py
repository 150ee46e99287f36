"""The widgets with which something is brought: uploaded, pasted or fetched from the Hub; and the role mapper below."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import gradio as gr

from workbench import jobs
from workbench.collection.reading import Preview
from workbench.collection.standard_sets import check_task_name
from workbench.collection.store import list_collections
from workbench.errors import WorkbenchError
from workbench.ui import data_views, mapper_views
from workbench.ui.brought import WAYS, Brought
from workbench.ui.mapper_views import Chosen
from workbench.ui.page import Page, Widgets, view
from workbench.workspace import Workspace, check_name, propose_name

UPLOADS = [".csv", ".tsv", ".jsonl", ".parquet", ".zip", ".pdf", ".txt", ".md", "image", "audio", "video"]
PREVIEWS_KEPT = 2
NOTHING = {
    "upload": "Nothing was uploaded yet. Choose a file.",
    "paste": "Nothing was pasted yet. Write one pair a line.",
    "hub": "Type the name of the data set on the Hub: USER/NAME.",
}
NO_HUB = (
    "This page is open to others, and what it fetches from the Hub it fetches in its owner's name. Start the page on "
    "your own computer or with --auth USER:PASSWORD."
)


class Bring:
    """The ways in, one of them shown, and the mapper. `values` are the inputs that `Brought.of` takes."""

    def __init__(self, page: Page) -> None:
        self._page = page
        # Looked at again with every choice in the mapper; a data set of the Hub takes seconds to look at.
        self._preview = lru_cache(maxsize=PREVIEWS_KEPT)(lambda brought: brought.preview(page.workspace))
        with (
            gr.Column(elem_id="data-bring", elem_classes=["card"], visible=False) as self.column,
            gr.Row(elem_classes=["ways"]),
        ):
            with gr.Column(scale=3, min_width=260):
                self.way = gr.Radio(
                    [(label, way) for way, label in WAYS.items()], value="upload", label="How to bring them",
                    show_label=False, container=False, elem_id="data-way", elem_classes=["segmented"],
                )  # fmt: skip
                self.words = view("data-way-words", value=data_views.bring_words("upload"))
                self.upload = gr.File(
                    label="Your files", file_types=UPLOADS, file_count="multiple", elem_id="data-upload", height=132
                )
                self._make_paste()
                self._make_hub()
            with gr.Column(elem_classes=["way"], min_width=220, scale=2) as self.demo:
                gr.HTML(data_views.demo_words(), apply_default_css=False)
                self.open_demo = gr.Button("Open the demo", variant="primary", elem_id="data-demo")
        self.mapper = view("data-mapper")
        self.values = [self.way, self.upload, self.text, self.repo, self.config, self.split]
        self.shown = [self.words, self.upload, self.pasting, self.hub, self.open_demo]

    def _make_paste(self) -> None:
        with gr.Column(visible=False, min_width=0, elem_id="data-pasting") as self.pasting:
            self.text = gr.Textbox(
                label="Rows", show_label=False, lines=6, max_lines=14, elem_id="data-paste",
                placeholder="a red ball | a photo of a red ball\na blue cup | a photo of a blue cup",
            )  # fmt: skip
            self.look_at_rows = gr.Button("Look at these rows", variant="primary", elem_id="data-paste-look")

    def _make_hub(self) -> None:
        with gr.Column(visible=False, min_width=0, elem_id="data-hub") as self.hub:
            self.repo = gr.Textbox(label="Data set", placeholder="USER/NAME", max_lines=1, elem_id="data-hub-repo")
            with gr.Row(elem_classes=["form-row"]):
                self.config = gr.Textbox(
                    label="Configuration", placeholder="the only one", max_lines=1, elem_id="data-hub-config"
                )
                self.split = gr.Textbox(
                    label="Split", placeholder="the only one, or train", max_lines=1, elem_id="data-hub-split"
                )
            self.look_at_hub = gr.Button("Look at its first rows", variant="primary", elem_id="data-hub-look")
            with gr.Row(elem_classes=["form-row"]):
                self.task = gr.Textbox(
                    label="Or a standard set", placeholder="NanoArguAnaRetrieval", max_lines=1, max_length=100,
                    elem_id="data-hub-task",
                    info="A retrieval task of mteb. All of it is held out: a public yardstick, to evaluate on.",
                )  # fmt: skip
                self.bring_task = gr.Button("Bring it", elem_id="data-hub-task-bring", min_width=0)

    def choose_way(self, way: str) -> Widgets:
        """Show one way in and hide the others."""
        return {
            self.words: data_views.bring_words(way),
            self.upload: gr.File(visible=way == "upload"),
            self.pasting: gr.Column(visible=way == "paste"),
            self.hub: gr.Column(visible=way == "hub"),
            self.open_demo: gr.Button(variant="primary" if way == "upload" else "secondary"),
        }

    def emptied(self) -> Widgets:
        """Nothing brought: the upload way, empty."""
        empty = {self.text: "", self.repo: "", self.config: "", self.split: "", self.task: ""}
        return {
            **self.choose_way("upload"), **empty, self.way: "upload",
            self.upload: gr.File(value=None, visible=True), self.mapper: "",
        }  # fmt: skip

    def look(self, brought: Brought, adding_to: str) -> Widgets:
        """Show what is in it, and which columns look like questions and answers."""
        preview = self._look(brought)
        taken = {card.name for card in list_collections(self._page.workspace)}
        chosen = Chosen.proposed(preview, brought.proposed_name(taken))
        return {self.mapper: mapper_views.mapper(preview, chosen, adding_to, from_hub=brought.way == "hub")}

    def choose(self, brought: Brought, said: dict[str, Any], adding_to: str) -> Widgets:
        """What the mapper's selects and its Turn round say."""
        chosen = Chosen.read(said)
        chosen = chosen.turned() if said["act"] == "turn" else chosen
        return {self.mapper: mapper_views.mapper(self._look(brought), chosen, adding_to, from_hub=brought.way == "hub")}

    def start(self, brought: Brought, said: dict[str, Any], adding_to: str) -> str:
        """Begin the import in the background; returns the collection's name."""
        chosen, preview, workspace = Chosen.read(said), self._look(brought), self._page.workspace
        name = adding_to or _free(workspace, chosen.name)
        roles = chosen.roles(preview) if preview.columns else None
        spec = {
            "name": name,
            **brought.source(workspace, chosen.most_rows()),
            "roles": roles,
            "seed": 0,
            **chosen.options(),
        }
        spec |= {"add": True} if adding_to else {}
        jobs.start(workspace, "import", jobs.free_name(workspace, f"import-{name}"), spec)
        return name

    def start_task(self, task: str, subset: str, split: str) -> str:
        """Begin to fetch a standard set in the background; returns the collection's name."""
        if not self._page.may_run_code:
            raise WorkbenchError(NO_HUB)
        workspace = self._page.workspace
        wanted = {"task": check_task_name(task or ""), "subset": (subset or "").strip(), "split": (split or "").strip()}
        name = propose_name(wanted["task"], {card.name for card in list_collections(workspace)})
        spec = {"name": name, "mteb": wanted, "roles": None, "seed": 0}
        jobs.start(workspace, "import", jobs.free_name(workspace, f"import-{name}"), spec)
        return name

    def _look(self, brought: Brought) -> Preview:
        if brought.way == "hub" and not self._page.may_run_code:
            raise WorkbenchError(NO_HUB)
        if not brought:
            raise WorkbenchError(NOTHING[brought.way if brought.way in NOTHING else "upload"])
        preview: Preview = self._preview(brought)
        return preview


def _free(workspace: Workspace, name: str) -> str:
    check_name(name, "collection")
    if name in {card.name for card in list_collections(workspace)}:
        raise WorkbenchError(f"There is already a collection named “{name}”. Choose another name.")
    return name
