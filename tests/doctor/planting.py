"""Collections with faults planted in their media, and pictures and sounds to plant."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.workspace import Workspace, new_folder


def plant(workspace: Workspace, documents: Sequence[Item], name: str = "c", side: str = "corpus") -> Collection:
    """A collection of these documents, each with a query of its own; every fourth is held out.

    With side="queries" they are the queries, and the answers are texts.
    """
    with new_folder(workspace.collection(name)) as folder, CollectionWriter(folder) as writer:
        for number, item in enumerate(documents):
            words = Item(text=f"what number {number} shows", id=f"t{number}")
            query, document = (words, item) if side == "corpus" else (item, words)
            split = "eval" if number % 4 == 3 else "train"
            writer.judge(writer.add("queries", query), writer.add("corpus", document), split=split)
        writer.finish(name, labels={"query": "words", "document": "medium"}, source={"kind": "test"})
    return open_collection(workspace, name)


def photo(seed: int, size: tuple[int, int] = (240, 180)) -> Image.Image:
    """A picture of soft colours and some hard shapes, another for each seed."""
    generator = np.random.default_rng(seed)
    soft = Image.fromarray(generator.integers(0, 255, (6, 8, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(soft)
    for _ in range(4):
        x, y = generator.integers(0, size[0] - 50), generator.integers(0, size[1] - 50)
        width, height = generator.integers(20, 50, 2)
        pen.ellipse((x, y, x + width, y + height), fill=tuple(int(c) for c in generator.integers(0, 255, 3)))
    return soft


def encoded(picture: Image.Image, **save: Any) -> bytes:
    """The picture as a file; PNG unless `format` says otherwise."""
    file = io.BytesIO()
    picture.save(file, **{"format": "PNG", **save})
    return file.getvalue()


def melody(seed: int, rate: int = 8000, seconds: float = 1.0) -> np.ndarray:
    """Plucked notes, (samples,) float32, others for each seed."""
    generator = np.random.default_rng(seed)
    notes = []
    for pitch in generator.integers(0, 24, 5):
        time = np.arange(int(rate * seconds / 5)) / rate
        wave = sum(np.sin(2 * np.pi * 180 * 2 ** (pitch / 12) * k * time) / k for k in (1, 2, 3))
        notes.append(wave * np.exp(-time * 8) * np.minimum(1, time / 0.005))
    return (0.4 * np.concatenate(notes)).astype(np.float32)


def sound_file(samples: np.ndarray, rate: int = 8000, **save: Any) -> bytes:
    """The samples as a file; WAV unless `format` says otherwise."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, rate, **{"format": "WAV", **save})
    return file.getvalue()
