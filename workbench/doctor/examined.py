"""A collection under examination: what several checks ask for is read once and kept."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.store import Collection, Judged
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from PIL import Image

    from workbench.evaluation.vectors import EmbedderLike

Progress = Callable[[int, int, str], None]
ROWS_AT_ONCE = 10_000
THUMBNAILS_AT_ONCE = 64
MEDIA_AT_ONCE = 8


class Examined:
    """A collection, the embedder it is meant for (or None), and what the checks have read of it so far.

    Texts, ids and judgements stay in memory; media never do: they are read a few rows at a time.
    """

    def __init__(
        self,
        collection: Collection,
        embedder: EmbedderLike | None = None,
        progress: Progress | None = None,
        vector_cache: Path | None = None,
    ) -> None:
        self.collection = collection
        self.embedder = embedder
        self._progress = progress
        self._vector_cache = vector_cache
        self._texts: dict[tuple[str, bool], tuple[list[str], list[str]]] = {}
        self._vectors: dict[str, np.ndarray] = {}
        self._kept: dict[Any, Any] = {}

    def progress(self, done: int, total: int, note: str) -> None:
        """Say how far a slow check is. May raise Stopped."""
        if self._progress is not None:
            self._progress(done, total, note)

    def ids(self, side: str) -> np.ndarray:
        """The ids of a side, by row: an array of str."""
        return self.query_ids if side == "queries" else self.document_ids

    @cached_property
    def query_ids(self) -> np.ndarray:
        return np.array(self.collection.queries["id"][:], dtype=object)

    @cached_property
    def document_ids(self) -> np.ndarray:
        return np.array(self.collection.corpus["id"][:], dtype=object)

    def rows(self, side: str) -> dict[str, int]:
        """Row number by id."""
        return self.collection.query_rows if side == "queries" else self.collection.document_rows

    def modalities(self, side: str) -> np.ndarray:
        """The modality of each item of a side: an array of str."""
        return self.collection.query_modalities if side == "queries" else self.collection.document_modalities

    def texts(self, side: str, mixed: bool = False) -> tuple[list[str], list[str]]:
        """The ids and texts of the items that are text alone; with `mixed` also of those with a text among others."""
        if (side, mixed) not in self._texts:
            table = self.collection.side(side).select_columns(["id", "modality", "text"]).with_format(None)[:]
            rows = zip(table["id"], table["modality"], table["text"], strict=True)
            found = [
                (identifier, text) for identifier, kind, text in rows if text is not None and (mixed or kind == "text")
            ]
            self._texts[side, mixed] = [one for one, _ in found], [text for _, text in found]
        return self._texts[side, mixed]

    def metadata(self, side: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The id and the metadata of each item that has any."""
        table = self.collection.side(side).select_columns(["id", "meta"]).with_format(None)
        for batch in table.iter(batch_size=ROWS_AT_ONCE):
            for identifier, meta in zip(batch["id"], batch["meta"], strict=True):
                if meta:
                    yield identifier, json.loads(meta)

    def thumbnails(self, side: str, modality: str) -> Iterator[tuple[str, Image.Image]]:
        """The id and the thumbnail (RGB, at most 320 pixels wide and high) of each item that has this medium.

        Of a video it is the poster, of a sound the drawn waveform. Items without a thumbnail are left out.
        """
        from PIL import Image

        columns = ["id", "modality", "thumbnail"]
        for row in self._read(side, modality, columns, THUMBNAILS_AT_ONCE):
            if row["thumbnail"]:
                with Image.open(io.BytesIO(row["thumbnail"])) as picture:
                    yield row["id"], picture.convert("RGB")

    def media(self, side: str, modality: str) -> Iterator[tuple[str, bytes]]:
        """The id and the encoded bytes of each item that has this medium, a few rows in memory at a time."""
        for row in self._read(side, modality, ["id", "modality", modality], MEDIA_AT_ONCE):
            data = (row[modality] or {}).get("bytes")
            if data:
                yield row["id"], data

    def _read(self, side: str, modality: str, columns: list[str], at_once: int) -> Iterator[dict[str, Any]]:
        if not any(modality in kind.split("+") for kind in set(self.modalities(side))):
            return
        table = self.collection.side(side).select_columns(columns).with_format(None)
        for batch in table.iter(batch_size=at_once):
            for position, kind in enumerate(batch["modality"]):
                if modality in kind.split("+"):
                    yield {column: batch[column][position] for column in columns}

    @cached_property
    def judged(self) -> Judged:
        """All judgements as row numbers, in the order of the table; `splits` runs beside it."""
        return self.collection.judged()

    @cached_property
    def splits(self) -> np.ndarray:
        """The split of each judgement, `train` or `eval`: an array of str, in the order of `judged`."""
        return np.array(self.collection.judgements["split"][:], dtype=object)

    @property
    def split_method(self) -> str:
        """How the collection was split: component, query, given or none."""
        return str(self.collection.card.split.get("method", "none"))

    def vectors(self, side: str) -> np.ndarray:
        """The vectors of all items of a side by the embedder, (items, dimension) float32, cached with evaluations'.

        Raises WorkbenchError if no embedder was chosen, or it cannot read what the side holds.
        """
        if self.embedder is None:
            raise WorkbenchError("Choose a model first: this part of the check needs vectors.")
        if side not in self._vectors:
            from workbench.evaluation.vectors import encode_side

            self._vectors[side] = encode_side(
                self.embedder, self.collection, side, cache=self._vector_cache, progress=self._progress
            )
        return self._vectors[side]

    def kept(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gave when it was first asked for under this key: groups of duplicates, say, that two checks use.

        key: a tuple beginning with the name of the module it belongs to.
        """
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]
