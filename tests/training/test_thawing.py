"""A joined model learns: projections first, towers after the thaw, the same after a kill, and more than chance."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models import hub_layouts as hub
from tests.training.planted import planted
from workbench.collection.store import Item
from workbench.errors import Stopped, WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.models import load_embedder
from workbench.models.join import join_models
from workbench.training.freezing import PROJECTIONS, lies_within, part_names, prefixes_of
from workbench.training.preparing import routes_of_columns
from workbench.training.run import run_training
from workbench.training.spec import train_spec
from workbench.training.trainer import RunCallback
from workbench.workspace import Workspace, open_workspace

COLOURS = {
    "red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220), "yellow": (230, 220, 30),
    "black": (15, 15, 15), "white": (245, 245, 245), "pink": (250, 120, 190), "cyan": (30, 210, 220),
}  # fmt: skip
THINGS = ("car", "house", "ball", "shirt", "door", "cup")
SHORT = {"batch_size": 8, "evaluations": 3, "evaluation_queries": 10, "loader_workers": 0, "max_steps": 6, "epochs": 50}


def picture(colour: tuple[int, int, int], generator: np.random.Generator) -> Item:
    """A picture of one colour with noise."""
    from PIL import Image

    pixels = np.clip(np.array(colour) + generator.normal(0, 12, (16, 16, 3)), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return Item(image=file.getvalue())


def tone(place: int, generator: np.random.Generator) -> Item:
    """A tone whose pitch stands for a colour."""
    import soundfile

    seconds = np.arange(3200) / 8000
    file = io.BytesIO()
    soundfile.write(file, np.sin(seconds * 2 * np.pi * 300 * 1.3**place + generator.uniform(0, 6)), 8000, format="WAV")
    return Item(audio=file.getvalue())


def rows(kind: str) -> Iterator[tuple[Item, Item, float, str]]:
    """Captions with pictures, tones with captions, or captions with captions: those of the last thing held out."""
    generator = np.random.default_rng(4)
    for number, thing in enumerate(THINGS):
        split = "eval" if number == len(THINGS) - 1 else "train"
        for place, (name, colour) in enumerate(COLOURS.items()):
            caption = Item(text=f"{name} {thing}")
            if kind in ("image", "mixed"):
                yield caption, picture(colour, generator), 1.0, split
            if kind == "mixed":
                yield tone(place, generator), caption, 1.0, split
                yield Item(text=f"{thing} of {name}"), caption, 1.0, split


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with two collections and a model joined of tiny ones with random weights."""
    folder = tmp_path_factory.mktemp("joined")
    workspace = open_workspace(folder / "workspace")
    text = str(hub.text_embedder(folder / "text", "Bert", pooling="mean", prompts={"query": "q: ", "document": "d: "}))
    image, audio = str(hub.clip(folder / "clip")), str(hub.whisper(folder / "whisper"))
    join_models(workspace, text=text, image=image, audio=audio, name="any", audio_seconds=1)
    for kind in ("image", "mixed"):
        planted(workspace, kind, list(rows(kind)))
    return workspace


def slow(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow, id=values[0])


def begun(workspace: Workspace, name: str, collection: str = "image", **overrides: Any) -> JobFolder:
    spec = train_spec(workspace, collection=collection, model="added:any", overrides=SHORT | overrides)
    return create_job_folder(workspace.run(name), "train", spec, {})


def weights(model: Any) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> dict[int, set[str]]:
    """The weights that each step of a run has changed: those of the projections, or others."""
    from transformers import Trainer

    seen: dict[int, set[str]] = {}
    before: dict[str, Any] = {}
    step = RunCallback.on_step_end
    train = Trainer.train

    def begin(self: Any, *given: Any, **named: Any) -> Any:
        before.update(weights(self.model))
        return train(self, *given, **named)

    def look(self: RunCallback, args: Any, state: Any, control: Any, **more: Any) -> Any:
        prefixes = prefixes_of(more["model"], PROJECTIONS) if PROJECTIONS in part_names(more["model"]) else []
        seen[state.global_step] = {
            "projections" if lies_within(name, prefixes) else name.split("sub_modules.")[1].split(".")[0]
            for name, value in more["model"].named_parameters()
            if not value.equal(before[name])
        }
        before.update(weights(more["model"]))
        return step(self, args, state, control, **more)

    monkeypatch.setattr(Trainer, "train", begin)
    monkeypatch.setattr(RunCallback, "on_step_end", look)
    return seen


