"""Decode pictures, sounds and videos, in one place.

What a file is, is told from its bytes, never from its name. Sizes are checked before anything is decoded, and
decoders are told the format, so that no file can make them open another one. Every failure is a `WorkbenchError`
whose sentence begins with what it is ("the picture is cut off …"), so that a caller can put a row number before it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import WorkbenchError
from workbench.media_formats import AUDIO_CONTAINERS, IMAGE_FORMATS, VIDEO_CONTAINERS, content_type, sniff

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "check_media",
    "content_type",
    "decode_audio",
    "decode_image",
    "decode_video",
    "duration_seconds",
    "image_size",
    "sniff",
    "sound_blocks",
    "thumbnail",
    "video_poster",
]

MAX_IMAGE_PIXELS = 64_000_000
MAX_AUDIO_SECONDS = 3600
MIN_SAMPLING_RATE, MAX_SAMPLING_RATE = 1000, 768_000
VIDEO_FRAME_SIDE = 1024  # pixels; longer frames are scaled down, no model here takes larger ones
BLOCK_SAMPLES = 1 << 18
WAVEFORM_COLOUR = (118, 138, 168, 255)  # reads on white and on black
NOUNS = {"image": "picture", "audio": "sound", "video": "video"}


def decode_image(data: bytes, draft: int | None = None) -> Image.Image:
    """The picture as RGB, upright as its EXIF says, transparency laid onto white.

    With `draft` a JPEG is read whole and decoded at a reduced scale, no smaller than that many pixels: several times
    as fast. Raises WorkbenchError if it is no picture, cut off, or has more than MAX_IMAGE_PIXELS (checked before
    decoding).
    """
    return _decode_image(data, draft)


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height of a picture in pixels, from its header. Raises WorkbenchError if that cannot be read."""
    from PIL import Image

    with _decoding("picture"), Image.open(io.BytesIO(data), formats=IMAGE_FORMATS) as picture:
        return picture.size


