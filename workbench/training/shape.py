"""The shape of a collection's train judgements, and the objective that suits it, in one sentence.

Read from ids and scores alone: no media are opened and nothing heavy is imported, so the page can ask while a form is
being filled.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from workbench.collection.store import Collection, Judged
from workbench.errors import WorkbenchError
from workbench.settings import OBJECTIVES, TrainSettings

OF_MODELS = ("mined", "generated")
# From these shares on a few odd scores are not a slip but the way the collection was judged.
FLOAT_SHARE, GRADED_SHARE, WRONG_SHARE = 0.1, 0.1, 0.2
# Of single pairs called right or wrong, 72 right ones alone taught more than all 480 did (docs/experiments.md).
FEW_RIGHT = 64


@dataclass(frozen=True)
class Shape:
    """What the train judgements are like; "told" ones were said by people, not found or written by a model.

    positives: judgements with a score above 0. told_wrong, mined_wrong: those of score 0. fractional: told scores that
    are no whole numbers. levels: how many told judgements have each whole score above 0. lone_wrong: told wrong
    judgements of queries for which nothing is right. distinct: different told scores. queries: of the largest modality
    pair; queries_with_wrong: of all. modality_pairs: positives by pair, `text->image`, the largest first.
    """

    positives: int = 0
    told_wrong: int = 0
    mined_wrong: int = 0
    told: int = 0
    fractional: int = 0
    distinct: int = 0
    lone_wrong: int = 0
    queries: int = 0
    queries_with_wrong: int = 0
    levels: dict[float, int] = field(default_factory=dict)
    modality_pairs: dict[str, int] = field(default_factory=dict)

    @property
    def is_float(self) -> bool:
        """Whether the scores are degrees of similarity."""
        return self.fractional > 0 and self.fractional >= FLOAT_SHARE * self.told

    @property
    def is_graded(self) -> bool:
        """Whether right documents are right in different degrees, in whole numbers."""
        common = max(self.levels.values(), default=0)
        others = sum(self.levels.values()) - common
        return not self.is_float and others > 0 and others >= GRADED_SHARE * (common + others)

    @property
    def is_binary(self) -> bool:
        """Whether single pairs were called right or wrong, so that wrong ones stand beside no right one."""
        return (
            not self.is_float
            and not self.is_graded
            and self.told_wrong >= WRONG_SHARE * self.told
            and 2 * self.lone_wrong > self.told_wrong
        )

    @property
    def has_few_right(self) -> bool:
        """Whether single pairs were judged and so few are right that the wrong ones must teach as well."""
        return self.is_binary and self.positives < FEW_RIGHT

    @property
    def shows_negatives(self) -> bool:
        """Whether enough queries have known wrong documents to show one beside each pair."""
        return self.queries > 0 and self.queries_with_wrong >= self.queries / 2


@dataclass(frozen=True)
class Objective:
    """What a run learns, by name, and why, as one sentence for the page."""

    name: str
    sentence: str


def shape_of(collection: Collection) -> Shape:
    """The shape of the train judgements of a collection."""
    judged = collection.judged("train")
    told = ~np.isin(judged.sources.astype(str), OF_MODELS)
    right = judged.scores > 0
    whole = judged.scores == np.round(judged.scores)
    positive = np.unique(judged.queries[right])
    levels, counts = np.unique(judged.scores[told & right & whole], return_counts=True)
    wrong = judged.queries[told & ~right]
    pairs, queries = _modality_pairs(collection, judged, right)
    return Shape(
        positives=int(right.sum()),
        told_wrong=len(wrong),
        mined_wrong=int((~told & ~right).sum()),
        told=int(told.sum()),
        fractional=int((told & ~whole).sum()),
        distinct=len(np.unique(judged.scores[told])),
        lone_wrong=int((~np.isin(wrong, positive)).sum()),
        queries=queries,
        queries_with_wrong=len(np.unique(judged.queries[~right])),
        levels=dict(zip(levels.tolist(), counts.tolist(), strict=True)),
        modality_pairs=pairs,
    )


def are_degrees(judged: Judged) -> bool:
    """Whether what people said of these pairs are degrees of similarity, not right or wrong, nor whole grades."""
    told = judged.scores[~np.isin(judged.sources.astype(str), OF_MODELS)]
    fractional = int((told != np.round(told)).sum())
    return fractional > 0 and fractional >= FLOAT_SHARE * len(told)


def _modality_pairs(collection: Collection, judged: Judged, right: np.ndarray) -> tuple[dict[str, int], int]:
    """Right judgements by modality pair, the largest first, and the number of queries of that one."""
    asked, answered = collection.query_modalities[judged.queries], collection.document_modalities[judged.documents]
    kinds = np.array([f"{q}->{d}" for q, d in zip(asked[right], answered[right], strict=True)], dtype=object)
    if not len(kinds):
        return {}, 0
    counts = {kind: int((kinds == kind).sum()) for kind in dict.fromkeys(kinds.tolist())}
    ordered = dict(sorted(counts.items(), key=lambda pair: -pair[1]))
    return ordered, len(np.unique(judged.queries[right][kinds == next(iter(ordered))]))


def choose_objective(shape: Shape, kind: str, settings: TrainSettings) -> Objective:
    """The objective that the settings name or, for `auto`, that suits the shape.

    Raises WorkbenchError for one that this kind of run has not, or that the judgements or settings cannot feed.
    """
    name = settings.objective
    if name == "auto":
        chosen = _suited(shape, kind, settings)
        return Objective(chosen, _words(chosen, kind, shape, settings))
    if name not in OBJECTIVES[kind]:
        raise WorkbenchError(
            f"The objective “{name}” is not for {kind} runs. Choose auto, or one of {', '.join(OBJECTIVES[kind])}."
        )
    if missing := _missing(name, shape, settings):
        raise WorkbenchError(f"The objective “{name}” {missing}")
    return Objective(name, _words(name, kind, shape, settings))


def _suited(shape: Shape, kind: str, settings: TrainSettings) -> str:
    """The name that `auto` stands for."""
    if settings.teacher_model:
        return "distillation"
    if kind == "reranker":
        return "bce"
    if kind == "late-interaction":
        return "contrastive"
    if settings.guide_model:
        return "contrastive-guided"
    if shape.is_float:
        return "similarity"
    return "binary" if shape.has_few_right else "contrastive"


def _missing(name: str, shape: Shape, settings: TrainSettings) -> str:
    """What the objective lacks and how to give it, as the end of a sentence; empty where nothing is missing."""
    if name in ("margin", "distillation") and not settings.teacher_model:
        return "copies a larger model. Set the teacher model."
    if name == "contrastive-guided" and not settings.guide_model:
        return "asks another embedder what not to compare. Set the guide model, or choose contrastive."
    if name == "similarity" and shape.distinct < 2:
        return (
            "learns from scores that differ, and all judgements of this collection have the same one. "
            "Import it again with a score column, or choose contrastive."
        )
    if name == "binary" and not shape.told_wrong + shape.mined_wrong:
        return (
            "learns from pairs judged right (1) or wrong (0), and this collection has no wrong ones. "
            "Import them with a score column, mine hard negatives, or choose contrastive."
        )
    if name == "graded" and len(shape.levels) < 2:
        return (
            "learns from right documents of different grades, and here all have the same one. "
            "Import a score column with grades such as 1, 2 and 3, or choose contrastive."
        )
    return ""


def _words(name: str, kind: str, shape: Shape, settings: TrainSettings) -> str:
    """Why this objective, as one sentence."""
    reason = "As you chose"
    if settings.objective == "auto":
        pairs = "You have pairs with wrong documents" if shape.shows_negatives else "You have pairs without negatives"
        if shape.is_binary and name == "contrastive":
            pairs = "Your judgements call single pairs right or wrong and the right ones teach most"
        reason = {
            "similarity": "Your scores are degrees of similarity",
            "binary": "Your judgements call single pairs right or wrong and few are right",
            "contrastive-guided": "You named a guide model",
            "distillation": "You named a teacher model",
        }.get(name, pairs)
    return f"{reason}, {'so ' if settings.objective == 'auto' else ''}{_lesson(name, kind, shape, settings)}."


def _lesson(name: str, kind: str, shape: Shape, settings: TrainSettings) -> str:
    """What the model learns, as the second half of a sentence."""
    if name == "contrastive":
        if shape.shows_negatives or settings.mined_negatives or kind != "embedder":
            return "each query is told apart from its wrong documents and from the other documents of its batch"
        return "each query is told apart from the other documents of its batch"
    teacher = settings.teacher_model
    lessons = {
        "contrastive-guided": "each query is told apart from the other documents of its batch, save those that "
        f"“{settings.guide_model}” holds for right as well",
        "similarity": "pairs are put in the order of their scores",
        "binary": "right pairs are drawn together and wrong ones pushed apart, the most mistaken ones first",
        "graded": "documents are put in the order of their grades, before those of other queries",
        "margin": f"the model copies by how much “{teacher}” prefers the right document to wrong ones",
        "distillation": f"the model copies how “{teacher}” scores the right document and wrong ones",
        "bce": "the model says right or wrong of each pair, and the wrong ones get harder",
        "lambda": "the model puts the documents of each query in order, and mistakes at the top count most",
        "listwise": "the model puts the documents of each query in order, all of them at once",
    }
    return lessons[name]