def test_a_joined_model_gets_its_first_lesson_without_being_asked(there: Workspace) -> None:
    settings = begun(there, "asked").spec["settings"]
    assert settings["thaw_after"] == 0.3 and settings["part_learning_rates"] == ["projections=0.001"]
    assert begun(there, "told", thaw_after=0).spec["settings"]["thaw_after"] == 0
    lora = begun(there, "lora", lora_rank=4).spec["settings"]
    assert lora["thaw_after"] == 0 and lora["part_learning_rates"] == []


def test_the_projections_are_a_part_of_the_model(there: Workspace) -> None:
    model = load_embedder(there, "added:any", device="cpu").model
    assert prefixes_of(model, "projections") == ["0.sub_modules.image.1", "0.sub_modules.audio.2"]
    assert part_names(model)[:4] == ["text", "image", "audio", "projections"]


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("plainly", {}),
        slow("accumulated", {"gradient_accumulation": 2, "schedule": "constant_with_warmup"}),
        slow("in-mini-batches", {"gradient_checkpointing": True, "mini_batch_size": 3}),
        slow("with-frozen-text", {"optimizer": "adafactor", "frozen_parts": ["text"]}),
    ],
)
def test_towers_change_after_the_thaw_and_not_before(
    name: str, overrides: dict[str, Any], there: Workspace, changes: dict[int, set[str]], capsys: Any
) -> None:
    job = begun(there, name, thaw_after=0.5, warmup_ratio=0, **overrides)
    run_training(there, job)
    after = {"projections", "image"} | (set() if "frozen_parts" in overrides else {"text"})
    first = {step: {"projections"} for step in (1, 2, 3)}
    assert changes == first | {step: after for step in (4, 5, 6)}
    assert "from step 4 on everything learns" in capsys.readouterr().out
    again = load_embedder(there, f"run:{name}", device="cpu")
    assert again.modalities == ("text", "image", "audio", "video")
    assert train_spec(there, collection="image", model=f"run:{name}")["settings"]["thaw_after"] == 0


@pytest.mark.slow
def test_a_share_of_one_keeps_the_towers_for_good(there: Workspace, changes: dict[int, set[str]]) -> None:
    run_training(there, begun(there, "kept", thaw_after=1))
    assert set.union(*changes.values()) == {"projections"}


@pytest.mark.slow
@pytest.mark.parametrize("mini_batch_size", [0, 4])
def test_mixed_pairs_go_their_own_ways_and_pairs_of_text_wait_for_the_thaw(
    mini_batch_size: int, there: Workspace, changes: dict[int, set[str]]
) -> None:
    job = begun(
        there, f"mixed-{mini_batch_size}", "mixed", thaw_after=0.5, max_steps=16, mini_batch_size=mini_batch_size
    )
    run_training(there, job)
    first = [changes[step] for step in range(1, 9)]
    assert set.union(*first) == {"projections"} and set() in first
    assert set.union(*(changes[step] for step in range(9, 17))) == {"projections", "text", "image", "audio"}


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 4])
def test_a_run_killed_before_or_after_the_thaw_ends_bit_for_bit_as_an_undisturbed_one(
    step: int, there: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = JobFolder(there.run("whole"))
    if not whole.path.exists():
        whole = begun(there, "whole", thaw_after=0.5)
        run_training(there, whole)
    job = begun(there, f"killed-{step}", thaw_after=0.5)
    after_step = RunCallback.on_step_end

    def stop(self: RunCallback, args: Any, state: Any, control: Any, **more: Any) -> Any:
        if state.global_step == step:
            (self.job.path / "STOP").touch()
        return after_step(self, args, state, control, **more)

    monkeypatch.setattr(RunCallback, "on_step_end", stop)
    with pytest.raises(Stopped):
        run_training(there, job)
    monkeypatch.undo()
    (job.path / "STOP").unlink()
    run_training(there, job)
    assert [event["step"] for event in job.events("started")] == [0, step]
    losses = [{event["step"]: event["loss"] for event in one.events("metrics")} for one in (whole, job)]
    assert losses[0] == losses[1] and len(losses[0]) == 6
    files = [sorted((one.path / "model").rglob("*.safetensors")) for one in (whole, job)]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]


