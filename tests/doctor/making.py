"""Collections made on the spot, with every id, split and source as the test wants it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workbench.collection.store import (
    Card,
    Collection,
    Item,
    count_judgements,
    fingerprint_tables,
    item_features,
    judgement_features,
    open_collection,
    row_from_item,
    save_card,
)
from workbench.collection.writing import TableWriter, sorted_modalities
from workbench.doctor.check import CHECKS
from workbench.doctor.examined import Examined
from workbench.doctor.findings import Finding
from workbench.workspace import Workspace, new_folder

_PARTS = ("ba", "co", "du", "fe", "gi", "ha", "ke", "lo", "mu", "na", "po", "ri", "sa", "te", "vu", "zo")


def words(count: int, random_: random.Random) -> str:
    """So many made-up words, of six to eight letters each: hardly ever the same twice."""
    return " ".join("".join(random_.choices(_PARTS, k=random_.randint(3, 4))) for _ in range(count))


def judgement(
    query: str,
    document: str,
    score: float = 1.0,
    split: str = "train",
    source: str = "upload",
    meta: Mapping[str, Any] | None = None,
) -> tuple[Any, ...]:
    return query, document, score, split, source, json.dumps(meta) if meta else None


def make(
    workspace: Workspace,
    queries: Mapping[str, str | Item],
    corpus: Mapping[str, str | Item],
    judgements: Iterable[Sequence[Any]],
    method: str = "component",
    name: str = "made",
) -> Collection:
    """A collection of these items (by id) and judgements; a shorter judgement is filled up as `judgement` does."""
    rows = [row if len(row) == 6 else judgement(*row) for row in judgements]
    sides = {"queries": queries, "corpus": corpus}
    modalities = {}
    with new_folder(workspace.collection(name)) as folder:
        for side, items in sides.items():
            writer, seen = TableWriter(folder / side, item_features()), set()
            for identifier, given in items.items():
                row = row_from_item(given if isinstance(given, Item) else Item(text=given)) | {"id": identifier}
                seen.add(row["modality"])
                writer.write(row)
            writer.finish(side)
            modalities[side] = sorted_modalities(seen)
        columns = {
            key: [row[at] for row in rows]
            for at, key in enumerate(("query", "document", "score", "split", "source", "meta"))
        }
        writer = TableWriter(folder / "judgements", judgement_features())
        writer.write_columns(columns)
        writer.finish("judgements")
        card = Card(
            name=name,
            counts={"queries": len(queries), "documents": len(corpus), **count_judgements(columns["split"])},
            modalities={"query": modalities["queries"], "document": modalities["corpus"]},
            split={"method": method, "fraction": 0.1, "seed": 0, "sentence": ""},
            fingerprint=fingerprint_tables(list(queries), list(corpus), columns),
        )
        save_card(folder, card)
    return open_collection(workspace, name)


def text_pairs(count: int, seed: int = 0) -> tuple[dict[str, str], dict[str, str], list[tuple[Any, ...]]]:
    """Queries of eight words, documents of forty, a judgement for each pair; every tenth is held out."""
    chance = random.Random(seed)
    queries = {f"q{number}": words(8, chance) for number in range(count)}
    corpus = {f"d{number}": words(40, chance) for number in range(count)}
    judgements = [
        judgement(f"q{number}", f"d{number}", split="eval" if number % 10 == 0 else "train") for number in range(count)
    ]
    return queries, corpus, judgements


def found(collection: Collection, kind: str | None = None) -> list[Finding]:
    """What all checks that need no model say of a collection, or those findings of one kind."""
    examined = Examined(collection)
    findings = [finding for find in CHECKS for finding in find(examined)]
    return [finding for finding in findings if kind in (None, finding.kind)]
