"""Small pictures, sounds and videos, made on the spot."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np


def picture(size: tuple[int, int] = (16, 16), colour: Any = (200, 30, 30), mode: str = "RGB", **save: Any) -> bytes:
    """A one-coloured picture; PNG unless `format` says otherwise."""
    from PIL import Image

    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, **{"format": "PNG", **save})
    return file.getvalue()


def noisy_jpeg(size: tuple[int, int] = (128, 128), seed: int = 0) -> bytes:
    """A JPEG with so much detail that its second half is far from empty."""
    from PIL import Image

    values = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "JPEG", quality=90)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    )


def tone(
    frequency: float = 440.0, seconds: float = 0.25, rate: int = 8000, channels: int = 1, form: str = "WAV"
) -> bytes:
    """A sine at half loudness; with two channels the second is silent."""
    import soundfile

    wave = 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)
    samples = np.stack([wave] + [np.zeros_like(wave)] * (channels - 1), axis=1)
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form)
    return file.getvalue()


def video(greys: Sequence[int] = (0, 60, 120, 180, 240), form: str = "mp4", size: tuple[int, int] = (64, 48)) -> bytes:
    """A video of one second for each grey, at 10 frames a second."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream("libvpx" if form == "webm" else "mpeg4", rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for grey in greys:
            for _ in range(10):
                values = np.full((size[1], size[0], 3), grey, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def m4a(seconds: float = 0.5, rate: int = 16000) -> bytes:
    """A sine in AAC, which soundfile does not read."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        wave = (0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype(np.float32)
        for start in range(0, len(wave) - 1023, 1024):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate = rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()
