"""What to say of the groups of an evaluation: their names in words, and those that stand out beyond chance.

Takes the rows of `slices.slices`, as an evaluation keeps them. Loads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

FAMILY_WORDS = {
    "modality": "What is asked with",
    "answer": "What answers it",
    "length": "Length of the question",
    "language": "Language of the question",
    "seen": "Whether an answer was seen in training",
}
NO_CHANGE = "no real change"
Row = dict[str, Any]


def family_words(family: str) -> str:
    """`query: colour` → “colour” of the query; those that every collection has by their own names."""
    side, colon, column = family.partition(": ")
    return f"“{column}” of the {side}" if colon else FAMILY_WORDS.get(family, family)


def families(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each family, in the order of the evaluation."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["family"], []).append(row)
    return found


def looked_at(rows: Iterable[Row]) -> int:
    """How many groups there are, whatever the number of models."""
    return len({(row["family"], row["value"]) for row in rows})


def standing_out(rows: Sequence[Row]) -> list[tuple[str, Row | None, Row | None]]:
    """For each model but the first: the group that gained most and the one that lost most against the first.

    Only groups whose change is beyond chance, corrected for how many were looked at; None where there is none.
    """
    found = []
    for model in dict.fromkeys(row["model"] for row in rows if "comparison" in row):
        sure = [row for row in rows if row["model"] == model and row["comparison"]["verdict"] != NO_CHANGE]
        gained = [row for row in sure if row["comparison"]["difference"] > 0]
        lost = [row for row in sure if row["comparison"]["difference"] < 0]
        found.append((model, max(gained, key=_difference, default=None), min(lost, key=_difference, default=None)))
    return found


def group_sentences(rows: Sequence[Row]) -> list[str]:
    """What a terminal says of groups: the best and the worst of each model, where they stand out beyond chance."""
    sentences = []
    for model, best, worst in standing_out(rows):
        for row, said in ((best, "gained most"), (worst, "lost most")):
            if row is not None:
                low, high = row["comparison"]["interval"]
                sentences.append(
                    f"{model} {said} where {_where(row)}: {row['comparison']['difference']:+.3f} "
                    f"[{low:+.3f}, {high:+.3f}] ({row['queries']:,} queries)"
                )
    return sentences


def _where(row: Row) -> str:
    """`the query's modality is image`, as part of a sentence."""
    side, colon, column = row["family"].partition(": ")
    noun = {
        "modality": "the query's modality",
        "answer": "the answer's modality",
        "length": "the query's length",
        "language": "the query's language",
    }.get(row["family"], f"“{column}” of the {side}" if colon else row["family"])
    return str(row["value"]) if row["family"] == "seen" else f"{noun} is {row['value']}"


def _difference(row: Row) -> float:
    return float(row["comparison"]["difference"])
