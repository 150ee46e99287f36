"""What an import tells of the collection it made."""

from __future__ import annotations

from typing import Any

from workbench.collection.store import Card


def import_summary(card: Card) -> dict[str, Any]:
    """The object that `import --json` prints, from a collection's card; of a standard set with its notes."""
    notes = (card.source.get("mteb") or {}).get("notes")
    return {
        "collection": card.name,
        "queries": card.counts["queries"],
        "documents": card.counts["documents"],
        "judgements": {split: card.counts[split] for split in ("train", "eval")},
        "modalities": card.modalities,
        "skipped": card.skipped,
        **({"notes": notes} if notes else {}),
    }
