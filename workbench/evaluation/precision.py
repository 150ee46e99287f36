"""Vectors at the precision they would be stored in, each in a form whose dot product is the score.

float32   the unit vectors themselves: cosine similarity
float16   two bytes a component; scored as float32
int8      one byte a component, from the smallest to the largest value that the *corpus* has there; queries are cut into
          the same ranges. Scored after turning the codes back into numbers: the dot product of raw codes is no cosine.
binary    one bit a component, its sign; scored by how many bits agree (dimension minus twice the Hamming distance)
rescored  binary, then the first RESCORED documents of each query put in order by their float32 vectors, which lie on
          the disk: memory of the one, nearly the order of the other
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from workbench.errors import WorkbenchError
from workbench.models.vectors import normalize

PRECISIONS = ("float32", "float16", "int8", "binary", "rescored")
BITS = {"float32": 32, "float16": 16, "int8": 8, "binary": 1, "rescored": 1}
RESCORED = 400
Coder = Callable[[np.ndarray], np.ndarray]
INT8_STEPS = 255


def check_precisions(precisions: Sequence[str]) -> tuple[str, ...]:
    """The precisions without repetitions. Raises WorkbenchError for an unknown one."""
    chosen = tuple(dict.fromkeys(precisions)) or ("float32",)
    unknown = [precision for precision in chosen if precision not in PRECISIONS]
    if unknown:
        raise WorkbenchError(f"There is no precision “{unknown[0]}”. Choose among {', '.join(PRECISIONS)}.")
    return chosen


def vector_bytes(dimension: int, precision: str) -> int:
    """Bytes of one vector in the memory that is searched."""
    return -(-dimension * BITS[precision] // 8)


def disk_bytes(dimension: int, precision: str) -> int:
    """Bytes of one vector on the disk: what is searched and, where the first documents are rescored, float32 beside."""
    return vector_bytes(dimension, precision) + (4 * dimension if precision == "rescored" else 0)


def coder(precision: str, corpus: Iterable[np.ndarray]) -> Coder:
    """The function from unit vectors (n, dimension) to the float32 array whose dot products are scores.

    corpus: blocks of the unit vectors to be searched, read once, to calibrate int8.
    """
    if precision in ("binary", "rescored"):
        return signs
    if precision == "float16":
        return halves
    if precision == "int8":
        return int8_coder(corpus)
    return lambda vectors: vectors


def signs(vectors: np.ndarray) -> np.ndarray:
    """1 where a component is above zero, else -1. The sums of such products are exact in float32."""
    return np.where(vectors > 0, np.float32(1), np.float32(-1))


def halves(vectors: np.ndarray) -> np.ndarray:
    """The vectors as two bytes a component can hold them."""
    return vectors.astype(np.float16).astype(np.float32)


def int8_coder(corpus: Iterable[np.ndarray]) -> Coder:
    """Calibrate on the corpus, then cut into 256 steps and turn back into unit vectors. Values beyond are clipped."""
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    for block in corpus:
        least, most = block.min(axis=0), block.max(axis=0)
        low = least if low is None else np.minimum(low, least)
        high = most if high is None else np.maximum(high, most)
    if low is None or high is None:
        raise ValueError("int8 needs at least one vector to calibrate on")
    step = np.maximum((high - low) / INT8_STEPS, np.float32(1e-12))

    def code(vectors: np.ndarray) -> np.ndarray:
        codes = np.clip(np.rint((vectors - low) / step), 0, INT8_STEPS)
        return normalize((low + codes * step).astype(np.float32))

    return code
