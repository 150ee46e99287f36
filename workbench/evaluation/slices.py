"""Where a model is good and where not: NDCG@10 of groups of the held-out queries.

Groups are made by the modality of the query and of what answers it, by the query's length and language, by whether its
answers were seen in training, and by every column of metadata of few values, of either side. Small groups say that
they are small. Comparisons with the first model are corrected for how many groups were looked at.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.collection.store import Collection
from workbench.evaluation.held_out import OF_MODELS, Direction
from workbench.evaluation.statistics import compare, correct_for_many, mean_interval

SMALL = 30
MOST_VALUES = 12
LONGEST_VALUE = 60
WORDS = ((1, 3), (4, 8), (9, 20), (21, None))
CERTAIN = 0.7
LETTERS_TO_BE_CERTAIN = 15
RARE_LANGUAGE = 0.02
UNCERTAIN_LANGUAGE = "other or not certain"
Group = tuple[str, np.ndarray]
"""A family of slices, and the label of each query (queries,), "" where it has none."""


def slices(collection: Collection, direction: Direction, values: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """One row for each group and model, of families with two groups at least.

    values: NDCG@10 of each query (queries,) by model, the first being the one that the others are compared with.
    Rows: {"family", "value", "model", "queries", "ndcg@10", "interval", "small"}, and for the other models "comparison"
    as of `statistics.compare`, with "p_holm". Families: `modality`, `answer`, `length`, `language`, `seen`, or
    `query: COLUMN` and `document: COLUMN`.
    """
    models = list(values)
    rows: list[dict[str, Any]] = []
    for family, labels in groups(collection, direction):
        counts = [(value, count) for value, count in Counter(labels.tolist()).most_common(MOST_VALUES) if value]
        if len(counts) < 2:
            continue
        for value, count in counts:
            chosen = labels == value
            for model in models:
                scored = values[model][chosen]
                row = {
                    "family": family,
                    "value": value,
                    "model": model,
                    "queries": count,
                    "ndcg@10": float(scored.mean()),
                    "interval": list(mean_interval(scored)),
                    "small": count < SMALL,
                }
                if model != models[0]:
                    row["comparison"] = compare(values[models[0]][chosen], scored)
                rows.append(row)
    for model in models[1:]:
        mine = [row for row in rows if row["model"] == model]
        for row, corrected in zip(mine, correct_for_many([row["comparison"] for row in mine]), strict=True):
            row["comparison"] = corrected
    return rows


def groups(collection: Collection, direction: Direction) -> Iterator[Group]:
    """Every family, whether it tells anything or not."""
    source, target = direction.source_side, direction.target_side
    best = np.array([direction.target_rows[max(found, key=found.__getitem__)] for found in direction.relevant])
    kinds = {"queries": collection.query_modalities, "corpus": collection.document_modalities}
    yield "modality", kinds[source][direction.source_rows]
    yield "answer", kinds[target][best]
    asked = collection.side(source).select_columns(["text", "meta"])[direction.source_rows.tolist()]
    yield "length", np.array([_length(text) for text in asked["text"]])
    yield "language", _languages(asked["text"])
    if target == "corpus":
        yield "seen", _seen(collection, direction)
    answering = collection.side(target).select_columns(["meta"])[best.tolist()]["meta"]
    for said, meta in (("query", asked["meta"]), ("document", answering)):
        for column, labels in columns(meta):
            yield f"{said}: {column}", labels


def _length(text: str | None) -> str:
    words = len((text or "").split())
    for low, high in WORDS:
        if words >= low and (high is None or words <= high):
            return f"{low} to {high} words" if high else f"{low} words or more"
    return ""


def _languages(texts: Sequence[str | None]) -> np.ndarray:
    """The language of each text, where its letters leave no doubt and others share it."""
    if not any(texts):
        return np.full(len(texts), "", dtype=object)
    from py3langid import langid
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    model = Path(langid.__file__).parent / "data" / "model.npz.xz"
    identify = langid.LanguageIdentifier.from_model_file(model, norm_probs=True)
    labels = []
    for text in texts:
        code, certainty = identify.classify(text) if text else ("", 0.0)
        sure = certainty >= CERTAIN and sum(map(str.isalpha, text or "")) >= LETTERS_TO_BE_CERTAIN
        labels.append(LANGUAGES.get(code, code).capitalize() if sure else UNCERTAIN_LANGUAGE if text else "")
    counts = Counter(labels)
    rare = {label for label, count in counts.items() if count < max(2, RARE_LANGUAGE * len(texts))}
    found = np.array([UNCERTAIN_LANGUAGE if label in rare else label for label in labels], dtype=object)
    if len(set(found.tolist()) - {UNCERTAIN_LANGUAGE, ""}) < 2:
        found[:] = ""
    return found


def _seen(collection: Collection, direction: Direction) -> np.ndarray:
    """Whether people's judgements name an answer of each query in training."""
    trained = collection.judged("train")
    seen = np.zeros(len(collection.corpus), bool)
    seen[trained.documents[~np.isin(trained.sources.astype(str), OF_MODELS)]] = True
    return np.array(
        [
            "an answer was seen in training" if seen[direction.target_rows[list(found)]].any() else "answers are new"
            for found in direction.relevant
        ]
    )


def columns(meta: Sequence[str | None]) -> Iterator[Group]:
    """Each column of metadata of few values, with its value in each row; numbers of many values in four quarters."""
    read = [json.loads(one) if one else {} for one in meta]
    for column in dict.fromkeys(key for one in read for key in one):
        values = [one.get(column) for one in read]
        distinct = {value for value in values if isinstance(value, str | int | float | bool)}
        if len(distinct) <= MOST_VALUES:
            labels = ["" if value is None or isinstance(value, list | dict) else str(value) for value in values]
            yield column, np.array([label[:LONGEST_VALUE] for label in labels], dtype=object)
        elif all(isinstance(value, int | float) and not isinstance(value, bool) for value in distinct):
            yield column, _quarters(values)


def _quarters(values: Sequence[Any]) -> np.ndarray:
    numbers = np.array([float("nan") if value is None else float(value) for value in values])
    known = numbers[np.isfinite(numbers)]
    edges = np.quantile(known, [0, 0.25, 0.5, 0.75, 1])
    labels = np.full(len(numbers), "", dtype=object)
    for low, high in itertools.pairwise(edges):
        inside = (numbers >= low) & ((numbers < high) | (high == edges[-1])) & (numbers <= high)
        labels[inside & (labels == "")] = f"{low:g} to {high:g}"
    return labels
