"""Examples of a finding in words: what the items say or what their files are called, personal data masked."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.collection.store import Collection
from workbench.doctor.findings import Finding
from workbench.doctor.personal import mask_personal

SHOWN_CHARACTERS = 80


def in_words(collection: Collection, finding: Finding, most: int = 3) -> list[str]:
    """One line for each of the first groups: its items with = between duplicates, → between query and document.

    Items that have left the collection are shown by their ids.
    """
    lines = []
    for group in finding.groups[:most]:
        sides = ("queries", "corpus") if finding.side == "judgements" else (finding.side,) * len(group)
        between = " → " if finding.side == "judgements" else " = "
        lines.append(between.join(shown(collection, side, one) for side, one in zip(sides, group[:4], strict=False)))
    return lines


def shown(collection: Collection, side: str, identifier: str) -> str:
    """An item in a few words: the beginning of its text in quotes, else the name of its file, else its id."""
    rows: dict[str, int] = {}
    if side in ("queries", "corpus"):
        rows = collection.query_rows if side == "queries" else collection.document_rows
    if identifier not in rows:
        return identifier
    row = collection.side(side).select_columns(["text", "image", "audio", "video"])[rows[identifier]]
    if row["text"]:
        return f"“{_cut(mask_personal(' '.join(row['text'].split())))}”"
    files: Sequence[str] = [(row[kind] or {}).get("path") or "" for kind in ("image", "audio", "video")]
    return next(filter(None, files), identifier)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"
