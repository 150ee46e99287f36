"""What a sound is like in few numbers, and whether two sounds are one recording.

A print is the loudness of BANDS pitches in SPANS stretches of the sound, between its first and last sounding moment
and relative to its loudest: the same however loud, in whatever file, after whatever silence. Prints that are near make
candidates; what decides is the wave itself: laid over each other the two must run together from start to end, which
no second take of the same words does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from workbench import media
from workbench.errors import WorkbenchError
from workbench.media_formats import sniff

BANDS, SPANS = 16, 12
LOWEST_HZ, HIGHEST_HZ = 100.0, 3500.0
WINDOW_SECONDS, STEP_SECONDS = 0.064, 0.008
FLOOR_DB = -60.0
SOUNDING = 1e-3  # of the power of the loudest moment: -30 dB
SILENT_RMS = 1e-3  # -60 dBFS
SOUND_RADIUS = 0.35
SAME_SECONDS, SAME_LENGTH = 0.08, 0.02

RATE = 16000
WHOLE_SECONDS, EXCERPT_SECONDS, PLACES = 24.0, 8.0, (0.0, 0.5, 0.8)
PART_SECONDS = 0.1
# Copies (FLAC, Vorbis, MP3 of spoken digits and tunes) correlate by 0.97 and more, the closest two takes by 0.90.
LEAST_TOGETHER, LEAST_PART = 0.94, 0.6
CUT_OFF = 0.95


@dataclass(frozen=True)
class SoundLook:
    """What is remembered of a sound: its length, sampling rate in Hz and loudness, its print (SPANS, BANDS) and digest.

    rms: of the whole, 1 is full scale. start, sounding: where it begins to sound and for how long, in seconds.
    """

    seconds: float
    rate: int
    rms: float
    start: float
    sounding: float
    print: np.ndarray
    digest: str


def look_at_sound(data: bytes) -> SoundLook:
    """Decode a sound, a block at a time, and measure it.

    Raises WorkbenchError if it cannot be decoded, or is cut off.
    """
    rate, blocks = media.sound_blocks(data)
    power = _Power(rate)
    digest, squares, samples = hashlib.sha256(str(rate).encode()), 0.0, 0
    for block in blocks:
        squares += float((block.astype(np.float64) ** 2).sum())
        samples += len(block)
        digest.update(np.ascontiguousarray(block, np.float32).data)
        power.add(block)
    if not samples:
        raise WorkbenchError("the sound holds no samples.")
    seconds = samples / rate
    _check_whole(data, seconds)
    start, sounding, grid = _print_of(power.frames())
    return SoundLook(seconds, rate, float(np.sqrt(squares / samples)), start, sounding, grid, digest.hexdigest()[:32])


def _check_whole(data: bytes, seconds: float) -> None:
    """Raise WorkbenchError if a sound ends before its header says it does."""
    kind = sniff(data)
    if kind == ("audio", "wav"):
        promised = _wav_share(data)
    elif kind is not None and kind[0] == "audio":
        promised = max(1.0, media.duration_seconds("audio", data) / max(seconds, 1e-9))
        promised = promised if media.duration_seconds("audio", data) - seconds > 0.2 else 1.0
    else:
        return
    if 1 / promised < CUT_OFF:
        raise WorkbenchError(f"the sound is cut off: {100 * (1 - 1 / promised):.0f} % of it are missing.")


def _wav_share(data: bytes) -> float:
    """How much longer the samples of a WAV file should be than they are, 1 for a whole one."""
    place = 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        if name == b"data":
            # Programs that write to a pipe do not know the size, and write the largest there is.
            known = 0 < size < 0x7FFFFF00
            return max(1.0, size / max(1, len(data) - place - 8)) if known else 1.0
        place += 8 + size + size % 2
    return 1.0


class _Power:
    """The power of each band in each moment of a sound that comes in blocks."""

    def __init__(self, rate: int) -> None:
        self._window = max(64, round(WINDOW_SECONDS * rate))
        self._step = max(16, round(STEP_SECONDS * rate))
        pitches = np.fft.rfftfreq(self._window, 1 / rate)
        edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1)
        band = np.searchsorted(edges, pitches, side="right") - 1
        self._bands = (band[:, None] == np.arange(BANDS)).astype(np.float32)
        self._shape = np.hanning(self._window).astype(np.float32)
        self._rest = np.zeros(self._window, np.float32)
        self._found: list[np.ndarray] = []

    def add(self, block: np.ndarray) -> None:
        self._rest = np.concatenate([self._rest, block])
        count = (len(self._rest) - self._window) // self._step + 1
        for first in range(0, max(0, count), 2048):
            some = min(2048, count - first)
            part = self._rest[first * self._step : (first + some - 1) * self._step + self._window]
            frames = np.lib.stride_tricks.sliding_window_view(part, self._window)[:: self._step]
            spectrum = np.abs(np.fft.rfft(frames * self._shape, axis=1)) ** 2
            self._found.append(spectrum.astype(np.float32) @ self._bands)
        if count > 0:
            self._rest = self._rest[count * self._step :]

    def frames(self) -> np.ndarray:
        """(moments, BANDS) float32, a moment each STEP_SECONDS; the end is filled up with silence."""
        self.add(np.zeros(self._window, np.float32))
        return np.concatenate(self._found)


def _print_of(power: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Where a sound begins and for how long it sounds, in seconds, and its print in dB below the loudest."""
    loudness = power.sum(axis=1)
    sounding = np.flatnonzero(loudness > SOUNDING * loudness.max()) if loudness.max() > 0 else np.arange(1)
    first, last = int(sounding[0]), int(sounding[-1]) + 1
    power = power[first:last]
    edges = np.linspace(0, len(power), SPANS + 1).astype(int).tolist()
    spans = [power[low : max(low + 1, high)].mean(axis=0) for low, high in pairwise(edges)]
    grid = 10 * np.log10(np.maximum(np.stack(spans) / max(float(power.max()), 1e-20), 10 ** (FLOOR_DB / 10)))
    start = max(0.0, first * STEP_SECONDS - WINDOW_SECONDS / 2)
    return start, (last - first) * STEP_SECONDS, grid.astype(np.float16)


