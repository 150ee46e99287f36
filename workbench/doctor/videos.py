"""What can be wrong with videos: the same one twice, nearly the same, unreadable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workbench.collection.store import SIDES
from workbench.doctor.examined import Examined
from workbench.doctor.findings import Finding
from workbench.doctor.hashes import RADIUS, grids_alike, groups_around_first, near_points, picture_grid, points_of
from workbench.doctor.pictures import copies_found, same_content, unreadable_found, with_copies
from workbench.doctor.soundprints import SoundLook, look_at_sound, same_recording
from workbench.doctor.streaming import Looked, digest_of, looked_at, media_of
from workbench.errors import WorkbenchError
from workbench.media import decode_video, duration_seconds

FRAMES = 6
SAME_SECONDS, SAME_LENGTH = 0.3, 0.02


@dataclass(frozen=True)
class VideoLook:
    """What is remembered of a video: its length, frame size, the grids of FRAMES frames, their digest."""

    seconds: float
    size: tuple[int, int]
    grids: np.ndarray
    digest: str


def look_at_video(data: bytes) -> VideoLook:
    """Decode some frames of a video and measure them. Raises WorkbenchError if it cannot be decoded."""
    frames = decode_video(data, FRAMES)
    seconds = duration_seconds("video", data)
    digest = digest_of(repr((frames[0].size, round(seconds, 1))).encode(), *map(np.asarray, frames))
    return VideoLook(seconds, frames[0].size, np.stack([picture_grid(frame) for frame in frames]), digest)


def watched_videos(examined: Examined, side: str) -> Looked[VideoLook]:
    """All videos of a side."""
    return looked_at(examined, side, "video", look_at_video)


def exact_groups(examined: Examined, side: str) -> list[list[str]]:
    """Ids of the videos of a side whose looked-at frames, sound and length are the same, whatever their files."""
    return _groups(examined, side)[0]


def near_groups(examined: Examined, side: str) -> list[list[str]]:
    """Ids of the videos of a side that are one recording, with every exact copy of them; not those only exact.

    As long, alike in FRAMES frames spread over them (see `hashes`), and with the same sound or none.
    """
    return _groups(examined, side)[1]


def _groups(examined: Examined, side: str) -> tuple[list[list[str]], list[list[str]]]:
    def make() -> tuple[list[list[str]], list[list[str]]]:
        watched = watched_videos(examined, side)
        exact = []
        for group in same_content(watched.ids, [look.digest for look in watched.looks], watched.contexts):
            # Still pictures can have different sounds.
            same = [other for other in group[1:] if _sound_alike(examined, side, group[0], other)]
            exact += [[group[0], *same]] if same else []
        none = np.zeros(len(watched.ids), bool)
        near = with_copies(watched.ids, exact, none, lambda rows: _near_rows(examined, side, watched, rows))
        return exact, near

    found: tuple[list[list[str]], list[list[str]]] = examined.kept(("videos", "groups", side), make)
    return found


def _near_rows(examined: Examined, side: str, watched: Looked[VideoLook], rows: np.ndarray) -> list[list[int]]:
    examined.progress(0, 1, "Comparing the videos")
    frames = np.stack([watched.looks[row].grids for row in rows])
    sizes = np.array([watched.looks[row].size for row in rows])
    seconds = np.array([watched.looks[row].seconds for row in rows])
    # The frame in the middle makes candidates; all frames must then be alike.
    pairs = near_points(points_of(frames[:, FRAMES // 2], np.arange(len(frames))), RADIUS)
    one, other = seconds[pairs[:, 0]], seconds[pairs[:, 1]]
    near = np.abs(one - other) <= SAME_SECONDS + SAME_LENGTH * np.maximum(one, other)
    pairs = pairs[near & (watched.contexts[rows[pairs[:, 0]]] == watched.contexts[rows[pairs[:, 1]]])]
    for number in range(FRAMES):
        pairs = pairs[grids_alike(frames[:, number], sizes, pairs)]
    return groups_around_first(
        rows[pairs], lambda one, other: _sound_alike(examined, side, watched.ids[one], watched.ids[other])
    )


def _sound_alike(examined: Examined, side: str, one: str, other: str) -> bool:
    """Whether the sound tracks of two videos are the same, or neither has one."""
    tracks = [media_of(examined, side, "video", identifier) for identifier in (one, other)]
    sounds = [_track(data) for data in tracks]
    if sounds[0] is None or sounds[1] is None:
        return sounds[0] is sounds[1]
    return same_recording(tracks[0], tracks[1], sounds[0], sounds[1])


def _track(data: bytes) -> SoundLook | None:
    """The sound track of a video; None if there is none that can be decoded, or it is silent."""
    try:
        look = look_at_sound(data)
    except WorkbenchError:
        return None
    return look if look.rms > 0 else None


def find_video_duplicates(examined: Examined) -> Iterator[Finding]:
    """The same video, or nearly the same, under several ids of one side; and those of them that leak."""
    for side in SIDES:
        yield from copies_found(examined, side, "video", exact_groups(examined, side), near_groups(examined, side))


def find_unreadable_videos(examined: Examined) -> Iterator[Finding]:
    """Videos that are damaged, hold no picture, or are not there."""
    for side in SIDES:
        yield from unreadable_found(side, "video", watched_videos(examined, side).unreadable)
