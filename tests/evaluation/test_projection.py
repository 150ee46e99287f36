"""Several models in one map: turned and never stretched, fitted once; and the gap between groups of vectors."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.evaluation.gap import gaps
from workbench.evaluation.projection import Together, pca, together, umap, unit


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


def turned(vectors: np.ndarray, random: np.random.Generator) -> np.ndarray:
    turn, _ = np.linalg.qr(random.standard_normal((vectors.shape[1], vectors.shape[1])))
    return (vectors @ turn).astype(np.float32)


def distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def test_a_model_that_is_another_one_turned_lies_on_it(random: np.random.Generator) -> None:
    vectors = random.standard_normal((60, 12)).astype(np.float32)
    found = together([vectors, turned(vectors, random)])
    places, _ = pca(found)
    assert np.allclose(places[0], places[1], atol=1e-5)
    assert found.agreement == pytest.approx([1.0, 1.0], abs=1e-5)


def test_models_of_other_dimensions_keep_their_own_distances(random: np.random.Generator) -> None:
    vectors = [random.standard_normal((40, width)).astype(np.float32) for width in (8, 20, 3)]
    found = together(vectors)
    assert found.points.shape == (3, 40, 20)
    for given, points in zip(vectors, found.points, strict=True):
        assert np.allclose(distances(points), distances(unit(given)), atol=1e-4), "nothing is stretched"
    assert found.agreement[1] < 0.9, "unrelated spaces do not pass for one"


@pytest.mark.parametrize("width", [300, 1_600])
def test_long_vectors_keep_the_dimensions_along_which_items_differ(width: int, random: np.random.Generator) -> None:
    few = random.standard_normal((80, 6)).astype(np.float32)
    vectors = few @ random.standard_normal((6, width)).astype(np.float32)
    found = together([vectors])
    assert found.points.shape[2] <= 256
    assert np.allclose(distances(found.points[0]), distances(unit(vectors)), atol=1e-3)


def test_pca_is_that_of_scikit_learn_and_tells_what_it_holds(random: np.random.Generator) -> None:
    from sklearn.decomposition import PCA

    vectors = random.standard_normal((70, 10)).astype(np.float32) * np.linspace(3, 0.1, 10, dtype=np.float32)
    places, shares = pca(together([vectors]))
    theirs = PCA(2, svd_solver="full").fit(unit(vectors))
    expected = theirs.transform(unit(vectors))
    assert np.allclose(np.abs(places[0]), np.abs(expected), atol=1e-4)
    assert shares == pytest.approx(theirs.explained_variance_ratio_.tolist(), abs=1e-4)


def test_items_that_are_all_alike_or_of_one_dimension_still_have_places() -> None:
    alike = np.ones((5, 4), dtype=np.float32)
    places, shares = pca(together([alike, np.zeros((5, 1), dtype=np.float32)]))
    assert places.shape == (2, 5, 2)
    assert np.isfinite(places).all() and shares == pytest.approx([0.0, 0.0], abs=1e-6)


@pytest.mark.slow
def test_umap_keeps_neighbours_together_is_repeatable_and_can_be_stopped(random: np.random.Generator) -> None:
    pytest.importorskip("umap")
    centres = 4 * random.standard_normal((3, 16))
    group = np.repeat(np.arange(3), 30)
    found = together([(centres[group] + random.standard_normal((90, 16))).astype(np.float32)])
    begin, _ = pca(found)
    told: list[tuple[int, int]] = []
    places = umap(found, begin, lambda done, total: told.append((done, total)))
    assert places.shape == (1, 90, 2)
    apart = distances(places[0]) + np.diag(np.full(90, np.inf))
    assert (group[apart.argmin(axis=1)] == group).all()
    assert np.array_equal(places, umap(found, begin))
    assert told[-1][0] == told[-1][1] > 1

    def stop(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        umap(found, begin, stop)


def test_umap_of_a_handful_of_items_is_where_it_began() -> None:
    begin = np.arange(6, dtype=np.float32).reshape(1, 3, 2)
    assert np.array_equal(umap(Together(np.zeros((1, 3, 4), np.float32), 1.0, [1.0]), begin), begin)


def test_the_gap_is_the_distance_between_the_middles_of_unit_vectors() -> None:
    east, north = np.tile([[3.0, 0.0]], (4, 1)), np.tile([[0.0, 0.5]], (6, 1))
    (row,) = gaps({"image": east, "text": north})
    assert row["between"] == ["image", "text"] and row["items"] == [4, 6]
    assert row["gap"] == pytest.approx(2**0.5)


def test_what_chance_alone_shows_is_about_the_gap_of_one_region_cut_at_random(random: np.random.Generator) -> None:
    seen = []
    for _ in range(200):
        vectors = random.standard_normal((60, 8)) + 1.0
        (row,) = gaps({"a": vectors[:20], "b": vectors[20:]})
        seen.append((row["gap"] ** 2, row["chance"] ** 2))
    gap, chance = np.mean(seen, axis=0)
    assert gap == pytest.approx(chance, rel=0.1)


def test_three_kinds_have_three_gaps(random: np.random.Generator) -> None:
    rows = gaps({kind: random.standard_normal((5, 4)) for kind in ("audio", "image", "text")})
    assert [row["between"] for row in rows] == [["audio", "image"], ["audio", "text"], ["image", "text"]]
