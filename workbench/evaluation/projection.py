"""The vectors of the same items by several models, laid out in two dimensions together.

Two models have nothing in common but the items: their dimensions may differ, and the axes of the one mean nothing in
the other. What each of them says is how far apart two items lie, and moving or turning a model's space changes no such
distance. So, before one fit of all of them:

1. Vectors are brought to length 1, as search compares them, and each model's are moved so that their mean is zero.
2. A model of more than 256 dimensions keeps the 256 along which its items differ most.
3. Each model is turned, mirrored if need be and never stretched, so that its items lie as near as possible to the same
   items of the first model: orthogonal Procrustes (Schönemann 1966). The smaller of two spaces is filled up with zeros.

Then PCA, or UMAP, is fitted once to the points of all models, so an item keeps its place from panel to panel where the
models agree on it, and distances within a panel are what its own model says (in PCA: their shadow on two axes).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

WORKING_DIMENSIONS = 256
NEIGHBOURS = 15
UMAP_SPREAD = 10.0
SEED = 0
AXES_OF_ALL, SAMPLED = 1_536, 1_536
Step = Callable[[int, int], None]


@dataclass(frozen=True)
class Together:
    """points: float32 (models, items, dimensions), in one space. variance: of all models in all of their dimensions.

    agreement: of each model with the first after turning, 1 where the two spaces are the same but for a turn.
    """

    points: np.ndarray
    variance: float
    agreement: list[float]


def together(models: Sequence[np.ndarray]) -> Together:
    """Bring the vectors of the same items by several models (items, dimension of the model) into one space."""
    from scipy.linalg import orthogonal_procrustes

    centred = [one - one.mean(axis=0) for one in (unit(vectors) for vectors in models)]
    variance = float(sum(np.square(one, dtype=np.float64).sum() for one in centred))
    kept = [_main_dimensions(one) for one in centred]
    width = max(one.shape[1] for one in kept)
    padded = [np.pad(one, ((0, 0), (0, width - one.shape[1]))) for one in kept]
    points, agreement = [padded[0]], [1.0]
    for one in padded[1:]:
        turn, scale = orthogonal_procrustes(one, padded[0])
        points.append(one @ turn)
        size = float(np.linalg.norm(one) * np.linalg.norm(padded[0]))
        agreement.append(float(scale) / size if size else 1.0)
    return Together(np.stack(points).astype(np.float32), variance, agreement)


def pca(found: Together) -> tuple[np.ndarray, list[float]]:
    """Where each point lies on the two axes along which all models' points differ most, and each axis's share of the
    variance: (models, items, 2) float32, and two numbers from 0 to 1."""
    flat = found.points.reshape(-1, found.points.shape[2])
    values, vectors = _main_axes(flat, min(2, flat.shape[1]))
    places = np.zeros((len(flat), 2))
    places[:, : vectors.shape[1]] = flat @ vectors
    shares = [float(value) / found.variance if found.variance else 0.0 for value in values]
    return places.reshape(*found.points.shape[:2], 2).astype(np.float32), [*shares, 0.0, 0.0][:2]


def umap(found: Together, begin: np.ndarray, step: Step | None = None) -> np.ndarray:
    """Where UMAP puts each point: (models, items, 2) float32. Near neighbours stay together; how far apart groups lie,
    and how large they are, says little.

    begin: the places by `pca`, from which it starts. step(done, total) is told of the epochs, and may raise to end it.
    The same points give the same places on the same machine: the seed is fixed, which makes UMAP work on one core.
    """
    flat = found.points.reshape(-1, found.points.shape[2])
    if len(flat) <= 4:  # nobody has neighbours to speak of
        return begin.astype(np.float32)
    from umap import UMAP

    neighbours = min(NEIGHBOURS, len(flat) - 1)
    start = begin.reshape(-1, 2).astype(np.float64)
    start = UMAP_SPREAD * start / max(float(np.abs(start).max()), 1e-12)
    # Points that lie on one another would be torn apart at random, and differently on every machine.
    start += np.random.default_rng(SEED).normal(scale=1e-4, size=start.shape)
    fitted = UMAP(
        n_neighbors=neighbours,
        min_dist=0.1,
        metric="euclidean",
        init=start.astype(np.float32),
        random_state=SEED,
        n_jobs=1,
        # Exact neighbours by brute force: of so few points they come sooner than a search for them is compiled.
        precomputed_knn=(*_neighbours(flat, neighbours), None),
        force_approximation_algorithm=True,
        verbose=step is not None,
        tqdm_kwds={"file": _Epochs(step), "bar_format": "{n_fmt} {total_fmt}", "desc": ""} if step else None,
    )
    with warnings.catch_warnings():  # that no further points can be placed, which nobody asks for
        warnings.simplefilter("ignore", UserWarning)
        places: np.ndarray = fitted.fit_transform(flat)
    return places.reshape(*found.points.shape[:2], 2).astype(np.float32)


def has_umap() -> bool:
    """Whether the package that UMAP comes with is installed. Looks without importing it, which takes seconds."""
    import importlib.util

    return importlib.util.find_spec("umap") is not None


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors at length 1, float32; a vector of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


def _neighbours(points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest neighbours of each point, itself first, and how far they are: two (points, count)."""
    from sklearn.neighbors import NearestNeighbors

    distances, places = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points).kneighbors(points)
    return places, distances


class _Epochs:
    """Stands in for the terminal to which UMAP's progress bar is written: its only way to say how far it is."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def write(self, text: str) -> None:
        numbers = [int(part) for part in text.split() if part.isdigit()]
        if len(numbers) == 2:
            self._step(*numbers)

    def flush(self) -> None:
        """Nothing is held back."""


def _main_dimensions(centred: np.ndarray) -> np.ndarray:
    """The points in the 256 dimensions along which they differ most, the others left out; as they are if fewer.

    Of very long vectors the axes are those of a seeded sample of the points: they would take half a minute else.
    """
    if centred.shape[1] <= WORKING_DIMENSIONS:
        return centred
    if centred.shape[1] <= AXES_OF_ALL:
        return centred @ _main_axes(centred, WORKING_DIMENSIONS)[1]
    drawn = np.random.default_rng(SEED).permutation(len(centred))[:SAMPLED]
    sample = centred[np.sort(drawn)]
    values, places = _main_axes(np.ascontiguousarray(sample.T), min(WORKING_DIMENSIONS, len(sample)))
    lengths = np.sqrt(np.where(values > 0, values, 1.0))
    return centred @ (sample.T @ places / lengths)


def _main_axes(points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` largest eigenvalues of the scatter matrix, the largest first, and their axes (dimensions, count).

    An axis points to where its largest part is positive, so that the same points are never drawn mirrored.
    """
    from scipy.linalg import eigh

    width = points.shape[1]
    values, vectors = eigh(points.T @ points, subset_by_index=[width - count, width - 1])
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(count)]
    return values, vectors * np.where(largest < 0, -1.0, 1.0)
