"""Find texts that are the same, or nearly, among very many, by their shingles.

Candidates come from the buckets of MinHash bands, so that the time grows with the number of texts and not with its
square; every candidate is then compared exactly before it counts.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

LEAST_JACCARD = 0.9
# A shorter text is near another only if it differs in nothing but punctuation: one word decides what it means.
LEAST_WORDS = 30
# Below this a long text may have words more or less, but none in the place of another.
LEAST_WORDS_TO_REPLACE = 60
SHINGLE_WORDS = 3
BANDS, BAND_ROWS = 12, 6  # a pair with Jaccard 0.9 meets in a band with probability 0.9999, one with 0.5 with 0.17
WORDS_AT_ONCE = 1 << 16
LEADERS_COMPARED = 16

_SPACES = re.compile(r"\s+")
# Chinese, Japanese and the scripts of South-East Asia write no spaces: there a character stands for a word.
_WORD = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+")
_MARKS = "\"'`´‘’‚“”„«»‹›()[]{}<>.,;:!?¿¡…·–—。、，；：！？「」『』（）"
_ARTICLES = frozenset({"a", "an", "the"})


def normalised(text: str) -> str:
    """The text as it counts for being the same: Unicode NFKC, case folded, spaces collapsed."""
    if text.isascii():
        return " ".join(text.lower().split())
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())).strip()


def without_marks(text: str) -> str:
    """A normalised text without punctuation around its words, and without a and the; "" if nothing is left.

    Signs that can change the meaning stay: C++ is not C#, -5 is not 5, 3.5 is not 35.
    """
    words = [stripped for word in text.split() if (stripped := word.strip(_MARKS))]
    content = [word for word in words if word not in _ARTICLES]
    return " ".join(content if len(content) >= 3 else words)


def same_groups(keys: Iterable[str | None]) -> list[list[int]]:
    """The positions that share a key, as groups of two or more in the order of their first; None shares nothing."""
    places: dict[str, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        if key:
            places[key].append(position)
    return [group for group in places.values() if len(group) > 1]


def near_text_groups(texts: Sequence[str]) -> list[list[int]]:
    """Groups of positions of nearly the same text, the first being the one that all others resemble.

    texts: normalised. Nearly the same are two texts that differ in punctuation or articles only; and two of at least
    LEAST_WORDS words, with the same numbers in them, whose sets of three-word shingles have a Jaccard similarity of at
    least LEAST_JACCARD, below LEAST_WORDS_TO_REPLACE words without one in the place of another. Texts that are equal
    are in one group as well.
    """
    bare = [without_marks(text) for text in texts]
    first: dict[str, int] = {}
    leader = np.arange(len(texts))
    for position, key in enumerate(bare):
        if key:
            leader[position] = first.setdefault(key, position)
    words = _WordNumbers()
    long = [position for position in first.values() if len(bare[position]) > 2 * LEAST_WORDS]
    numbered = [(position, words.of(bare[position])) for position in long]
    numbered = [(position, numbers) for position, numbers in numbered if len(numbers) >= LEAST_WORDS]
    for near, to in _near_pairs([numbers for _, numbers in numbered], words):
        leader[numbered[near][0]] = numbered[to][0]
    groups: dict[int, list[int]] = defaultdict(list)
    for position in range(len(texts)):
        groups[int(leader[leader[position]])].append(position)
    return [group for group in groups.values() if len(group) > 1]


class _WordNumbers:
    """Words as numbers, the same in every process, and which of them hold a digit."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, text: str) -> np.ndarray:
        known = self._known
        found = _WORD.findall(text)
        return np.fromiter((known.setdefault(word, len(known)) for word in found), dtype=np.uint32, count=len(found))

    def with_digits(self) -> np.ndarray:
        return np.array([any(letter.isdigit() for letter in word) for word in self._known], dtype=bool)


