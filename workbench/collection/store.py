"""A collection on disk: three Arrow tables and a card, as any script can open them with ``datasets``.

    card.json      name, source, labels of the two sides, counts, modalities, split, skipped rows, fingerprint
    queries/       id, modality, text, image, audio, video, thumbnail, meta     (one row an item)
    corpus/        the same columns, for the documents
    judgements/    query, document (ids), score, split, source, meta (JSON: who or what judged, and when)
    history/NNNN/  earlier versions, each a collection itself; see `editing`

Media are kept as the bytes that were uploaded; they are decoded by `media`, never here.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.collection.opening import read_table
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace, read_json, write_json

if TYPE_CHECKING:
    from datasets import Dataset, Features

MODALITIES = ("text", "image", "audio", "video")
SIDES = ("queries", "corpus")
HASHED_AT_ONCE = 1 << 17
LOADING_ATTEMPTS = 50
HISTORY, STAGED, DECIDED = "history", ".change", "decided.json"


@dataclass(frozen=True)
class Item:
    """One query or document: text, a picture, a sound, a video, or several of them. Media are encoded bytes."""

    text: str | None = None
    image: bytes | None = None
    audio: bytes | None = None
    video: bytes | None = None
    id: str = ""
    file: str = ""
    thumbnail: bytes | None = field(default=None, repr=False)
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def modality(self) -> str:
        """`text`, `image`, `audio`, `video`, or several joined by a plus in that order: `text+image`."""
        return "+".join(kind for kind in MODALITIES if getattr(self, kind) is not None)

    def content_id(self) -> str:
        """The id of this content: the same bytes and the same text are the same item (64 bits of SHA-256)."""
        digest = hashlib.sha256()
        for kind in MODALITIES:
            value = getattr(self, kind)
            if value is not None:
                data = value.encode() if isinstance(value, str) else value
                digest.update(f"{kind}:{len(data)}:".encode())
                digest.update(data)
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Card:
    """What a collection says of itself. `labels` are the user's words for its sides: "Given caption, find photo"."""

    name: str
    labels: dict[str, str] = field(default_factory=lambda: {"query": "query", "document": "document"})
    source: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    modalities: dict[str, list[str]] = field(default_factory=dict)
    split: dict[str, Any] = field(default_factory=dict)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    fingerprint: str = ""
    created: float = 0.0
    schema: int = 1

    @property
    def rows(self) -> int:
        """How many rows the three tables have together."""
        return sum(self.counts[part] for part in ("queries", "documents", "train", "eval"))


