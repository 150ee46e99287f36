"""An embedder behind an address: items in, unit vectors out, as `models.Embedder` gives them."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Iterable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.models.embedder import in_words
from workbench.models.items import modalities_of
from workbench.models.remote import Remote
from workbench.models.remote_calls import Progress, RemoteClient, ask_all, run
from workbench.models.remote_http import EndpointError, Limits, Pause
from workbench.models.remote_input import endpoint_input
from workbench.models.remote_shapes import Asked
from workbench.models.vectors import halvings, normalize

CHUNKED_REQUESTS = 4
SHOWN_CHARACTERS = 60
# Beyond these a length overflows float32, or is lost in it.
LARGEST, SMALLEST = 1e18, 1e-12


class RemoteEmbedder:
    """A model that the workbench does not hold, with the interface of `models.Embedder`.

    Whatever it is given is sent to `remote.host`. key: else the one of its environment. pause, limits: for tests.
    """

    def __init__(
        self, remote: Remote, *, key: str = "", limits: Limits | None = None, pause: Pause = asyncio.sleep
    ) -> None:
        self.remote = remote
        self._client = partial(RemoteClient, remote, key=key, limits=limits, pause=pause)
        self.arrived_normalised = True

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
    def asymmetric(self) -> bool:
        return self.remote.asymmetric

    @cached_property
    def dimension(self) -> int:
        """The full number of components of a vector; asks for one tiny vector where it is not known yet."""
        known = self.remote.dimension or self.remote.size
        return known or int(self._encode([Item(text="size")], "query", None, None, None).shape[1])

    @property
    def dimensions(self) -> list[int]:
        """The full dimension and its halves, largest first."""
        return halvings(self.dimension)

    @property
    def device(self) -> str:
        return "remote"

    @property
    def model(self) -> Any:
        """There is none here. Raises WorkbenchError for whoever wants to train it or look into it."""
        raise WorkbenchError(
            f"“{self.reference}” lies behind an address: it gives vectors, and can neither be trained nor looked into. "
            "Choose another model."
        )

    @property
    def chunk_rows(self) -> int:
        """After so many rows it is well to write down what was given, and perhaps paid for."""
        return CHUNKED_REQUESTS * self.remote.at_once * self._batch_size("text")

    def check_supports(self, modalities: Iterable[str]) -> None:
        """Raise WorkbenchError if the endpoint takes none of one of these modalities."""
        unknown = [kind for kind in dict.fromkeys(modalities) if kind not in self.modalities]
        if unknown:
            raise WorkbenchError(
                f"“{self.reference}” is described as taking {in_words(self.modalities)}, not {in_words(unknown)}. "
                "Choose another model, or data of another kind."
            )

    def encode_queries(
        self, items: Sequence[Item], *, batch_size: int | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """The vectors of queries: (len(items), dimension) float32, each of unit length, in the order of `items`."""
        return self._encode(items, "query", batch_size, progress, self.dimension)

    def encode_documents(
        self, items: Sequence[Item], *, batch_size: int | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """The vectors of documents: (len(items), dimension) float32, each of unit length, in the order of `items`."""
        return self._encode(items, "document", batch_size, progress, self.dimension)

    def _encode(
        self, items: Sequence[Item], side: str, batch_size: int | None, progress: Progress | None, width: int | None
    ) -> np.ndarray:
        modalities = modalities_of(items)
        self.check_supports(modalities)
        found: list[np.ndarray] = [np.zeros(0, np.float32)] * len(items)
        if len(items):
            run(self._ask(items, modalities, side, batch_size, progress, found, width))
        return np.stack(found) if found else np.zeros((0, self.dimension), np.float32)

    async def _ask(
        self,
        items: Sequence[Item],
        modalities: np.ndarray,
        side: str,
        batch_size: int | None,
        progress: Progress | None,
        found: list[np.ndarray],
        width: int | None,
    ) -> None:
        """Fill `found` with the vector of each item."""
        prompt = self.remote.prompts.get(side, "")

        async def ask(rows: np.ndarray) -> None:
            inputs = [endpoint_input(items[int(row)], prompt, self.remote.longest_text) for row in rows]
            asked = Asked(self.remote.model, modalities[rows[0]], inputs, dimension=self.remote.dimension)
            raw = await client.ask(asked, side)
            names = [_named(items, int(row)) for row in rows]
            self._keep(rows, matrix_of(raw, names), found, width)

        def too_long(row: int, said: str) -> EndpointError:
            return EndpointError(
                f"{_named(items, row)} is more than {self.remote.host} takes. {said} Shorten it, or remove "
                f"“{self.reference}” and add it again with --longest-text, which cuts texts to so many characters."
            )

        async with self._client() as client:
            batches = self._batches(modalities, batch_size)
            await ask_all(batches, ask, too_long, at_once=self.remote.at_once, progress=progress)

    def _keep(self, rows: np.ndarray, vectors: np.ndarray, found: list[np.ndarray], width: int | None) -> None:
        if width is not None and vectors.shape[1] != width:
            raise EndpointError(
                f"{self.remote.host} gave vectors of {vectors.shape[1]:,} numbers where {width:,} were expected. If "
                f"another model is behind “{self.reference}” now, describe that one under another name."
            )
        self.arrived_normalised &= bool(np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3))
        for row, vector in zip(rows.tolist(), normalize(vectors), strict=True):
            found[row] = vector

    def _batches(self, modalities: np.ndarray, batch_size: int | None) -> list[np.ndarray]:
        """Rows a request: one modality each."""
        batches: list[np.ndarray] = []
        for kind in dict.fromkeys(modalities):
            rows = np.flatnonzero(modalities == kind)
            size = min(batch_size or self._batch_size(kind), self._batch_size(kind))
            batches.extend(rows[start : start + size] for start in range(0, len(rows), size))
        return batches

    def _batch_size(self, modality: str) -> int:
        return batch_size_of(self.remote, modality)


def batch_size_of(remote: Remote, modality: str) -> int:
    """How many inputs of a modality one request holds."""
    shape = remote.described_shape
    return shape.batches.get(modality) or remote.batch_size or shape.batch


def matrix_of(raw: Sequence[Any], names: Sequence[str]) -> np.ndarray:
    """The raw vectors of one answer as (n, dimension) float32. Raises EndpointError, naming the item, for a bad one."""
    vectors = [_vector(one, name) for one, name in zip(raw, names, strict=True)]
    widths = {len(vector) for vector in vectors}
    if len(widths) > 1:
        raise EndpointError(f"The endpoint gave vectors of different sizes: {', '.join(map(str, sorted(widths)))}.")
    if 0 in widths:
        raise EndpointError(f"The endpoint gave an empty vector for {names[0]}.")
    return np.stack(vectors)


def _vector(raw: Any, name: str) -> np.ndarray:
    try:
        if isinstance(raw, str):
            vector = np.frombuffer(base64.b64decode(raw, validate=True), dtype="<f4")
        else:
            vector = np.asarray(raw, dtype=np.float64)
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise EndpointError(f"The endpoint gave something else than a vector for {name}.") from None
    if vector.ndim != 1:
        raise EndpointError(f"The endpoint gave something else than a vector for {name}.")
    largest = np.abs(vector).max(initial=0.0)
    if not np.isfinite(vector).all() or largest > LARGEST or (len(vector) and largest < SMALLEST):
        raise EndpointError(f"The endpoint gave a vector that is not numbers, or all zero, for {name}.")
    return vector.astype(np.float32)


def _named(items: Sequence[Item], row: int) -> str:
    """An item in words: its row in its table, and how its text begins."""
    table_rows = getattr(items, "rows", None)
    number = int(table_rows[row]) + 1 if table_rows is not None else row + 1
    text = items[row].text or ""
    begins = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
    return f"Row {number:,} (“{begins}”)" if text else f"Row {number:,}"
