"""A small collection with everything awkward in it, and an evaluation of it by toys, made in a moment."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import patch

import numpy as np

from tests.conftest import png_bytes, wav_bytes
from tests.evaluation.conftest import ToyEmbedder
from tests.ui.small import NASTY
from workbench.collection.store import Item
from workbench.collection.writing import CollectionWriter
from workbench.evaluation.evaluate import evaluate
from workbench.media import thumbnail
from workbench.workspace import Workspace, new_folder

HELD, TRAINED = 48, 12
NOISE = {"starter": 1.6, "run:tuned": 1.1}


class Numbered(ToyEmbedder):
    """Knows an item by the number in its text or its file's name."""

    def _vector(self, item: Item) -> np.ndarray:
        number = int(re.findall(r"\d+", item.text or item.file)[-1])
        own = [int(item.content_id(), 16) % 2**32, len(self.reference)]
        meaning = np.random.default_rng(number).standard_normal(self.dimension)
        return meaning + self.noise * np.random.default_rng(own).standard_normal(self.dimension)


def query_id(number: int) -> str:
    """An id that is no name, looks like a path, and would end an attribute."""
    return f'../q/{number}?a=1&b="ü"'


def document_id(number: int) -> str:
    return f"d {number}: <b>"


def document(number: int) -> Item:
    """A picture, a sound or a text; two of three are pictures."""
    given: dict[str, Any] = {"id": document_id(number), "meta": {"kind": ("card", "sheet")[number % 2]}}
    if number % 6 == 5:
        return Item(text=f"a text about {number}", **given)
    if number % 3 == 2:
        data = wav_bytes(200.0 + 20 * number)
        return Item(audio=data, thumbnail=thumbnail("audio", data), file=f"sound-{number}.wav", **given)
    data = png_bytes((20 * number % 255, 255 - 17 * number % 255, 60), (48, 48))
    return Item(image=data, thumbnail=thumbnail("image", data), file=f"picture-{number}.png", **given)


def make_evaluated(workspace: Workspace, *, models: tuple[str, ...] = tuple(NOISE), name: str = "made") -> None:
    """The collection “things”, whose captions each have one answer, and an evaluation by toys in place of the models.

    Every third caption of those held out is of another length; the first one is a script.
    """
    if not workspace.collection("things").exists():
        with new_folder(workspace.collection("things")) as folder, CollectionWriter(folder) as writer:
            for number in range(HELD + TRAINED):
                text = (
                    f"{NASTY} {number}" if number == 0 else f"thing {'of quite another length ' * (number % 3)}{number}"
                )
                colour = {"colour": ("red", "green", "blue")[number % 3]}
                query = writer.add("queries", Item(text=text, id=query_id(number), meta=colour))
                split = "eval" if number < HELD else "train"
                writer.judge(query, writer.add("corpus", document(number)), split=split)
            writer.finish("things", labels={"query": "caption", "document": "thing"}, source={})

    def load(_: Workspace, told: str) -> Numbered:
        return Numbered(told, noise=NOISE.get(told, 1.0))

    # Nothing here asks how long a search takes, what guessing would score, or for the language of the captions.
    about = "workbench.evaluation"
    with (
        patch(f"{about}.evaluate.speeds", lambda *_: []),
        patch(f"{about}.evaluate._floors", lambda *_: []),
        patch(f"{about}.slices._languages", lambda texts: np.full(len(texts), "")),
    ):
        evaluate(workspace, "things", models, name=name, load=load)
