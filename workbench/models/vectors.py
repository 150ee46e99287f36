"""What can be done with vectors once they exist: cut them to a Matryoshka dimension."""

from __future__ import annotations

import numpy as np


def truncate(vectors: np.ndarray, dimension: int) -> np.ndarray:
    """The first `dimension` components of each vector, renormalised to unit length.

    vectors: (n, full dimension) float. Returns (n, dimension) float32; a zero vector stays zero.
    Source: Kusupati et al. 2022, Matryoshka Representation Learning.
    """
    if dimension < 1 or dimension > vectors.shape[1]:
        raise ValueError(f"dimension must be 1 to {vectors.shape[1]}, not {dimension}")
    return normalize(np.asarray(vectors[:, :dimension], dtype=np.float32))


def normalize(vectors: np.ndarray) -> np.ndarray:
    """Each row scaled to unit length; a zero row stays zero."""
    lengths = np.sqrt(np.vecdot(vectors, vectors))[:, None]  # np.linalg.norm takes four times as long
    return vectors / np.maximum(lengths, 1e-12)


def halvings(dimension: int, smallest: int = 16) -> list[int]:
    """The full dimension and its halves, down to `smallest`: 128 gives [128, 64, 32, 16]."""
    dimensions = [dimension]
    while dimensions[-1] % 2 == 0 and dimensions[-1] // 2 >= smallest and len(dimensions) < 7:
        dimensions.append(dimensions[-1] // 2)
    return dimensions
