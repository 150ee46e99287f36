"""The page for programs: a few named endpoints of Gradio's API, which are MCP tools too where `mcp` is installed.

Each is one call of the function behind a command, and returns the object that the command prints with --json. Who may
call them is who may open the page, and what a visitor may not do there is refused here in the same words. Everything
else on the page is private. Pictures and sounds come as base64: no address is fetched and no path is opened.
"""

from __future__ import annotations

import gradio as gr

from workbench import jobs
from workbench.cli_runs import summary_of
from workbench.cli_terminal import not_finished
from workbench.collection.store import Item, list_collections
from workbench.collection.summary import import_summary
from workbench.errors import WorkbenchError
from workbench.index.fields import Condition
from workbench.index.life import action_spec
from workbench.index.registry import list_indexes
from workbench.job_folder import JobFolder
from workbench.models.source import REMOTE, check_here, typed_reference
from workbench.settings import KINDS, PRESETS, parse_overrides
from workbench.ui.api_calls import Answer, check_one_of, decoded, in_words
from workbench.ui.page import CONCURRENT, Page
from workbench.workspace import check_name


def offer(page: Page) -> None:
    """Add the endpoints to the page that is being built."""
    api = Api(page)
    for call in (
        api.list_collections, api.list_indexes, api.search_text, api.search_picture, api.search_sound,
        api.more_like_this, api.start_training, api.run_state, api.evaluate, api.update_index,
    ):  # fmt: skip
        with gr.Row(visible=False):  # their inputs are no widgets, and nothing to look at
            gr.api(in_words(call), api_name=call.__name__, concurrency_limit=CONCURRENT)


