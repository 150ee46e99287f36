"""What a media file is, told from its bytes and never from its name."""

from __future__ import annotations

import re

IMAGE_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
VIDEO_CONTAINERS = {"mp4": "mov", "mov": "mov", "webm": "matroska", "mkv": "matroska", "avi": "avi", "mpg": "mpeg"}
AUDIO_CONTAINERS = {"m4a": "mov", "aac": "aac"}  # what soundfile does not read and PyAV does
_BMP_HEADER_SIZES = [size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124)]
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image", "png"),
    (b"\xff\xd8\xff", "image", "jpg"),
    (b"GIF8", "image", "gif"),
    (b"II*\x00", "image", "tif"),
    (b"MM\x00*", "image", "tif"),
    (b"fLaC", "audio", "flac"),
    (b"OggS", "audio", "ogg"),
    (b"ID3", "audio", "mp3"),
    (b".snd", "audio", "au"),
    (b"\x1aE\xdf\xa3", "video", "webm"),
    (b"\x00\x00\x01\xba", "video", "mpg"),
)
_CONTENT_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "gif": "image/gif",
    "tif": "image/tiff",
    "webp": "image/webp",
    "bmp": "image/bmp",
    "avif": "image/avif",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mp3": "audio/mpeg",
    "au": "audio/basic",
    "aiff": "audio/aiff",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "avi": "video/x-msvideo",
    "mpg": "video/mpeg",
}


_MODALITY_BY_EXTENSION = {extension: kind.split("/")[0] for extension, kind in _CONTENT_TYPES.items()}
_MODALITY_BY_EXTENSION |= dict.fromkeys(("jpeg", "jpe", "tiff", "heic", "svg"), "image")
_MODALITY_BY_EXTENSION |= dict.fromkeys(("aif", "aifc", "oga", "opus", "wma"), "audio")
_MODALITY_BY_EXTENSION |= dict.fromkeys(("m4v", "mpeg", "wmv"), "video")


def sniff(data: bytes) -> tuple[str, str] | None:
    """Modality and extension of encoded media, such as ("image", "png"), told from its first bytes.

    None if it is no picture, sound or video that can be decoded here. 32 bytes are enough; with more, a WebM and
    a Matroska file are told apart.
    """
    for magic, modality, extension in _MAGIC:
        if data.startswith(magic):
            return (modality, "mkv") if extension == "webm" and b"matroska" in data[:64] else (modality, extension)
    if data[:4] in (b"RIFF", b"RF64"):
        kinds = {b"WAVE": ("audio", "wav"), b"WEBP": ("image", "webp"), b"AVI ": ("video", "avi")}
        return kinds.get(data[8:12])
    if data[:4] == b"FORM" and data[8:12] in (b"AIFF", b"AIFC"):
        return "audio", "aiff"
    if data[4:8] == b"ftyp":
        brands = {b"avif": ("image", "avif"), b"avis": ("image", "avif"), b"M4A ": ("audio", "m4a")}
        brands |= {b"M4B ": ("audio", "m4a"), b"qt  ": ("video", "mov")}
        # HEIC shares the container; no decoder for it is installed.
        return None if data[8:12] in (b"heic", b"heix", b"mif1") else brands.get(data[8:12], ("video", "mp4"))
    if data[:2] == b"BM" and data[14:18] in _BMP_HEADER_SIZES:
        return "image", "bmp"
    if len(data) >= 4 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
        if data[1] & 0x06 == 0x02 and data[1] & 0x18 != 0x08 and data[2] >> 4 != 0xF:
            return "audio", "mp3"
        if data[1] & 0xF6 == 0xF0:
            return "audio", "aac"
    return None


def content_type(extension: str) -> str:
    """The MIME type of an extension that `sniff` gives; application/octet-stream for any other."""
    return _CONTENT_TYPES.get(extension.lower().lstrip("."), "application/octet-stream")


def modality_of_name(name: str) -> str | None:
    """What a file name's ending promises: image, audio or video; None for any other ending."""
    found = re.search(r"\.(\w{2,5})(?:[?#].*)?$", name.strip())
    return _MODALITY_BY_EXTENSION.get(found[1].lower()) if found else None
