"""The built-in demo collection: scenes, a sentence for each, and a picture and a tune that answer it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.collection.scenes import render, sample_scenes
from workbench.collection.store import Item
from workbench.collection.summary import import_summary
from workbench.collection.writing import CollectionWriter
from workbench.media import thumbnail
from workbench.workspace import Workspace, new_folder

SCENES = 3000
HELD_OUT = 400


def make_demo(
    workspace: Workspace,
    name: str = "demo",
    scenes: int = SCENES,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """Draw, describe and sound `scenes` scenes and keep them as a collection.

    400 scenes, or a sixth of a smaller demo, are held out. Returns the object of `import`.
    Raises WorkbenchError if the name is taken or the disk is full.
    """
    chosen = sample_scenes(scenes, seed)
    with new_folder(workspace.collection(name)) as folder, CollectionWriter(folder) as writer:
        for number, (sentence, picture, tune) in enumerate(render(chosen, seed)):
            query = writer.add("queries", Item(text=sentence))
            for item in (
                Item(image=picture, file=f"scene-{number:04d}.png", thumbnail=thumbnail("image", picture)),
                Item(audio=tune, file=f"scene-{number:04d}.flac", thumbnail=thumbnail("audio", tune)),
            ):
                writer.judge(query, writer.add("corpus", item))
            if progress is not None:
                progress(number + 1, scenes, "Drawing the demo")
        card = writer.finish(
            name,
            labels={"query": "sentence", "document": "picture or tune"},
            source={"kind": "demo", "scenes": scenes, "seed": seed},
            seed=seed,
            fraction=min(HELD_OUT, max(1, scenes // 6)) / scenes,
        )
    return import_summary(card)
