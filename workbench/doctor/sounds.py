"""What can be wrong with sounds: the same one twice, nearly the same, silence, unreadable, of odd lengths and rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from workbench.collection.store import SIDES
from workbench.doctor.examined import Examined
from workbench.doctor.findings import Finding, counted
from workbench.doctor.hashes import groups_around_first, near_points, principal
from workbench.doctor.pictures import copies_found, same_content, size_note, unreadable_found, with_copies
from workbench.doctor.soundprints import (
    SAME_LENGTH,
    SAME_SECONDS,
    SILENT_RMS,
    SOUND_RADIUS,
    SoundLook,
    look_at_sound,
    same_recording,
)
from workbench.doctor.streaming import NOUNS, Looked, looked_at, media_of

# What most models hear: Whisper and CLAP read the first 30 seconds.
HEARD_SECONDS = 30.0
SHORTEST_SECONDS = 0.1
HUGE_SPREAD = 50.0
LOW_RATE = 8000


def heard_sounds(examined: Examined, side: str) -> Looked[SoundLook]:
    """All sounds of a side."""
    return looked_at(examined, side, "audio", look_at_sound)


def silent(heard: Looked[SoundLook]) -> np.ndarray:
    """Which sounds are silent: (sounds,) bool."""
    return np.array([look.rms < SILENT_RMS for look in heard.looks], bool)


def exact_groups(examined: Examined, side: str) -> list[list[str]]:
    """Ids of the sounds of a side whose samples are the same, whatever their files; silent ones are left out."""
    heard = heard_sounds(examined, side)
    keys = [None if still else look.digest for still, look in zip(silent(heard), heard.looks, strict=True)]
    return same_content(heard.ids, keys, heard.contexts)


def near_groups(examined: Examined, side: str) -> list[list[str]]:
    """Ids of the sounds of a side that are one recording, with every exact copy of them; not those only exact.

    One recording in another format, louder, or after some silence; see `soundprints`.
    """

    def make() -> list[list[str]]:
        heard = heard_sounds(examined, side)
        return with_copies(
            heard.ids,
            exact_groups(examined, side),
            silent(heard),
            lambda rows: _near_rows(examined, side, heard, rows),
        )

    found: list[list[str]] = examined.kept(("sounds", "near", side), make)
    return found


def _near_rows(examined: Examined, side: str, heard: Looked[SoundLook], rows: np.ndarray) -> list[list[int]]:
    examined.progress(0, 1, "Comparing the sounds")
    prints = np.stack([heard.looks[row].print for row in rows]).reshape(len(rows), -1)

    def normalised(some: np.ndarray) -> np.ndarray:
        values = prints[some].astype(np.float32)
        values -= values.mean(axis=1, keepdims=True)
        return values / (np.maximum(values.std(axis=1, keepdims=True), 1.0) * np.float32(np.sqrt(values.shape[1])))

    pairs = rows[near_points(principal(normalised, len(rows)), SOUND_RADIUS)]
    lengths = np.array([look.sounding for look in heard.looks])
    one, other = lengths[pairs[:, 0]], lengths[pairs[:, 1]]
    same = heard.contexts[pairs[:, 0]] == heard.contexts[pairs[:, 1]]
    pairs = pairs[same & (np.abs(one - other) <= SAME_SECONDS + SAME_LENGTH * np.maximum(one, other))]

    @lru_cache(maxsize=64)
    def data(row: int) -> bytes:
        return media_of(examined, side, "audio", heard.ids[row])

    return groups_around_first(
        pairs, lambda one, other: same_recording(data(one), data(other), heard.looks[one], heard.looks[other])
    )


def find_sound_duplicates(examined: Examined) -> Iterator[Finding]:
    """The same sound, or nearly the same, under several ids of one side; and those of them that leak."""
    for side in SIDES:
        yield from copies_found(examined, side, "audio", exact_groups(examined, side), near_groups(examined, side))


def find_unreadable_sounds(examined: Examined) -> Iterator[Finding]:
    """Sounds that are cut off, damaged or not there."""
    for side in SIDES:
        yield from unreadable_found(side, "audio", heard_sounds(examined, side).unreadable)


def find_silence(examined: Examined) -> Iterator[Finding]:
    """Sounds in which nothing is to be heard: below -60 dB of full scale over their whole length."""
    for side in SIDES:
        heard = heard_sounds(examined, side)
        rows = np.flatnonzero(silent(heard))
        if len(rows):
            yield Finding(
                "silence",
                "hurts",
                f"{counted(len(rows), *NOUNS['audio'])} {'is' if len(rows) == 1 else 'are'} silent.",
                side=side,
                groups=[[heard.ids[row]] for row in rows],
                fix="Leave them out",
                advice="Nothing can be learned from silence, and every query fits it as badly.",
                detail={"how": "drop", "share": round(len(rows) / len(heard.ids), 4)},
            )


def find_sound_sizes(examined: Examined) -> Iterator[Finding]:
    """Sounds longer than models hear, hardly any sound, and very different lengths or sampling rates."""
    for side in SIDES:
        heard = heard_sounds(examined, side)
        if heard.ids:
            yield from _lengths(side, heard)
            yield from _rates(side, heard)


def _lengths(side: str, heard: Looked[SoundLook]) -> Iterator[Finding]:
    seconds = np.array([look.seconds for look in heard.looks])
    figures: dict[str, Any] = {
        "sounds": len(seconds),
        "median_seconds": round(float(np.median(seconds)), 2),
        "shortest_seconds": round(float(seconds.min()), 2),
        "longest_seconds": round(float(seconds.max()), 2),
        "how": "",
    }
    long = np.flatnonzero(seconds > HEARD_SECONDS)
    if len(long):
        long = long[np.argsort(-seconds[long], kind="stable")]
        yield size_note(
            side,
            f"{counted(len(long), *NOUNS['audio'])} {'is' if len(long) == 1 else 'are'} longer than "
            f"{HEARD_SECONDS:.0f} seconds: up to {seconds[long[0]]:,.0f}.",
            [[heard.ids[row]] for row in long],
            "Most models hear the first 30 seconds only. Import such sounds in segments.",
            figures,
        )
    short = np.flatnonzero(seconds < SHORTEST_SECONDS)
    if len(short):
        short = short[np.argsort(seconds[short], kind="stable")]
        yield size_note(
            side,
            f"{counted(len(short), *NOUNS['audio'])} {'is' if len(short) == 1 else 'are'} shorter than a tenth of a "
            f"second.",
            [[heard.ids[row]] for row in short],
            "Hardly anything can be heard in so short a time. Listen to a few.",
            figures,
        )
    low, high = np.quantile(seconds, [0.01, 0.99])
    if high > HUGE_SPREAD * low and not len(long) and not len(short):
        yield size_note(
            side,
            f"The sounds are of very different lengths: from {low:.2f} to {high:,.1f} seconds.",
            [[heard.ids[int(np.argmin(seconds))]], [heard.ids[int(np.argmax(seconds))]]],
            "Batches are as long as their longest sound. Look at both kinds.",
            figures,
        )


def _rates(side: str, heard: Looked[SoundLook]) -> Iterator[Finding]:
    rates = Counter(look.rate for look in heard.looks)
    low, high = min(rates), max(rates)
    if high < 2 * low and low >= LOW_RATE:
        return
    rare = min((low, high), key=lambda rate: rates[rate])
    listed = ", ".join(f"{number:,} at {rate:,} Hz" for rate, number in sorted(rates.items())[:6])
    yield size_note(
        side,
        f"The sounds have different sampling rates: {listed}." if len(rates) > 1 else f"All sounds have {low:,} Hz.",
        [[one] for one, look in zip(heard.ids, heard.looks, strict=True) if look.rate == rare],
        "A model resamples them, but a low rate has no high pitches: it can learn the rate instead of the sound.",
        {"rates": {str(rate): number for rate, number in sorted(rates.items())}, "how": ""},
    )