def _near_pairs(texts: list[np.ndarray], words: _WordNumbers) -> list[tuple[int, int]]:
    """(text, the earlier text it is nearly the same as) for each text that has one; the earlier has none itself."""
    if len(texts) < 2:
        return []
    has_digit = words.with_digits()
    # Texts with other numbers in them are others, however alike: they never meet in a bucket.
    numbers = np.frombuffer(b"".join(_digest(text[has_digit[text]]) for text in texts), dtype=np.uint64)
    to: dict[int, int] = {}
    kept: set[int] = set()
    keys = _mixed(_band_keys(texts) ^ numbers[:, None])
    for band in range(BANDS):
        for bucket in _equal_rows(keys[:, band]):
            leaders: list[tuple[int, np.ndarray]] = []
            for text in bucket:
                if text in to:
                    continue
                shingles = np.unique(_shingles(texts[text]))
                match = None if text in kept else _nearest_leader(text, shingles, leaders, texts)
                if match is None:
                    leaders.append((text, shingles))
                else:
                    to[text] = match
                    kept.add(match)
    return list(to.items())


def _digest(words: np.ndarray) -> bytes:
    return hashlib.blake2b(words.tobytes(), digest_size=8).digest()


def _nearest_leader(
    text: int, shingles: np.ndarray, leaders: list[tuple[int, np.ndarray]], texts: list[np.ndarray]
) -> int | None:
    """The first of the leaders (text, shingles) that a text is nearly the same as, by exact comparison; else None."""
    for leader, others in leaders[:LEADERS_COMPARED]:
        if min(len(shingles), len(others)) < LEAST_JACCARD * max(len(shingles), len(others)):
            continue
        common = len(np.intersect1d(shingles, others, assume_unique=True))
        if common >= LEAST_JACCARD * (len(shingles) + len(others) - common):
            long = min(len(texts[text]), len(texts[leader])) >= LEAST_WORDS_TO_REPLACE
            if long or not _replaces(texts[text], texts[leader]):
                return leader
    return None


def _replaces(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether each of two texts has words that the other lacks."""
    first, second = Counter(one.tolist()), Counter(other.tolist())
    return bool(first - second) and bool(second - first)


def _shingles(words: np.ndarray) -> np.ndarray:
    """A 64-bit hash of every SHINGLE_WORDS words in a row."""
    mixed = _mixed(words.astype(np.uint64))
    size = len(words) - SHINGLE_WORDS + 1
    found = mixed[:size]
    for place in range(1, SHINGLE_WORDS):
        found = _mixed(found * np.uint64(31) + mixed[place : place + size])
    return found


def _mixed(values: np.ndarray) -> np.ndarray:
    """SplitMix64: numbers that look random, the same for the same value."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _band_keys(texts: list[np.ndarray]) -> np.ndarray:
    """(texts, BANDS) uint64: equal where two texts have the same least hashes in a band of MinHash.

    Each of the BANDS × BAND_ROWS hash functions is one multiplication; a text counts with its least shingle under it.
    """
    factors = np.random.default_rng(0).integers(1, 1 << 63, (BANDS, BAND_ROWS), dtype=np.uint64) | np.uint64(1)
    keys = np.zeros((len(texts), BANDS), np.uint64)
    ends = np.cumsum([len(text) for text in texts])
    start = 0
    while start < len(texts):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + WORDS_AT_ONCE, side="right")))
        last = ends[start:stop] - done
        # Windows that reach into the next text are cut out, so that each text has its own shingles in a row.
        inside = np.ones(last[-1], bool)
        for place in range(1, SHINGLE_WORDS):
            inside[last - place] = False
        shingles = _shingles(np.concatenate(texts[start:stop]))[inside[: 1 - SHINGLE_WORDS]]
        counts = np.diff(last, prepend=0) - SHINGLE_WORDS + 1
        offsets = np.cumsum(counts) - counts
        for band, row in np.ndindex(BANDS, BAND_ROWS):
            least = np.minimum.reduceat((shingles * factors[band, row]) >> np.uint64(32), offsets)
            keys[start:stop, band] = _mixed(keys[start:stop, band] ^ least)
        start = stop
    return keys


def _equal_rows(keys: np.ndarray) -> Iterable[list[int]]:
    """Groups of two or more positions, ascending, of equal keys."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    edges = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1], [True]]))
    for start in np.flatnonzero(np.diff(edges) > 1):
        yield order[edges[start] : edges[start + 1]].tolist()
