"""Cut a video into segments of some seconds, each a video of its own with its sound.

Where the video has a key frame near every cut its packets are copied as they are: fast, and nothing is lost. Else it
is encoded again, as H.264 and AAC in MP4, which every browser plays.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from workbench.errors import WorkbenchError
from workbench.media_formats import VIDEO_CONTAINERS, sniff

LEAST_REST = 0.2  # of a segment: a shorter rest stays with the segment before it
CUT_TOLERANCE = 0.1  # of a segment, and at least 0.5 s: how far a key frame may lie from a cut
LEAST_TOLERANCE_SECONDS = 0.5
COPIED_INTO = {"mov": "mp4", "matroska": "matroska"}
MAX_SEGMENTS = 20_000
CRF = "23"


@dataclass(frozen=True)
class Segment:
    """A part of a video: its bytes, and where it begins and ends in the whole, in seconds."""

    data: bytes
    start: float
    end: float


def cut_video(data: bytes, seconds: float) -> Iterator[Segment]:
    """The segments of a video, in order, made one at a time. A video that is hardly longer than one comes back whole.

    Raises WorkbenchError, in words that begin with “the video”, if it cannot be read or has too many segments.
    """
    import av

    kind = sniff(data)
    if kind is None or kind[0] != "video":
        raise WorkbenchError("the video is in no format that can be opened here. Use MP4, MOV, WebM, MKV or AVI.")
    container = VIDEO_CONTAINERS[kind[1]]
    try:
        key_frames, start, length = _survey(data, container)
        cuts = _cuts(length, seconds)
        if len(cuts) == 2:
            yield Segment(data, 0.0, round(length, 3))
            return
        near = _near_key_frames(cuts, [time - start for time in key_frames], seconds)
        if near and container in COPIED_INTO:
            form = "webm" if kind[1] == "webm" else COPIED_INTO[container]
            yield from _copied(data, container, form, near, start)
        else:
            yield from _encoded(data, container, cuts, start)
    except (av.error.FFmpegError, EOFError, ValueError) as error:
        raise WorkbenchError(
            "the video cannot be cut into segments, its file is damaged. Save it again, or import it whole."
        ) from error


def _survey(data: bytes, container: str) -> tuple[list[float], float, float]:
    """When the key frames are shown, when the first frame is, and how long the video runs, all in seconds."""
    with _opened(data, container) as opened:
        if not opened.streams.video:
            raise WorkbenchError("the video holds no picture track.")
        stream = opened.streams.video[0]
        key_frames, first, last = [], None, 0.0
        for packet in opened.demux(stream):
            if packet.pts is None:
                continue
            time = float(packet.pts * stream.time_base)
            first = time if first is None else min(first, time)
            last = max(last, time + float((packet.duration or 0) * stream.time_base))
            if packet.is_keyframe:
                key_frames.append(time)
    if first is None:
        raise WorkbenchError("the video is damaged: not one of its frames can be decoded.")
    return sorted(key_frames), first, last - first


def _cuts(length: float, seconds: float) -> list[float]:
    """Beginning, cuts and end, in seconds."""
    count = max(1, int(length / seconds))
    if length - count * seconds > LEAST_REST * seconds:
        count += 1
    if count > MAX_SEGMENTS:
        raise WorkbenchError(
            f"the video would be cut into {count:,} segments; the limit is {MAX_SEGMENTS:,}. Choose longer ones."
        )
    return [float(number * seconds) for number in range(count)] + [length]


def _near_key_frames(cuts: list[float], key_frames: list[float], seconds: float) -> list[float]:
    """The key frame nearest to each cut, the end as it is; empty where one is too far away."""
    if not key_frames:
        return []
    tolerance = max(LEAST_TOLERANCE_SECONDS, CUT_TOLERANCE * seconds)
    near = [min(key_frames, key=lambda time: abs(time - cut)) for cut in cuts[:-1]]
    fits = all(abs(found - cut) <= tolerance for found, cut in zip(near, cuts, strict=False))
    return [*near, cuts[-1]] if fits and len(set(near)) == len(near) else []


def _copied(data: bytes, container: str, form: str, cuts: list[float], start: float) -> Iterator[Segment]:
    """Segments whose packets are those of the whole, moved to begin at 0."""
    for begin, end in itertools.pairwise(cuts):
        last = end == cuts[-1]
        with _opened(data, container) as source:
            streams = _kept(source)
            file = io.BytesIO()
            with _writing(file, form) as target:
                copies = {stream: target.add_stream_from_template(stream) for stream in streams}
                _copy_packets(source, target, copies, (start + begin, None if last else start + end))
        yield Segment(file.getvalue(), round(begin, 3), round(end, 3))


def _copy_packets(source: Any, target: Any, copies: dict[Any, Any], span: tuple[float, float | None]) -> None:
    """Copy the packets from the key frame that begins a span to the one that ends it; its end None is that of all."""
    import av

    begin, end = span
    video = next(stream for stream in copies if stream.type == "video")
    source.seek(max(0, int((begin + 1e-3) / video.time_base)), stream=video, backward=True)
    inside, over = False, set()
    for packet in source.demux(list(copies)):
        if packet.dts is None or packet.pts is None:
            continue
        stream = packet.stream
        time = float(packet.pts * stream.time_base)
        if stream is video and packet.is_keyframe:
            inside = inside or time >= begin - 1e-3
            if end is not None and time >= end - 1e-3:
                over.add(stream)
        elif stream is not video and end is not None and time >= end:
            over.add(stream)
        if over == set(copies):
            break
        if stream in over or time < begin - 1e-3 or (stream is video and not inside):
            continue
        shift = round(Fraction(begin).limit_denominator(1_000_000) / stream.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        packet.stream = copies[stream]
        try:
            target.mux(packet)
        except av.error.ArgumentError:
            if stream is video:
                raise
            continue  # a sound packet out of order at the seam


def _encoded(data: bytes, container: str, cuts: list[float], start: float) -> Iterator[Segment]:
    """Segments that are decoded once, from beginning to end, and encoded again."""
    with _opened(data, container) as source:
        streams = _kept(source)
        ends = cuts[1:-1]
        current, begun = None, 0
        for frame in source.decode(*streams):
            if frame.time is None:
                continue
            is_video = hasattr(frame, "pict_type")
            if current is None:
                if not is_video:
                    continue  # the sides of the picture are told by its first frame
                sides = (frame.height, frame.width) if frame.rotation % 180 else (frame.width, frame.height)
                current = _Encoder(streams, sides)
            if is_video and begun < len(ends) and frame.time - start >= ends[begun] - 1e-3:
                first = begun
                # A picture that stands still may last over several cuts, and the segment with it.
                while begun < len(ends) and frame.time - start >= ends[begun] - 1e-3:
                    begun += 1
                yield Segment(current.finish(), round(cuts[first], 3), round(cuts[begun], 3))
                current = _Encoder(streams, sides)
            current.write(frame, is_video, start + cuts[begun])
        if current is None:
            raise WorkbenchError("the video is damaged: not one of its frames can be decoded.")
        yield Segment(current.finish(), round(cuts[begun], 3), round(cuts[-1], 3))


class _Encoder:
    """One segment as it is written."""

    def __init__(self, streams: list[Any], sides: tuple[int, int]) -> None:
        self._file = io.BytesIO()
        self._target = _writing(self._file, "mp4")
        source = streams[0]
        rate = source.average_rate or Fraction(25)
        self._video = self._target.add_stream("libx264", rate=rate, options={"crf": CRF, "preset": "veryfast"})
        width, height = sides
        # H.264 in the form that browsers play wants even sides.
        self._video.width, self._video.height = width // 2 * 2 or 2, height // 2 * 2 or 2
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = Fraction(1, 90_000)
        self._sound = None
        if len(streams) > 1:
            self._sound = self._target.add_stream("aac", rate=streams[1].codec_context.sample_rate or 48_000)
        self._samples = 0
        self._last = -1

    def write(self, frame: Any, is_video: bool, begin: float) -> None:
        """Encode a frame whose time is of the whole video; `begin` is when this segment begins there."""
        if is_video:
            pts = max(round((frame.time - begin) * 90_000), self._last + 1)
            self._last = pts
            sized = _upright(frame).reformat(self._video.width, self._video.height, "yuv420p")
            sized.pts, sized.time_base = pts, Fraction(1, 90_000)
            sized.pict_type = 0
            self._target.mux(self._video.encode(sized))
        elif self._sound is not None:
            frame.pts = self._samples
            frame.time_base = Fraction(1, frame.sample_rate)
            self._samples += frame.samples
            self._target.mux(self._sound.encode(frame))

    def finish(self) -> bytes:
        self._target.mux(self._video.encode())
        if self._sound is not None:
            self._target.mux(self._sound.encode())
        self._target.close()
        return self._file.getvalue()


def _upright(frame: Any) -> Any:
    """The frame as a player shows it: what turns a phone's video upright is lost when it is encoded again."""
    if frame.rotation % 360 == 0:
        return frame
    import av

    return av.VideoFrame.from_image(frame.to_image().rotate(frame.rotation, expand=True))


def _kept(opened: Any) -> list[Any]:
    """The picture track and, if there is one, the first sound track."""
    return [opened.streams.video[0], *opened.streams.audio[:1]]


def _opened(data: bytes, container: str) -> Any:
    """Opened as the format it is: left to guess, the library would follow playlists to other files and addresses."""
    import av

    return av.open(io.BytesIO(data), format=container)


def _writing(file: io.BytesIO, form: str) -> Any:
    import av

    return av.open(file, "w", format=form)
