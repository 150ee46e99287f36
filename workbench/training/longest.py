"""A small collection made of a large one: its longest examples, or ordinary ones, for a dry run to learn from.

Memory depends on the longest pairs of a batch, time on the ordinary ones. What is long is told without decoding media:
texts by their characters, pictures by their pixels, sounds and videos by their bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.store import Collection, Judged
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.media import image_size
from workbench.workspace import new_folder

if TYPE_CHECKING:
    import pyarrow

# Pictures whose pixels are looked up at most; those of the largest files, as reading every header takes long.
PICTURES_LOOKED_AT = 2_000
HELD_OUT_QUERIES = 24
NEGATIVES_KEPT = 8


def item_sizes(collection: Collection, side: str) -> np.ndarray:
    """How large each item of a side is, (items,), comparable between items of the same modality only."""
    table = collection.side(side).with_format("arrow")[:]
    sizes = _lengths(table["text"]).astype(np.float64)
    for kind in ("image", "audio", "video"):
        sizes += _media_bytes(table[kind])
    kinds = collection.query_modalities if side == "queries" else collection.document_modalities
    pictures = np.flatnonzero(kinds == "image")
    if len(pictures):
        largest = pictures[np.argsort(-sizes[pictures], kind="stable")[:PICTURES_LOOKED_AT]]
        pixels = np.array([_pixels(collection, side, row) for row in largest])
        # Those not looked at count as the smallest of those that were, in proportion to their files.
        sizes[pictures] *= pixels.min() / max(sizes[largest].max(), 1.0)
        sizes[largest] = pixels
    return sizes


def _lengths(column: pyarrow.ChunkedArray) -> np.ndarray:
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(pc.utf8_length(column), 0).to_numpy())


def _media_bytes(column: pyarrow.ChunkedArray) -> np.ndarray:
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(pc.binary_length(pc.struct_field(column, "bytes")), 0).to_numpy(), np.float64)


def _pixels(collection: Collection, side: str, row: int) -> int:
    try:
        width, height = image_size(collection.item(side, row).image or b"")
    except WorkbenchError:  # it is told of where it is decoded
        return 0
    return width * height


def longest_pairs(collection: Collection, per_kind: int) -> np.ndarray:
    """Positions among the train judgements: of each pair of modalities the `per_kind` largest relevant ones."""
    judged = collection.judged("train")
    share = np.zeros(len(judged))
    for side, rows in (("queries", judged.queries), ("corpus", judged.documents)):
        sizes = item_sizes(collection, side)
        kinds = collection.query_modalities if side == "queries" else collection.document_modalities
        for kind in dict.fromkeys(kinds.tolist()):
            sizes[kinds == kind] /= max(sizes[kinds == kind].max(), 1.0)
        share += sizes[rows]
    return _per_kind(collection, judged, np.argsort(-share, kind="stable"), per_kind)


def ordinary_pairs(collection: Collection, per_kind: int) -> np.ndarray:
    """As `longest_pairs`, but drawn at random, the same ones each time."""
    judged = collection.judged("train")
    return _per_kind(collection, judged, np.random.default_rng(0).permutation(len(judged)), per_kind)


def _per_kind(collection: Collection, judged: Judged, order: np.ndarray, count: int) -> np.ndarray:
    """The first `count` relevant judgements of each pair of modalities, in this order, each query once."""
    chosen: dict[tuple[str, str], list[int]] = {}
    seen: dict[tuple[str, str], set[int]] = {}
    for position in order.tolist():
        if judged.scores[position] <= 0:
            continue
        query, document = int(judged.queries[position]), int(judged.documents[position])
        kind = (str(collection.query_modalities[query]), str(collection.document_modalities[document]))
        known = seen.setdefault(kind, set())
        # A batch holds a query once, and a document once.
        if len(chosen.setdefault(kind, [])) < count and query not in known and -1 - document not in known:
            chosen[kind].append(position)
            known |= {query, -1 - document}
    return np.array([position for positions in chosen.values() for position in positions], np.int64)


def write_part(collection: Collection, positions: np.ndarray, folder: Path) -> Collection:
    """Write some train judgements, the wrong documents of their queries, and a few held-out ones as a collection."""
    train, held = collection.judged("train"), collection.judged("eval")
    queries = set(train.queries[positions].tolist())
    asked = set(list(dict.fromkeys(held.queries.tolist()))[:HELD_OUT_QUERIES])
    with new_folder(folder) as place, CollectionWriter(place) as writer:
        kept: dict[int, int] = {}
        for position in range(len(train)):
            query = int(train.queries[position])
            if query not in queries or train.scores[position] > 0 or kept.get(query, 0) >= NEGATIVES_KEPT:
                continue
            kept[query] = kept.get(query, 0) + 1
            _judge(writer, collection, train, position, "train")
        for position in positions.tolist():
            _judge(writer, collection, train, position, "train")
        for position in range(len(held)):
            if int(held.queries[position]) in asked:
                _judge(writer, collection, held, position, "eval")
        writer.finish(folder.name, labels=collection.card.labels, source={"kind": "dry run"})
    return Collection(folder)


def _judge(writer: CollectionWriter, collection: Collection, judged: Judged, position: int, split: str) -> None:
    pair: dict[str, Any] = {}
    for side, rows in (("queries", judged.queries), ("corpus", judged.documents)):
        pair[side] = writer.add(side, collection.item(side, int(rows[position])))
    writer.judge(pair["queries"], pair["corpus"], float(judged.scores[position]), split)
