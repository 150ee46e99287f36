"""How well given documents answer a query, scored as a search of one index scores them, without searching."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from workbench import models
from workbench.collection.store import Collection, Item
from workbench.errors import WorkbenchError
from workbench.index.loaded import Loaded
from workbench.index.registry import IndexCard


@dataclass
class Scorer:
    """Scores documents against one query, or queries against one document, with the models that a search has loaded.

    `reranks`: whether the model is a reranker; else the score is the cosine of its vectors cut to `size` components.
    """

    card: IndexCard
    query: Item
    model: Loaded
    reranks: bool
    size: int
    collection: Collection | None
    _asked: np.ndarray | None = None

    def __call__(self, documents: Sequence[Item]) -> np.ndarray:
        """The score of each document: (len(documents),) float32, higher is better."""
        if self.reranks:
            return self._judged(self.query, documents)
        if self._asked is None:
            self._asked = self._vectors(self.model.model.encode_queries, [self.query])[0]
        return self._vectors(self.model.model.encode_documents, documents) @ self._asked

    def ask(self, queries: Sequence[Item], document: Item) -> np.ndarray:
        """The score of one document for each of these queries: (len(queries),) float32."""
        if self.reranks:
            # By its id a late-interaction model remembers the document's tokens from one query to the next.
            known = replace(document, id=document.id or document.content_id())
            return np.array([self._judged(query, [known])[0] for query in queries], np.float32)
        vector = self._vectors(self.model.model.encode_documents, [document])[0]
        return self._vectors(self.model.model.encode_queries, queries) @ vector

    def document(self, identifier: str) -> Item:
        """A document of the index by its id, with its media. Raises WorkbenchError if it is there no more."""
        row = -1 if self.collection is None else self.collection.document_rows.get(identifier, -1)
        if self.collection is None or row < 0:
            raise WorkbenchError(
                f"There is no document “{identifier[:80]}” in the collection “{self.card.collection}” of the index "
                f"“{self.card.name}”. Search again for what is there now."
            )
        return self.collection.item("corpus", row)

    def _judged(self, query: Item, documents: Sequence[Item]) -> np.ndarray:
        with self.model.lock:
            return np.asarray(self.model.model.score(query, documents), np.float32)

    def _vectors(self, encode: Callable[[Sequence[Item]], np.ndarray], items: Sequence[Item]) -> np.ndarray:
        with self.model.lock:
            self.model.model.check_supports(dict.fromkeys(item.modality for item in items))
            vectors = np.asarray(encode(items), np.float32)
        return models.truncate(vectors, self.size) if vectors.shape[1] > self.size else vectors
