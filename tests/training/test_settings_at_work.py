"""Every setting of a run changes what it says it changes: seen in the trainer, the weights or the vectors."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.media_makers import picture, tone, video
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.models import load_embedder
from workbench.models.items import model_input
from workbench.settings import TrainSettings
from workbench.training.freezing import freeze, learning_rates, part_names, prefixes_of
from workbench.training.preparing import prepare, prompts_of_columns, set_attention
from workbench.training.run import run_training
from workbench.training.spec import train_spec
from workbench.workspace import Workspace

pytestmark = pytest.mark.slow

SHORT = {"max_steps": 4, "batch_size": 8, "evaluations": 2, "evaluation_queries": 10, "loader_workers": 0}


@pytest.fixture
def model(workspace: Workspace) -> Any:
    return load_embedder(workspace, "starter", device="cpu").model


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The trainer of a run, as it was when it began."""
    from sentence_transformers import SentenceTransformerTrainer

    seen: dict[str, Any] = {}
    train = SentenceTransformerTrainer.train

    def watch(self: Any, *given: Any, **more: Any) -> Any:
        seen["trainer"] = self
        return train(self, *given, **more)

    monkeypatch.setattr(SentenceTransformerTrainer, "train", watch)
    return seen


def run(workspace: Workspace, name: str, **overrides: Any) -> JobFolder:
    spec = train_spec(workspace, collection="demo", model="starter", overrides=SHORT | overrides)
    job = create_job_folder(workspace.run(name), "train", spec, {})
    run_training(workspace, job)
    return job


def weights(model: Any) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def test_schedule_optimizer_rates_and_frozen_parts_reach_the_trainer(
    demo_workspace: Workspace, watched: dict[str, Any]
) -> None:
    before = weights(load_embedder(demo_workspace, "starter", device="cpu").model)
    run(
        demo_workspace,
        "taught-otherwise",
        schedule="linear",
        optimizer="adafactor",
        part_learning_rates=["audio=3e-3"],
        frozen_parts=["image"],
        warmup_ratio=0,
    )
    trainer = watched["trainer"]
    assert type(trainer.optimizer.optimizer).__name__ == "Adafactor"
    assert {group["initial_lr"] for group in trainer.optimizer.param_groups} == {1e-3, 3e-3}
    logged = [entry["learning_rate"] for entry in trainer.state.log_history if "learning_rate" in entry]
    assert logged == pytest.approx([1e-3, 0.75e-3, 0.5e-3, 0.25e-3])
    after = weights(load_embedder(demo_workspace, "run:taught-otherwise", device="cpu").model)
    changed = {name for name in before if not before[name].equal(after[name])}
    assert not any("vision_tower" in name for name in changed)
    assert any("language_model" in name for name in changed) and any("sub_modules.audio" in name for name in changed)


