"""Collections in which an answer can only be known by learning it, and a training small enough for a test.

A query names two things, and so does a document, in other words: which word of a document stands for which of a query
is drawn at random. Held-out queries name pairs that no training query named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.models.starter import words_file
from workbench.settings import TrainSettings
from workbench.training.kinds import RECIPES
from workbench.training.recipe import Scored
from workbench.training.run import count_steps, seed_everything
from workbench.training.trainer import trainer_class
from workbench.workspace import Workspace, new_folder

THINGS = 8
FAST = {"batch_size": 32, "learning_rate": 1e-3, "epochs": 10}


def words(count: int) -> list[str]:
    """So many everyday words, drawn with a fixed seed."""
    every = [word for word in words_file().read_text(encoding="utf-8").split() if word.isalpha() and len(word) > 3]
    return np.random.default_rng(5).permutation(every)[:count].tolist()


WORDS = np.array(words(4 * THINGS)).reshape(4, THINGS)


def query(first: int, second: int, more: str = "") -> Item:
    return Item(text=f"{WORDS[0, first]} {WORDS[1, second]} {more}".strip())


def document(first: int, second: int, more: str = "") -> Item:
    return Item(text=f"{WORDS[2, first]} {WORDS[3, second]} {more}".strip())


def planted(workspace: Workspace, name: str, rows: list[tuple[Item, Item, float, str]]) -> Collection:
    """A collection of (query, document, score, split) rows."""
    with new_folder(workspace.collection(name)) as folder, CollectionWriter(folder) as writer:
        for asked, found, score, split in rows:
            writer.judge(writer.add("queries", asked), writer.add("corpus", found), score, split)
        writer.finish(name, labels={"query": "query", "document": "document"}, source={})
    return open_collection(workspace, name)


def near(things: tuple[int, int], generator: np.random.Generator) -> tuple[int, int]:
    """The same two things, or two of which the first, the second or neither is the same, as often each."""
    others = tuple(generator.integers(THINGS, size=2).tolist())
    return [things, (things[0], others[1]), (others[0], things[1]), others][generator.integers(4)]


def scored_rows(score: Any, count: int = 480) -> list[tuple[Item, Item, float, str]]:
    """Queries with documents that share both, one or none of their things. score(shared, generator) -> score."""
    generator, split = np.random.default_rng(2), splits()
    rows = {}
    for place in generator.integers(len(split), size=count).tolist():
        asked = list(split)[place]
        found = near(asked, generator)
        shared = (asked[0] == found[0]) + (asked[1] == found[1])
        rows[asked, found] = (query(*asked), document(*found), float(score(shared, generator)), split[asked])
    return list(rows.values())


def splits() -> dict[tuple[int, int], str]:
    """Each pair of things, a quarter of them held out."""
    every = [(first, second) for first in range(THINGS) for second in range(THINGS)]
    order = np.random.default_rng(1).permutation(len(every))
    return {every[place]: "eval" if number < len(every) // 4 else "train" for number, place in enumerate(order)}


def pair_rows() -> list[tuple[Item, Item, float, str]]:
    """One right document for each query."""
    return [(query(*things), document(*things), 1.0, split) for things, split in splits().items()]


def learn(
    workspace: Workspace,
    collection: Collection,
    folder: Path,
    kind: str = "embedder",
    model: str = "starter",
    first_stage: str = "starter",
    quick: bool = True,
    **wanted: Any,
) -> tuple[Scored, Scored, Any]:
    """The scores before and after a short training, and the recipe, whose model is the trained one."""
    settings = TrainSettings(**{**FAST, **wanted})  # type: ignore[arg-type]
    spec = {"model": model, "first_stage": first_stage}
    seed_everything(settings.seed)
    recipe: Any = RECIPES[kind](workspace, collection, spec, settings)
    recipe.folder = folder
    recipe.model.eval()
    before = recipe.score(quick=quick)
    datasets = recipe.datasets()
    base, arguments_class = recipe.classes()
    arguments = arguments_class(
        output_dir=str(folder / "trainer"),
        max_steps=count_steps(recipe, datasets, settings),
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        max_grad_norm=30.0 if kind == "late-interaction" else 1.0,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=0,
        logging_strategy="no",
        **recipe.extra_arguments(),
    )
    trainer = trainer_class(base, recipe.sampler())(
        model=recipe.model, args=arguments, train_dataset=datasets, loss=recipe.loss()
    )
    trainer.train()
    recipe.model.eval()
    return before, recipe.score(quick=quick), recipe
