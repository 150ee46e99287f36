"""A text without some of it: words that are left out wherever they stand, and passages of a long text.

A text of up to MOST_WORDS different words is tried word by word. A longer one is cut into passages (sentences, several
together where there are many); then the words of the passage that carries most are tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from workbench.explain.parts import Part

MOST_WORDS = 48
MOST_PASSAGES = 32
# Scripts without spaces are taken letter by letter: a whole sentence is no word.
LETTERS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{LETTERS}]|[^\W{LETTERS}]+(?:['’\-.][^\W{LETTERS}]+)*")
SENTENCE = re.compile(r"[^.!?…。！？\n]+[.!?…。！？\n]*\s*|[.!?…。！？\n]+\s*")
SPACES = re.compile(r"[ \t]{2,}")

Places = tuple[tuple[int, int], ...]
ScoreTexts = Callable[[Sequence[str]], np.ndarray]


def explain_text(text: str, base: float, score: ScoreTexts) -> list[Part]:
    """The parts of a text in reading order. `base`: its score; `score`: gives those of texts in its place."""
    words = words_of(text, 0, len(text))
    if len(words) <= MOST_WORDS:
        return _left_out(text, "word", words, base, score)
    passages = _left_out(text, "passage", passages_of(text), base, score)
    strongest = max(passages, key=lambda part: part.drop)
    (start, end) = strongest.places[0]
    inside = words_of(text, start, end)[:MOST_WORDS]
    if len(inside) < 2 or strongest.drop <= 0:
        return passages
    return [*passages, *_left_out(text, "word", inside, base, score)]


def words_of(text: str, start: int, end: int) -> list[Places]:
    """The different words of a part of a text, each with every place where it stands there."""
    found: dict[str, list[tuple[int, int]]] = {}
    for match in WORD.finditer(text, start, end):
        found.setdefault(match[0].casefold(), []).append(match.span())
    return [tuple(places) for places in found.values()]


def passages_of(text: str) -> list[Places]:
    """The text cut into at most MOST_PASSAGES passages: its sentences, or as many neighbours together as it takes.

    A text of one sentence is cut between words.
    """
    spans = [match.span() for match in SENTENCE.finditer(text) if match[0].strip()]
    if len(spans) < 3:
        spans = [match.span() for match in WORD.finditer(text)]
    groups = np.array_split(np.arange(len(spans)), min(MOST_PASSAGES, len(spans)))
    return [((spans[int(group[0])][0], spans[int(group[-1])][1]),) for group in groups]


def without(text: str, places: Places) -> str:
    """The text with these places cut out, and no double spaces where they were."""
    kept, last = [], 0
    for start, end in places:
        kept.append(text[last:start])
        last = end
    return SPACES.sub(" ", "".join([*kept, text[last:]])).strip()


def _left_out(text: str, kind: str, units: Sequence[Places], base: float, score: ScoreTexts) -> list[Part]:
    """One part for each unit, with the score's drop without it. Of a single unit nothing would remain: it is all."""
    labelled = [Part(kind, 0.0, text[places[0][0] : places[0][1]].strip(), places) for places in units]
    if len(units) < 2:
        return [replace(part, drop=base) for part in labelled]
    drops = base - score([without(text, places) for places in units])
    return [replace(part, drop=float(drop)) for part, drop in zip(labelled, drops, strict=True)]
