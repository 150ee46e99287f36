"""A retrieval task of mteb as a source: NanoBEIR and hundreds more, by name, so that a model has a public yardstick.

`mteb` is no dependency of the workbench. It is imported here only, when a task is asked for; it fetches the data itself
and knows each task's form. What comes out is an ordinary collection by ids, all of it held out: nothing is trained on.
Texts are put together as mteb does before it encodes them, so that scores can be held against published ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO

from workbench.collection.hub_words import hub_in_words
from workbench.collection.retrieval import Retrieval
from workbench.collection.store import MODALITIES
from workbench.collection.tables import Row, Table
from workbench.errors import Stopped, WorkbenchError

INSTALL = "pip install mteb"
NAME = re.compile(r"[A-Za-z0-9][\w .,()+-]{0,99}", re.ASCII)
SHOWN = 20
USUAL_SPLIT = "test"
OWN_IDS_NOTE = (
    "mteb leaves a document that is the query itself out of its ranking in this task; here it is ranked. Scores are "
    "lower than published ones; differences between models hold."
)


@dataclass(frozen=True)
class StandardSet:
    """Which part of which task. subset: a language, mostly; split: one of the task's own; each "" for the only one."""

    task: str
    subset: str = ""
    split: str = ""

    @classmethod
    def of_spec(cls, spec: dict[str, Any]) -> StandardSet:
        """From {"task", "subset", "split"}, of which all but the first may be missing or None."""
        return cls(check_task_name(str(spec["task"])), spec.get("subset") or "", spec.get("split") or "")


def check_task_name(name: str) -> str:
    """Return `name` if a task may be called so, else raise WorkbenchError."""
    if not NAME.fullmatch(name.strip()):
        raise WorkbenchError(f"“{name[:100]}” cannot be the name of a task. Write one such as NanoArguAnaRetrieval.")
    return name.strip()


def open_task(wanted: StandardSet) -> Retrieval:
    """Fetch a task with mteb and open it as a collection by ids, all of its judgements held out.

    Raises WorkbenchError if mteb is not installed, there is no such retrieval task, subset or split (naming those that
    are), or there is no network.
    """
    mteb = _mteb()
    whole = _task(mteb, wanted.task)
    meta = whole.metadata
    subset = _one_of(wanted.task, "subset", [str(name) for name in whole.hf_subsets], wanted.subset, "default")
    split = _one_of(wanted.task, "split", [str(name) for name in whole.eval_splits], wanted.split, USUAL_SPLIT)
    part = {"hf_subsets": [subset]} if meta.is_multilingual else {}
    task = mteb.get_task(wanted.task, eval_splits=[split], **part)
    with _in_words(wanted.task, str(meta.dataset.get("path") or wanted.task)):
        task.load_data()
        task.convert_v1_dataset_format_to_v2(num_proc=None)  # does nothing for tasks of today's form
        data = task.dataset[subset][split]
    if data.get("top_ranked"):
        raise WorkbenchError(f"“{wanted.task}” puts given candidates in order, and is no search. Choose another task.")
    label, files = f"mteb:{wanted.task}", NoFiles()
    queries, corpus = TaskItems(files, "queries", data["queries"]), TaskItems(files, "corpus", data["corpus"])
    judgements = TaskJudgements(files, data["relevant_docs"])
    origin = {
        "task": str(meta.name),
        "subset": subset,
        "split": split,
        "dataset": str(meta.dataset.get("path") or ""),
        "revision": str(meta.dataset.get("revision") or ""),
        "version": str(mteb.__version__),
        "languages": [str(one) for one in meta.hf_subsets_to_langscripts.get(subset, [])],
        "notes": [OWN_IDS_NOTE] if task.ignore_identical_ids and _asks_for_itself(queries, corpus) else [],
    }
    return Retrieval(label, files, [queries], [corpus], [judgements], {judgements.name: "eval"}, {"mteb": origin})


def _mteb() -> Any:
    try:
        import mteb
    except ImportError as error:
        lack = "is not installed" if error.name == "mteb" else f"does not work here ({error})"
        raise WorkbenchError(
            f"Standard sets are fetched by the package mteb, which {lack}. To install it: {INSTALL}"
        ) from error
    return mteb


def _task(mteb: Any, name: str) -> Any:
    """The task of this name, nothing of it fetched yet. Raises WorkbenchError if it is no retrieval task."""
    from mteb.abstasks import AbsTaskRetrieval

    try:
        task = mteb.get_task(name)
    except KeyError as error:
        raise WorkbenchError(_unknown(mteb, name, str(error))) from None
    if not isinstance(task, AbsTaskRetrieval):
        raise WorkbenchError(f"“{name}” is no retrieval task but {task.metadata.type}. Choose a retrieval task.")
    return task


def _unknown(mteb: Any, name: str, told: str) -> str:
    """What there is instead: the tasks of the benchmark of this name, or the task that is spelled nearly so."""
    try:
        tasks = [str(task.metadata.name) for task in mteb.get_benchmark(name).tasks]
    except KeyError:
        near = re.search(r"Did you mean: '?([^'?]+)", told)
        advice = f"Did you mean {near[1]}?" if near else "Its tasks: https://github.com/embeddings-benchmark/mteb"
        return f"mteb {mteb.__version__} has no task “{name}”. {advice}"
    shown = ", ".join(tasks[:SHOWN]) + (" …" if len(tasks) > SHOWN else "")
    return f"“{name}” is {len(tasks)} tasks. Import one of them at a time: {shown}."


