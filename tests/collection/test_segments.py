"""Videos cut into segments: each a video of its own, with a poster frame and its place in the whole."""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from tests import media_makers as make
from tests.collection.uploads import text_table, zip_of
from workbench.collection.importing import import_collection
from workbench.collection.segments import cut_video
from workbench.collection.store import open_collection
from workbench.errors import WorkbenchError
from workbench.media import decode_video, duration_seconds, sound_blocks

SECONDS, RATE = 8, 10


def clip(key_frames_every: int, form: str = "mp4", codec: str = "libx264", sound: bool = True) -> bytes:
    """A video that turns from black to white in SECONDS, with key frames as far apart as asked for, by FFmpeg."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=RATE, options={"g": str(key_frames_every), "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        tone = container.add_stream("libopus" if form == "webm" else "aac", rate=48_000) if sound else None
        for number in range(SECONDS * RATE):
            grey = np.full((48, 64, 3), number * 255 // (SECONDS * RATE), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
            if tone is not None:
                wave = 0.2 * np.sin(np.arange(4800) / 10).astype(np.float32).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 48_000, number * 4800
                container.mux(tone.encode(frame))
        container.mux(stream.encode())
        if tone is not None:
            container.mux(tone.encode())
    return file.getvalue()


def brightness(data: bytes) -> float:
    return float(np.asarray(decode_video(data, 1)[0]).mean())


@pytest.mark.parametrize(
    ("form", "codec", "key_frames_every"),
    [("mp4", "libx264", 10), ("mp4", "libx264", 999), ("webm", "libvpx", 10), ("avi", "mpeg4", 999)],
)
def test_segments_cover_the_whole_and_play_by_themselves(form, codec, key_frames_every):
    segments = list(cut_video(clip(key_frames_every, form, codec), 3))
    assert [segment.start for segment in segments] == pytest.approx([0, 3, 6], abs=0.3)
    assert [segment.end for segment in segments] == pytest.approx([3, 6, 8], abs=0.3)
    assert [segment.end for segment in segments[:-1]] == [segment.start for segment in segments[1:]]
    for segment in segments:
        middle = (segment.start + segment.end) / 2 / SECONDS * 255
        assert brightness(segment.data) == pytest.approx(middle, abs=14)
        assert duration_seconds("video", segment.data) == pytest.approx(segment.end - segment.start, abs=0.3)
        rate, blocks = sound_blocks(segment.data)
        samples = np.concatenate(list(blocks))
        assert len(samples) / rate == pytest.approx(segment.end - segment.start, abs=0.35)
        assert 0.1 < np.abs(samples).max() < 0.4


def test_where_key_frames_allow_the_packets_are_copied_as_they_are():
    """Copied, not encoded again: every packet of the picture is found in the whole."""

    def packets(data: bytes) -> list[bytes]:
        with av.open(io.BytesIO(data)) as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size]

    whole = clip(10, sound=False)
    segments = list(cut_video(whole, 3))
    assert [packet for segment in segments for packet in packets(segment.data)] == packets(whole)


def test_a_video_hardly_longer_than_a_segment_stays_as_it_is():
    whole = clip(10)
    (segment,) = cut_video(whole, 7)
    assert segment.data is whole
    assert (segment.start, segment.end) == (0.0, pytest.approx(SECONDS, abs=0.1))


@pytest.mark.parametrize("key_frames_every", [10, 999])
def test_a_phones_video_stays_upright(key_frames_every):
    whole = bytearray(clip(key_frames_every, sound=False))
    # A quarter turn in the track's matrix, as phones write it.
    at = whole.index(b"tkhd") + 44
    whole[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    shown = decode_video(bytes(whole), 1)[0].size
    assert shown == (48, 64)
    assert [decode_video(segment.data, 1)[0].size for segment in cut_video(bytes(whole), 3)] == [shown] * 3


def test_a_picture_that_stands_still_over_several_cuts_is_one_segment():
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"g": "999", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in (*range(2 * RATE), *range(7 * RATE, 8 * RATE)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 3, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    segments = list(cut_video(file.getvalue(), 2))
    assert [segment.start for segment in segments] == [0, 6]
    assert [segment.end for segment in segments] == [6, pytest.approx(8, abs=0.15)]
    assert brightness(segments[-1].data) > 200


def test_each_segment_is_a_document_with_its_place_and_a_poster(workspace, tmp_path):
    path = zip_of(
        tmp_path / "up.zip", {"films/a.mp4": clip(10), "b.png": make.picture(), "c.mp4": b"\0\0\0\x18ftypmp42"}
    )
    result = import_collection(workspace, "films", path, segment_seconds=4)
    assert (result["documents"], result["modalities"]["document"]) == (3, ["image", "video"])
    assert [line["reason"].split(" its file")[0] for line in result["skipped"]] == [
        "The video “c.mp4” cannot be cut into segments,"
    ]
    collection = open_collection(workspace, "films")
    segments = [item for item in collection.items("corpus", range(3)) if item.modality == "video"]
    assert [item.meta for item in segments] == [
        {
            "folder": "films",
            "source_file": "films/a.mp4",
            "start_seconds": start,
            "end_seconds": pytest.approx(end, abs=0.1),
        }
        for start, end in ((0.0, 4.0), (4.0, 8.0))
    ]
    assert segments[1].file.startswith("films/a.mp4#t=4,8")
    assert all(item.thumbnail[8:12] == b"WEBP" for item in segments)


def test_without_the_option_a_video_is_one_document(workspace, tmp_path):
    (tmp_path / "a.mp4").write_bytes(clip(10, sound=False))
    assert import_collection(workspace, "film", tmp_path / "a.mp4")["documents"] == 1


def test_videos_that_a_table_pairs_are_not_cut(workspace, tmp_path):
    (tmp_path / "a.mp4").write_bytes(make.video())
    path = text_table(tmp_path / "pairs.csv", [("caption", "film"), ("grey", "a.mp4")])
    with pytest.raises(WorkbenchError, match=r"so they cannot be cut into segments. Leave the seconds out"):
        import_collection(workspace, "films", path, segment_seconds=2)


def test_segments_that_make_no_sense_are_refused(workspace, tmp_path):
    (tmp_path / "a.mp4").write_bytes(make.video())
    with pytest.raises(WorkbenchError, match=r"cut into segments of 0\.01 seconds. Choose 0.5 to 3,600"):
        import_collection(workspace, "films", tmp_path / "a.mp4", segment_seconds=0.01)
