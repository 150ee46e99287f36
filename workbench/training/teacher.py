"""What a larger model says of the pairs that a smaller one learns from: scored once, and kept with the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.errors import WorkbenchError
from workbench.models import load_embedder, load_reranker
from workbench.models.catalogue import describe
from workbench.models.items import LazyItems
from workbench.models.source import REMOTE, find
from workbench.settings import TrainSettings
from workbench.workspace import Workspace

FILE = "teacher.npz"


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

    folder: where its scores are kept (`teacher.npz`), so that a run that is resumed does not ask it again.
    """

    def __init__(self, workspace: Workspace, reference: str, folder: Path | None, *, trust: bool = False) -> None:
        self.workspace, self.reference, self.folder, self.trust = workspace, reference, folder, trust

    def scores(self, collection: Collection, queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        """The score of each document for its query, on a scale within -1 and 1: (rows, documents), float32.

        queries: (rows,), documents: (rows, documents). Cosines stay as they are; scores of a wider scale are brought to
        0 to 1, so that what is copied does not depend on it. Raises WorkbenchError if the teacher cannot read an item.
        """
        wanted = queries[:, None].astype(np.int64) << 32 | documents.astype(np.int64)
        pairs, places = np.unique(wanted, return_inverse=True)
        known, values = self._kept()
        if not np.isin(pairs, known).all():
            known, values = pairs, self._ask(collection, pairs >> 32, pairs & 0xFFFFFFFF)
            if self.folder is not None:
                np.savez(self.folder / FILE, pairs=known, scores=values, teacher=self.reference)
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

    def _ask(self, collection: Collection, queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        """The teacher's own scores of parallel rows."""
        kind = find(self.workspace, self.reference, trust_remote_code=self.trust).kind
        if kind == "embedder":
            return self._similarities(collection, queries, documents)
        reranker = load_reranker(self.workspace, self.reference, trust_remote_code=self.trust)
        scores = np.empty(len(queries), np.float32)
        for query in np.unique(queries).tolist():
            rows = np.flatnonzero(queries == query)
            scores[rows] = reranker.score(
                collection.item("queries", query), collection.items("corpus", documents[rows])
            )
        return scores

    def _similarities(self, collection: Collection, queries: np.ndarray, documents: np.ndarray) -> np.ndarray:
        embedder: Any = load_embedder(self.workspace, self.reference, trust_remote_code=self.trust)
        asked, asked_places = np.unique(queries, return_inverse=True)
        found, found_places = np.unique(documents, return_inverse=True)
        query_vectors = embedder.encode_queries(LazyItems(collection, "queries", asked))
        document_vectors = embedder.encode_documents(LazyItems(collection, "corpus", found))
        return np.einsum("ij,ij->i", query_vectors[asked_places], document_vectors[found_places])
