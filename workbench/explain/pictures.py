"""A picture with some of it covered in its mean colour, from coarse to fine, and where the score falls.

A grid of COARSE × COARSE boxes is covered one by one; the boxes that matter most are cut into four and each is covered
again, LEVELS times. So a picture costs at most 16 + 2 × 16 scores, however large.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from workbench import media
from workbench.explain.parts import Part

if TYPE_CHECKING:
    from PIL import Image

COARSE = 4
LEVELS = 2
REFINED = 4
# A page keeps its letters at this size, and encoding it some fifty times stays cheap.
LONGEST_SIDE = 1024

Box = tuple[float, float, float, float]
ScorePictures = Callable[[Iterator[bytes]], np.ndarray]


def opened(data: bytes) -> Image.Image:
    """The picture as it is covered: RGB, no side above LONGEST_SIDE. Raises WorkbenchError if it is no picture."""
    picture = media.decode_image(data)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return picture


def explain_picture(picture: Image.Image, base: float, score: ScorePictures) -> list[Part]:
    """The boxes of a picture, which together cover it once. `drop` is that of the coarse box in which a box lies.

    A box that was cut hands its drop on to the quarter that matters most alone, and to the others in proportion: the
    drops of small boxes are small by themselves, and could not be compared with those of large ones.
    """
    side = 1 / COARSE
    boxes: list[Box] = [(x * side, y * side, side, side) for y in range(COARSE) for x in range(COARSE)]
    heat = dict(zip(boxes, (base - _scores(picture, boxes, score)).tolist(), strict=True))
    for _ in range(LEVELS):
        smallest = min(width for _, _, width, _ in heat)
        chosen = sorted((box for box in heat if box[2] == smallest and heat[box] > 0), key=lambda box: -heat[box])
        cut = chosen[:REFINED]
        if not cut:
            break
        quarters = [quarter for box in cut for quarter in _quarters(box)]
        drops = np.maximum(base - _scores(picture, quarters, score), 0.0).reshape(len(cut), 4)
        for box, own in zip(cut, drops, strict=True):
            whole = heat.pop(box)
            shares = own / own.max() if own.max() > 0 else np.ones(4)
            heat |= dict(zip(_quarters(box), (whole * shares).tolist(), strict=True))
    in_order = sorted(heat, key=lambda box: (round(box[1], 6), box[0]))
    return [Part("box", heat[box], label=place_in_words(box), box=box) for box in in_order]


def encoded(picture: Image.Image) -> bytes:
    """The picture without loss, and quickly."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def place_in_words(box: Box) -> str:
    """Where a box lies: `top left`, `middle`, `bottom right`."""
    across, down = box[0] + box[2] / 2, box[1] + box[3] / 2
    row = "top" if down < 0.375 else "bottom" if down > 0.625 else "middle"
    column = "left" if across < 0.375 else "right" if across > 0.625 else "middle"
    if row == column:
        return "in the middle"
    return " ".join(dict.fromkeys([row, column]))


def _scores(picture: Image.Image, boxes: list[Box], score: ScorePictures) -> np.ndarray:
    mean = tuple(round(float(level)) for level in np.asarray(picture, np.float64).reshape(-1, 3).mean(axis=0))

    def covered() -> Iterator[bytes]:
        for left, top, width, height in boxes:
            copy = picture.copy()
            across, down = (round(edge * copy.width) for edge in (left, left + width)), (top, top + height)
            (x, right), (y, bottom) = across, (round(edge * copy.height) for edge in down)
            copy.paste(mean, (x, y, right, bottom))
            yield encoded(copy)

    return score(covered())


def _quarters(box: Box) -> list[Box]:
    left, top, width, height = box
    across, down = width / 2, height / 2
    return [(left + x * across, top + y * down, across, down) for y in (0, 1) for x in (0, 1)]
