"""A run reads with its family's prompts, and the model it leaves needs nobody to know of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.models import hub_layouts as hub
from workbench.collection.importing import import_collection
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.job_folder import create_job_folder
from workbench.models import load_embedder
from workbench.training.run import run_training
from workbench.training.spec import train_spec
from workbench.workspace import Workspace

SHORT = {"max_steps": 3, "batch_size": 8, "evaluations": 1, "evaluation_queries": 10, "loader_workers": 0}


@pytest.fixture
def pairs(workspace: Workspace, tmp_path: Path) -> str:
    """Forty questions, each with its answer."""
    words = ["red", "blue", "tall", "small", "warm", "cold", "old", "new"]
    with open(tmp_path / "pairs.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["query", "document"])
        for number in range(40):
            first, second = words[number % 8], words[number // 8]
            writer.writerow([f"which {first} {second} house {number}", f"a {first} {second} house, number {number}"])
    import_collection(workspace, "houses", tmp_path / "pairs.csv")
    return "houses"


def test_a_tuned_e5_carries_its_prompts(
    workspace: Workspace, pairs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import SentenceTransformer

    folder = hub.text_embedder(tmp_path / "e5", "Bert", pooling="mean")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(folder))
    read: list[str] = []
    preprocess = SentenceTransformer.preprocess

    def watch(self: SentenceTransformer, inputs: object, prompt: str | None = None, **more: object) -> object:
        if self.training:
            read.append(prompt or "")
        return preprocess(self, inputs, prompt=prompt, **more)

    monkeypatch.setattr(SentenceTransformer, "preprocess", watch)
    spec = train_spec(workspace, collection=pairs, model="intfloat/multilingual-e5-small", overrides=SHORT)
    job = create_job_folder(workspace.run("tuned"), "train", spec, {})
    run_training(workspace, job)
    assert set(read) == {"query: ", "passage: "}
    kept = json.loads((job.path / "model" / "config_sentence_transformers.json").read_text())["prompts"]
    assert kept == {"query": "query: ", "document": "passage: "}
    plain = SentenceTransformer(str(job.path / "model"), device="cpu")
    texts = ["which red house", "a tall old house"]
    queries = plain.encode_query([{"text": text} for text in texts])
    ours = load_embedder(workspace, "run:tuned", device="cpu").encode_queries([Item(text=text) for text in texts])
    np.testing.assert_allclose(ours, queries, atol=1e-6)


def test_a_model_whose_adapters_cannot_be_trained_together_is_refused(workspace: Workspace, pairs: str) -> None:
    with pytest.raises(WorkbenchError, match=r"cannot be trained\. Queries and documents go through two adapters"):
        train_spec(workspace, collection=pairs, model="jinaai/jina-embeddings-v3")
