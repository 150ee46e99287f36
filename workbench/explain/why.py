"""`why`: the parts of a document, and of its query, that carry the score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from workbench import media
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.explain import pictures, sounds
from workbench.explain.parts import Part, Why, with_strengths
from workbench.explain.texts import explain_text

if TYPE_CHECKING:
    from workbench.index.search import Searcher

AT_ONCE = 16
AT_ONCE_BYTES = 64 << 20
FAR_FROM_IT = "Some other mixture of its parts carries the score: no single one matters when it is covered."


class Score(Protocol):
    """Scores documents against one query, and other queries against one document."""

    def __call__(self, documents: Sequence[Item]) -> np.ndarray:
        """How well each document answers the query: (len(documents),)."""
        ...

    def ask(self, queries: Sequence[Item], document: Item) -> np.ndarray:
        """How well the document answers each of these queries: (len(queries),)."""
        ...


def why(score: Score, document: Item, query: Item | None = None) -> Why:
    """Which words, boxes or seconds of a document carry its score; and, given the query, which of its words.

    Deterministic. It takes one score for the whole, and at most 80 for a text, 48 for a picture, 32 for a sound and 81
    for the query's words. Raises WorkbenchError for a video, which is not taken apart, and for media that cannot be
    decoded.
    """
    if not document.modality or "video" in document.modality:
        raise WorkbenchError("A video cannot be taken apart yet. Texts, pictures and sounds can.")
    counted = _Counted(score)
    whole = replace(document, id="", thumbnail=None)
    picture = pictures.opened(document.image) if document.image is not None else None
    if picture is not None:
        whole = replace(whole, image=pictures.encoded(picture))
    sound = media.decode_audio(document.audio) if document.audio is not None else None
    if sound is not None:
        whole = replace(whole, audio=sounds.encoded(*sound))
    base = float(counted.documents([whole])[0])
    parts: list[Part] = []
    if document.text and document.text.strip():
        parts += with_strengths(
            explain_text(document.text, base, lambda texts: counted.documents(replace(whole, text=t) for t in texts))
        )
    if picture is not None:
        parts += with_strengths(
            pictures.explain_picture(
                picture, base, lambda made: counted.documents(replace(whole, image=one) for one in made)
            )
        )
    if sound is not None:
        parts += with_strengths(
            sounds.explain_sound(
                *sound, base, lambda made: counted.documents(replace(whole, audio=one) for one in made)
            )
        )
    asked = _explain_query(counted, whole, query)
    notes = [] if any(part.strength > 0 for part in parts) else [FAR_FROM_IT]
    return Why(
        score=base,
        parts=parts,
        query_parts=asked,
        scored=counted.scored,
        text=document.text or "",
        query_text=(query.text or "") if query else "",
        notes=notes,
    )


def why_result(
    searcher: Searcher,
    index: str,
    query: Item,
    document_id: str,
    *,
    reranker: str | None = None,
    dimension: int | None = None,
) -> Why:
    """Why a search of an index gives this document its score: the one call of the page and of `explain`.

    With a reranker its score is explained, else the embedder's cosine at `dimension`, as the search compares them.
    Raises WorkbenchError as a search does, and where the document is no longer in the index's collection.
    """
    scorer = searcher.scorer(index, query, reranker=reranker, dimension=dimension)
    return why(scorer, scorer.document(document_id), query)


class _Counted:
    """A score whose answers are checked and counted, asked for a few documents at a time."""

    def __init__(self, score: Score) -> None:
        self._score = score
        self.scored = 0

    def documents(self, items: Iterable[Item]) -> np.ndarray:
        found = [self._checked(self._score(batch), batch) for batch in _batches(items)]
        return np.concatenate(found) if found else np.zeros(0)

    def queries(self, texts: Sequence[str], query: Item, document: Item) -> np.ndarray:
        asked = [replace(query, id="", text=text) for text in texts]
        return self._checked(self._score.ask(asked, document), asked)

    def _checked(self, scores: Any, items: Sequence[Item]) -> np.ndarray:
        scores = np.asarray(scores, np.float64)
        self.scored += len(items)
        if not np.isfinite(scores).all():
            raise WorkbenchError("The model gave scores that are not numbers for a document with a part covered.")
        return scores


def _explain_query(counted: _Counted, document: Item, query: Item | None) -> list[Part]:
    if query is None or not (query.text or "").strip():
        return []
    text = query.text or ""
    # Its own first score: the whole query read in the same way as the queries without one of their words.
    base = float(counted.queries([text], query, document)[0])
    return with_strengths(explain_text(text, base, lambda texts: counted.queries(texts, query, document)))


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """A few items at a time, fewer where they are large: an hour of sound is half a gigabyte as samples."""
    waiting = iter(items)
    for first in waiting:
        size = sum(len(data) for data in (first.image, first.audio) if data)
        most = max(1, min(AT_ONCE, AT_ONCE_BYTES // max(1, size)))
        yield [first, *islice(waiting, most - 1)]
