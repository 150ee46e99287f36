"""Whether an index answers rightly, and its work goes on, when whatever works on it is killed at a random moment.

    python benchmarks/index_faults.py [--kills 50] [--seed 0] [--documents 360] [--minutes M]

One process searches the index `live` all the time. Another builds, adds to it (the collection has gained and lost
documents), compacts, switches (to another model, or back to the state before) or deletes, and gets kill -9 at a moment
drawn at random from the time such work takes. Then the same work is done again, or, one time in four, another work on
the same index. Every answer must be that of a state that was published when it was asked for: the same ten documents as
numpy finds in that state, or, where the index is approximate, ten of its documents with their true scores, eight of
them among the true ten. After each kill the tables are read row by row, after each work the folder is looked through.

The embedder is a toy whose vectors follow from the text, slowed down, so that each kill meets it at work. Prints JSON;
wanted: no wrong answer, no error, nothing left behind, and no more embedded again than the chunks that were under way.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
from index_faults_parts import APPROXIMATE_FROM, CHUNK, MODELS, search, text_of, vector, work

WORKS = ("build", "add", "compact", "switch", "delete")
Started = tuple[BaseProcess, Connection]
MADE_READY = 1


class Trial:
    """The workspace, what must be in it, and what has been found to be wrong."""

    def __init__(self, folder: Path, documents: int, seed: int) -> None:
        from workbench.collection.writing import CollectionWriter
        from workbench.workspace import new_folder, open_workspace

        self.folder, self.log = folder, folder / "embedded.log"
        self.workspace = open_workspace(folder / "workspace")
        self.random = np.random.default_rng(seed)
        self.next = documents
        self.documents = list(range(documents))
        with new_folder(self.workspace.collection("words")) as made, CollectionWriter(made) as writer:
            for number in self.documents:
                writer.add("corpus", self.item(number))
            writer.finish("words", labels={"query": "query", "document": "document"}, source={})
        self.contents: dict[str, dict[str, Any]] = {}  # what each table must hold, by its name
        self.problems: list[str] = []
        self.seconds: dict[str, float] = {}
        self.lost: list[int] = []
        self._waiting: dict[str, list[Started]] = {}
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["index_faults_parts"])

    @staticmethod
    def item(number: int) -> Any:
        from workbench.collection.store import Item

        return Item(text=text_of(number))

    def change_collection(self) -> None:
        """It loses and gains documents, and stays near the size from which an index is approximate."""
        from workbench.collection.editing import edit_collection

        leaving = self.random.choice(self.documents, int(self.random.integers(20, 100)), replace=False).tolist()
        # About as many as make it small enough for exact search, or large enough for an approximate one, by turns.
        most = max(30, 2 * (APPROXIMATE_FROM - len(self.documents)) + 160)
        coming = list(range(self.next, self.next + int(self.random.integers(20, most))))
        self.next += len(coming)
        with edit_collection(self.workspace, "words", "a change") as edit:
            for number in coming:
                edit.add("corpus", self.item(number))
            edit.drop("corpus", [self.item(number).content_id() for number in leaving])
        self.documents = sorted({*self.documents, *coming} - set(leaving))

    def card(self, name: str) -> Any:
        from workbench.index.registry import list_indexes

        return next((card for card in list_indexes(self.workspace) if card.name == name), None)

    def after(self, name: str, action: str) -> dict[str, Any] | None:
        """The state of an index when this has been done to it."""
        card = self.card(name)
        if action == "delete":
            return None
        if action == "rollback":
            return self.contents[card.before.table]
        if action == "compact":
            return self.contents[card.table]
        model = MODELS[0] if card is None else card.model
        if action == "switch":
            model = MODELS[1 - MODELS.index(model)]
        return {"model": MODELS[0] if action == "build" else model, "documents": list(self.documents)}

    def allow(self, *allowed: dict[str, Any] | None) -> None:
        from workbench.workspace import write_json

        write_json(self.folder / "states.json", [state for state in allowed if state is not None])

    def start(self, part: Any, *words: str) -> Started:
        """A process that does one of the parts, and our end of the line to it."""
        ours, theirs = self._processes.Pipe()
        process = self._processes.Process(target=part, args=(theirs, str(self.workspace.root), *words), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def ready(self, name: str) -> Started:
        """A process that is ready to work on an index; the next ones are made ready meanwhile."""
        waiting = self._waiting.setdefault(name, [])
        while len(waiting) <= MADE_READY:
            waiting.append(self.start(work, name, str(self.log)))
        process, line = waiting.pop(0)
        assert line.recv() == "ready"
        return process, line

    def embedded(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def do(self, name: str, action: str, kill_after: float | None = None) -> bool:
        """Do one work, or kill it after so many seconds; whether it was killed. Looks at what must hold afterwards."""
        before, after = self.content(name), self.after(name, action)
        if name == "live":
            self.allow(before, after)
        process, line = self.ready(name)
        began = time.monotonic()
        line.send(action)
        if kill_after is not None:
            time.sleep(kill_after)
            process.kill()
        process.join()
        done = line.poll() and said(line) == "done"
        if kill_after is None:
            self.seconds.setdefault(action, time.monotonic() - began)
            if not done:
                self.problems.append(f"{action} of {name} ended with {process.exitcode}")
        killed = process.exitcode == -signal.SIGKILL and not done
        self.look(name, before, after, killed)
        return killed

    def content(self, name: str) -> dict[str, Any] | None:
        card = self.card(name)
        return None if card is None else self.contents[card.table]

    def look(self, name: str, before: dict[str, Any] | None, after: dict[str, Any] | None, killed: bool) -> None:
        """Read the tables of an index row by row: it must be as before, or as it was meant to be."""
        card = self.card(name)
        if card is None:
            now = None
        else:
            now = self.rows(card)
            self.contents.setdefault(card.table, now)
            if self.contents[card.table] != now:
                self.problems.append(f"{card.table} holds other rows than it was published with")
            if card.before is not None and self.rows(card.before) != self.contents.get(card.before.table):
                self.problems.append(f"{card.before.table}, the state before, holds other rows than when it was live")
            if card.rows != len(now["documents"]):
                self.problems.append(f"the card of {name} says {card.rows} rows for {len(now['documents'])}")
        if now != after and not (killed and now == before):
            self.problems.append(f"{name} is neither as it was nor as it was meant to be")
        if name == "live":
            self.allow(now)

    def rows(self, card: Any) -> dict[str, Any]:
        from workbench.index import table

        rows = table.connect(self.workspace).open_table(card.table).to_arrow()
        texts = rows["text"].to_pylist()
        if len(set(rows["row"].to_pylist())) != len(texts) or len(set(texts)) != len(texts):
            self.problems.append(f"{card.table} holds a row twice")
        wanted = np.stack([vector(card.model, text) for text in texts])
        if not np.array_equal(np.array(rows["vector"].to_pylist(), np.float32), wanted):
            self.problems.append(f"{card.table} holds other vectors than those of its documents")
        return {"model": card.model, "documents": sorted(int(text.split()[1]) for text in texts)}

    def left_behind(self) -> list[str]:
        """Whatever is in the folders of the indexes and locks that no card needs, nothing being at work."""
        from workbench.index.registry import list_indexes
        from workbench.workspace import read_json

        cards = list_indexes(self.workspace)
        named = {f"{one.table}.lance" for card in cards for one in (card, card.before) if one is not None}
        found = [path.name for path in self.workspace.index.iterdir() if path.name not in {*named, "registry.json"}]
        kept = {f"index-{card.name}.lock" for card in cards}
        found += [path.name for path in self.workspace.locks.glob("index-*") if path.name not in kept]
        return found + [f"gone: {name}" for name in read_json(self.workspace.index / "registry.json")["gone"]]

    def strike(self, kind: str) -> tuple[str, bool, list[str]]:
        """Kill one work of this kind at a random moment and have the index put right: what was killed, whether the
        work goes on (else another is done), and what is left behind then."""
        name = "spare" if kind in ("build", "delete") else "live"
        if kind == "add":
            self.change_collection()
        action = "rollback" if kind == "switch" and self.random.random() < 0.3 else kind
        if name == "spare" and (self.card(name) is None) != (kind == "build"):
            self.do(name, "delete" if kind == "build" else "build")
        moment, embedded = float(self.random.uniform(0, self.seconds[action])), self.embedded()
        missing = self.missing(name, action)
        while not self.do(name, action, moment):
            moment /= 2  # it was done before; once more, and earlier
            if kind == "add":
                self.change_collection()
            elif name == "spare":
                self.do(name, "delete" if kind == "build" else "build")
            embedded, missing = self.embedded(), self.missing(name, action)
        goes_on = bool(self.random.random() < 0.75)
        published = self.content(name) == self.after(name, action)
        if name == "spare":
            follow = action if goes_on and not (kind == "delete" and self.card(name) is None) else "build"
        else:
            follow = action if goes_on and not (published and kind == "switch") else "add"
        self.do(name, follow)
        if follow == action and kind in ("build", "add", "switch") and not published:
            self.lost.append(max(0, self.embedded() - embedded - missing))
        return action, follow == action, self.left_behind()

    def missing(self, name: str, action: str) -> int:
        """How many documents must be embedded for this work, were it not killed."""
        now = self.content(name)
        if action == "add" and now is not None:
            return len(set(self.documents) - set(now["documents"]))
        return len(self.documents) if action in ("build", "switch") else 0

    def end(self) -> None:
        for process, _ in [one for waiting in self._waiting.values() for one in waiting]:
            process.kill()
            process.join()


def said(line: Connection) -> Any:
    """What the other end has said; None where it was killed before it could."""
    try:
        return line.recv()
    except EOFError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--documents", type=int, default=360)
    parser.add_argument("--minutes", type=float, default=60.0, help="No further kill after so long.")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = strike_often(Path(folder), chosen.kills, chosen.documents, chosen.seed, chosen.minutes)
    print(json.dumps(told, indent=1))


def strike_often(folder: Path, kills: int, documents: int, seed: int, minutes: float) -> dict[str, Any]:
    """All kills, one kind after another; the figures that are printed."""
    began = time.monotonic()
    trial = Trial(folder, documents, seed)
    for name, action in (("live", "build"), ("live", "switch"), ("live", "rollback"), ("live", "compact")):
        trial.do(name, action)
    trial.change_collection()
    trial.do("live", "add")
    trial.do("spare", "build")
    trial.do("spare", "delete")
    _, searching = trial.start(search)
    assert searching.recv() == "ready"
    struck: Counter[str] = Counter()
    gone_on, left = 0, []
    for number in range(kills):
        if time.monotonic() - began > 60 * minutes:
            break
        action, goes_on, found = trial.strike(WORKS[number % len(WORKS)])
        struck[action] += 1
        gone_on += goes_on
        left += found
        after = "the same again" if goes_on else "another work"
        print(f"{number + 1}. {action}, {after} {found or ''}", file=sys.stderr, flush=True)
    searching.send("stop")
    searched = searching.recv()
    trial.end()
    return {
        "kills": sum(struck.values()),
        "killed": dict(sorted(struck.items())),
        "the_same_work_again": gone_on,
        "searches": searched,
        "problems": trial.problems,
        "left_behind": left,
        "chunk_documents": CHUNK,
        "embedded_again": {"works": len(trial.lost), "most": max(trial.lost, default=0), "all": sum(trial.lost)},
        "seconds": round(time.monotonic() - began),
    }


if __name__ == "__main__":
    main()
