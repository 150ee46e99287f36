"""Write a collection item by item, in memory that does not grow with its media."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.split import given_split, split_judgements
from workbench.collection.store import (
    MODALITIES,
    Card,
    Item,
    count_judgements,
    fingerprint_tables,
    item_features,
    judgement_features,
    row_from_item,
    save_card,
)
from workbench.workspace import read_json

if TYPE_CHECKING:
    from datasets import Features

BATCH_ROWS = 256
BATCH_BYTES = 32 << 20
DATA_FILE = "data-00000.arrow"


class TableWriter:
    """Write rows into a new folder that ``datasets.load_from_disk`` opens; at most one batch is held in memory."""

    def __init__(self, folder: Path, features: Features) -> None:
        import pyarrow

        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._features = folder, features
        self._file = (folder / DATA_FILE).open("xb")
        self._stream = pyarrow.ipc.new_stream(self._file, features.arrow_schema)
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def write(self, row: dict[str, Any], size: int = 0) -> None:
        """Append one row; `size` is about how many bytes it holds."""
        self._rows.append(row)
        self._bytes += size
        if len(self._rows) >= BATCH_ROWS or self._bytes >= BATCH_BYTES:
            self._flush()

    def write_columns(self, columns: dict[str, Any]) -> None:
        """Append many small rows at once, given as columns."""
        import pyarrow

        table = pyarrow.table(columns, schema=self._features.arrow_schema)
        self._stream.write_table(table, max_chunksize=1 << 16)

    def finish(self, fingerprint: str) -> None:
        """Write what is left and the two small files that `load_from_disk` wants."""
        from datasets import DatasetInfo

        self._flush()
        self.close()
        DatasetInfo(features=self._features).write_to_directory(str(self._folder))
        state: dict[str, Any] = {
            "_data_files": [{"filename": DATA_FILE}],
            "_fingerprint": fingerprint,
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": None,
        }
        (self._folder / "state.json").write_text(json.dumps(state), encoding="utf-8")

    def write_batch(self, batch: Any) -> None:
        """Append a record batch of a table with the same columns."""
        self._flush()
        self._stream.write_batch(batch)

    def close(self) -> None:
        """Let go of the file, whether or not the table is whole."""
        if not self._file.closed:
            try:
                self._stream.close()
            finally:
                self._file.close()

    def _flush(self) -> None:
        if self._rows:
            import pyarrow

            self._stream.write_table(pyarrow.Table.from_pylist(self._rows, schema=self._features.arrow_schema))
            self._rows, self._bytes = [], 0


def data_files(folder: Path) -> list[str]:
    """The names of the Arrow files of a table that `TableWriter` wrote; none where there is no table."""
    return [entry["filename"] for entry in (read_json(folder / "state.json") or {}).get("_data_files", [])]


class CollectionWriter:
    """Fill the folder of a new collection. Use it inside `workspace.new_folder`, and as a context manager.

    Only ids and judgements stay in memory; items go to disk as they come.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._tables = {side: TableWriter(folder / side, item_features()) for side in ("queries", "corpus")}
        for table in self._tables.values():
            self._stack.callback(table.close)
        self._rows: dict[str, dict[str, int]] = {"queries": {}, "corpus": {}}
        self._modalities: dict[str, set[str]] = {"queries": set(), "corpus": set()}
        self._scores: dict[int, float] = {}
        self._given: dict[int, str] = {}

    def __enter__(self) -> CollectionWriter:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def has(self, side: str, identifier: str) -> bool:
        """Whether an item with this id is on a side (`queries` or `corpus`) already."""
        return identifier in self._rows[side]

    def add(self, side: str, item: Item) -> str:
        """Store an item (with its thumbnail, if it has media) on a side unless it is there; returns its id."""
        identifier = item.id or item.content_id()
        if not self.has(side, identifier):
            row = row_from_item(item if item.id else replace(item, id=identifier))
            media = (item.image, item.audio, item.video, item.thumbnail)
            self._tables[side].write(row, sum(len(data) for data in media if data) + len(item.text or ""))
            self._rows[side][identifier] = len(self._rows[side])
            self._modalities[side].add(row["modality"])
        return identifier

    def judge(self, query: str, document: str, score: float = 1.0, split: str = "") -> None:
        """Say how relevant a document is for a query (ids). Of several scores for one pair the highest stays.

        split: `train` or `eval` where what was brought says so; once it holds any pair out, the others are train.
        """
        key = self._rows["queries"][query] << 32 | self._rows["corpus"][document]
        self._scores[key] = max(score, self._scores.get(key, score))
        if split:
            self._given[key] = "eval" if "eval" in (split, self._given.get(key)) else "train"

    @property
    def counts(self) -> dict[str, int]:
        """Items and judgements so far: queries, documents, judgements, and relevant, those with a score above 0."""
        return {
            "queries": len(self._rows["queries"]),
            "documents": len(self._rows["corpus"]),
            "judgements": len(self._scores),
            "relevant": sum(score > 0 for score in self._scores.values()),
        }

    def finish(
        self,
        name: str,
        *,
        labels: dict[str, str],
        source: dict[str, Any],
        skipped: Sequence[dict[str, Any]] = (),
        seed: int = 0,
        fraction: float | None = None,
    ) -> Card:
        """Split the judgements, close the tables and write the card.

        labels: the words for the two sides, {"query": "caption", "document": "photo"}. fraction: see `held_out_count`.
        """
        query_ids, document_ids = list(self._rows["queries"]), list(self._rows["corpus"])
        columns, split = self._judgements(query_ids, document_ids, seed, fraction)
        fingerprint = fingerprint_tables(query_ids, document_ids, columns)
        judgements = TableWriter(self._folder / "judgements", judgement_features())
        self._stack.callback(judgements.close)
        judgements.write_columns(columns)
        for part, table in {**self._tables, "judgements": judgements}.items():
            table.finish(hashlib.sha256(f"{fingerprint}/{part}".encode()).hexdigest()[:16])
        card = Card(
            name=name,
            labels=labels,
            source=source,
            counts={
                "queries": len(query_ids),
                "documents": len(document_ids),
                **count_judgements(columns["split"]),
                "wrong": sum(score <= 0 for score in columns["score"]),
            },
            modalities={"query": self._sorted_modalities("queries"), "document": self._sorted_modalities("corpus")},
            split=split,
            skipped=list(skipped),
            fingerprint=fingerprint,
            created=time.time(),
        )
        save_card(self._folder, card)
        return card

    def _judgements(
        self, query_ids: list[str], document_ids: list[str], seed: int, fraction: float | None
    ) -> tuple[dict[str, list[Any]], dict[str, Any]]:
        """The judgements table as columns, and the card's `split`."""
        if not self._scores:
            empty: dict[str, list[Any]] = {key: [] for key in judgement_features()}
            sentence = "There are documents only: nothing to train on and nothing to score."
            return empty, {"method": "none", "fraction": 0.0, "seed": seed, "sentence": sentence}
        keys = np.fromiter(self._scores, dtype=np.int64, count=len(self._scores))
        query_rows, document_rows = keys >> 32, keys & 0xFFFFFFFF
        both = self._rows["queries"].keys() & self._rows["corpus"].keys()
        if "eval" in self._given.values():
            split = given_split(query_rows, document_rows, [self._given.get(int(key), "train") for key in keys])
        else:
            split = split_judgements(
                query_rows,
                document_rows,
                seed=seed,
                fraction=fraction,
                query_ids=query_ids,
                same_items=[(self._rows["queries"][same], self._rows["corpus"][same]) for same in both],
            )
        columns = {
            "query": [query_ids[row] for row in query_rows],
            "document": [document_ids[row] for row in document_rows],
            "score": [float(np.float32(score)) for score in self._scores.values()],
            "split": split.labels.tolist(),
            "source": ["upload"] * len(keys),
            "meta": [None] * len(keys),
        }
        return columns, split.described(seed)

    def _sorted_modalities(self, side: str) -> list[str]:
        return sorted_modalities(self._modalities[side])


def sorted_modalities(modalities: Iterable[str]) -> list[str]:
    """Modalities in the order text, image, audio, video, those of several parts among them."""
    order = {kind: number for number, kind in enumerate(MODALITIES)}
    return sorted(set(modalities), key=lambda modality: [order[kind] for kind in modality.split("+")])
