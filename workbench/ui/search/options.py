"""The choices beside the question: what is shown, at which size, reranked by what, how many, with which metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from workbench.index.question import Question, read_conditions
from workbench.index.registry import IndexCard
from workbench.index.search import Searcher
from workbench.models.source import check_here, is_here, typed_reference
from workbench.models.vectors import halvings
from workbench.ui.choices import remote_choices, reranker_choices, with_limits
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place
from workbench.ui.search import views
from workbench.ui.search.filter_views import counts_of, filters

ANY = "any"
# The share of full text.
BALANCE = [("Meaning", 0.0), ("Mostly meaning", 0.25), ("Both", 0.5), ("Mostly words", 0.75), ("Words", 1.0)]
COUNTS_JS = "watch('value', () => wb.count(props.value));"
NO_RERANKER = ""


class Options:
    """The widgets of the choices, and the question that they make."""

    def __init__(self, page: Page) -> None:
        self.page = page
        with gr.Row(elem_id="search-options"):
            self.modality = gr.Dropdown(label="Show", elem_id="search-modality", min_width=120)
            self.dimension = gr.Dropdown(label="Dimensions", elem_id="search-dimension", min_width=110)
            self.reranker = gr.Dropdown(label="Rerank with", elem_id="search-reranker", min_width=180)
            self.first = gr.Number(
                50, label="Rerank first", precision=0, minimum=2, maximum=1000, elem_id="search-first", min_width=90
            )
            self.budget = gr.Number(
                None, label="Rerank within ms", precision=0, minimum=0, maximum=60_000, elem_id="search-budget",
                placeholder="any", min_width=90,
            )  # fmt: skip
            self.count = gr.Number(
                10, label="Results", precision=0, minimum=1, maximum=100, elem_id="search-count", min_width=90
            )
        with gr.Row(elem_id="search-depth", visible=False) as self.depth:
            self.hybrid = gr.Radio(
                BALANCE, value=0.0, label="Look for the meaning or for the words themselves", elem_id="search-hybrid",
                elem_classes=["segmented"],
            )  # fmt: skip
        self.filters = view("search-filters")
        self.chosen = [self.modality, self.dimension, self.reranker, self.first, self.count]
        self.deeper = [self.hybrid, self.budget]
        self.counts = gr.HTML(elem_id="search-counts", html_template="<i></i>", js_on_load=COUNTS_JS)
        self.widgets = [*self.chosen, *self.deeper, self.depth, self.filters]

    def draw(self, shown: IndexCard, place: Place) -> Widgets:
        """What can be chosen of an index, as the address says it or as usual."""
        asked = Question.read(place.how)
        sizes = [str(size) for size in halvings(shown.dimension)]
        kinds = views.modality_choices(shown, ANY)
        rerankers = [("nothing", NO_RERANKER), *self.rerankers(shown)]
        reranker = asked.reranker
        if not place.how and place.run:
            reranker = f"run:{place.run}"
        return {
            self.filters: filters(shown, asked.where),
            self.modality: gr.Dropdown(choices=kinds, value=_among(kinds, asked.show, ANY)),
            self.dimension: gr.Dropdown(
                choices=sizes, value=str(asked.dimension) if str(asked.dimension) in sizes else sizes[0]
            ),
            self.reranker: gr.Dropdown(choices=rerankers, value=_among(rerankers, reranker, NO_RERANKER)),
            self.first: asked.first,
            self.count: asked.count,
            self.depth: gr.Row(visible=bool(shown.full_text)),
            self.hybrid: min((share for _, share in BALANCE), key=lambda share: abs(share - asked.hybrid)),
            self.budget: asked.budget or None,
        }

    def rerankers(self, shown: IndexCard) -> list[tuple[str, str]]:
        """The rerankers that a search may use at once, those last that cannot read all that the index holds."""
        found = [choice for choice in reranker_choices(self.page.workspace) if is_here(choice[1])]
        if self.page.may_run_code:
            found += remote_choices(self.page.workspace, "reranker")
        return with_limits(self.page.workspace, found, shown.modalities)

    def count_again(self, searcher: Searcher, shown: IndexCard, question: Question) -> Widgets:
        """How many documents each value of the metadata leaves, besides what is chosen already."""
        if not any(field["kind"] == "text" for field in shown.fields):
            return {}
        chosen = question.where or question.show
        found = searcher.counts(shown.name, question.where, modality=question.show or None) if chosen else None
        return {self.counts: counts_of(shown, found)}

    def read(
        self, shown: IndexCard, chosen: Sequence[Any], where: str, hybrid: float | None = 0.0, budget: int | None = 0
    ) -> Question:
        """The question that the choices make. chosen: the values of `self.chosen`."""
        modality, dimension, reranker, first, count = chosen
        size = int(dimension) if dimension else 0
        return Question(
            show="" if modality in (ANY, None) else modality,
            dimension=0 if size == shown.dimension else size,
            reranker=reranker or "",
            first=int(first or 50),
            count=min(100, max(1, int(count or 10))),
            where=tuple(read_conditions(where)),
            hybrid=float(hybrid or 0.0) if shown.full_text else 0.0,
            budget=min(60_000, max(0, int(budget or 0))),
        )

    def allowed(self, question: Question) -> Question:
        """The question again. Raises WorkbenchError where its reranker is none that the page may use just now."""
        if question.reranker:
            check_here(typed_reference(question.reranker, remote=self.page.may_run_code))
        return question


def _among(choices: list[tuple[str, str]], wanted: str, usual: Any) -> Any:
    return wanted if wanted in {value for _, value in choices} else usual
