"""The map of an evaluation: how long PCA and UMAP take, and whether fitting models together keeps items in place.

    python benchmarks/map.py [--items 5000] [--dimension 256]

Two models of made-up vectors in 60 groups: the second is the first with other noise, turned at random, as two trainings
of one model are to each other. How far an item moves from panel to panel, as a part of how far items lie apart, is told
for both models fitted together and for each fitted alone. The first UMAP of a process also compiles its functions.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workbench.evaluation.projection import Together, has_umap, pca, together, umap


def main() -> None:
    """Print the seconds of each step, and the two ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--dimension", type=int, default=256)
    chosen = parser.parse_args()
    first, second = made_up(chosen.items, chosen.dimension)
    print(f"{chosen.items:,} items × {chosen.dimension} dimensions; seconds of one core, and by the clock")
    one = timed("one model into one space", lambda: together([first]))
    timed("PCA of one model", lambda: pca(one))
    both = timed("two models into one space", lambda: together([first, second]))
    places = timed("PCA of two models", lambda: pca(both))[0]
    alone = np.stack([pca(together([model]))[0][0] for model in (first, second)])
    tell("PCA", places, alone)
    if has_umap():
        with_umap(one, both, [together([second])])


def with_umap(one: Together, both: Together, others: list[Together]) -> None:
    """The same of UMAP."""
    lone = timed("UMAP of one model, the first of the process", lambda: umap(one, pca(one)[0]))
    again = timed("UMAP of one model, once more", lambda: umap(one, pca(one)[0]))
    print(f"the same places both times: {np.array_equal(lone, again)}")
    places = timed("UMAP of two models", lambda: umap(both, pca(both)[0]))
    alone = np.stack([lone[0], *(umap(other, pca(other)[0])[0] for other in others)])
    tell("UMAP", places, alone)


def made_up(items: int, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of the same items by two models, float32 (items, dimension)."""
    random = np.random.default_rng(0)
    meant = random.standard_normal((60, dimension))[random.integers(0, 60, items)]
    turn, _ = np.linalg.qr(random.standard_normal((dimension, dimension)))
    first, second = (meant + noise * random.standard_normal((items, dimension)) for noise in (0.5, 0.3))
    return first.astype(np.float32), (second @ turn).astype(np.float32)


def timed(what: str, work: Callable[[], Any]) -> Any:
    """Do the work, and print how long it took."""
    cpu, clock = time.process_time(), time.perf_counter()
    done = work()
    print(f"{what}: {time.process_time() - cpu:.2f} s, {time.perf_counter() - clock:.2f} s")
    return done


def tell(name: str, fitted_together: np.ndarray, fitted_alone: np.ndarray) -> None:
    """Print how far items move between the panels, fitted together ÷ fitted alone."""
    moved = [moves(places) for places in (fitted_together, fitted_alone)]
    print(
        f"{moved[0] / moved[1]:.3f} = {moved[0]:.3f} ÷ {moved[1]:.3f}: how far an item moves from panel to panel by "
        f"{name}, of how far items lie apart, models fitted together ÷ each alone"
    )


def moves(places: np.ndarray) -> float:
    """The mean way of an item between two panels (2, items, 2), as a part of the spread of the items."""
    way = np.linalg.norm(places[0] - places[1], axis=1).mean()
    spread = np.mean([np.linalg.norm(one - one.mean(axis=0), axis=1).mean() for one in places])
    return float(way / spread)


if __name__ == "__main__":
    main()
