"""The HTML of a review: a question, its right answer and the suspicious ones side by side; documents to be labelled.

Several cases are drawn at once and one of them is shown, so that the next one is there when a key is pressed;
``assets/review.js`` moves through them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.collection.review import Case, Progress
from workbench.collection.store import Collection, Item
from workbench.collection.suspicion import Candidate
from workbench.ui import cards, words
from workbench.ui.media_route import MediaRoute

POSITIVES_SHOWN = 3
MODES = {
    "sent": "Sent from Evaluate",
    "mined": "Hard negatives",
    "generated": "Generated queries",
    "unlabelled": "Documents without a query",
}
SENT_WORDS = (
    "What the models found and nobody has judged. Match: it becomes a right answer, and counts in the next evaluation. "
    "Not a match: it is kept as a wrong answer, checked by you."
)
MINED_WORDS = (
    "Actually a match: it becomes a right answer, which mends both training and the score. "
    "Not a match: it stays a hard negative, checked by you."
)
GENERATED_WORDS = (
    "Keep what somebody might really ask; it may then be held out for the score. What is dropped leaves the collection."
)
LABEL_WORDS = "What you type becomes a query whose right answer is this document."


@dataclass(frozen=True)
class Key:
    """A button of the bar: what it says of the one in hand, the key that presses it, and how that key is shown."""

    verdict: str
    label: str
    key: str
    cap: str


OF_CANDIDATES = (
    Key("match", "Match", "m", "M"),
    Key("not-a-match", "Not a match", "n", "N"),
    Key("skip", "Skip", "s", "S"),
    Key("undo", "Undo", "u", "U"),
)
KEYS = {
    "sent": OF_CANDIDATES,
    "mined": OF_CANDIDATES,
    "generated": (
        Key("keep", "Keep", "k", "K"),
        Key("drop", "Drop", "d", "D"),
        Key("skip", "Skip", "s", "S"),
        Key("undo", "Undo", "u", "U"),
    ),
    "unlabelled": (
        Key("label", "Next", "Enter", "Enter"),
        Key("skip", "Skip", "Escape", "Esc"),
        Key("undo", "Undo", "Control+z", "Ctrl Z"),
    ),
}


def modes(shown: str, left: dict[str, int]) -> str:
    """The choice of what to review, where there is one; with how many are left of each."""
    if len(left) < 2:
        return ""
    made = "".join(
        f'<button type="button" data-act="mode" data-mode="{mode}" aria-pressed="{str(mode == shown).lower()}">'
        f'{cards.text(MODES[mode])} <span class="quiet">{count:,}</span></button>'
        for mode, count in left.items()
    )
    return f'<div class="choice" role="group" aria-label="What to review">{made}</div>'


def bar(mode: str, progress: Progress) -> str:
    """How far it is, and the buttons with their keys."""
    made = "".join(
        f'<button type="button" class="button{" primary" if key.verdict == "label" else ""}" '
        f'data-verdict="{key.verdict}" data-key="{key.key}" aria-keyshortcuts="{key.key}">{cards.text(key.label)} '
        f'<kbd aria-hidden="true">{key.cap}</kbd></button>'
        for key in KEYS[mode]
    )
    told = {"sent": SENT_WORDS, "mined": MINED_WORDS, "generated": GENERATED_WORDS, "unlabelled": LABEL_WORDS}[mode]
    share = 100 * progress.reviewed / max(1, progress.total)
    return (
        f'<div class="review-bar card"><div class="split"><p class="review-count" data-reviewed="{progress.reviewed}" '
        f'data-total="{progress.total}">{cards.text(counted(progress))}</p>'
        f'<div class="actions" role="toolbar" aria-label="Decide">{made}</div></div>'
        f'<div class="bar" aria-hidden="true"><i style="width:{share:.1f}%"></i></div>'
        f'<p class="quiet small">{cards.text(told)}</p>'
        '<p class="unseen" role="status" aria-live="polite" id="review-said"></p></div>'
    )


def counted(progress: Progress) -> str:
    """7 of 120 looked at."""
    return f"{progress.reviewed:,} of {progress.total:,} looked at"


def review(mode: str, collection: str, bar_html: str, cases_html: str, more: bool) -> str:
    """The whole, as the script finds it. `more`: there are others than the cases drawn."""
    attributes = f'data-mode="{mode}" data-collection="{cards.text(collection)}"{" data-more=1" if more else ""}'
    return f'<div class="review" {attributes}>{bar_html}{cases_html}</div>'


def nothing(collection: Collection) -> str:
    """The empty state: mine first."""
    return cards.empty(
        f"There is nothing to look at in “{collection.name}” yet. Let a model find the wrong answers that look right; "
        "the most suspicious of them come here.",
        cards.button("Mine hard negatives", "part", primary=True, identifier="review-mine", part="negatives"),
    )


def finished(progress: Progress, mode: str) -> str:
    """All have been looked at: what was skipped may come again, or go on to train."""
    again = cards.button("Undo", "undo", mode=mode, identifier="review-undo") if progress.reviewed else ""
    if progress.skipped:
        again += cards.button(f"Show the {progress.skipped:,} skipped again", "again", mode=mode)
    train = cards.button("Train on this", "", primary=True, open_tab="train")
    sentence = f"{counted(progress)}. What you decided counts from the next training and evaluation on."
    return cards.empty(sentence, again + train)


class Cases:
    """Draws the cases of one collection."""

    def __init__(self, collection: Collection, media_route: MediaRoute, captions: dict[str, str]) -> None:
        self._collection, self._media = collection, media_route
        self._captions = captions
        self._labels = collection.card.labels
        self._drawn = 0

    def candidates(self, cases: Sequence[Case], mode: str) -> str:
        """Each with its candidates to be chosen among. mode: `sent` or `mined`."""
        heard = {"sent": "Found by the models", "mined": "Mined as wrong"}[mode]
        return "".join(self._case(case, heard) for case in cases)

    def generated(self, cases: Sequence[Case]) -> str:
        """Each a query that a model wrote, beside the documents it was written for."""
        made = []
        for case in cases:
            answers = "".join(
                self._card("corpus", identifier, "Written for this", "for") for identifier in case.positives[:4]
            )
            query = self._card("queries", case.query, "Would somebody ask this?", "asked")
            pair = _pair(case.query, case.positives[0] if case.positives else "", "The query")
            made.append(
                f'<article class="case" {pair} hidden><div class="case-given">{query}</div>'
                f'<div class="case-right">{answers}</div></article>'
            )
        return "".join(made)

    def unlabelled(self, documents: Sequence[str]) -> str:
        """Each a document with a field for the query that should find it."""
        made = []
        for identifier in documents:
            document = self._card("corpus", identifier, self._labels.get("document", "document").capitalize(), "large")
            made.append(
                f'<article class="case labelling" {_pair("", identifier, "The document")} hidden>'
                '<label class="fields"><span>What would someone type to find this?</span>'
                '<input type="text" class="review-text" maxlength="2000" autocomplete="off"></label>'
                f"{document}</article>"
            )
        return "".join(made)

    def _case(self, case: Case, heard: str) -> str:
        count = len(case.candidates)
        asked = self._card("queries", case.query, f"Given {self._labels.get('query', 'query')}", "asked")
        right = "".join(
            self._card("corpus", identifier, "The right answer", "right")
            for identifier in case.positives[:POSITIVES_SHOWN]
        )
        more = len(case.positives) - POSITIVES_SHOWN
        right += f'<p class="quiet small">And {words.count(more, "other right answer")}.</p>' if more > 0 else ""
        candidates = "".join(
            self._candidate(case.query, candidate, place, count) for place, candidate in enumerate(case.candidates, 1)
        )
        return (
            f'<article class="case" hidden><div class="case-given">{asked}{right}</div>'
            f'<ol class="candidates" aria-label="{heard}: is one of them a match?">{candidates}</ol></article>'
        )

    def _candidate(self, query: str, candidate: Candidate, place: int, count: int) -> str:
        heard = f"A match? {place} of {count}"
        pair = _pair(query, candidate.document, heard)
        return (
            f'<li class="card item candidate" tabindex="0" {pair}><h3 class="label">{cards.text(heard)}'
            f'<span class="said"></span></h3>{self._body("corpus", candidate.document)}'
            f'<p class="small quiet reason">{cards.text(candidate.reason.replace(" -", " −"))}</p></li>'
        )

    def _card(self, side: str, identifier: str, title: str, kind: str) -> str:
        sign = cards.chip(title, "good", "tick") if kind == "right" else cards.text(title)
        return (
            f'<section class="card item {kind}"><h3 class="label">{sign}</h3>{self._body(side, identifier)}</section>'
        )

    def _body(self, side: str, identifier: str) -> str:
        """Picture, player and text of an item, each large enough to judge by; below a medium what it is called."""
        rows = self._collection.query_rows if side == "queries" else self._collection.document_rows
        row = rows.get(identifier)
        if row is None:
            return '<p class="quiet">It is no longer in the collection.</p>'
        item = self._collection.item(side, row)
        shown = [self._medium(item, side, row, kind) for kind in ("image", "video", "audio") if getattr(item, kind)]
        if item.text:
            shown.append(cards.words_box(item.text))
        elif caption := self._captions.get(identifier) or item.file:
            shown.append(f'<p class="caption" tabindex="0">{cards.text(caption)}</p>')
        return "".join(shown)

    def _medium(self, item: Item, side: str, row: int, kind: str) -> str:
        full = self._media.url(self._collection.name, self._collection.fingerprint, side, row, kind)
        name = item.text or item.file or words.modality(kind)
        if kind == "image":
            return (
                f'<button type="button" class="media zoom" data-zoom="{cards.text(full)}" '
                f'aria-label="Enlarge {cards.text(name)}"><img src="{cards.text(full)}" alt="{cards.text(name)}" '
                'loading="lazy" decoding="async"></button>'
            )
        thumb = self._media.url(self._collection.name, self._collection.fingerprint, side, row, "thumb")
        self._drawn += 1  # the same document may stand in several cases, and each player needs a name of its own
        return cards.media(
            kind, thumb if item.thumbnail else full, full, name, f"review-play-{side}-{row}-{self._drawn}"
        )


def _pair(query: str, document: str, said: str) -> str:
    """The attributes by which the script knows the pair that is decided on, and what its card is called."""
    attributes = f'data-query="{cards.text(query)}" data-document="{cards.text(document)}"'
    return f'data-pair {attributes} aria-label="{cards.text(said)}"'
