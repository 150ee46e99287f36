"""Adapters are trained beside the weights and leave a plain model behind."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.collection.store import Item
from workbench.errors import Stopped, WorkbenchError
from workbench.job_folder import create_job_folder
from workbench.models import load_embedder
from workbench.models.starter import starter_folder
from workbench.settings import TrainSettings
from workbench.training.adapters import add_adapters, has_adapters, load_learnt, merge_adapters, save_learnt
from workbench.training.run import run_training
from workbench.training.spec import train_spec
from workbench.workspace import Workspace


@pytest.fixture
def adapted(workspace: Workspace) -> Any:
    """The starter with adapters that change what it says."""
    import torch

    embedder = load_embedder(workspace, "starter", device="cpu")
    add_adapters(embedder.model, TrainSettings(lora_rank=4))
    torch.manual_seed(0)
    with torch.no_grad():
        for name, value in embedder.model.named_parameters():
            if "lora_B" in name:
                value.normal_(std=0.1)
    return embedder


def test_what_was_learnt_comes_back_from_a_checkpoint(adapted: Any, workspace: Workspace, tmp_path: Path) -> None:
    vectors = adapted.encode_queries([Item(text="a red circle")])
    save_learnt(adapted.model, tmp_path)
    fresh = load_embedder(workspace, "starter", device="cpu")
    add_adapters(fresh.model, TrainSettings(lora_rank=4))
    assert np.abs(fresh.encode_queries([Item(text="a red circle")]) - vectors).max() > 1e-3
    load_learnt(fresh.model, tmp_path)
    np.testing.assert_allclose(fresh.encode_queries([Item(text="a red circle")]), vectors, atol=1e-6)


def test_merged_adapters_leave_a_plain_model_that_says_the_same(adapted: Any, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    vectors = adapted.encode_queries([Item(text="a red circle")])
    merge_adapters(adapted.model)
    assert not has_adapters(adapted.model)
    adapted.model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
    assert not list((tmp_path / "model").rglob("adapter*"))
    plain = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    np.testing.assert_allclose(plain.encode([{"text": "a red circle"}]), vectors, atol=1e-5)


def shaken(workspace: Workspace, **options: Any) -> Any:
    """The starter with adapters of some sort, as if they had learnt something."""
    import torch

    embedder = load_embedder(workspace, "starter", device="cpu")
    add_adapters(embedder.model, TrainSettings(lora_rank=4, **options))
    torch.manual_seed(0)
    with torch.no_grad():
        for name, value in embedder.model.named_parameters():
            if "lora_B" in name:
                value.normal_(std=0.1)
            elif "lora_magnitude" in name:
                value.mul_(1.5)
    embedder.model.eval()
    return embedder


@pytest.mark.parametrize(
    "options",
    [
        {"lora_dora": True},
        {"lora_rank_stabilised": True, "lora_alpha": 3},
        {"lora_targets": ["q_proj", "v_proj"], "lora_dropout": 0.5},
        {"base_in_4_bit": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_adapters_of_every_sort_leave_a_plain_model(
    options: dict[str, Any], workspace: Workspace, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    if "base_in_4_bit" in options:
        pytest.importorskip("bitsandbytes")
    embedder = shaken(workspace, **options)
    vectors = embedder.encode_queries([Item(text="a red circle")])
    usual = load_embedder(workspace, "starter", device="cpu").encode_queries([Item(text="a red circle")])
    assert np.abs(vectors - usual).max() > 1e-3
    merge_adapters(embedder.model)
    embedder.model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
    plain = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    # Over a base in 4 bits, what the adapters add is computed in half precision.
    rounded = 0.02 if "base_in_4_bit" in options else 1e-5
    np.testing.assert_allclose(plain.encode([{"text": "a red circle"}]), vectors, atol=rounded)


def test_the_scale_of_adapters_follows_the_settings(workspace: Workspace) -> None:
    from peft.tuners.lora import LoraLayer

    for options, scale in (({}, 2.0), ({"lora_alpha": 4}, 1.0), ({"lora_alpha": 4, "lora_rank_stabilised": True}, 2.0)):
        model = shaken(workspace, **options).model
        layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
        assert {layer.scaling["default"] for layer in layers} == {scale}


def test_adapters_go_where_they_are_asked_to(workspace: Workspace) -> None:
    model = shaken(workspace, lora_targets=["q_proj"]).model
    worn = {name.split(".lora_")[0].rsplit(".", 1)[-1] for name, _ in model.named_parameters() if "lora_" in name}
    assert worn == {"q_proj"}
    with pytest.raises(WorkbenchError, match=r"no linear layer “legs”\. It has: .*q_proj"):
        shaken(workspace, lora_targets=["legs"])


@pytest.mark.parametrize("kind", ["embedder", "reranker", "late-interaction"])
def test_a_run_with_adapters_goes_on_after_a_stop_and_its_model_loads_anywhere(
    kind: str, demo_workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.models.source import find

    spec = train_spec(
        demo_workspace,
        collection="demo",
        model="starter",
        kind=kind,
        first_stage="starter",
        overrides={"lora_rank": 2, "max_steps": 4, "evaluations": 2, "batch_size": 8, "evaluation_queries": 10},
    )
    job = create_job_folder(demo_workspace.run(f"lora-{kind}"), "train", spec, {})
    checkpoint = job.path / "checkpoints" / "checkpoint-2" / "complete"
    monkeypatch.setattr(type(job), "stop_requested", lambda self: checkpoint.exists())
    with pytest.raises(Stopped):
        run_training(demo_workspace, job)
    monkeypatch.setattr(type(job), "stop_requested", lambda self: False)
    run_training(demo_workspace, job)
    assert [event["resumed"] for event in job.events("started")] == [False, True]
    model = find(demo_workspace, f"run:lora-{kind}").folder
    assert model is not None
    assert str(starter_folder()) not in "".join(path.read_text() for path in model.rglob("*.json"))
    moved = shutil.copytree(model, tmp_path / "elsewhere")
    _load(kind, moved)


def _load(kind: str, folder: Path) -> Any:
    from sentence_transformers import CrossEncoder, MultiVectorEncoder, SentenceTransformer

    classes: dict[str, Any] = {
        "embedder": SentenceTransformer,
        "reranker": CrossEncoder,
        "late-interaction": MultiVectorEncoder,
    }
    return classes[kind](str(folder), device="cpu")