def same_recording(one: bytes, other: bytes, first: SoundLook, second: SoundLook) -> bool:
    """Whether two sounds are the same recording: their waves run together, apart from loudness and a shift."""
    if abs(first.sounding - second.sounding) > SAME_SECONDS + SAME_LENGTH * first.sounding:
        return False
    places = (0.0,) if first.sounding <= WHOLE_SECONDS else PLACES
    seconds = max(first.sounding, second.sounding) if len(places) == 1 else EXCERPT_SECONDS
    for place in places:
        excerpts = [
            excerpt(data, max(0.0, look.start + place * first.sounding - 0.1), seconds + 0.2)
            for data, look in ((one, first), (other, second))
        ]
        if not waves_together(*excerpts):
            return False
    return True


def excerpt(data: bytes, start: float, seconds: float) -> np.ndarray:
    """A stretch of a sound as (samples,) float32 at RATE Hz; what comes before it is read and forgotten."""
    from scipy.signal import resample_poly

    rate, blocks = media.sound_blocks(data)
    low, high = round(start * rate), round((start + seconds) * rate)
    samples = np.concatenate([np.zeros(0, np.float32), *_between(blocks, low, high)])
    common = int(np.gcd(rate, RATE))
    return np.asarray(resample_poly(samples, RATE // common, rate // common), np.float32)


def _between(blocks: Iterator[np.ndarray], low: int, high: int) -> Iterator[np.ndarray]:
    place = 0
    for block in blocks:
        if place + len(block) > low:
            yield block[max(0, low - place) : high - place]
        place += len(block)
        if place >= high:
            return


def waves_together(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two waves run together at the best shift: over the whole, and in every part that is not nearly silent.

    one, other: (samples,) float32 at RATE Hz. Together means a correlation of LEAST_TOGETHER, and LEAST_PART in parts
    of PART_SECONDS.
    """
    from scipy.signal import correlate, correlation_lags

    if min(len(one), len(other)) < 64:
        return False
    shift = correlation_lags(len(one), len(other))[int(np.argmax(np.abs(correlate(one, other, method="fft"))))]
    left, right = one[max(0, shift) :], other[max(0, -shift) :]
    length = min(len(left), len(right))
    if length < 0.5 * max(len(one), len(other)) or length < max(len(one), len(other)) - 0.25 * RATE:
        return False
    left, right = left[:length].astype(np.float64), right[:length].astype(np.float64)
    part = min(length, round(PART_SECONDS * RATE))
    edges = np.arange(0, length - part + 1, part)
    both, ours, theirs = (np.add.reduceat(values, edges) for values in (left * right, left**2, right**2))
    whole = both.sum() / max(np.sqrt(ours.sum() * theirs.sum()), 1e-12)
    if abs(whole) < LEAST_TOGETHER:
        return False
    # A part that is quiet in both says little: a codec may have left it out.
    heard = (ours > 0.01 * ours.mean()) | (theirs > 0.01 * theirs.mean())
    parts = both * np.sign(whole) / np.maximum(np.sqrt(ours * theirs), 1e-12)
    return bool((parts[heard] >= LEAST_PART).all())
