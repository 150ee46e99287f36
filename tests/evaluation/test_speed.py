"""Search times of a size: each form scores as the evaluation does, and says a time for each cell."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.evaluation.precision import PRECISIONS
from workbench.evaluation.ranking import top_documents
from workbench.evaluation.speed import SEARCHES, milliseconds, speeds
from workbench.models.vectors import normalize


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("dimension", [24, 64, 100])
def test_what_is_timed_finds_what_the_evaluation_finds(precision: str, dimension: int) -> None:
    rng = np.random.default_rng(1)
    vectors = normalize(rng.standard_normal((900, dimension), dtype=np.float32))
    asked = normalize(vectors[:5] + 0.05 * rng.standard_normal((5, dimension), dtype=np.float32))
    best, _ = top_documents(asked, vectors, dimension, precision, top=1)
    search = SEARCHES[precision](vectors)
    for query, place in zip(asked, best[:, 0], strict=True):
        scores = search(query)
        if precision == "rescored":  # scores of the candidates alone
            assert len(scores) < len(vectors) and scores.max() == pytest.approx(vectors[place] @ query, abs=1e-6)
        else:
            assert scores[place] == pytest.approx(scores.max(), abs=1e-3)


def test_every_cell_has_its_time_and_it_grows_with_the_items() -> None:
    measured = speeds([(16, "float32"), (8, "binary"), (16, "float32")], documents=2_000)
    assert [(row["dimension"], row["precision"]) for row in measured] == [(8, "binary"), (16, "float32")]
    assert all(row["milliseconds"] > 0 for row in measured)
    once = milliseconds(measured, 16, "float32", 2_000)
    assert once == measured[1]["milliseconds"]
    assert milliseconds(measured, 16, "float32", 20_000) == pytest.approx(10 * once)
    assert milliseconds(measured, 16, "int8", 1) is None
