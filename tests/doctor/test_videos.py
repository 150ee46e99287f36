from __future__ import annotations

import io

import numpy as np

from tests.doctor.planting import photo, plant
from workbench.collection.editing import undo
from workbench.collection.store import Item, open_collection
from workbench.doctor.check import check_collection
from workbench.doctor.examined import Examined
from workbench.doctor.fixes import fix
from workbench.doctor.videos import exact_groups, find_unreadable_videos, find_video_duplicates, near_groups
from workbench.workspace import Workspace


def _film(seed: int, form: str = "mp4", size: tuple[int, int] = (240, 180), brighter: int = 0) -> bytes:
    """Four pictures of half a second each, others for each seed."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for scene in range(4):
            levels = np.asarray(photo(100 * seed + scene).resize(size), np.int16) + brighter
            frame = levels.clip(0, 255).astype(np.uint8)
            for _ in range(4):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def _films(count: int) -> list[Item]:
    return [Item(video=_film(seed), id=f"v{seed}") for seed in range(1, count + 1)]


def test_a_clean_collection_has_nothing_to_report(workspace: Workspace) -> None:
    examined = Examined(plant(workspace, _films(6)))
    assert not [*find_video_duplicates(examined), *find_unreadable_videos(examined)]


def test_a_smaller_or_brighter_copy_is_found_merged_and_brought_back(workspace: Workspace) -> None:
    copies = [Item(video=_film(1, size=(160, 120)), id="small"), Item(video=_film(2, brighter=9), id="bright")]
    examined = Examined(plant(workspace, [*_films(5), *copies]))
    assert (exact_groups(examined, "corpus"), near_groups(examined, "corpus")) == (
        [],
        [["v1", "small"], ["v2", "bright"]],
    )
    check_collection(workspace, "c")
    fix(workspace, "c", "near-duplicate")
    assert not list(find_video_duplicates(Examined(open_collection(workspace, "c"))))
    undo(workspace, "c")
    assert len(open_collection(workspace, "c").corpus) == 7


def test_the_same_frames_in_another_container_are_exact_duplicates(workspace: Workspace) -> None:
    examined = Examined(plant(workspace, [*_films(3), Item(video=_film(2, form="matroska"), id="mkv")]))
    assert exact_groups(examined, "corpus") == [["v2", "mkv"]]


def test_a_damaged_video_is_unreadable(workspace: Workspace) -> None:
    (finding,) = find_unreadable_videos(
        Examined(plant(workspace, [*_films(2), Item(video=_film(3)[:400], id="damaged")]))
    )
    assert finding.groups == [["damaged"]]