def test_accumulated_batches_make_one_step(demo_workspace: Workspace, watched: dict[str, Any]) -> None:
    job = run(demo_workspace, "accumulated", gradient_accumulation=3, epochs=1, max_steps=0)
    started = job.last_event("started")
    assert started is not None
    trainer = watched["trainer"]
    assert trainer.args.gradient_accumulation_steps == 3
    assert trainer.state.global_step == started["steps"] and trainer.state.epoch == pytest.approx(1.0)
    alone = run(demo_workspace, "alone", max_steps=1, evaluations=1)
    losses = [next(event["loss"] for event in one.events("metrics")) for one in (job, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=0.5)  # a mean of its batches, not their sum


def test_early_stopping_ends_a_run_that_gets_no_better(
    demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.training import evaluator

    monkeypatch.setattr(evaluator.RunEvaluator, "__call__", lambda self, *a, **b: {"chosen": 1 / (1 + b["steps"])})
    job = run(demo_workspace, "stopped-early", early_stopping=2, max_steps=20, evaluations=10)
    assert [event["step"] for event in job.events("checkpoint")] == [2, 4, 6]
    assert (job.path / "model").is_dir()


def test_a_tower_is_frozen_by_its_modality_or_its_name(model: Any) -> None:
    assert prefixes_of(model, "image") == ["0.sub_modules.trunk.0.model.vision_tower"]
    assert prefixes_of(model, "audio") == ["0.sub_modules.audio"]
    assert prefixes_of(model, "text") == ["0.sub_modules.trunk.0.model.language_model"]
    assert prefixes_of(model, "0.sub_modules.audio.2") == ["0.sub_modules.audio.2"]
    assert {"text", "image", "audio", "vision_tower"} <= {*part_names(model), "vision_tower"}
    with pytest.raises(WorkbenchError, match=r"no part “legs”\. It has: text, image, audio"):
        freeze(model, ["legs"])
    with pytest.raises(WorkbenchError, match="nothing is left to learn"):
        freeze(model, ["0"])


def test_the_towers_of_a_clip_model_are_known_by_their_modality() -> None:
    from transformers import CLIPConfig, CLIPModel

    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    clip = CLIPModel(CLIPConfig(text_config=small, vision_config=small, projection_dim=8))
    assert prefixes_of(clip, "text") == ["text_model"] and prefixes_of(clip, "image") == ["vision_model"]
    freeze(clip, ["image"])
    assert {name.split(".")[0] for name, value in clip.named_parameters() if not value.requires_grad} == {
        "vision_model"
    }


def test_rates_of_parts_must_be_rates(model: Any) -> None:
    for words in ("audio", "audio=fast", "=1e-3", "audio=-1"):
        with pytest.raises(WorkbenchError, match="Write it as part=rate"):
            learning_rates(model, [words])


def test_prompts_are_learnt_with_and_kept_in_the_model(demo_workspace: Workspace, watched: dict[str, Any]) -> None:
    job = run(demo_workspace, "prompted", query_prompt="find: ", document_prompt="shown: ", max_steps=2)
    assert watched["trainer"].data_collator.prompts == {"query": "find: ", "document": "shown: "}
    kept = load_embedder(demo_workspace, f"run:{job.name}", device="cpu").model
    assert kept.prompts["query"] == "find: " and kept.prompts["document"] == "shown: "


def test_a_model_without_prompts_is_trained_without(model: Any, demo_workspace: Workspace) -> None:
    class Table:
        column_names = ("query", "document", "negative", "label")

    assert prompts_of_columns(model, {"one": Table}) == {}
    model.prompts["query"] = "find: "
    assert prompts_of_columns(model, {"one": Table}) == {"query": "find: "}


def test_attention_is_computed_as_asked_or_refused(model: Any) -> None:
    set_attention(model, "eager")
    assert model.transformers_model.config._attn_implementation == "eager"
    with pytest.raises(WorkbenchError, match="flash_attention_2 cannot be used"):
        set_attention(model, "flash_attention_2")


def test_longer_texts_are_cut_also_when_the_model_is_loaded_again(
    model: Any, workspace: Workspace, tmp_path: Path
) -> None:
    text = {"text": "one two three four five six seven " * 20}
    prepare(model, TrainSettings(max_text_tokens=70))
    assert model.preprocess([text])["input_ids"].shape == (1, 70)
    model.save_pretrained(str(tmp_path / "cut"), create_model_card=False)
    again = load_embedder(workspace, str(tmp_path / "cut"), device="cpu").model
    assert again.preprocess([text])["input_ids"].shape == (1, 70)
    with pytest.raises(WorkbenchError, match="A picture takes more than 20 tokens"):
        prepare(model, TrainSettings(max_text_tokens=20))


def test_pictures_sounds_and_videos_are_kept_within_the_limits_also_when_the_model_is_loaded_again(
    model: Any, workspace: Workspace, tmp_path: Path
) -> None:
    prepare(model, TrainSettings(min_pixels=400, max_pixels=1000, audio_seconds=0.25, video_frames=2))
    model.save_pretrained(str(tmp_path / "limited"), create_model_card=False)
    form = load_embedder(workspace, str(tmp_path / "limited"), device="cpu").form
    large = model_input(Item(image=picture((100, 50))), form)
    assert large.width * large.height <= 1000 and large.width / large.height == pytest.approx(2, rel=0.1)
    small = model_input(Item(image=picture((10, 10))), form)
    assert small.size == (20, 20)
    assert len(model_input(Item(audio=tone(seconds=1.0)), form)["audio"]["array"]) == 4000
    assert len(model_input(Item(video=video()), form)["video"]) == 2


@pytest.mark.skipif("WORKBENCH_COMPILE_TESTS" not in os.environ, reason="compiling takes minutes on a small machine")
def test_a_compiled_model_learns_the_same(demo_workspace: Workspace) -> None:
    usual = run(demo_workspace, "usual", max_steps=2)
    compiled = run(demo_workspace, "compiled", max_steps=2, compile=True)
    losses = [[event["loss"] for event in job.events("metrics")] for job in (usual, compiled)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert load_embedder(demo_workspace, "run:compiled", device="cpu").dimension == 128


@pytest.mark.parametrize("tracker", ["tensorboard", "trackio", "wandb"])
def test_a_tracker_writes_into_the_folder_of_the_run(
    tracker: str, demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec(tracker) is None:  # not imported yet: trackio reads its place when it is
        pytest.skip(f"{tracker} is not installed")
    for variable in ("TENSORBOARD_LOGGING_DIR", "TRACKIO_DIR", "WANDB_DIR"):
        monkeypatch.setenv(variable, "")
    monkeypatch.setenv("WANDB_MODE", "offline")
    job = run(demo_workspace, f"tracked-by-{tracker}", tracker=tracker)
    written = [path for path in (job.path / "tracker").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in written) > 200