def _one_of(task: str, noun: str, there: list[str], wanted: str, usual: str) -> str:
    """The subset or split that is wanted, else the only or the usual one."""
    if wanted in there or (not wanted and (len(there) == 1 or usual in there)):
        return wanted or (there[0] if len(there) == 1 else usual)
    lack = f"no {noun} “{wanted}”" if wanted else f"several {noun}s"
    shown = ", ".join(there[:SHOWN]) + (" …" if len(there) > SHOWN else "")
    option = "--hub-config" if noun == "subset" else "--hub-split"
    raise WorkbenchError(f"“{task}” has {lack}. Choose one with {option}: {shown}.")


@contextmanager
def _in_words(task: str, repo: str) -> Iterator[None]:
    """What mteb and the libraries below it raise while they fetch, as a sentence."""
    try:
        with hub_in_words(repo):
            yield
    except (WorkbenchError, Stopped):
        raise
    except Exception as error:
        detail = (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        raise WorkbenchError(f"mteb cannot read “{task}”: {detail}. Choose another task.") from error


class NoFiles:
    """The files beside a task: none, as its media come inside its rows."""

    missing_advice = "is not in the task. Choose another one."

    def names(self) -> list[str]:
        return []

    def find(self, name: str, folder: str = "") -> str | None:
        return None

    def open(self, name: str) -> BinaryIO:
        raise FileNotFoundError(name)

    def read(self, name: str) -> bytes:
        raise FileNotFoundError(name)

    def size(self, name: str) -> int:
        return 0


class TaskItems(Table):
    """One side of a task. dataset: a `datasets.Dataset` with id, text (of documents also title) and media columns."""

    def __init__(self, files: NoFiles, side: str, dataset: Any) -> None:
        super().__init__(files, side)
        self.extension, self._side = "mteb", side
        self._dataset = _undecoded(dataset)

    @cached_property
    def columns(self) -> list[str]:
        return ["_id", *(kind for kind in MODALITIES if kind in self._dataset.column_names)]

    def rows(self) -> Iterator[Row]:
        for number, cells in enumerate(self._dataset, start=1):
            content = {kind: cells[kind] for kind in self.columns[1:]}
            if "text" in content:
                content["text"] = query_text(cells) if self._side == "queries" else document_text(cells)
            yield Row(number, {"_id": str(cells["id"]), **content})

    def count_rows(self) -> int:
        return len(self._dataset)


class TaskJudgements(Table):
    """The judgements of a task. relevant: {query id: {document id: gain}}."""

    def __init__(self, files: NoFiles, relevant: dict[str, dict[str, float]]) -> None:
        super().__init__(files, "judgements")
        self.extension, self._relevant = "mteb", relevant

    @cached_property
    def columns(self) -> list[str]:
        return ["query-id", "corpus-id", "score"]

    def rows(self) -> Iterator[Row]:
        pairs = ((query, *one) for query, found in self._relevant.items() for one in found.items())
        for number, (query, document, score) in enumerate(pairs, start=1):
            cells = {"query-id": str(query), "corpus-id": str(document), "score": float(score)}
            yield Row(number, cells)

    def count_rows(self) -> int:
        return sum(map(len, self._relevant.values()))


def document_text(cells: dict[str, Any]) -> str:
    """A document as mteb has it encoded: its title, a space, its text."""
    return f"{cells.get('title') or ''} {cells['text'] or ''}".strip()


def query_text(cells: dict[str, Any]) -> str:
    """A query as mteb has it encoded: a conversation in one line, an instruction behind the text (before such a line).

    Raises WorkbenchError for what is neither a text nor a conversation.
    """
    text, instruction = cells["text"], cells.get("instruction") or ""
    if isinstance(text, list):
        if not all(isinstance(turn, str) or {"role", "content"} <= set(turn) for turn in text):
            raise WorkbenchError("A query of this task is in a form that cannot be read here. Choose another task.")
        line = "; ".join(turn if isinstance(turn, str) else f"{turn['role']}: {turn['content']}" for turn in text)
        return f"{instruction} {line}".strip()
    return f"{text or ''} {instruction}".strip()


def _undecoded(dataset: Any) -> Any:
    """The data set with its media as the bytes they are kept as."""
    for name, feature in dataset.features.items():
        if type(feature).__name__ in ("Image", "Audio", "Video"):
            dataset = dataset.cast_column(name, type(feature)(decode=False))
    return dataset


def _asks_for_itself(queries: TaskItems, corpus: TaskItems) -> bool:
    """Whether a query is itself a document, under the same id: an argument that seeks its counterargument."""
    asked = {row.cells["_id"]: row.cells.get("text") or "" for row in queries.rows()}
    documents = (row.cells for row in corpus.rows() if asked.get(row.cells["_id"]))
    return any(asked[cells["_id"]] in (cells.get("text") or "") for cells in documents)
