"""What a picture looks like in few numbers, which pictures are nearly the same, and the search for such among many.

A picture is remembered as a grid of GRID × GRID colours. Candidates are the pairs whose grids, freed of brightness and
contrast, lie within RADIUS of each other: a search in a few principal components, sorted along the first, that misses
none of them. Then the grids themselves are compared, and at last the pictures at DETAIL pixels.

The limits were set on photographs, document pages, drawn scenes and the Noto emoji, each against its copies (JPEG at
quality 50, half and double size, a tenth brighter or darker) and its nearest others: the same face with other hair or
another skin, a page with one other word, a scene with one other shape. A copy in JPEG at quality 30 may be missed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

GRID = 24
DETAIL = 256
RADIUS = 0.3
COMPONENTS = 32
NEAREST = 32
LEADERS_TRIED = 8
BLOCK, WINDOW = 512, 2048
# Greatest differences, in levels of 0–255, after smoothing over 3 pixels and over a twelfth of the picture.
MOST_FINE, MOST_COARSE, MOST_COLOUR = 25.0, 12.5, 18.0
MOST_COARSE_RMS, MOST_COLOUR_RMS = 4.0, 6.0
# Pictures at least this many pixels wide and high: copies differ by 2.4 at most, full pages of a novel by 3.8 at least.
LARGE, MOST_LARGE_RMS = 192, 3.0
LEAST_GAIN, MOST_SHIFT = 0.75, 40.0
LEAST_CONTRAST = 8.0
SAME_ASPECT = 0.03
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def picture_grid(picture: Image.Image) -> np.ndarray:
    """The picture as (GRID, GRID, 3) uint8: the mean colour of each cell, whatever the aspect."""
    return np.asarray(picture.resize((GRID, GRID), _antialiased()), dtype=np.uint8)


def picture_detail(picture: Image.Image) -> Image.Image:
    """The picture no larger than it is compared at last: at most DETAIL pixels wide and high, whatever its aspect."""
    size = (min(DETAIL, picture.width), min(DETAIL, picture.height))
    return picture.resize(size, _antialiased()) if size != picture.size else picture


def points_of(grids: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pictures as points (rows, COMPONENTS) float32: near ones look alike, however bright and rich in contrast.

    grids: (pictures, GRID, GRID, 3) uint8, read a block at a time. A distance of 1 is as large as the contrast of the
    picture.
    """

    def normalised(some: np.ndarray) -> np.ndarray:
        values = _halved(grids[rows[some]]).reshape(len(some), -1)
        values -= values.mean(axis=1, keepdims=True)
        contrast = np.maximum(values.std(axis=1, keepdims=True), LEAST_CONTRAST)
        return np.asarray(values / (contrast * np.sqrt(values.shape[1])))

    return principal(normalised, len(rows))


def principal(read: Callable[[np.ndarray], np.ndarray], count: int) -> np.ndarray:
    """Points in their first COMPONENTS principal components, float32, in which no two are further apart than before.

    read(rows) gives the points of some of the `count` rows, (rows, dimension) float32.
    """
    if count < 2:
        return np.zeros((count, 2), np.float32)
    sample = read(np.sort(np.random.default_rng(0).choice(count, min(count, 4096), replace=False)))
    centre = sample.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(sample - centre, rowvar=False).astype(np.float64))
    basis = vectors[:, ::-1][:, :COMPONENTS].astype(np.float32)
    parts = [(read(np.arange(low, min(count, low + 4096))) - centre) @ basis for low in range(0, count, 4096)]
    return np.concatenate(parts).astype(np.float32)


def _halved(grids: np.ndarray) -> np.ndarray:
    """(pictures, GRID, GRID, 3) as float32 means of 2 × 2 cells."""
    cells = grids.shape[1] // 2
    return np.asarray(grids, np.float32).reshape(-1, cells, 2, cells, 2, 3).mean(axis=(2, 4))


def near_points(points: np.ndarray, radius: float, nearest: int = NEAREST) -> np.ndarray:
    """Pairs of rows no further apart than `radius`: (pairs, 2) int64, the earlier row first.

    points: (items, dimension) float32, the first two components spread the most, as `principal` gives them. They are
    compared within strips along the first, sorted by the second. Where a row has more than `nearest` neighbours
    further on, the nearest of them count.
    """
    found = [np.zeros((0, 2), np.int64)]
    if len(points) < 2:
        return found[0]
    strips = np.floor((points[:, 0] - points[:, 0].min()) / radius).astype(np.int64)
    order = np.lexsort((points[:, 1], strips))
    edges = np.searchsorted(strips[order], np.arange(strips.max() + 2))
    for strip in range(strips.max() + 1):
        rows = order[edges[strip] : edges[strip + 1]]
        found.extend(_near_in(points, rows, rows, radius, nearest))
        if strip < strips.max():
            found.extend(_near_in(points, rows, order[edges[strip + 1] : edges[strip + 2]], radius, nearest))
    return np.unique(np.concatenate(found), axis=0)


