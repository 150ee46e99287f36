"""A text collection and a text encoder so small that a whole run of a few steps takes a second or two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.models import hub_layouts as hub
from workbench.collection.store import Item
from workbench.collection.writing import CollectionWriter
from workbench.job_folder import JobFolder, create_job_folder
from workbench.training.spec import train_spec
from workbench.workspace import Workspace, new_folder

SHORT = {"max_steps": 3, "batch_size": 8, "evaluations": 1, "evaluation_queries": 10, "loader_workers": 0}
FIRST, SECOND = ("red", "blue", "tall", "small", "warm"), ("cold", "old", "new", "wide", "flat", "dark")


def houses(workspace: Workspace) -> str:
    """Thirty questions, each with its answer; every fifth is held out."""
    with new_folder(workspace.collection("houses")) as folder, CollectionWriter(folder) as writer:
        for number, (first, second) in enumerate((one, other) for one in FIRST for other in SECOND):
            asked = writer.add("queries", Item(text=f"which {first} {second} house {number}"))
            found = writer.add("corpus", Item(text=f"a {first} {second} house, number {number}"))
            writer.judge(asked, found, 1.0, "eval" if number % 5 == 0 else "train")
        writer.finish("houses", labels={"query": "query", "document": "document"}, source={})
    return "houses"


def encoder(folder: Path, dtype: str = "float32") -> str:
    """A BERT with random weights as a text embedder, kept in a number format."""
    import torch
    from transformers import BertModel

    hub.text_embedder(folder, "Bert", pooling="mean")
    BertModel.from_pretrained(folder, dtype=getattr(torch, dtype)).save_pretrained(folder)
    return str(folder)


def begun(workspace: Workspace, name: str, model: str, **overrides: Any) -> JobFolder:
    """The folder of a run of three steps that has not started."""
    spec = train_spec(workspace, collection="houses", model=model, overrides=SHORT | overrides)
    return create_job_folder(workspace.run(name), "train", spec, {})
