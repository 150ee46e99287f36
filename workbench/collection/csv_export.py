"""A collection as one ZIP: pairs.csv with query, document, score and split, and the media it names in media/."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from workbench.collection.parquet_export import SPLITS
from workbench.collection.store import MODALITIES, SIDES, Collection, Item
from workbench.media_formats import sniff
from workbench.workspace import propose_name

MEDIA = "media"
ROLES = {"queries": "query", "corpus": "document"}
Step = Callable[[int], None]


def write_csv_zip(collection: Collection, path: Path, about: str, step: Step) -> list[str]:
    """Write the ZIP; `about` goes into it as workbench.json. Returns notes on what a table of pairs cannot hold.

    step: called with the number of items or judgements just written.
    """
    judged = collection.judged()
    used = {"queries": set(judged.queries.tolist()), "corpus": set(judged.documents.tolist())}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr("workbench.json", about, zipfile.ZIP_DEFLATED)
        cells = {side: _write_media(archive, collection, side, used[side], step) for side in SIDES}
        parts = {side: _parts(collection, side, used[side]) for side in SIDES}
        _write_pairs(archive, collection, cells, parts, step)
    return _notes(collection, used, parts)


def _write_media(
    archive: zipfile.ZipFile, collection: Collection, side: str, rows: set[int], step: Step
) -> dict[int, dict[str, str]]:
    """Write the media of one side; returns row to {modality: file name}. Texts are read again when they are needed."""
    names: dict[int, dict[str, str]] = {}
    if collection_modalities(collection, side) == {"text"}:
        step(len(collection.side(side)))
        return names
    for row in range(len(collection.side(side))):
        step(1)
        if row not in rows:
            continue
        item = collection.item(side, row)
        media = {kind: data for kind in MODALITIES[1:] if (data := getattr(item, kind)) is not None}
        for kind, data in media.items():
            name = f"{MEDIA}/{file_name(item, kind if len(media) > 1 else '', data)}"
            names.setdefault(row, {})[kind] = name
            # The two sides may share an item.
            if name not in archive.NameToInfo:
                archive.writestr(name, data)
    return names


def file_name(item: Item, part: str, data: bytes) -> str:
    """A file name that is safe on every system and unique: what the file was called, the item's id, its true ending."""
    stem = re.sub(r"[^a-z0-9-]+", "-", propose_name(Path(item.file or "item").stem))[:40].strip("-") or "item"
    identifier = item.id if re.fullmatch(r"[0-9a-f]{8,64}", item.id) else item.content_id()
    kind = sniff(data)
    return "-".join(filter(None, (stem, part, identifier))) + f".{kind[1] if kind else 'bin'}"


def collection_modalities(collection: Collection, side: str) -> set[str]:
    """The modalities of the items of a side."""
    return set(collection.card.modalities[ROLES[side]])


def _parts(collection: Collection, side: str, rows: set[int]) -> list[str]:
    """The columns a side needs: one for all that is no text together, or one for each modality."""
    kinds = collection.query_modalities if side == "queries" else collection.document_modalities
    found = {str(kinds[row]) for row in rows}
    if found == {"text"} or all("+" not in kind and kind != "text" for kind in found):
        return [""]
    return [kind for kind in MODALITIES if any(kind in one.split("+") for one in found)]


def _write_pairs(
    archive: zipfile.ZipFile,
    collection: Collection,
    names: dict[str, dict[int, dict[str, str]]],
    parts: dict[str, list[str]],
    step: Step,
) -> None:
    """pairs.csv, a row a judgement. With the byte order mark by which spreadsheet programs know UTF-8."""
    texts = {side: collection.side(side).data.table["text"] for side in SIDES}
    table = collection.judgements
    header = [f"{ROLES[side]}_{part}".rstrip("_") for side in SIDES for part in parts[side]]
    member = zipfile.ZipInfo("pairs.csv", date_time=(1980, 1, 1, 0, 0, 0))
    member.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(member, "w", force_zip64=True) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow([*header, "score", "split"])
        for start in range(0, len(table), 10_000):
            chunk = table[start : start + 10_000]
            for query, document, score, split in zip(
                chunk["query"], chunk["document"], chunk["score"], chunk["split"], strict=True
            ):
                rows = {"queries": collection.query_rows[query], "corpus": collection.document_rows[document]}
                cells = [
                    _cell(names[side].get(rows[side], {}), texts[side], rows[side], part)
                    for side in SIDES
                    for part in parts[side]
                ]
                writer.writerow([*cells, _shortest(score), SPLITS[split]])
            step(len(chunk["query"]))


def _shortest(score: float) -> str:
    """The fewest digits that give this float32 again: 1, 0.1234567."""
    return str(np.float32(score)).removesuffix(".0")


def _cell(files: dict[str, str], texts: Any, row: int, part: str) -> str:
    if part in ("", "text"):
        return next(iter(files.values())) if files and not part else texts[row].as_py() or ""
    return files.get(part, "")


def _notes(collection: Collection, used: dict[str, set[int]], parts: dict[str, list[str]]) -> list[str]:
    notes = []
    for side, one, several in (("queries", "query", "queries"), ("corpus", "document", "documents")):
        left = len(collection.side(side)) - len(used[side])
        if left:
            nouns = f"1 {one} without a judgement is" if left == 1 else f"{left:,} {several} without a judgement are"
            notes.append(f"{nouns} not in pairs.csv. The Parquet form holds them all.")
    mixed = [ROLES[side] for side in SIDES if len(parts[side]) > 1 and len(collection_modalities(collection, side)) > 1]
    if mixed:
        notes.append(
            f"The {' and the '.join(mixed)} cells are of several kinds, so some are empty in each row. "
            "To bring the collection back, use the Parquet form."
        )
    return notes
