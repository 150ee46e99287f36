"""A sound with some seconds silent, and where the score falls."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np

from workbench.explain.parts import Part

MOST_WINDOWS = 32
STEPS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)

ScoreSounds = Callable[[Iterator[bytes]], np.ndarray]


def explain_sound(samples: np.ndarray, rate: int, base: float, score: ScoreSounds) -> list[Part]:
    """The windows of a sound in order, each made silent in turn. At most MOST_WINDOWS of them."""
    seconds = len(samples) / rate
    spans = windows(seconds)

    def silenced() -> Iterator[bytes]:
        for start, end in spans:
            copy = samples.copy()
            copy[round(start * rate) : round(end * rate)] = 0
            yield encoded(copy, rate)

    drops = base - score(silenced())
    return [
        Part("second", float(drop), label=f"{start:g}–{end:g} s", span=(start, end))
        for (start, end), drop in zip(spans, drops, strict=True)
    ]


def windows(seconds: float) -> list[tuple[float, float]]:
    """The sound cut into windows of a round length, no more than MOST_WINDOWS; the last one may be shorter."""
    step = next((step for step in STEPS if seconds / step <= MOST_WINDOWS), seconds / MOST_WINDOWS)
    starts = np.arange(0, seconds, step)
    return [(round(float(start), 3), round(min(float(start) + step, seconds), 3)) for start in starts]


def encoded(samples: np.ndarray, rate: int) -> bytes:
    """The sound as a WAV of 16 bits."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1, 1), rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
