"""The map: where each model puts the items, and how far apart its modalities lie."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.evaluation.map import NEEDS_UMAP, Map, load_map, make_map
from workbench.evaluation.projection import has_umap
from workbench.ui import cards, job_views, plots
from workbench.ui.evaluate import map_views
from workbench.ui.evaluate.views import Shown, in_hand
from workbench.ui.page import LISTEN_JS, Page, Widgets, view
from workbench.ui.place import Place

OPENED_JS = LISTEN_JS + "watch('value', () => { if (props.value) element.scrollIntoView({ block: 'nearest' }); });"


class MapPart:
    """The widgets of the part and their handlers."""

    name, title = "map", "Map"

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Column(visible=False, elem_id="evaluate-map", min_width=0) as self.column:
            self.top = view("evaluate-map-top")
            self.map = plots.make_scatter("evaluate-scatter")
            self.opened = gr.HTML(elem_id="evaluate-opened", js_on_load=OPENED_JS, apply_default_css=False)
            self.told = view("evaluate-gaps")
        self.drawn = [self.top, self.map, self.opened, self.told]
        self.widgets = [self.column, *self.drawn]
        page.on([one.click for one in self.drawn], self.use_map, [], self.drawn, each=True)

    def draw(self, place: Place, shown: Shown) -> Widgets:
        """The map by PCA (made now if there is none yet), the gaps, and the queries farthest from their answers."""
        return {self.column: gr.Column(visible=True), **self._draw(shown)}

    def hide(self) -> Widgets:
        """Nothing of it."""
        return {self.column: gr.Column(visible=False)}

    def use_map(self, place: Place, event: gr.EventData) -> Widgets | None:
        """Open the item of a point, or begin to lay the map out with UMAP."""
        said: dict[str, Any] = dict(event._data)
        shown = in_hand(self.page.workspace, place)
        if said["act"] == "umap":
            self._start(str(shown.evaluation["evaluation"]))
            return self._draw(shown)
        found = load_map(self.page.workspace, shown.evaluation)
        if said["act"] != "open" or found is None:
            return None
        collection = map_views.as_mapped(self.page.workspace, found)
        point = str(said["point"])
        opened = map_views.opened(found, collection, self.page.media, int(point) if point.isdigit() else -1)
        return {self.opened: opened}

    def _start(self, name: str) -> None:
        if not has_umap():
            raise WorkbenchError(NEEDS_UMAP)
        if not self._at_work(name):
            free = jobs.free_name(self.page.workspace, f"map-{name}")
            jobs.start(self.page.workspace, "map", free, {"evaluation": name, "umap": True})

    def _at_work(self, name: str) -> bool:
        found = job_views.open_jobs(self.page.workspace, "map")
        return any(job.spec.get("evaluation") == name and not job.status().ended for job in found)

    def _draw(self, shown: Shown) -> Widgets:
        name = str(shown.evaluation["evaluation"])
        try:
            found = make_map(self.page.workspace, name)
        except WorkbenchError as error:
            no_map = cards.card(f'<p class="quiet">{cards.text(error.message)}</p>', label="Map")
            return {self.top: no_map, self.map: gr.HTML(visible=False), self.opened: "", self.told: ""}
        return self._of(found, name)

    def _of(self, found: Map, name: str) -> Widgets:
        collection = map_views.as_mapped(self.page.workspace, found)
        # As one text: Gradio would look through a hundred thousand numbers for files, three times over.
        value = json.dumps(map_views.scatter(found, collection, self.page.media), ensure_ascii=False)
        return {
            self.top: map_views.top(found, self._at_work(name), has_umap()),
            self.map: gr.HTML(value={"map": value}, visible=True),
            self.opened: "",
            self.told: map_views.gaps(found) + map_views.farthest(found, collection),
        }
