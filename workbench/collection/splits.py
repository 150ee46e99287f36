"""Which part of the split the name of a table stands for: train.csv, test-00000-of-00003.parquet, dev/metadata.csv."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workbench.collection.columns import split_of_word
from workbench.collection.tables import Table

SPLIT_COLUMN = "split"


def split_of_name(name: str) -> str:
    """train, eval, or "" where neither the file's name nor that of a folder it lies in says so.

    name: with its folders. The file's name counts first, then the innermost folder.
    """
    for part in reversed(name.rpartition(".")[0].split("/")):
        for word in re.split(r"[^A-Za-z]+", part):
            if split := split_of_word(word):
                return split
    return ""


def splits_of(tables: Sequence[Table]) -> dict[str, str]:
    """The split of each table that has one, by its name; none where their names do not say both train and eval.

    Where some say neither, what they hold is to train on.
    """
    splits = {table.name: split_of_name(table.name) for table in tables}
    said = set(splits.values())
    if "eval" not in said or len(said) < 2:
        return {}
    return {name: split or "train" for name, split in splits.items()}


def split_words(split: str) -> str:
    """ " (held out for the score)": what follows the name of a table that is to train on, or is not."""
    return {"train": " (to train on)", "eval": " (held out for the score)"}.get(split, "")