def _near_in(
    points: np.ndarray, rows: np.ndarray, others: np.ndarray, radius: float, nearest: int
) -> Iterator[np.ndarray]:
    """The near pairs between two strips, or within one; the rows of each sorted by the second component."""
    # |a - b|² as one product: (a, |a|², 1) · (-2b, 1, |b|²).
    right = points[others]
    right = np.hstack([-2 * right, np.ones((len(right), 1), np.float32), (right**2).sum(axis=1, keepdims=True)])
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        left = points[some]
        low = int(np.searchsorted(points[others, 1], left[0, 1] - radius))
        high = int(np.searchsorted(points[others, 1], left[-1, 1] + radius, side="right"))
        if rows is others:
            low = start
        left = np.hstack([left, (left**2).sum(axis=1, keepdims=True), np.ones((len(left), 1), np.float32)])
        near, squares = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.float32)]
        for first in range(low, high, WINDOW):
            square = left @ right[first : min(high, first + WINDOW)].T
            # In one dimension numpy passes over what is not near many times faster than in two.
            one, other = np.divmod(np.flatnonzero(square <= radius**2 + 1e-5), square.shape[1])
            keep = other + first > one + start if rows is others else slice(None)
            near.append(np.stack([one[keep], other[keep] + first], axis=1))
            squares.append(square[one[keep], other[keep]])
        pairs = _nearest_of_each(np.concatenate(near), np.concatenate(squares), nearest)
        yield np.sort(np.stack([some[pairs[:, 0]], others[pairs[:, 1]]], axis=1), axis=1)


def _nearest_of_each(pairs: np.ndarray, squares: np.ndarray, nearest: int) -> np.ndarray:
    """The pairs with the least distances, at most `nearest` for each first row."""
    order = np.lexsort((squares, pairs[:, 0]))
    pairs = pairs[order]
    starts = np.searchsorted(pairs[:, 0], pairs[:, 0], side="left")
    return pairs[np.arange(len(pairs)) - starts < nearest]


