"""Settings that cannot work are told in words before the start; docs/training.md lists them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.errors import WorkbenchError
from workbench.settings import GROUPS, KINDS, ModelFacts, TrainSettings, check_settings, conflicts, parse_overrides
from workbench.settings.documentation import BEGIN, END, settings_table
from workbench.training.spec import train_spec
from workbench.workspace import Workspace

EMBEDDER = ModelFacts("embedder", ("text", "image"), 128, (128, 64, 32, 16))
RERANKER = ModelFacts("reranker", ("text", "image"))
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "training.md"


def told(values: dict[str, Any], device: str = "cpu", model: ModelFacts = EMBEDDER, packages: str = "") -> list[str]:
    found = conflicts(
        check_settings(values), device=device, model=model, installed=lambda name: name in packages.split()
    )
    assert all(words.endswith((".", "]")) or "pip install" in words for _, words in found)
    return [name for name, _ in found]


def test_the_settings_as_they_are_have_no_conflicts() -> None:
    for kind in KINDS:
        for device in ("cpu", "cuda", "mps"):
            assert told({}, device, ModelFacts(kind)) == []


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("mini_batch_size", {"mini_batch_size": 64, "batch_size": 32}),
        ("precision", {"precision": "fp16"}),
        ("optimizer", {"optimizer": "adamw-8bit"}),
        ("schedule", {"schedule": "constant"}),
        ("part_learning_rates", {"part_learning_rates": ["image"]}),
        ("part_learning_rates", {"part_learning_rates": ["image=2"]}),
        ("objective", {"objective": "bce"}),
        ("hardness", {"hardness": 1, "objective": "similarity"}),
        ("guide_model", {"guide_model": "starter", "objective": "contrastive"}),
        ("guide_model", {"objective": "contrastive-guided"}),
        ("teacher_model", {"objective": "margin"}),
        ("teacher_model", {"objective": "contrastive", "teacher_model": "starter"}),
        ("matryoshka_dimensions", {"matryoshka_dimensions": [256]}),
        ("matryoshka_dimensions", {"matryoshka_dimensions": [64], "matryoshka": False}),
        ("matryoshka_weights", {"matryoshka_dimensions": [64, 32], "matryoshka_weights": [1, 1]}),
        ("matryoshka_weights", {"matryoshka_weights": [1, 1, 1]}),
        ("lora_dora", {"lora_dora": True}),
        ("lora_targets", {"lora_targets": ["q_proj"]}),
        ("frozen_parts", {"lora_rank": 4, "frozen_parts": ["image"]}),
        ("attention", {"attention": "flash_attention_2"}),
        ("base_in_4_bit", {"lora_rank": 4, "base_in_4_bit": True}),
        ("min_pixels", {"min_pixels": 900, "max_pixels": 100}),
        ("audio_seconds", {"audio_seconds": 2}),
        ("early_stopping", {"early_stopping": 5}),
        ("tracker", {"tracker": "wandb"}),
    ],
)
def test_what_cannot_work_is_told_beside_its_field(field: str, values: dict[str, Any]) -> None:
    assert told(values) == [field]


@pytest.mark.parametrize(
    "values",
    [
        {"precision": "fp16", "optimizer": "adamw-8bit", "lora_rank": 4, "base_in_4_bit": True},
        {"attention": "flash_attention_2", "precision": "bf16"},
        {"tracker": "wandb", "early_stopping": 4, "max_pixels": 100, "video_frames": 2},
        {"matryoshka_dimensions": [64, 32], "matryoshka_weights": [2, 1, 1]},
        {"objective": "contrastive", "hardness": 2, "mini_batch_size": 16, "batch_size": 16},
        {"schedule": "constant", "warmup_ratio": 0, "part_learning_rates": ["image=1e-4"]},
    ],
)
def test_what_works_on_a_machine_that_has_all_is_not_refused(values: dict[str, Any]) -> None:
    assert told(values, "cuda", packages="bitsandbytes flash_attn wandb") == []


def test_what_a_gpu_alone_does_not_give_is_told() -> None:
    assert told({"lora_rank": 4, "base_in_4_bit": True}, "cuda") == ["base_in_4_bit"]
    assert told({"base_in_4_bit": True}, "cuda", packages="bitsandbytes") == ["base_in_4_bit"]
    dora = {"lora_rank": 4, "lora_dora": True, "base_in_4_bit": True}
    assert told(dora, "cuda", packages="bitsandbytes") == ["lora_dora"]
    half = {"attention": "flash_attention_2", "precision": "fp32"}
    assert told(half, "cuda", packages="flash_attn") == ["attention"]


def test_what_belongs_to_embedders_is_refused_to_a_reranker() -> None:
    values = {"hardness": 1, "guide_model": "starter", "mined_negatives": 2, "query_prompt": "find: "}
    assert told(values, model=RERANKER) == ["hardness", "guide_model", "mined_negatives", "query_prompt"]


LATE = ModelFacts("late-interaction", ("text", "image"))


@pytest.mark.parametrize(
    ("field", "model", "values"),
    [
        ("temperature", LATE, {"temperature": 0.1, "objective": "contrastive"}),
        ("temperature", EMBEDDER, {"temperature": 0.1, "objective": "binary"}),
        ("temperature", EMBEDDER, {"temperature": 0.1, "objective": "margin", "teacher_model": "starter"}),
        ("temperature", RERANKER, {"temperature": 0.1}),
        ("matryoshka_dimensions", RERANKER, {"matryoshka_dimensions": [32]}),
        ("matryoshka_dimensions", LATE, {"matryoshka_dimensions": [32]}),
        ("matryoshka_weights", RERANKER, {"matryoshka_weights": [2]}),
        ("negatives_per_query", EMBEDDER, {"negatives_per_query": 5}),
        ("negatives_per_query", LATE, {"negatives_per_query": 5}),
        ("mined_negatives", EMBEDDER, {"mined_negatives": 2, "objective": "similarity"}),
        ("mined_negatives", EMBEDDER, {"mined_negatives": 2, "objective": "graded"}),
        ("mini_batch_size", EMBEDDER, {"mini_batch_size": 2, "objective": "binary"}),
        ("mini_batch_size", RERANKER, {"mini_batch_size": 2, "objective": "margin", "teacher_model": "starter"}),
    ],
)
def test_what_would_silently_do_nothing_is_refused(field: str, model: ModelFacts, values: dict[str, Any]) -> None:
    assert told(values, model=model) == [field]
    assert told({name: value for name, value in values.items() if name != field}, model=model) == []


def test_what_the_objective_uses_that_auto_stands_for_is_known_before_the_start(demo_workspace: Workspace) -> None:
    def spec(kind: str, *overrides: str) -> dict[str, Any]:
        values = parse_overrides(list(overrides))
        return train_spec(demo_workspace, collection="demo", model="starter", kind=kind, overrides=values)

    taught = spec("late-interaction", "temperature=0.1", "teacher_model=starter")
    assert taught["objective"] == "distillation"
    with pytest.raises(WorkbenchError) as caught:
        spec("late-interaction", "temperature=0.1")
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["Temperature (temperature)"]
    with pytest.raises(WorkbenchError) as caught:
        spec("embedder", "guide_model=starter", "teacher_model=starter")
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["Guide model (guide_model)"]


def test_a_run_with_settings_that_cannot_work_is_refused_with_all_of_them(demo_workspace: Workspace) -> None:
    overrides = parse_overrides(["lora_dora=true", "early_stopping=9", "matryoshka_weights=1,2"])
    with pytest.raises(WorkbenchError, match="cannot work together") as caught:
        train_spec(demo_workspace, collection="demo", model="starter", overrides=overrides)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "Early stopping (early_stopping)",
        "Matryoshka weights (matryoshka_weights)",
        "DoRA (lora_dora)",
    ]


def test_every_setting_has_a_title_a_line_and_a_group() -> None:
    order = []
    for field in TrainSettings.model_fields.values():
        extra = field.json_schema_extra
        assert isinstance(extra, dict) and field.title and str(field.description).endswith(".")
        order.append(GROUPS.index(str(extra["group"])))
    assert order == sorted(order) and set(order) == set(range(len(GROUPS)))


def test_the_documentation_lists_the_settings_as_they_are_declared() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    written = text.split(BEGIN)[1].split(END)[0].strip()
    assert written == settings_table(), "python -m workbench.settings.documentation writes docs/training.md anew"
