"""A reranker behind an address: a query and some documents in, one score for each out, as `models.Reranker` gives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.models.embedder import in_words
from workbench.models.items import modalities_of
from workbench.models.remote import Remote
from workbench.models.remote_calls import RemoteClient, ask_all, run
from workbench.models.remote_embedder import batch_size_of
from workbench.models.remote_http import EndpointError, Limits, Pause
from workbench.models.remote_input import endpoint_input
from workbench.models.remote_shapes import Asked


class RemoteReranker:
    """A cross-encoder that the workbench does not hold, with the interface of `models.Reranker`.

    Whatever it is given is sent to `remote.host`. key: else the one of its environment. pause, limits: for tests.
    """

    kind = "reranker"
    dimension = None

    def __init__(
        self, remote: Remote, *, key: str = "", limits: Limits | None = None, pause: Pause = asyncio.sleep
    ) -> None:
        self.remote = remote
        self._client = partial(RemoteClient, remote, key=key, limits=limits, pause=pause)

    @property
    def reference(self) -> str:
        return self.remote.reference

    @property
    def fingerprint(self) -> str:
        return self.remote.fingerprint

    @property
    def modalities(self) -> tuple[str, ...]:
        return self.remote.modalities

    @property
    def model(self) -> Any:
        """There is none here. Raises WorkbenchError for whoever wants to train it or look into it."""
        raise WorkbenchError(
            f"“{self.reference}” lies behind an address: it gives scores, and can neither be trained nor looked into. "
            "Choose another model."
        )

    def check_supports(self, modalities: Iterable[str]) -> None:
        """Raise WorkbenchError if the endpoint takes none of one of these modalities."""
        unknown = [kind for kind in dict.fromkeys(modalities) if kind not in self.modalities]
        if unknown:
            raise WorkbenchError(
                f"The reranker “{self.reference}” takes {in_words(self.modalities)}, not {in_words(unknown)}. Search "
                "without it, or choose another."
            )

    def score(self, query: Item, documents: Sequence[Item]) -> np.ndarray:
        """How well each document answers the query: (len(documents),) float32, higher is better.

        Scores of different rerankers are not on one scale. Raises WorkbenchError in words.
        """
        scores = np.zeros(len(documents), np.float32)
        if len(documents):
            self.check_supports([query.modality, *modalities_of(documents)])
            run(self._ask(query, documents, scores))
        return scores

    async def _ask(self, query: Item, documents: Sequence[Item], scores: np.ndarray) -> None:
        words, longest = self._words(query, "query"), self.remote.longest_text

        async def ask(rows: np.ndarray) -> None:
            inputs = [self._words(documents[int(row)], "document") for row in rows]
            raw = await client.ask(Asked(self.remote.model, "text", inputs, words), "query")
            scores[rows] = _numbers(raw)

        def too_long(row: int, said: str) -> EndpointError:
            return EndpointError(
                f"The query and document {row + 1:,} are more than {self.remote.host} takes. {said} "
                + ("" if longest else f"Add “{self.reference}” again with --longest-text to cut it.")
            )

        async with self._client() as client:
            size = batch_size_of(self.remote, "text")
            batches = [np.arange(start, min(start + size, len(documents))) for start in range(0, len(documents), size)]
            await ask_all(batches, ask, too_long, at_once=self.remote.at_once)

    def _words(self, item: Item, side: str) -> str:
        return str(endpoint_input(item, self.remote.prompts.get(side, ""), self.remote.longest_text))


def _numbers(raw: Sequence[Any]) -> np.ndarray:
    """The scores of one answer. Raises EndpointError if one is no number."""
    try:
        scores = np.asarray(raw, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        scores = np.full(len(raw), np.nan)
    if scores.shape != (len(raw),) or not np.isfinite(scores).all():
        raise EndpointError("The endpoint gave scores that are not numbers.")
    return scores.astype(np.float32)
