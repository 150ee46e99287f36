"""Does “why this result” name what matters? The starter on scenes of the demo, each with its own sentence.

    python benchmarks/explanations.py [--scenes 60] [--reranker starter-reranker]

Nobody knows the truth about a model, so what is named is put to the test: the parts that an explanation calls the
strongest are covered together, and so are as many at random. The ratio says how much further the score falls.

    picture   the hottest eighth of the area ÷ an eighth drawn at random
    sound     the strongest fifth of the windows ÷ a fifth drawn at random
    query     the strongest two words ÷ two drawn at random

Beside it: how often the hottest place lies on a shape, against the share of the picture that shapes fill; and how often
the strongest word of the sentence is a colour (two or three of its nine or ten different words are).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

DRAWS = 5


def main() -> None:
    """Print what was measured, a line for each kind of part."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--scenes", type=int, default=60)
    arguments.add_argument("--reranker", default="")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), given.scenes, given.reranker or None)


def measure(folder: Path, scenes: int, reranker: str | None) -> None:
    """Explain the picture and the tune of every scene to its sentence."""
    from workbench.collection.demo import make_demo
    from workbench.collection.scenes import COLOURS, GROUNDS
    from workbench.collection.store import open_collection
    from workbench.explain import why
    from workbench.index.build import build_index
    from workbench.index.search import Searcher
    from workbench.workspace import open_workspace

    workspace = open_workspace(folder / "workspace")
    make_demo(workspace, "demo", scenes=scenes)
    build_index(workspace, "demo", "demo", "starter")
    collection, searcher = open_collection(workspace, "demo"), Searcher(workspace)
    generator = np.random.default_rng(0)
    falls: dict[str, list[tuple[float, float]]] = {"picture": [], "sound": [], "query": []}
    on_shape, filled, coloured, seconds, scored = [], [], [], [], []
    colours = {*COLOURS, *GROUNDS}
    for row in range(scenes):
        query = collection.item("queries", row)
        for document in collection.items("corpus", (2 * row, 2 * row + 1)):
            if reranker and document.audio:
                continue
            score = searcher.scorer("demo", query, reranker=reranker)
            began = time.perf_counter()
            found = why(score, document, query)
            seconds.append(time.perf_counter() - began)
            scored.append(found.scored)
            if document.image:
                falls["picture"].append(_picture(score, document, found.parts, generator))
                hot, share = _on_shape(document.image, found.parts)
                on_shape.append(hot)
                filled.append(share)
                falls["query"].append(_query(score, document, query, found.query_parts, generator))
                coloured.append(max(found.query_parts, key=lambda part: part.drop).label in colours)
            else:
                falls["sound"].append(_sound(score, document, found.parts, generator))
    for kind, pairs in falls.items():
        if pairs:
            named, drawn = np.mean(pairs, axis=0)
            wins = np.mean([one > other for one, other in pairs])
            ratio = f"ratio {named / drawn:.2f}" if drawn > 0 else "at random it does not fall"
            print(f"{kind}: the score falls by {named:.3f}, at random by {drawn:.3f}: {ratio}, further in {wins:.0%}")
    print(f"the hottest place lies on a shape in {np.mean(on_shape):.0%}; shapes fill {np.mean(filled):.0%}")
    print(f"the strongest word is a colour in {np.mean(coloured):.0%}")
    print(f"{np.median(scored):.0f} scores and {np.median(seconds):.2f} s an explanation (medians of {len(seconds)})")


def _picture(score: Any, document: Any, parts: Sequence[Any], generator: np.random.Generator) -> tuple[float, float]:
    """How far the score falls with the hottest eighth covered, and with an eighth at random (mean of DRAWS)."""
    from workbench.explain import pictures

    picture = pictures.opened(document.image)
    cells = 16
    heat = np.zeros((cells, cells))
    for part in parts:
        left, top, width, height = (round(value * cells) for value in part.box)
        heat[top : top + height, left : left + width] = part.drop
    mean = np.asarray(picture).reshape(-1, 3).mean(axis=0)

    def fall(chosen: np.ndarray) -> float:
        from PIL import Image

        pixels = np.asarray(picture).copy()
        mask = np.kron(chosen, np.ones((pixels.shape[0] // cells, pixels.shape[1] // cells))).astype(bool)
        pixels[mask] = mean
        covered = replace(document, id="", image=pictures.encoded(Image.fromarray(pixels)))
        whole = replace(document, id="", image=pictures.encoded(picture))
        before, after = score([whole, covered])
        return float(before - after)

    return _both(fall, heat.reshape(-1), cells * cells // 8, generator, (cells, cells))


def _sound(score: Any, document: Any, parts: Sequence[Any], generator: np.random.Generator) -> tuple[float, float]:
    from workbench import media
    from workbench.explain import sounds

    samples, rate = media.decode_audio(document.audio)

    def fall(chosen: np.ndarray) -> float:
        silent = samples.copy()
        for part in (part for part, taken in zip(parts, chosen, strict=True) if taken):
            silent[round(part.span[0] * rate) : round(part.span[1] * rate)] = 0
        made = [replace(document, id="", audio=sounds.encoded(one, rate)) for one in (samples, silent)]
        before, after = score(made)
        return float(before - after)

    return _both(fall, np.array([part.drop for part in parts]), max(1, len(parts) // 5), generator, (len(parts),))


def _query(
    score: Any, document: Any, query: Any, parts: Sequence[Any], generator: np.random.Generator
) -> tuple[float, float]:
    from workbench.explain.texts import without

    def fall(chosen: np.ndarray) -> float:
        places = sorted(place for part, taken in zip(parts, chosen, strict=True) if taken for place in part.places)
        asked = [query, replace(query, text=without(query.text, tuple(places)))]
        before, after = score.ask(asked, document)
        return float(before - after)

    return _both(fall, np.array([part.drop for part in parts]), 2, generator, (len(parts),))


def _both(
    fall: Callable[[np.ndarray], float], strengths: np.ndarray, count: int, generator: np.random.Generator, shape: Any
) -> tuple[float, float]:
    """The fall without the `count` strongest, and the mean fall without as many at random."""

    def mask(chosen: np.ndarray) -> np.ndarray:
        taken = np.zeros(len(strengths), bool)
        taken[chosen] = True
        return taken.reshape(shape)

    named = fall(mask(np.argsort(-strengths, kind="stable")[:count]))
    drawn = [fall(mask(generator.choice(len(strengths), count, replace=False))) for _ in range(DRAWS)]
    return named, float(np.mean(drawn))


def _on_shape(data: bytes, parts: Sequence[Any]) -> tuple[bool, float]:
    """Whether shapes fill a third of the hottest box, and the share of the picture that they fill."""
    from workbench import media

    pixels = np.asarray(media.decode_image(data)).astype(int)
    ground = np.median(pixels[[0, -1]].reshape(-1, 3), axis=0)
    shapes = np.abs(pixels - ground).max(axis=2) > 60
    left, top, width, height = max(parts, key=lambda part: part.drop).box
    side_y, side_x = shapes.shape
    inside = shapes[int(top * side_y) : int((top + height) * side_y), int(left * side_x) : int((left + width) * side_x)]
    return bool(inside.mean() > 1 / 3), float(shapes.mean())


if __name__ == "__main__":
    main()
