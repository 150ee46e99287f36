"""Weights learn in 32 bits whatever their checkpoint has, and are written in the format they were read from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training.tiny import begun, encoder, houses
from workbench.errors import WorkbenchError
from workbench.models import load_embedder
from workbench.models.number_format import in_stored_format, remember_format
from workbench.settings import TrainSettings
from workbench.training import precision
from workbench.training.precision import computing, half_format, learns_in_full
from workbench.training.preparing import prepare
from workbench.training.presets import conflicts_here
from workbench.training.run import run_training
from workbench.training.trainer import RunCallback
from workbench.workspace import Workspace


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_half_checkpoint_learns_in_32_bits_and_stays_half(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    houses(workspace)
    learnt: set[torch.dtype] = set()
    after_step = RunCallback.on_step_end

    def watch(self: RunCallback, *given: Any, model: Any, **more: Any) -> Any:
        learnt.update(value.dtype for value in model.parameters())
        return after_step(self, *given, model=model, **more)

    monkeypatch.setattr(RunCallback, "on_step_end", watch)
    folder = encoder(tmp_path / "half", dtype)
    job = begun(workspace, "half", folder, learning_rate=1e-5)
    run_training(workspace, job)
    assert learnt == {torch.float32}
    before = load_file(Path(folder) / "model.safetensors")
    after = load_file(job.path / "model" / "model.safetensors")
    assert {str(value.dtype) for value in after.values()} == {f"torch.{dtype}"}
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert load_embedder(workspace, "run:half", device="cpu").model.dtype == getattr(torch, dtype)


def test_what_is_scored_at_the_end_is_what_was_written(workspace: Workspace, tmp_path: Path) -> None:
    folder = encoder(tmp_path / "half", "bfloat16")
    model = load_embedder(workspace, folder, device="cpu", full_precision=True).model
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    weight = next(model.parameters())
    with torch.no_grad():
        weight += 1e-5
    finer = weight.clone()
    with in_stored_format(model):
        assert {value.dtype for value in model.parameters()} == {torch.bfloat16}
    weight = next(model.parameters())
    assert weight.dtype == torch.float32
    assert torch.equal(weight, finer.to(torch.bfloat16).float()) and not torch.equal(weight, finer)


def test_a_whole_checkpoint_is_left_alone(workspace: Workspace) -> None:
    model = load_embedder(workspace, "starter", device="cpu", full_precision=True).model
    remember_format(model)
    before = [value.detach().clone() for value in model.parameters()]
    with in_stored_format(model):
        pass
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))


def test_adapters_learn_in_32_bits_on_a_base_that_stays_half(workspace: Workspace, tmp_path: Path) -> None:
    settings = TrainSettings(lora_rank=2, precision="bf16")
    assert not learns_in_full(settings)
    folder = encoder(tmp_path / "half", "bfloat16")
    model = load_embedder(workspace, folder, device="cpu", full_precision=learns_in_full(settings)).model
    prepare(model, settings)
    formats = {name: value.dtype for name, value in model.named_parameters() if value.requires_grad}
    assert formats and set(formats.values()) == {torch.float32}
    assert model.dtype == torch.bfloat16
    with computing(settings):
        loss = model(model.preprocess([{"text": "a red house"}]))["sentence_embedding"].float().sum()
    loss.backward()
    assert all(value.grad.dtype == torch.float32 for value in model.parameters() if value.grad is not None)


@pytest.mark.parametrize(
    ("own", "imitated", "asked", "found"), [(True, True, "auto", "bf16"), (False, True, "auto", None)]
)
def test_a_gpu_that_only_imitates_bf16_computes_in_32_bits(
    own: bool, imitated: bool, asked: Any, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: imitated if including_emulation else own
    )
    monkeypatch.setattr(precision, "best_device", lambda: "cuda")
    assert half_format(TrainSettings(precision=asked)) == found
    if not own:
        with pytest.raises(WorkbenchError, match="cannot compute in bf16"):
            half_format(TrainSettings(precision="bf16"))
        assert [name for name, _ in conflicts_here(TrainSettings(precision="bf16"), "embedder", {})] == ["precision"]


def test_fp16_is_refused_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "best_device", lambda: "cpu")
    with pytest.raises(WorkbenchError, match="needs a GPU"):
        half_format(TrainSettings(precision="fp16"))


def test_scorings_compute_as_the_steps_do() -> None:
    layer, rows = torch.nn.Linear(4, 4), torch.ones(2, 4)
    with computing(TrainSettings(precision="bf16")):
        assert layer(rows).dtype == torch.bfloat16
    with computing(TrainSettings(precision="fp32")):
        assert layer(rows).dtype == torch.float32
