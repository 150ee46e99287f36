"""The log of a review: what was decided, in the order it was decided, beside the collection.

    collections/NAME/review.jsonl   one JSON object a line
        {"query", "document", "verdict", "when", …}          a decision, with what it takes to take it back
        {"undo": n}                                          decision n (its number among the lines) is taken back
        {"folded": n}                                        the first n lines are in the judgements
        {"round": true}                                      what was skipped may be shown again
        {"sent": [{"query", "document", "ranks"}], "when"}   pairs that somebody sent to be looked at; see `review_sent`
        {"unsent": [[query, document], …]}                   they need not be looked at after all

A line is written at once, so a decision is never lost. It is folded into the judgements in the same call where that is
quick; of a very large collection a thread does it, and what a killed process left unfolded the next call folds.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from workbench.collection.editing import Edit, edit_collection
from workbench.collection.store import Collection
from workbench.workspace import Workspace, disk_full_in_words

LOG = "review.jsonl"
# From here on writing the judgements anew takes longer than a person should wait after a key.
MANY_ROWS = 100_000
REVIEWED_WORDS = "Reviewed"
Pair = tuple[str, str]
OF_PAIRS = ("match", "not-a-match")


@dataclass
class Log:
    """What the lines of a log amount to.

    decisions: the decisions that stand, by their number, the oldest first. skipped: the pairs skipped in this round.
    folded: how many lines are in the judgements. sent: the pairs sent to review, in the order they were sent, each with
    the rank that each model found it at.
    """

    lines: list[dict[str, Any]] = field(default_factory=list)
    decisions: dict[int, dict[str, Any]] = field(default_factory=dict)
    skipped: set[Pair] = field(default_factory=set)
    folded: int = 0
    sent: dict[Pair, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def read(cls, collection: Collection) -> Log:
        """The log of a collection. A half-written last line is skipped."""
        log = cls()
        try:
            written = (collection.path / LOG).read_bytes().split(b"\n")
        except FileNotFoundError:
            return log
        for line in written:
            try:
                value = json.loads(line)
            except ValueError:
                value = None
            if isinstance(value, dict):
                log._take(value)
        return log

    def _take(self, line: dict[str, Any]) -> None:
        number = len(self.lines)
        self.lines.append(line)
        if "verdict" in line:
            self.decisions[number] = line
            if line["verdict"] == "skip":
                self.skipped.add((line["query"], line["document"]))
        elif "undo" in line:
            gone = self.decisions.pop(line["undo"], {})
            self.skipped.discard((gone.get("query", ""), gone.get("document", "")))
        elif "folded" in line:
            self.folded = max(self.folded, int(line["folded"]))
        elif "round" in line:
            self.skipped.clear()
        elif "sent" in line:
            for one in line["sent"]:
                pair = (one["query"], one["document"])
                self.sent[pair] = {**self.sent.get(pair, {}), **one["ranks"]}
                self.skipped.discard(pair)  # wanted after all
        elif "unsent" in line:
            for query, document in line["unsent"]:
                self.sent.pop((query, document), None)

    @property
    def pending(self) -> list[dict[str, Any]]:
        """The lines that are not in the judgements yet; an `undo` comes with the decision that it takes back."""
        found = []
        for line in self.lines[self.folded :]:
            if "undo" in line and self.lines[line["undo"]]["verdict"] != "skip":
                found.append({**self.lines[line["undo"]], "verdict": "undo"})
            elif line.get("verdict", "skip") != "skip":
                found.append(line)
        return found

    def last(self, pair: Pair | None = None) -> int | None:
        """The number of the last decision that stands: of any kind, or that this pair is a match or is not."""
        if pair is None:
            return next(reversed(self.decisions), None)
        mine = (number for number, line in reversed(self.decisions.items()) if line["verdict"] in OF_PAIRS
                and (line["query"], line["document"]) == pair)  # fmt: skip
        return next(mine, None)


@contextmanager
def writing(workspace: Workspace, name: str) -> Iterator[None]:
    """Hold the right to write to the log of a collection."""
    from filelock import FileLock

    with FileLock(workspace.locks / f"review-{name}.lock"):
        yield


def append(collection: Collection, line: dict[str, Any]) -> None:
    """Write one line, whole. Raises WorkbenchError if the disk is full."""
    path = collection.path / LOG
    with disk_full_in_words(collection.path), open(path, "ab") as file:
        text = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        # A line cut off by a kill must not swallow this one.
        file.write(text if file.tell() == 0 or _ends_with_newline(path) else b"\n" + text)


def _ends_with_newline(path: Any) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


def fold(
    workspace: Workspace, collection: Collection, apply: Callable[[Edit, dict[str, Any]], None], wait: bool = False
) -> None:
    """Bring what was decided into the judgements: at once, or by a thread where the collection is large.

    wait: at once, however large it is.
    """
    if wait or collection.card.rows <= MANY_ROWS:
        _fold_pending(workspace, collection, apply)
    else:
        # Not a daemon: a process that ends waits for it.
        threading.Thread(target=_fold_pending, args=(workspace, collection, apply), name="review").start()


def _fold_pending(workspace: Workspace, collection: Collection, apply: Callable[[Edit, dict[str, Any]], None]) -> None:
    from filelock import FileLock

    with FileLock(workspace.locks / f"review-fold-{collection.name}.lock"):
        while True:
            log = Log.read(collection)
            if not log.pending:
                return
            with edit_collection(workspace, collection.name, REVIEWED_WORDS, coalesce=True) as edit:
                for line in log.pending:
                    apply(edit, line)
            append(collection, {"folded": len(log.lines)})