@pytest.mark.slow
def test_pictures_are_found_by_words_that_were_never_seen_together_with_them(there: Workspace) -> None:
    job = begun(there, "learnt", max_steps=90, batch_size=8, evaluations=2)
    summary = run_training(there, job)
    # One of 48 pictures is right, which makes 0.09 by chance; 6 are of its colour, and no more can be known: 0.55.
    assert summary["baseline"]["ndcg@10"] < 0.25 < 0.4 < summary["metrics"]["ndcg@10"]


@pytest.mark.parametrize(
    ("model", "overrides", "words"),
    [
        ("added:any", {"lora_rank": 4, "thaw_after": 0.3}, "LoRA holds the towers still"),
        ("added:any", {"thaw_after": 1.5}, "less than or equal to 1"),
        ("starter", {"thaw_after": 0.3}, ""),
        ("plain", {"thaw_after": 0.3}, "has no projections that could learn before the rest"),
    ],
)
def test_a_thaw_that_cannot_work_is_refused_before_the_start(
    model: str, overrides: dict[str, Any], words: str, there: Workspace, tmp_path: Path
) -> None:
    if model == "plain":
        model = str(hub.clip(tmp_path / "clip"))
    if not words:
        assert train_spec(there, collection="image", model=model, overrides=overrides)
        return
    with pytest.raises(WorkbenchError) as caught:
        train_spec(there, collection="image", model=model, overrides=overrides)
    assert words in " ".join([str(caught.value), *caught.value.problems])


def test_projections_that_are_frozen_cannot_learn_first(there: Workspace) -> None:
    with pytest.raises(WorkbenchError, match="projections are frozen"):
        run_training(there, begun(there, "frozen", frozen_parts=["projections"]))


@pytest.mark.slow
def test_both_sides_of_an_asymmetric_model_learn_on_their_own_route(
    there: Workspace, tmp_path: Path, changes: dict[int, set[str]]
) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router

    tower = str(hub.text_embedder(tmp_path / "tower", "Bert", pooling="mean", normalize=False))
    sides = Router.for_query_document(*(list(SentenceTransformer(tower, device="cpu")) for _ in range(2)))
    SentenceTransformer(modules=[sides], device="cpu").save_pretrained(str(tmp_path / "sides"))
    captions = [(asked, found, 1.0, split) for asked, found, _, split in rows("mixed") if found.text and asked.text]
    planted(there, "captions", captions)
    overrides = SHORT | {"warmup_ratio": 0, "max_steps": 2}
    spec = train_spec(there, collection="captions", model=str(tmp_path / "sides"), overrides=overrides)
    run_training(there, create_job_folder(there.run("sides"), "train", spec, {}))
    assert changes == {1: {"query", "document"}, 2: {"query", "document"}}


def test_sides_with_routes_of_their_own_are_trained_on_them() -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sentence_transformer.modules import BoW

    sides = Router.for_query_document([BoW(["red"])], [BoW(["red"])])
    columns = ["query", "document", "negative_1"]
    assert routes_of_columns(SentenceTransformer(modules=[sides], device="cpu"), columns) == {
        "query": "query", "document": "document", "negative_1": "document",
    }  # fmt: skip
    assert routes_of_columns(SentenceTransformer(modules=[BoW(["red"])], device="cpu"), columns) == {}