def decode_audio(data: bytes, sampling_rate: int | None = None) -> tuple[np.ndarray, int]:
    """The sound as float32 mono (samples,), mostly within -1 to 1, and its sampling rate in Hz.

    With `sampling_rate` the sound is resampled to it. Raises WorkbenchError if it is no sound, is empty, damaged,
    or longer than MAX_AUDIO_SECONDS.
    """
    rate, blocks = _audio_blocks(data)
    with _decoding("sound"):
        samples = np.concatenate(list(blocks) or [np.zeros(0, np.float32)])
    if not len(samples):
        raise WorkbenchError("the sound holds no samples.")
    if not np.isfinite(samples).all():
        raise WorkbenchError("the sound is damaged: some of its samples are not numbers.")
    if sampling_rate and sampling_rate != rate:
        from scipy.signal import resample_poly

        common = gcd(sampling_rate, rate)
        samples = resample_poly(samples, sampling_rate // common, rate // common).astype(np.float32)
        rate = sampling_rate
    return samples, rate


def decode_video(data: bytes, frames: int = 8) -> list[Image.Image]:
    """Exactly `frames` RGB frames, evenly spread over the video, upright, no side above VIDEO_FRAME_SIDE pixels.

    A video with fewer frames repeats some. Raises WorkbenchError if it is no video, holds no picture, is damaged, or
    its frames have more than MAX_IMAGE_PIXELS.
    """
    kind = sniff(data)
    if kind is None or kind[0] != "video":
        raise WorkbenchError("the video is in no format that can be opened here. Use MP4, MOV, WebM, MKV or AVI.")
    with _decoding("video"), _open_container(data, VIDEO_CONTAINERS[kind[1]]) as container:
        if not container.streams.video:
            raise WorkbenchError("the video holds no picture track.")
        stream = container.streams.video[0]
        _check_pixels("video", stream.codec_context.width, stream.codec_context.height)
        seconds = _container_seconds(container)
        start = float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
        targets = [start + seconds * (number + 0.5) / frames for number in range(frames)]
        pictures: list[Image.Image] = []
        for target in targets:
            frame = _frame_at(container, stream, target)
            if frame is None and not pictures:
                raise WorkbenchError("the video is damaged: not one of its frames can be decoded.")
            pictures.append(pictures[-1] if frame is None else _upright_frame(frame))
        return pictures


def video_poster(data: bytes) -> Image.Image:
    """The frame in the middle of a video, RGB. Raises WorkbenchError as `decode_video` does."""
    return decode_video(data, frames=1)[0]


def check_media(modality: str, data: bytes) -> None:
    """Decode an item once; raises WorkbenchError with a sentence (no row number) if that fails.

    `thumbnail` decodes just as much: whoever makes one needs no other check.
    """
    if modality == "image":
        _decode_image(data, draft=64)
    elif modality == "audio":
        _peaks(data, 8)
    elif modality == "video":
        decode_video(data, frames=3)
    else:
        raise ValueError(f"modality must be image, audio or video, not {modality!r}")


def thumbnail(modality: str, data: bytes, pixels: int = 320) -> bytes:
    """A WebP no wider and no higher than `pixels`: the picture, the video's middle frame, or the sound's waveform.

    The waveform is `pixels` wide on a transparent ground; what is transparent in a picture stays so. Small pictures
    are not enlarged. Decodes the whole item (of a video one frame) and raises WorkbenchError as the decoders do.
    """
    if modality == "audio":
        return _webp(_draw_waveform(_peaks(data, pixels // 4), pixels), lossless=True)
    if modality not in NOUNS:
        raise ValueError(f"modality must be image, audio or video, not {modality!r}")
    picture = _decode_image(data, draft=pixels, ground=None) if modality == "image" else video_poster(data)
    picture.thumbnail((pixels, pixels))
    return _webp(picture, lossless=False)


def duration_seconds(modality: str, data: bytes) -> float:
    """How long a sound or video is, in seconds, from its header; 0.0 for a picture, or where the header is silent."""
    if modality == "image":
        return 0.0
    kind = sniff(data)
    if kind is None or kind[0] != modality:
        raise WorkbenchError(f"the {NOUNS[modality]} is in no format that can be opened here.")
    container = (VIDEO_CONTAINERS | AUDIO_CONTAINERS).get(kind[1])
    with _decoding(NOUNS[modality]):
        if container is None:
            import soundfile

            return float(soundfile.info(io.BytesIO(data)).duration)
        with _open_container(data, container) as opened:
            return _container_seconds(opened)


def sound_blocks(data: bytes) -> tuple[int, Iterator[np.ndarray]]:
    """The sampling rate in Hz, and the sound as mono float32 blocks (samples,): an hour of it takes no more memory.

    A video gives its sound track. Raises WorkbenchError, also while the blocks are read, as `decode_audio` does.
    """
    kind = sniff(data)
    if kind is not None and kind[0] == "video":
        rate, blocks = _container_blocks(data, VIDEO_CONTAINERS[kind[1]])
    else:
        rate, blocks = _audio_blocks(data)
    return rate, _in_words(blocks)


def _in_words(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    with _decoding("sound"):
        for block in blocks:
            if not np.isfinite(block).all():
                raise WorkbenchError("the sound is damaged: some of its samples are not numbers.")
            yield block


def _open_container(data: bytes, container: str) -> Any:
    """Open with PyAV as the given format: left to guess, it would follow playlists to other files and addresses."""
    import av

    return av.open(io.BytesIO(data), format=container)


def _container_seconds(opened: Any) -> float:
    import av

    return float((opened.duration or 0) / av.time_base)


@contextmanager
def _decoding(noun: str) -> Iterator[None]:
    """Decoders raise anything on damaged input; the user gets one sentence."""
    from PIL import Image

    try:
        yield
    except WorkbenchError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        found = re.search(r"\((\d+) pixels\)", str(error))
        raise WorkbenchError(_too_large(noun, int(found[1]) if found else None)) from error
    except Exception as error:
        detail = str(error).split("\n")[0].strip(" .") or type(error).__name__
        if "truncated" in detail or isinstance(error, EOFError):
            raise WorkbenchError(
                f"the {noun} is cut off: the end of the file is missing. Save or copy it again."
            ) from error
        raise WorkbenchError(
            f"the {noun} cannot be decoded, its file is damaged ({_plain(detail)}). Save it again."
        ) from error


def _plain(detail: str) -> str:
    """A decoder's own words without the Python objects in them: cannot identify image file <_io.BytesIO object …>."""
    return re.sub(r"\s*<[^>]* object at 0x[0-9a-f]+>", "", detail)[:160]


def _too_large(noun: str, pixels: int | None) -> str:
    found = "more" if pixels is None else f"{pixels / 1e6:,.0f} million pixels"
    return f"the {noun} has {found}; the limit is {MAX_IMAGE_PIXELS // 1_000_000} million. Make it smaller."


def _check_pixels(noun: str, width: int, height: int) -> None:
    if width * height > MAX_IMAGE_PIXELS:
        raise WorkbenchError(_too_large(noun, width * height))


def _decode_image(data: bytes, draft: int | None = None, ground: str | None = "white") -> Image.Image:
    """As `decode_image`; with `draft` a JPEG is decoded at a reduced scale, no smaller than that many pixels.

    Without a `ground` a picture with transparency stays RGBA.
    """
    from PIL import Image, ImageOps

    kind = sniff(data)
    if not data:
        raise WorkbenchError("the picture is an empty file (0 bytes).")
    if kind is None or kind[0] != "image":
        raise WorkbenchError("the picture is in no format that can be opened here. Use PNG, JPEG, WebP, GIF or TIFF.")
    with _decoding("picture"):
        # Naming the formats keeps Pillow from handing PostScript to Ghostscript and the like.
        picture: Image.Image = Image.open(io.BytesIO(data), formats=IMAGE_FORMATS)
        _check_pixels("picture", *picture.size)
        if draft:
            picture.draft("RGB", (draft, draft))
        picture.load()
        if picture.mode.startswith(("I", "F")):
            picture = _eight_bits(picture)
        picture = ImageOps.exif_transpose(picture)
        if picture.has_transparency_data:
            layer = picture.convert("RGBA")
            if ground is None:
                return layer
            picture = Image.alpha_composite(Image.new("RGBA", layer.size, ground), layer)
        return picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """16-bit greys scaled to 8 bits; `convert` alone would clip them to white."""
    from PIL import Image

    values = np.asarray(picture, dtype=np.float64)
    if picture.mode == "F":
        low, high = np.nanmin(values), np.nanmax(values)
        values = (values - low) / (high - low or 1.0) * 255
    elif picture.mode.startswith("I;16") or values.max() > 255:
        values = values / 257
    return Image.fromarray(np.nan_to_num(values).clip(0, 255).astype(np.uint8))


def _audio_blocks(data: bytes) -> tuple[int, Iterator[np.ndarray]]:
    """Sampling rate, and mono float32 blocks of the sound, after checking its header."""
    if not data:
        raise WorkbenchError("the sound is an empty file (0 bytes).")
    kind = sniff(data)
    if kind is None or kind[0] != "audio":
        raise WorkbenchError("the sound is in no format that can be opened here. Use WAV, FLAC, MP3, OGG or M4A.")
    if kind[1] in AUDIO_CONTAINERS:
        return _container_blocks(data, AUDIO_CONTAINERS[kind[1]])
    import soundfile

    with _decoding("sound"):
        file = soundfile.SoundFile(io.BytesIO(data))
    _check_sound(file.frames, file.samplerate)
    return file.samplerate, _soundfile_blocks(file)


def _soundfile_blocks(file: Any) -> Iterator[np.ndarray]:
    left = MAX_AUDIO_SECONDS * file.samplerate
    with file:
        while left > 0 and len(block := file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)):
            left -= len(block)
            yield block.mean(axis=1, dtype=np.float32)


def _container_blocks(data: bytes, container: str) -> tuple[int, Iterator[np.ndarray]]:
    import av

    with _decoding("sound"):
        opened = _open_container(data, container)
        if not opened.streams.audio:
            raise WorkbenchError("the sound holds no sound track.")
        stream = opened.streams.audio[0]
        rate = int(stream.codec_context.sample_rate)
    _check_sound(max(1, int(_container_seconds(opened) * rate)), rate)

    def blocks() -> Iterator[np.ndarray]:
        left = MAX_AUDIO_SECONDS * rate
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        with opened:
            for frame in opened.decode(stream):
                for mono in resampler.resample(frame):
                    block = mono.to_ndarray().reshape(-1).astype(np.float32)
                    left -= len(block)
                    yield block
                if left <= 0:
                    return

    return rate, blocks()


def _check_sound(samples: int, rate: int) -> None:
    if not MIN_SAMPLING_RATE <= rate <= MAX_SAMPLING_RATE:
        raise WorkbenchError(f"the sound says it has {rate:,} samples a second, which no recording has. Save it again.")
    if samples <= 0:
        raise WorkbenchError("the sound holds no samples.")
    if samples > MAX_AUDIO_SECONDS * rate:
        raise WorkbenchError(
            f"the sound is {samples / rate / 60:,.0f} minutes long; the limit is {MAX_AUDIO_SECONDS // 60}. Cut it up."
        )


def _peaks(data: bytes, bars: int) -> np.ndarray:
    """The loudest sample within each of `bars` equal stretches, float32 (bars,), keeping one block in memory."""
    _, blocks = _audio_blocks(data)
    stretch, peaks, rest = 64, [], np.zeros(0, np.float32)
    with _decoding("sound"):
        for block in blocks:
            if not np.isfinite(block).all():
                raise WorkbenchError("the sound is damaged: some of its samples are not numbers.")
            rest = np.concatenate([rest, np.abs(block)])
            whole = len(rest) // stretch * stretch
            peaks.append(rest[:whole].reshape(-1, stretch).max(axis=1))
            rest = rest[whole:]
    if len(rest):
        peaks.append(rest.max(keepdims=True))
    loudest = np.concatenate(peaks) if peaks else rest
    if not len(loudest):
        raise WorkbenchError("the sound holds no samples.")
    starts = (np.arange(bars) * len(loudest)) // bars
    return np.maximum.reduceat(loudest, starts).astype(np.float32)


def _draw_waveform(peaks: np.ndarray, width: int) -> Image.Image:
    """Upright bars, the loudest as high as the picture, on a transparent ground: (width × 3/10 · width) RGBA."""
    from PIL import Image, ImageDraw

    height = max(8, width * 3 // 10)
    picture = Image.new("RGBA", (width, height), (*WAVEFORM_COLOUR[:3], 0))
    pen = ImageDraw.Draw(picture)
    step = width / len(peaks)
    for number, reach in enumerate(peaks / max(float(peaks.max()), 1e-4)):
        half = max(1.0, float(reach) * (height / 2 - 2))
        left = number * step
        box = (left, height / 2 - half, left + max(1.0, step * 0.6) - 1, height / 2 + half)
        pen.rounded_rectangle(box, radius=1, fill=WAVEFORM_COLOUR)
    return picture


def _webp(picture: Image.Image, *, lossless: bool) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=80, method=1, lossless=lossless)
    return file.getvalue()


def _frame_at(container: Any, stream: Any, seconds: float) -> Any:
    """The first frame at or after a time, or the last one before the end; None if nothing decodes."""
    import av

    found = None
    try:
        container.seek(max(0, int(seconds * av.time_base)))
        for found in container.decode(stream):
            if found.time is None or found.time + 1e-3 >= seconds:
                break
    except (av.error.FFmpegError, EOFError):
        # The last stretch of a cut-off video: what came before it can still be used.
        return found
    return found


def _upright_frame(frame: Any) -> Image.Image:
    scale = min(1.0, VIDEO_FRAME_SIDE / max(frame.width, frame.height))
    size = {"width": max(1, round(frame.width * scale)), "height": max(1, round(frame.height * scale))}
    picture: Image.Image = frame.to_image(**size)
    return picture.rotate(frame.rotation, expand=True) if frame.rotation % 360 else picture
