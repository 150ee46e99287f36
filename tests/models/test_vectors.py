"""Cutting vectors to a Matryoshka dimension."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.models.vectors import halvings, truncate


def test_a_cut_vector_has_unit_length_again() -> None:
    vectors = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    cut = truncate(vectors, 3)
    assert cut.shape == (5, 3) and cut.dtype == np.float32
    assert np.allclose(np.linalg.norm(cut, axis=1), 1)
    assert np.allclose(cut[0] / cut[0, 0], vectors[0, :3] / vectors[0, 0], atol=1e-5)


def test_a_zero_vector_stays_zero() -> None:
    assert not truncate(np.zeros((1, 4), np.float32), 2).any()


@pytest.mark.parametrize("dimension", [0, 9])
def test_an_impossible_dimension_is_refused(dimension: int) -> None:
    with pytest.raises(ValueError, match="dimension must be 1 to 8"):
        truncate(np.ones((1, 8), np.float32), dimension)


def test_dimensions_are_halved_down_to_sixteen() -> None:
    assert halvings(128) == [128, 64, 32, 16]
    assert halvings(384) == [384, 192, 96, 48, 24]
    assert halvings(2048) == [2048, 1024, 512, 256, 128, 64, 32]
    assert halvings(25) == [25]