class Api:
    """The endpoints. Their docstrings are what a program, or a model with tools, is told of them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.workspace = page.workspace

    def list_collections(self) -> Answer:
        """List the collections of the workspace, the newest first: their names, sizes and kinds of items."""
        cards = list_collections(self.workspace)
        return {"collections": [import_summary(card) | {"created": card.created} for card in cards]}

    def list_indexes(self) -> Answer:
        """List the indexes that can be searched, the newest first: of which collection, by which model, how many rows.

        Their names are what the searching tools take.
        """
        cards = list_indexes(self.workspace)
        return {"indexes": [card.as_json() | {"collection": card.collection, "model": card.model} for card in cards]}

    def search_text(
        self,
        index: str,
        text: str,
        top: int = 10,
        modality: str = "",
        where: list[str] | None = None,
        reranker: str = "",
        rerank_first: int = 50,
        dimension: int = 0,
    ) -> Answer:
        """Search an index by words. Returns the hits, best first, with id, score, kind, text and file name.

        Args:
            index: The name of the index, as list_indexes tells it.
            text: What to look for, in words.
            top: How many hits, 1 to 1000.
            modality: Only documents of this kind: text, image, audio or video. Empty for all.
            where: Only documents with this metadata: COLUMN=VALUE, or COLUMN=LOW..HIGH for numbers.
            reranker: A model that puts the first hits in order, such as starter-reranker or run:NAME. Empty for none.
            rerank_first: How many of the first hits are reranked.
            dimension: Compare only so many numbers of each vector. 0 for all.
        """
        return self._search(index, Item(text=text), top, modality, where, reranker, rerank_first, dimension)

    def search_picture(
        self,
        index: str,
        picture: str,
        text: str = "",
        top: int = 10,
        modality: str = "",
        where: list[str] | None = None,
        reranker: str = "",
        rerank_first: int = 50,
        dimension: int = 0,
    ) -> Answer:
        """Search an index by a picture, or by a picture and words together. Returns the hits, best first.

        Args:
            index: The name of the index, as list_indexes tells it.
            picture: The bytes of the picture in base64, also as data:image/png;base64,...
            text: Words that say more about what to look for. Empty for the picture alone.
            top: How many hits, 1 to 1000.
            modality: Only documents of this kind: text, image, audio or video. Empty for all.
            where: Only documents with this metadata: COLUMN=VALUE, or COLUMN=LOW..HIGH for numbers.
            reranker: A model that puts the first hits in order, such as starter-reranker or run:NAME. Empty for none.
            rerank_first: How many of the first hits are reranked.
            dimension: Compare only so many numbers of each vector. 0 for all.
        """
        query = Item(text=text.strip() or None, image=decoded(picture, "image"))
        return self._search(index, query, top, modality, where, reranker, rerank_first, dimension)

    def search_sound(
        self,
        index: str,
        sound: str,
        top: int = 10,
        modality: str = "",
        where: list[str] | None = None,
        reranker: str = "",
        rerank_first: int = 50,
        dimension: int = 0,
    ) -> Answer:
        """Search an index by a sound. Returns the hits, best first.

        Args:
            index: The name of the index, as list_indexes tells it.
            sound: The bytes of the sound file in base64, also as data:audio/wav;base64,...
            top: How many hits, 1 to 1000.
            modality: Only documents of this kind: text, image, audio or video. Empty for all.
            where: Only documents with this metadata: COLUMN=VALUE, or COLUMN=LOW..HIGH for numbers.
            reranker: A model that puts the first hits in order, such as starter-reranker or run:NAME. Empty for none.
            rerank_first: How many of the first hits are reranked.
            dimension: Compare only so many numbers of each vector. 0 for all.
        """
        query = Item(audio=decoded(sound, "audio"))
        return self._search(index, query, top, modality, where, reranker, rerank_first, dimension)

    def more_like_this(self, index: str, document: str, unlike: str = "", top: int = 10, modality: str = "") -> Answer:
        """Find the documents of an index that are most like one of them, perhaps away from another one.

        Args:
            index: The name of the index, as list_indexes tells it.
            document: The id of the document, as a search tells it. It is not among the hits itself.
            unlike: The id of a document that the hits shall not be like. Empty for none.
            top: How many hits, 1 to 999.
            modality: Only documents of this kind: text, image, audio or video. Empty for all.
        """
        find = self.page.searcher.scorer(index, Item(text=document)).document
        away = find(unlike) if unlike else None
        found = self.page.searcher.search(
            index, find(document), top=top + 1, modality=modality or None, unlike=away
        ).as_json()
        others = [hit for hit in found["hits"] if hit["id"] != document][:top]
        return {**found, "hits": [{**hit, "rank": rank} for rank, hit in enumerate(others, start=1)]}

    def start_training(
        self,
        collection: str,
        model: str = "starter",
        kind: str = "embedder",
        preset: str = "balanced",
        name: str = "",
        settings: list[str] | None = None,
    ) -> Answer:
        """Start fine-tuning a model on a collection in the background. Returns at once with the name of the run.

        Args:
            collection: The name of the collection, as list_collections tells it.
            model: The model to start from: starter, starter-reranker, run:NAME, or an id on the Hub.
            kind: What to train: embedder, reranker or late-interaction.
            preset: How thoroughly: quick, balanced or best.
            name: A name for the run. Empty for one made from the collection's.
            settings: Single settings as key=value, such as epochs=3.
        """
        from workbench.training.spec import train_spec

        check_one_of(kind, KINDS, "kind of model")
        check_one_of(preset, PRESETS, "preset")
        overrides = parse_overrides(settings or [])
        for key, value in overrides.items():
            if key.endswith("_model") and value:
                overrides[key] = typed_reference(str(value))
        chosen = check_name(name, "run") if name else jobs.free_name(self.workspace, f"{collection}-{preset}")
        spec = train_spec(
            self.workspace, collection=check_name(collection, "collection"), model=typed_reference(model), kind=kind,
            preset=preset, overrides=overrides,
        )  # fmt: skip
        return summary_of(self.workspace, jobs.start(self.workspace, "train", chosen, spec))

    def run_state(self, name: str) -> Answer:
        """Tell how a run, or any other job, is: its state, steps, scores before and after, and why it ended.

        Args:
            name: The name of the run, as start_training gave it, or of another job.
        """
        return self._state(jobs.find(self.workspace, name))

    def evaluate(
        self,
        collection: str,
        models: list[str],
        dimensions: list[int] | None = None,
        precisions: list[str] | None = None,
        measures: list[str] | None = None,
        name: str = "",
        wait: bool = True,
    ) -> Answer:
        """Score models on the held-out part of a collection, and compare them. Takes seconds to minutes.

        Args:
            collection: The name of the collection, as list_collections tells it.
            models: The models: starter, run:NAME, or ids on the Hub.
            dimensions: Sizes of vectors to score at. None for those of each model.
            precisions: Of float32, float16, int8, binary and rescored. None for float32.
            measures: More than NDCG@10, such as map@100. None for the usual ones.
            name: A name for the evaluation. Empty for one made from the collection's.
            wait: Whether to wait for the scores; else run_state tells of the job that is returned.
        """
        from workbench.evaluation.evaluate import check_embedders
        from workbench.evaluation.measures import check_measures
        from workbench.evaluation.results import free_evaluation_name

        chosen = [typed_reference(model, remote=self.page.may_run_code) for model in models]
        check_embedders(self.workspace, chosen)
        check_name(collection, "collection")
        spec = {
            "collection": collection,
            "models": chosen,
            "dimensions": dimensions or None,
            "precisions": precisions or ["float32"],
            "measures": check_measures(measures or ()),
            "name": check_name(name, "evaluation") if name else free_evaluation_name(self.workspace, collection),
        }
        return self._job("evaluate", f"evaluate-{spec['name']}", spec, wait)

    def update_index(self, index: str, wait: bool = True) -> Answer:
        """Bring an index up to what its collection holds now: new documents are read, lost ones are deleted.

        Args:
            index: The name of the index, as list_indexes tells it.
            wait: Whether to wait until it is done; else run_state tells of the job that is returned.
        """
        spec = action_spec(self.workspace, index, "update")
        if spec["model"].startswith(REMOTE):
            raise WorkbenchError(
                f"“{spec['model']}” lies behind an address, to which documents would be sent. Update the index in the "
                f"terminal, which tells how much that is: python -m workbench index update {index}"
            )
        return self._job("index", f"update-{index}", spec, wait)

    def _search(
        self, index: str, query: Item, top: int, modality: str, where: list[str] | None, reranker: str,
        rerank_first: int, dimension: int,
    ) -> Answer:  # fmt: skip
        judge = check_here(typed_reference(reranker, remote=self.page.may_run_code)) if reranker else None
        found = self.page.searcher.search(
            index, query, top=top, modality=modality or None, dimension=dimension or None, reranker=judge,
            rerank_first=rerank_first, where=[Condition.read(words) for words in where or []],
        )  # fmt: skip
        return found.as_json()

    def _job(self, work: str, name: str, spec: Answer, wait: bool) -> Answer:
        job = jobs.start(self.workspace, work, jobs.free_name(self.workspace, name), spec)
        if not wait:
            return self._state(job)
        status = jobs.wait(job)
        result = job.result()
        if status.state != "finished" or result is None:
            raise not_finished(job, status)
        return result

    def _state(self, job: JobFolder) -> Answer:
        """As `runs show` tells it; of other work that is done, also what it came to."""
        told = summary_of(self.workspace, job)
        return told if job.work == "train" else {**told, "result": job.result()}
