"""What a model answered: the queries in it, whether they can be used, and the file that keeps every answer."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError

MOST_CHARACTERS = 1000
NAMES = ("queries", "questions", "query", "question", "text", "q")
_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_FENCE = re.compile(r"```[\w-]*\s*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Record:
    """What came of one document. queries: as the model wrote them. failed: why there are none. when: Unix seconds."""

    document: str
    queries: list[str] = field(default_factory=list)
    failed: str = ""
    when: float = 0.0


class AnswerLog:
    """Every answer, one JSON line each, written as soon as it is there; a run that goes on asks for the rest only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Record]:
        """The last record of each document. A line that a kill cut off is left out."""
        records = {}
        for line in self.path.read_bytes().split(b"\n") if self.path.exists() else []:
            try:
                value = json.loads(line)
                record = Record(
                    str(value["document"]), [str(one) for one in value["queries"]], value["failed"], value["when"]
                )
            except (ValueError, KeyError, TypeError):
                continue
            records[record.document] = record
        return records

    def append(self, record: Record) -> None:
        line = json.dumps(asdict(record)).encode()  # ASCII: what cannot be encoded must not end a run
        with open(self.path, "ab") as file:
            # A line cut off by a kill must not swallow the next one.
            file.write((b"\n" if file.tell() else b"") + line)


def queries_in(text: str, *, cut: bool = False) -> list[str]:
    """The queries in a model's answer: JSON, alone, in a code fence or among words.

    A list, or an object with a list; of strings, or of objects with one each. What is no string is kept as "", so that
    it is counted. cut: the answer came to its limit. Raises WorkbenchError in words if there are none.
    """
    said = _THOUGHT.sub("", text).strip()
    for part in (said, *(found.group(1) for found in _FENCE.finditer(said)), *_from_brackets(said)):
        try:
            value = json.loads(part)
        except (ValueError, RecursionError):
            continue
        found = _list_in(value)
        if found is not None:
            return [_query_in(one) for one in found]
    if cut:
        raise WorkbenchError("The model's answer stops in the middle: it came to its limit of tokens.")
    raise WorkbenchError(f"The model's answer is not the JSON that was asked for: “{_short(said)}”.")


def normalised(query: str) -> str:
    """The same for queries that differ only in case, spaces, width or the marks around and between their words."""
    folded = unicodedata.normalize("NFKC", query).casefold()
    letters = "".join(letter if _is_letter(letter) else " " for letter in folded)
    return " ".join(letters.split())


def cleaned(query: str) -> str:
    """A query on one line, without control characters or what cannot be stored."""
    whole = query.encode("utf-8", "replace").decode()
    return " ".join("".join(" " if unicodedata.category(one) == "Cc" else one for one in whole).split())


def is_usable(query: str, document_text: str | None) -> bool:
    """Whether a cleaned query can be kept: it has words, is not very long, and does not just repeat its document."""
    words = normalised(query)
    return bool(words) and len(query) <= MOST_CHARACTERS and words != normalised(document_text or "")


def _is_letter(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "LNMS"


def _list_in(value: Any) -> list[Any] | None:
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    named = (value[name] for name in NAMES if name in value)
    found = next((one for one in (*named, *value.values()) if isinstance(one, list)), None)
    if found is None and isinstance(value.get("query"), str):
        found = [value["query"]]
    return found


def _query_in(value: Any) -> str:
    if isinstance(value, dict):
        value = next((value[name] for name in NAMES if isinstance(value.get(name), str)), "")
    return value if isinstance(value, str) else ""


def _from_brackets(text: str) -> Iterable[str]:
    """What lies between the first opening bracket and the last closing one, for an answer with words around it."""
    pairs = sorted((("{", "}"), ("[", "]")), key=lambda pair: text.find(pair[0]))
    for opening, closing in pairs:
        start, end = text.find(opening), text.rfind(closing)
        if 0 <= start < end:
            yield text[start : end + 1]


def _short(text: str) -> str:
    line = cleaned(text)
    return line if len(line) <= 100 else line[:99] + "…"