def grids_alike(grids: np.ndarray, sizes: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Which pairs may be copies of each other, going by their grids and aspects: (pairs,) bool.

    grids: (pictures, GRID, GRID, 3) uint8; sizes: (pictures, 2), width and height in pixels.
    """
    shape = sizes.astype(np.float64)
    wide = shape[pairs[:, 0], 0] * shape[pairs[:, 1], 1]
    high = shape[pairs[:, 0], 1] * shape[pairs[:, 1], 0]
    # A small picture's sides are rounded to whole pixels.
    slack = SAME_ASPECT + 1.0 / np.minimum(shape[pairs[:, 0]].min(axis=1), shape[pairs[:, 1]].min(axis=1))
    alike = np.abs(wide - high) <= slack * np.maximum(wide, high)
    large = sizes.min(axis=1) >= LARGE
    for start in range(0, len(pairs), 2048):
        some = np.flatnonzero(alike[start : start + 2048]) + start
        if not len(some):
            continue
        alike[some] = _grids_alike(grids[pairs[some, 0]], grids[pairs[some, 1]], large[pairs[some]].all(axis=1))
    return alike


def _grids_alike(one: np.ndarray, other: np.ndarray, large: np.ndarray) -> np.ndarray:
    """By means of 2 × 2 cells first; where both pictures are large, by single cells then, whose noise averages out."""
    halved = _halved(one), _halved(other)
    alike = _alike(*halved, fine=False)
    rest = np.flatnonzero(~alike)
    if len(rest):
        alike[rest] = _alike(halved[1][rest], halved[0][rest], fine=False)
    some = np.flatnonzero(alike & large)
    if len(some):
        left, right = one[some].astype(np.float32), other[some].astype(np.float32)
        rests = [_without_brightness(left, right) @ LUMA, _without_brightness(right, left) @ LUMA]
        least = np.minimum(*[np.sqrt((rest**2).mean(axis=(1, 2))) for rest in rests])
        alike[some] = least <= MOST_LARGE_RMS
    return alike


def pictures_alike(one: Image.Image, other: Image.Image) -> bool:
    """Whether one picture is a copy of the other: re-encoded, resized, a little brighter or darker.

    They are compared at DETAIL × DETAIL pixels, or as many as the smaller has.
    """
    side = min(DETAIL, *one.size, *other.size)
    first, second = (
        np.asarray(picture.resize((side, side), _antialiased()), np.float32)[None] for picture in (one, other)
    )
    return bool(_alike(first, second, fine=True)[0] or _alike(second, first, fine=True)[0])


def _alike(one: np.ndarray, other: np.ndarray, *, fine: bool) -> np.ndarray:
    """Whether `other` is `one` but for brightness and contrast: (pictures,) bool.

    one, other: (pictures, side, side, 3) float32. fine: also no small detail may differ.
    """
    rest = _without_brightness(one, other)
    luma = rest @ LUMA
    side = one.shape[1]
    cells = min(side, max(4, min(24, side // 6)) if fine else 12)
    coarse = _pooled(luma, cells)
    blue, red = _pooled((rest[..., 2] - luma) * 0.564, cells), _pooled((rest[..., 0] - luma) * 0.713, cells)
    colour = np.maximum(np.abs(blue), np.abs(red))
    most = (1, 2)
    alike = (
        (np.abs(coarse).max(axis=most) <= MOST_COARSE)
        & (np.sqrt((coarse**2).mean(axis=most)) <= MOST_COARSE_RMS)
        & (colour.max(axis=most) <= MOST_COLOUR)
        & (np.sqrt((colour**2).mean(axis=most)) <= MOST_COLOUR_RMS)
        & (np.abs(other.mean(axis=(1, 2, 3)) - one.mean(axis=(1, 2, 3))) <= MOST_SHIFT)
    )
    if fine and alike.any():
        alike &= np.abs(_smoothed(luma)).max(axis=most) <= MOST_FINE
    return np.asarray(alike)


def _without_brightness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """What is left of `other` when `one`, with the gain and offset that fit best, is taken away.

    What is clipped at black or white says nothing of the gain, and is clipped in the prediction too.
    """
    shape = (len(one), -1)
    known = ((one > 3) & (one < 250) & (other > 3) & (other < 250)).reshape(shape).astype(np.float32)
    number = np.maximum(known.sum(axis=1), 1)
    left, right = one.reshape(shape), other.reshape(shape)
    left_mean, right_mean = (left * known).sum(axis=1) / number, (right * known).sum(axis=1) / number
    centred = (left - left_mean[:, None]) * known
    spread = (centred**2).sum(axis=1)
    gain = (centred * (right - right_mean[:, None])).sum(axis=1) / np.maximum(spread, 1e-6)
    gain = np.where((number > 50) & (spread / number > 4), np.clip(gain, LEAST_GAIN, 1 / LEAST_GAIN), 1.0)
    offset = np.where(number > 50, right_mean - gain * left_mean, 0.0)
    fitted = right - np.clip(gain[:, None] * left + offset[:, None], 0, 255)
    plain = right - left
    better = (fitted**2).sum(axis=1) < (plain**2).sum(axis=1)
    return np.asarray(np.where(better[:, None], fitted, plain).reshape(one.shape), np.float32)


def _pooled(values: np.ndarray, cells: int) -> np.ndarray:
    """(pictures, side, side) as the means of cells × cells fields."""
    edges = np.arange(cells) * values.shape[1] // cells
    sizes = np.diff(np.append(edges, values.shape[1])).astype(np.float32)
    sums = np.add.reduceat(np.add.reduceat(values, edges, axis=1), edges, axis=2)
    return np.asarray(sums / (sizes[:, None] * sizes[None, :]))


def _smoothed(values: np.ndarray) -> np.ndarray:
    """The mean over 3 × 3 pixels of (pictures, side, side)."""
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return np.asarray((rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9)


def groups_around_first(pairs: np.ndarray, alike: Callable[[int, int], bool]) -> list[list[int]]:
    """Groups of rows that are alike, each around its first row: every member was compared with that one.

    pairs: (pairs, 2), the candidates. alike(first, row) compares exactly; it is asked for few pairs.
    """
    earlier: dict[int, list[int]] = defaultdict(list)
    for one, other in pairs.tolist():
        earlier[max(one, other)].append(min(one, other))
    first_of: dict[int, int] = {}
    for row in sorted(earlier):
        tried: Iterable[int] = sorted({first_of.get(other, other) for other in earlier[row]})
        for first in list(tried)[:LEADERS_TRIED]:
            if alike(first, row):
                first_of[row] = first
                break
    groups: dict[int, list[int]] = defaultdict(list)
    for row, first in first_of.items():
        groups[first].append(row)
    return [[first, *sorted(rows)] for first, rows in sorted(groups.items())]


def _antialiased() -> Image.Resampling:
    """Pillow widens this filter when it makes smaller, so that fine print is averaged and not dropped."""
    from PIL import Image

    return Image.Resampling.BILINEAR