class Collection:
    """A collection opened for reading. Its tables are memory-mapped: opening costs nothing, however large.

    It stays the version that was opened, also when the collection is changed before its tables are first read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        finish_change(path)
        try:
            card = read_json(path / "card.json")
        except ValueError:
            card = {}
        if card is None:
            raise WorkbenchError(f"There is no collection named “{path.name}”. Import one first.")
        if not isinstance(card, dict) or "name" not in card:
            raise WorkbenchError(
                f"The collection “{path.name}” is damaged: its card.json cannot be read. Delete that folder of the "
                "workspace, and import it again."
            )
        self.card = Card(**{key: card[key] for key in Card.__dataclass_fields__ if key in card})

    @property
    def name(self) -> str:
        return self.path.parent.parent.name if self.path.parent.name == HISTORY else self.path.name

    @property
    def fingerprint(self) -> str:
        return self.card.fingerprint

    @property
    def queries(self) -> Dataset:
        return self._tables["queries"]

    @property
    def corpus(self) -> Dataset:
        return self._tables["corpus"]

    @property
    def judgements(self) -> Dataset:
        return self._tables["judgements"]

    @cached_property
    def _tables(self) -> dict[str, Dataset]:
        """All three tables, of one version, also while others change the collection."""
        for _ in range(LOADING_ATTEMPTS):
            finish_change(self.path)
            path = self.path
            if not self._is_current():
                try:
                    path = _version(self.path, self.fingerprint)
                except WorkbenchError:
                    # One of many small changes, of which not every version is kept; nothing of it has been read yet.
                    self.card = Collection(self.path).card
                    continue
            try:
                tables = {part: read_table(path / part) for part in (*SIDES, "judgements")}
            except FileNotFoundError:  # a change was being moved into place just now
                time.sleep(0.02)
                continue
            # What was read is of this version only if no change came in between.
            if path is not self.path or (self._is_current() and not (path / STAGED / DECIDED).exists()):
                return tables
        raise WorkbenchError(f"The collection “{self.name}” is damaged: its tables cannot be read. Import it again.")

    def _is_current(self) -> bool:
        return (read_json(self.path / "card.json") or {}).get("fingerprint") == self.fingerprint

    def side(self, side: str) -> Dataset:
        """The table of one side, `queries` or `corpus`."""
        if side not in SIDES:
            raise ValueError(f"side must be one of {SIDES}, not {side!r}")
        return self.queries if side == "queries" else self.corpus

    def item(self, side: str, row: int) -> Item:
        """The item in row `row` of a side, with its media as bytes."""
        return item_from_row(self.side(side)[int(row)])

    def items(self, side: str, rows: Iterable[int]) -> list[Item]:
        return [self.item(side, row) for row in rows]

    @cached_property
    def query_rows(self) -> dict[str, int]:
        """Row number by id."""
        return {identifier: row for row, identifier in enumerate(self.queries["id"][:])}

    @cached_property
    def document_rows(self) -> dict[str, int]:
        return {identifier: row for row, identifier in enumerate(self.corpus["id"][:])}

    @cached_property
    def query_modalities(self) -> np.ndarray:
        """The modality of each query, an array of str."""
        return np.array(self.queries["modality"][:], dtype=object)

    @cached_property
    def document_modalities(self) -> np.ndarray:
        return np.array(self.corpus["modality"][:], dtype=object)

    def judged(self, split: str | None = None) -> Judged:
        """The judgements of one split (or all) as row numbers of the two sides."""
        # A column is read whole by [:]; iterating over it reads row by row and takes twenty times as long.
        table = self.judgements.with_format(None)[:]
        queries = np.fromiter((self.query_rows[q] for q in table["query"]), dtype=np.int64, count=len(table["query"]))
        documents = np.fromiter(
            (self.document_rows[d] for d in table["document"]), dtype=np.int64, count=len(table["query"])
        )
        scores = np.array(table["score"], dtype=np.float32)
        sources = np.array(table["source"], dtype=object)
        keep = np.ones(len(table["query"]), bool) if split is None else np.array(table["split"], dtype=object) == split
        return Judged(queries[keep], documents[keep], scores[keep], sources[keep])


@dataclass(frozen=True)
class Judged:
    """Judgements as parallel arrays: row in queries, row in corpus, score, source."""

    queries: np.ndarray
    documents: np.ndarray
    scores: np.ndarray
    sources: np.ndarray

    def __len__(self) -> int:
        return len(self.queries)


def item_from_row(row: dict[str, Any]) -> Item:
    """An `Item` from a row of the queries or corpus table."""
    media = {kind: (row[kind] or {}).get("bytes") for kind in ("image", "audio", "video")}
    files = [(row[kind] or {}).get("path") for kind in ("image", "audio", "video")]
    return Item(
        text=row["text"],
        id=row["id"],
        file=next((file for file in files if file), ""),
        thumbnail=row["thumbnail"],
        meta=json.loads(row["meta"] or "{}"),
        **media,
    )


def row_from_item(item: Item) -> dict[str, Any]:
    """The row that `item_from_row` reads back. The id is made from the content where the item has none."""

    def stored(data: bytes | None) -> dict[str, Any] | None:
        return None if data is None else {"bytes": data, "path": item.file or None}

    return {
        "id": item.id or item.content_id(),
        "modality": item.modality,
        "text": item.text,
        "image": stored(item.image),
        "audio": stored(item.audio),
        "video": stored(item.video),
        "thumbnail": item.thumbnail,
        "meta": json.dumps(item.meta, ensure_ascii=False) if item.meta else None,
    }


def item_features() -> Features:
    """The columns of queries/ and corpus/: media as Image/Audio/Video features, so that a script sees what they are."""
    from datasets import Audio, Features, Image, Value, Video

    return Features(
        {
            "id": Value("string"),
            "modality": Value("string"),
            "text": Value("string"),
            "image": Image(decode=False),
            "audio": Audio(decode=False),
            "video": Video(decode=False),
            "thumbnail": Value("binary"),
            "meta": Value("string"),
        }
    )


def judgement_features() -> Features:
    from datasets import Features, Value

    return Features(
        {
            "query": Value("string"),
            "document": Value("string"),
            "score": Value("float32"),
            "split": Value("string"),
            "source": Value("string"),
            "meta": Value("string"),
        }
    )


def fingerprint_tables(query_ids: Any, document_ids: Any, judgements: Mapping[str, Any]) -> str:
    """The fingerprint of a collection: changes with any item, judgement, score or split. Order does not matter.

    query_ids, document_ids: their ids, lists of str or Arrow columns. judgements: the columns query, document, score
    and split of the judgements, likewise.
    """
    split = judgements["split"]
    score = np.asarray(judgements["score"], dtype=np.float32).view(np.uint32)
    sums = [
        *_sum_of_hashes(query_ids),
        *_sum_of_hashes(document_ids),
        *_sum_of_hashes(judgements["query"], judgements["document"], split, score),
    ]
    return hashlib.sha256(",".join(map(str, sums)).encode()).hexdigest()[:16]


def _sum_of_hashes(*columns: Any) -> tuple[int, int, int]:
    """The number of rows and two sums, modulo 2^64, over hashes of the rows: the same in every order of them."""
    from pandas.util import hash_array

    rows = len(columns[0])
    first = second = 0
    with np.errstate(over="ignore"):
        for start in range(0, rows, HASHED_AT_ONCE):
            mixed = np.full(min(HASHED_AT_ONCE, rows - start), 1469598103934665603, dtype=np.uint64)
            for column in columns:
                part = column[start : start + HASHED_AT_ONCE]
                values = part.to_numpy(zero_copy_only=False) if hasattr(part, "chunks") else part
                if not isinstance(values, np.ndarray):
                    values = np.array(values, dtype=object)
                hashed = hash_array(values, categorize=False).astype(np.uint64)
                mixed = (mixed ^ hashed) * np.uint64(1099511628211) + (mixed >> np.uint64(29))
            first = (first + int(mixed.sum(dtype=np.uint64))) % 2**64
            second = (second + int((mixed * (mixed | np.uint64(1))).sum(dtype=np.uint64))) % 2**64
    return rows, first, second


def open_collection(workspace: Workspace, name: str, fingerprint: str = "") -> Collection:
    """Open a collection by name, as it is now or as it was when it had this fingerprint.

    Raises WorkbenchError if there is none, or if that version is no longer kept.
    """
    opened = Collection(workspace.collection(name))
    if fingerprint in ("", opened.fingerprint):
        return opened
    return Collection(_version(opened.path, fingerprint))


def _version(path: Path, fingerprint: str) -> Path:
    """The folder of an earlier version of the collection in `path`."""
    for folder in versions(path):
        if (read_json(folder / "card.json") or {}).get("fingerprint") == fingerprint:
            return folder
    raise WorkbenchError(
        f"The collection “{path.name}” has been changed, and the version that was begun with is no longer kept. "
        "Start again with the collection as it is now."
    )


def versions(path: Path) -> list[Path]:
    """The folders of the earlier versions that are kept of a collection, the newest first."""
    history = path / HISTORY
    found = [folder for folder in history.iterdir() if folder.name.isdigit()] if history.is_dir() else []
    return sorted(found, key=lambda folder: -int(folder.name))


def finish_change(path: Path) -> None:
    """Complete a change that was decided and not yet moved into place, because its process was killed.

    Every step can be repeated. Nothing is done where no change was decided; what was begun and not decided is dropped
    by the next change.
    """
    staged = path / STAGED
    decided = read_json(staged / DECIDED)
    if decided is None:
        return
    from filelock import FileLock

    with FileLock(path.parent.parent / "locks" / f"move-{path.name}.lock"):
        decided = read_json(staged / DECIDED)
        if decided is None:
            return
        if decided.get("history") and (staged / "old").exists():
            (path / HISTORY).mkdir(exist_ok=True)
            (staged / "old").rename(path / HISTORY / decided["history"])
        for part in (*SIDES, "judgements"):
            if (staged / "new" / part).exists():
                if (path / part).exists():
                    (path / part).rename(staged / f"gone-{part}")
                (staged / "new" / part).rename(path / part)
        if (staged / "new" / "card.json").exists():
            (staged / "new" / "card.json").replace(path / "card.json")
        for number in decided.get("forget", []):
            shutil.rmtree(path / HISTORY / number, ignore_errors=True)
        (staged / DECIDED).unlink()
        shutil.rmtree(staged, ignore_errors=True)


def list_collections(workspace: Workspace) -> list[Card]:
    """The cards of all complete collections, the newest first; one whose card is damaged is left out."""
    cards = []
    for path in workspace.collections.iterdir():
        if not path.name.startswith("."):
            with suppress(WorkbenchError):
                cards.append(Collection(path).card)
    return sorted(cards, key=lambda card: -card.created)


def remove_collection(workspace: Workspace, name: str) -> None:
    """Delete a collection. Runs, indexes and evaluations made from it stay."""
    path = workspace.collection(name)
    if not path.exists():
        raise WorkbenchError(f"There is no collection named “{name}”.")
    shutil.rmtree(path)


def save_card(path: Path, card: Card) -> None:
    write_json(path / "card.json", asdict(card))


def count_judgements(splits: Iterable[str]) -> dict[str, int]:
    """How many judgements train and evaluate: {"train": n, "eval": n}."""
    counts = {"train": 0, "eval": 0}
    for split in splits:
        counts[split] += 1
    return counts
