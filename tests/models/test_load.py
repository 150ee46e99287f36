"""Loading in words: what a model lacks, whoever loads another one at the same time."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.models import hub_layouts as hub
from workbench.errors import WorkbenchError
from workbench.models import load_embedder, load_reranker
from workbench.models.load import loading_in_words
from workbench.workspace import Workspace


def without(folder: Path, part: str) -> str:
    """The model in a folder, without the weights whose names hold `part`."""
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if part not in name}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return str(folder)


@pytest.mark.parametrize("part", ["classifier", "pooler"])
def test_a_reranker_without_its_head_is_refused(workspace: Workspace, tmp_path: Path, part: str) -> None:
    headless = without(hub.cross_encoder(tmp_path / "headless"), part)
    with pytest.raises(WorkbenchError, match=rf"lacks weights that matter \(.*{part}"):
        load_reranker(workspace, headless, device="cpu")


def test_an_embedder_without_a_pooler_that_it_does_not_ask_loads(workspace: Workspace, tmp_path: Path) -> None:
    folder = without(hub.text_embedder(tmp_path / "mine", "Bert", pooling="mean"), "pooler")
    assert load_embedder(workspace, folder, device="cpu").dimension == hub.WIDTH


def test_what_another_thread_loads_is_not_told_of_this_model() -> None:
    said, begun = [], threading.Event()

    def other() -> None:
        begun.set()
        try:
            with loading_in_words("other"):
                logging.getLogger("transformers.modeling_utils").warning("head.weight | MISSING | ")
        except WorkbenchError as error:
            said.append(str(error))

    thread = threading.Thread(target=other)
    with loading_in_words("this"):
        thread.start()
        begun.wait(10)
        thread.join(0.3)  # it waits for this load
    thread.join(10)
    assert len(said) == 1 and "“other” lacks weights" in said[0]
