"""Which of two ways to search people prefer, when they see both lists and are not told which is which.

    index/preferences.jsonl   one line a pick: the two pipelines, which was picked ("" for no difference), the query

A query counts once for a pair of pipelines, by its last pick: the same one picked ten times says no more than once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from filelock import FileLock

from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index.registry import get_index
from workbench.index.results import SearchResult
from workbench.workspace import NAME_PATTERN, Workspace

SURE = 0.95
RERANK_FIRST = 50
LONGEST_TEXT = 500
LONGEST_REFERENCE = 300


@dataclass(frozen=True)
class Pipeline:
    """A way to search: an index, how many vector components of it (0: all), and a reranker of the first 50 if any."""

    index: str
    dimension: int = 0
    reranker: str = ""

    @classmethod
    def read(cls, told: str) -> Pipeline | None:
        """What `write` wrote; None for anything else."""
        index, _, rest = told.partition(":")
        size, _, reranker = rest.partition(":")
        if not NAME_PATTERN.fullmatch(index) or len(reranker) > LONGEST_REFERENCE:
            return None
        return cls(index, int(size) if size.isascii() and size.isdigit() and len(size) < 7 else 0, reranker)

    def write(self) -> str:
        """As an address names it."""
        return f"{self.index}:{self.dimension or ''}:{self.reranker}"

    def ask(self, search: Callable[..., SearchResult], query: Item, count: int) -> SearchResult:
        """What it finds, with `Searcher.search`. Raises WorkbenchError as that does."""
        return search(
            self.index,
            query,
            top=count,
            dimension=self.dimension or None,
            reranker=self.reranker or None,
            rerank_first=RERANK_FIRST,
        )

    def known_as(self, workspace: Workspace) -> str:
        """What it is, for good: an index that another model reads later is another way to search."""
        card = get_index(workspace, self.index)
        return "|".join((self.index, card.model, str(self.dimension or card.dimension), self.reranker))


@dataclass(frozen=True)
class Score:
    """How often the first and the second of two pipelines were picked; `ties` is how often neither was.

    `share` of the picks that are for the second, with its exact binomial interval (Clopper and Pearson 1934) of 95 %,
    and `p` of the two-sided test against one half; None without picks. Ties count for neither.
    """

    first: int
    second: int
    ties: int
    share: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None

    @property
    def better(self) -> int:
        """1 if the first is shown to be preferred, 2 if the second is, 0 if no difference is shown yet."""
        if self.interval is None or self.interval[0] <= 0.5 <= self.interval[1]:
            return 0
        return 2 if self.interval[0] > 0.5 else 1


def prefer(workspace: Workspace, first: Pipeline, second: Pipeline, query: Item, picked: int) -> Score:
    """Keep a pick: 1 for the first, 2 for the second, 0 for no difference. Returns the score with it.

    Raises WorkbenchError if an index is gone, or both are the same.
    """
    names = [first.known_as(workspace), second.known_as(workspace)]
    if names[0] == names[1]:
        raise WorkbenchError("Both sides are the same. Choose two different ways to search.")
    line = {
        "time": round(time.time(), 3),
        "pair": sorted(names),
        "picked": names[picked - 1] if picked else "",
        "query": query.id or query.content_id(),
        "text": (query.text or "")[:LONGEST_TEXT],
    }
    path = workspace.index / "preferences.jsonl"
    with FileLock(workspace.locks / "preferences.lock"):
        # A line of which a crash kept half is ended, so that it spoils no other.
        whole = not path.exists() or path.read_bytes()[-1:] in (b"", b"\n")
        with path.open("a", encoding="utf-8") as file:
            file.write(("" if whole else "\n") + json.dumps(line, ensure_ascii=False) + "\n")
    return preference(workspace, first, second)


def preference(workspace: Workspace, first: Pipeline, second: Pipeline) -> Score:
    """The score of two pipelines so far. Raises WorkbenchError if an index is gone."""
    names = [pipeline.known_as(workspace) for pipeline in (first, second)]
    last = {pick["query"]: pick["picked"] for pick in _picks(workspace) if pick["pair"] == sorted(names)}
    picked = list(last.values())
    return score_of(picked.count(names[0]), picked.count(names[1]), picked.count(""))


def preferences(workspace: Workspace) -> list[dict[str, Any]]:
    """Every pair of pipelines that was compared, the most often compared first, as the command prints them."""
    last: dict[tuple[str, str], dict[str, str]] = {}
    for pick in _picks(workspace):
        last.setdefault((pick["pair"][0], pick["pair"][1]), {})[pick["query"]] = pick["picked"]
    found = []
    for pair, of_query in sorted(last.items(), key=lambda one: -len(one[1])):
        picked = list(of_query.values())
        score = score_of(picked.count(pair[0]), picked.count(pair[1]), picked.count(""))
        found.append({"a": pair[0], "b": pair[1], **_as_json(score)})
    return found


def score_of(first: int, second: int, ties: int = 0) -> Score:
    """The score of so many picks, with the exact interval and test."""
    if not first + second:
        return Score(first, second, ties)
    from scipy.stats import binomtest

    test = binomtest(second, first + second)
    bounds = test.proportion_ci(SURE, method="exact")
    share = second / (first + second)
    return Score(first, second, ties, share, (float(bounds.low), float(bounds.high)), float(test.pvalue))


def _as_json(score: Score) -> dict[str, Any]:
    return {
        "a picked": score.first,
        "b picked": score.second,
        "no difference": score.ties,
        "share of b": score.share,
        "interval": list(score.interval) if score.interval else None,
        "p": score.p,
        "preferred": ("", "a", "b")[score.better],
    }


def _picks(workspace: Workspace) -> Iterator[dict[str, Any]]:
    path = workspace.index / "preferences.jsonl"
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            pick = json.loads(line)
        except ValueError:
            continue  # half a line, of a crash
        if isinstance(pick, dict) and len(pick.get("pair", [])) == 2 and {"picked", "query"} <= pick.keys():
            yield pick
