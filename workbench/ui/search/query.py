"""What is asked of a search: an item made of the fields of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench import media
from workbench.collection.store import Item
from workbench.errors import WorkbenchError


def take_as_sent(field: Any) -> None:
    """Let a field give the path of what was uploaded, untouched.

    Gradio would decode a picture first: lay its transparency onto black, and fail without words where it is damaged.
    """
    field.preprocess = lambda payload: payload.path if payload else None


def read_query(mode: str, text: str, image: str | None, audio: str | None, video: str | None) -> Item:
    """The query as an item. Raises WorkbenchError saying what is still missing."""
    words = (text or "").strip()
    if mode == "text":
        if not words:
            raise WorkbenchError("Write what you are looking for, then press Search.")
        return Item(text=words)
    if mode == "mixed":
        if not words or not image:
            raise WorkbenchError("A mixed question needs both: some words and a picture.")
        return Item(text=words, image=_read(image, "image"))
    given = {"image": image, "audio": audio, "video": video}[mode]
    noun = {"image": "picture", "audio": "sound", "video": "video"}[mode]
    if not given:
        raise WorkbenchError(f"Choose a {noun} to search with, then press Search.")
    data: dict[str, Any] = {mode: _read(given, mode)}
    return Item(**data)


def _read(path: str, modality: str) -> bytes:
    """The bytes of an upload, after a look that they are what they should be. Gradio has checked the path."""
    data = Path(path).read_bytes()
    media.check_media(modality, data)
    return data
