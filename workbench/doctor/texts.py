"""What can be wrong with texts: the same one twice, nearly the same, too long, hardly anything, personal data."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from workbench.collection.store import SIDES
from workbench.doctor.examined import Examined
from workbench.doctor.findings import Finding, counted
from workbench.doctor.near import near_text_groups, normalised, same_groups
from workbench.doctor.personal import WORDS, find_personal

NOUNS = {"queries": ("query", "queries"), "corpus": ("document", "documents")}
# A text this many times the usual length is an outlier, if it is also longer than most models read.
MANY_TIMES, LONG_WORDS = 20, 600
# One word says too little where the others say much; from this median on it is worth knowing.
WORDY_MEDIAN = 6
FEW_SHARE = 0.05
SCRIPT_LETTERS, LEAST_LETTERS = 200, 2
MASKED_SHOWN = 20


def exact_groups(examined: Examined, side: str) -> list[list[str]]:
    """Ids of the texts of a side that are the same after normalisation, the first of each group being kept."""

    def make() -> list[list[str]]:
        ids, texts = examined.texts(side)
        return [[ids[at] for at in group] for group in same_groups(map(normalised, texts))]

    found: list[list[str]] = examined.kept(("texts", "exact", side), make)
    return found


def near_groups(examined: Examined, side: str) -> list[list[str]]:
    """Ids of the texts of a side that are nearly the same, with every exact copy of them; not those only exact."""

    def make() -> list[list[str]]:
        ids, texts = examined.texts(side)
        copies: dict[str, list[str]] = defaultdict(list)
        for identifier, text in zip(ids, texts, strict=True):
            copies[normalised(text)].append(identifier)
        distinct = list(copies)
        groups = near_text_groups(distinct)
        return [[identifier for at in group for identifier in copies[distinct[at]]] for group in groups]

    found: list[list[str]] = examined.kept(("texts", "near", side), make)
    return found


def find_exact_duplicates(examined: Examined) -> Iterator[Finding]:
    """The same text under several ids of one side: equal after Unicode NFKC, case folding and collapsing of spaces."""
    for side in SIDES:
        groups = exact_groups(examined, side)
        if groups:
            yield duplicates_finding(examined, "exact-duplicate", side, groups, "the same text as another")


def find_near_duplicates(examined: Examined) -> Iterator[Finding]:
    """Nearly the same text under several ids of one side, as `near.near_text_groups` defines it."""
    for side in SIDES:
        groups = near_groups(examined, side)
        if groups:
            how = "nearly the same text as another, give or take punctuation or a word in sixty"
            yield duplicates_finding(examined, "near-duplicate", side, groups, how)


def duplicates_finding(examined: Examined, kind: str, side: str, groups: list[list[str]], how: str) -> Finding:
    """The finding that some items of a side are duplicates of others. `how`: as in “3 documents are {how}”.

    Twins that belong to the same items of the other side only count twice; others harm the training.
    """
    extra = sum(len(group) - 1 for group in groups)
    partners = _partners(examined, side, groups)
    harmless = all(len(set(group)) == 1 for group in partners)
    judged = any(partner for group in partners for partner in group)
    harm = "They are judged alike, so they only count twice" if judged else "Each takes a place among the results"
    if not harmless:
        harm = "In training, twins count as wrong answers to each other"
    return Finding(
        kind,
        "note" if harmless else "hurts",
        f"{counted(extra, *NOUNS[side])} {'is' if extra == 1 else 'are'} {how}. {harm}.",
        side=side,
        groups=groups,
        fix="Merge them",
        advice="Merging keeps the first of each group and moves the judgements of the others to it.",
        detail={"extra": extra, "how": "merge"},
    )


def _partners(examined: Examined, side: str, groups: list[list[str]]) -> list[list[frozenset[int]]]:
    """The rows of the other side that each item of each group is judged with."""
    judged = examined.judged
    mine, others = (judged.queries, judged.documents)[:: 1 if side == "queries" else -1]
    rows = examined.rows(side)
    wanted = np.array([rows[identifier] for group in groups for identifier in group])
    partners: dict[int, set[int]] = defaultdict(set)
    for row in np.flatnonzero(np.isin(mine, wanted)):
        partners[int(mine[row])].add(int(others[row]))
    return [[frozenset(partners[rows[identifier]]) for identifier in group] for group in groups]


def find_personal_data(examined: Examined) -> Iterator[Finding]:
    """E-mail addresses, phone numbers, card and account numbers in texts and metadata. They are shown masked only."""
    for side in SIDES:
        seen = _Personal()
        for identifier, text in zip(*examined.texts(side, mixed=True), strict=True):
            seen.look(identifier, text)
        if seen.ids:
            where = f"{counted(len(seen.ids), *NOUNS[side])} {'holds' if len(seen.ids) == 1 else 'hold'}"
            yield seen.finding(side, where, "Masking replaces each with dots. Do it before the collection is shared.")
        about, columns = _Personal(), set()
        for identifier, meta in examined.metadata(side):
            found = [key for key, value in meta.items() if isinstance(value, str) and about.look(identifier, value)]
            columns.update(found)
        if about.ids:
            names = _listed(f"“{name}”" for name in sorted(columns))
            where = f"The metadata of {counted(len(about.ids), *NOUNS[side])} ({names}) holds"
            advice = "Metadata is kept for filters, and pushed with the rest. Import again without these columns."
            yield about.finding(side, where, advice, fixable=False)


class _Personal:
    """What is personal in some texts of a side: the ids it is in, how much of each kind, and examples, masked."""

    def __init__(self) -> None:
        self.ids: dict[str, None] = {}
        self.counts: Counter[str] = Counter()
        self.shown: list[dict[str, str]] = []

    def look(self, identifier: str, text: str) -> bool:
        """Note what is personal in one text; whether anything is."""
        found = find_personal(text)
        if found:
            self.ids[identifier] = None
            self.counts.update(one.kind for one in found)
            room = MASKED_SHOWN - len(self.shown)
            self.shown += [{"id": identifier, "kind": WORDS[one.kind][0], "masked": one.masked} for one in found[:room]]
        return bool(found)

    def finding(self, side: str, where: str, advice: str, fixable: bool = True) -> Finding:
        what = _listed(counted(number, *WORDS[kind]) for kind, number in self.counts.most_common())
        return Finding(
            "personal-data",
            "note",
            f"{where} personal data: {what}.",
            side=side,
            groups=[[identifier] for identifier in self.ids],
            fix="Mask them" if fixable else "",
            advice=advice,
            detail={"kinds": dict(self.counts), "seen": self.shown, "how": "mask" if fixable else ""},
        )


def find_lengths(examined: Examined) -> Iterator[Finding]:
    """Texts with nothing in them to go by, texts far longer than the others, and texts in another script."""
    for side in SIDES:
        ids, texts = examined.texts(side)
        if texts:
            yield from _hardly_anything(side, ids, texts)
            yield from _far_longer(side, ids, texts)
            yield from _other_script(side, ids, texts)


def _hardly_anything(side: str, ids: list[str], texts: list[str]) -> Iterator[Finding]:
    words = np.array([_words(text) for text in texts])
    usual = float(np.median(words))
    # Emoji and signs can be what is asked for; punctuation alone cannot.
    empty = [not any(unicodedata.category(letter)[0] in "LNS" for letter in text) for text in texts]
    short = (words <= 1) & (usual >= WORDY_MEDIAN)
    if short.mean() > FEW_SHARE:  # where many are short that is how they are
        short[:] = False
    rows = np.flatnonzero(short | np.array(empty))
    if len(rows):
        say = "says" if len(rows) == 1 else "say"
        yield Finding(
            "length",
            "note",
            f"{counted(len(rows), *NOUNS[side])} {say} hardly anything: one word or only punctuation, "
            f"where the usual {NOUNS[side][0]} has {usual:,.0f} words.",
            side=side,
            groups=[[ids[row]] for row in rows],
            fix="Leave them out",
            advice="Nothing can be found by such a text. Leaving it out takes its judgements with it.",
            detail={"median_words": usual, "how": "drop", "shown": [texts[row][:80] for row in rows[:5]]},
        )


def _far_longer(side: str, ids: list[str], texts: list[str]) -> Iterator[Finding]:
    words = np.array([_words(text) for text in texts])
    usual = float(np.median(words))
    rows = np.flatnonzero((words > MANY_TIMES * usual) & (words > LONG_WORDS))
    if len(rows) and len(rows) <= FEW_SHARE * len(texts):
        rows = rows[np.argsort(-words[rows], kind="stable")]
        is_longer = "is" if len(rows) == 1 else "are"
        yield Finding(
            "length",
            "note",
            f"{counted(len(rows), *NOUNS[side])} {is_longer} more than {MANY_TIMES} times as long as usual: "
            f"up to {words[rows[0]]:,} words, where the median is {usual:,.0f}.",
            side=side,
            groups=[[ids[row]] for row in rows],
            advice="A model reads the beginning only. Cut long texts into passages and import them again.",
            detail={"median_words": usual, "words": words[rows].tolist(), "how": ""},
        )


def _other_script(side: str, ids: list[str], texts: list[str]) -> Iterator[Finding]:
    """Texts in a script that few others are in. Counted by letters, so it tells scripts and not languages apart."""
    scripts = [script_of(text) for text in texts]
    counts = Counter(script for script in scripts if script)
    if len(counts) < 2:
        return
    main, most = counts.most_common(1)[0]
    rows = [row for row, script in enumerate(scripts) if script and script != main]
    others = _listed([f"{script} ({number:,})" for script, number in counts.most_common()[1:]])
    is_written = "is" if len(rows) == 1 else "are"
    yield Finding(
        "length",
        "note",
        f"{counted(len(rows), *NOUNS[side])} {is_written} written in {others}, the other {most:,} in {main}.",
        side=side,
        groups=[[ids[row]] for row in rows],
        advice="If that is meant, choose a model that was trained on these languages.",
        detail={"scripts": dict(counts), "how": ""},
    )


def script_of(text: str) -> str:
    """The script most letters of a text are in: Latin, Cyrillic, Chinese or Japanese, …; "" if it has hardly any."""
    letters = [letter for letter in text[:SCRIPT_LETTERS] if letter.isalpha()]
    if len(letters) < LEAST_LETTERS or text.isascii():
        return "Latin" if len(letters) >= LEAST_LETTERS else ""
    return Counter(map(_script, letters)).most_common(1)[0][0]


def _script(letter: str) -> str:
    if letter.isascii():
        return "Latin"
    first = unicodedata.name(letter, "OTHER").split()[0].title()
    if first in ("Cjk", "Hiragana", "Katakana", "Katakana-Hiragana", "Halfwidth", "Fullwidth", "Bopomofo"):
        return "Chinese or Japanese"
    return {"Micro": "Latin", "Masculine": "Latin", "Feminine": "Latin", "Modifier": "Latin"}.get(first, first)


def _words(text: str) -> int:
    """About how many words a text has; in scripts without spaces, four letters count as one more."""
    spaced = len(text.split())
    return spaced if text.isascii() else max(spaced, _unspaced(text))


def _unspaced(text: str) -> int:
    return sum("\u0e00" <= letter <= "\u0eff" or "\u3040" <= letter <= "\u9fff" for letter in text) // 2


def _listed(parts: Iterable[str]) -> str:
    parts = list(parts)
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
