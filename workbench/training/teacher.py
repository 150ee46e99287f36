"""What a larger model says of the pairs that a smaller one learns from: asked once, and kept with the run.

It may take longer than the training itself, so it can be stopped at any moment, and goes on where it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from workbench.collection.store import Collection
from workbench.errors import WorkbenchError
from workbench.evaluation.results import vector_cache
from workbench.evaluation.vectors import encode_side
from workbench.models import load_embedder, load_reranker
from workbench.models.catalogue import describe
from workbench.models.source import REMOTE, find
from workbench.settings import TrainSettings
from workbench.training.recipe import Progress
from workbench.workspace import Workspace, disk_full_in_words

FILE = "teacher.npz"
KEEP_SECONDS = 30.0
CHUNK = 65_536
NOTE = "Asking the teacher"


def check_named_models(workspace: Workspace, objective: str, settings: TrainSettings) -> None:
    """Raise WorkbenchError if the guide or teacher that the objective asks can be none, as far as is known of it here.

    Nothing is fetched: this is asked again and again while a form is filled.
    """
    if objective in ("margin", "distillation"):
        describe(workspace, settings.teacher_model)
    if objective == "contrastive-guided" and settings.guide_model.startswith(REMOTE):
        raise WorkbenchError(
            f"The guide “{settings.guide_model}” lies behind an address. A guide is asked at every step, so it must be "
            "here. Choose a model with weights of its own, or the objective distillation with this one as the teacher."
        )
    if objective == "contrastive-guided" and describe(workspace, settings.guide_model)["kind"] != "embedder":
        raise _no_guide(settings.guide_model)


def fetch_named_models(workspace: Workspace, objective: str, settings: TrainSettings) -> None:
    """Fetch the guide or teacher that the objective asks, before anything long begins. Errors come in words."""
    if objective in ("margin", "distillation"):
        find(workspace, settings.teacher_model)
    if objective == "contrastive-guided" and find(workspace, settings.guide_model).kind != "embedder":
        raise _no_guide(settings.guide_model)


def _no_guide(reference: str) -> WorkbenchError:
    return WorkbenchError(f"The guide “{reference}” is no embedder. Choose one that is.")


class Teacher:
    """An embedder, a reranker or a late-interaction model, whose scores are to be copied.

    folder: where its scores are kept (`teacher.npz`), so that a run that is resumed does not ask it again. progress: is
    told how many pairs are scored, between batches, and ends the work by raising Stopped.
    """

    def __init__(
        self,
        workspace: Workspace,
        reference: str,
        folder: Path | None,
        *,
        progress: Progress | None = None,
    ) -> None:
        self.workspace, self.reference, self.folder = workspace, reference, folder
        self.progress = progress

    def scores(self, collection: Collection, queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        """The score of each document for its query, on a scale within -1 and 1: (rows, documents), float32.

        queries: (rows,), documents: (rows, documents). Cosines stay as they are; scores of a wider scale are brought to
        0 to 1, so that what is copied does not depend on it. Raises WorkbenchError if the teacher cannot read an item.
        """
        wanted = queries[:, None].astype(np.int64) << 32 | documents.astype(np.int64)
        pairs, places = np.unique(wanted, return_inverse=True)
        known, values = self._kept()
        asked = np.setdiff1d(pairs, known, assume_unique=True)
        if len(asked):
            known, values = self._ask(collection, asked, known, values)
        found = values[np.searchsorted(known, pairs)]
        if len(found) and np.abs(found).max() > 1 + 1e-3:
            found = (found - found.min()) / max(float(found.max() - found.min()), 1e-9)
        return found[places].reshape(documents.shape).astype(np.float32)

    def _kept(self) -> tuple[np.ndarray, np.ndarray]:
        """The pairs that were scored before, ascending, and their scores."""
        nothing = np.zeros(0, np.int64), np.zeros(0, np.float32)
        path = self.folder / FILE if self.folder is not None else None
        if path is None or not path.exists():
            return nothing
        with np.load(path) as kept:
            return (kept["pairs"], kept["scores"]) if str(kept["teacher"]) == self.reference else nothing

    def _keep(self, pairs: np.ndarray, scores: np.ndarray) -> None:
        if self.folder is None:
            return
        temporary = self.folder / f".{FILE}"
        with disk_full_in_words(self.folder), open(temporary, "wb") as file:
            np.savez(file, pairs=pairs, scores=scores, teacher=self.reference)
        os.replace(temporary, self.folder / FILE)

    def _ask(
        self, collection: Collection, pairs: np.ndarray, known: np.ndarray, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The pairs known by now, ascending, and their scores; what is scored is kept whenever and however this ends.

        pairs: those to score, ascending, none of them known.
        """
        scores = np.full(len(pairs), np.nan, np.float32)
        kind = find(self.workspace, self.reference).kind

        def together() -> tuple[np.ndarray, np.ndarray]:
            done = ~np.isnan(scores)
            every = np.concatenate([known, pairs[done]])
            order = np.argsort(every)
            return every[order], np.concatenate([values, scores[done]])[order]

        try:
            if kind == "embedder":
                self._compare(collection, pairs, scores)
            else:
                self._read(collection, pairs, scores, lambda: self._keep(*together()))
        finally:
            self._keep(*together())
        if np.isnan(scores).any():
            raise WorkbenchError(
                f"The teacher “{self.reference}” gave scores that are not numbers. Choose another one."
            )
        return together()

    def _read(self, collection: Collection, pairs: np.ndarray, scores: np.ndarray, keep: Callable[[], None]) -> None:
        """Fill in the scores of a model that reads query and document, query by query."""
        reranker = load_reranker(self.workspace, self.reference)
        queries, documents = pairs >> 32, pairs & 0xFFFFFFFF
        kept = time.monotonic()
        starts = np.flatnonzero(np.diff(queries, prepend=-1))
        for start, end in zip(starts, [*starts[1:], len(pairs)], strict=True):
            self._tell(int(start), len(pairs))
            found = collection.items("corpus", documents[start:end])
            scores[start:end] = reranker.score(collection.item("queries", int(queries[start])), found)
            if time.monotonic() - kept > KEEP_SECONDS:
                keep()
                kept = time.monotonic()

    def _compare(self, collection: Collection, pairs: np.ndarray, scores: np.ndarray) -> None:
        """Fill in the cosines of an embedder; its vectors are kept as those of an evaluation are."""
        embedder = load_embedder(self.workspace, self.reference)
        asked, asked_places = np.unique(pairs >> 32, return_inverse=True)
        found, found_places = np.unique(pairs & 0xFFFFFFFF, return_inverse=True)
        cache, total = vector_cache(self.workspace), len(asked) + len(found)

        def encoded(side: str, rows: np.ndarray, before: int) -> np.ndarray:
            def tell(done: int, _: int, __: str) -> None:
                self._tell(before + done, total)

            return encode_side(embedder, collection, side, rows=rows, cache=cache, progress=tell)

        queries, documents = encoded("queries", asked, 0), encoded("corpus", found, len(asked))
        for start in range(0, len(pairs), CHUNK):
            part = slice(start, start + CHUNK)
            scores[part] = np.einsum("ij,ij->i", queries[asked_places[part]], documents[found_places[part]])

    def _tell(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(done, total, NOTE)
