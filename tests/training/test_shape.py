"""The objective follows from the judgements, and one that they cannot feed says what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from training.planted import pair_rows, planted, scored_rows

from workbench.collection.store import Collection, Item
from workbench.errors import WorkbenchError
from workbench.job_folder import create_job_folder
from workbench.settings import OBJECTIVES, TrainSettings
from workbench.training.run import run_training
from workbench.training.shape import Shape, choose_objective, shape_of
from workbench.training.spec import train_spec
from workbench.workspace import Workspace

PAIRS = Shape(positives=100, told=100, distinct=1, queries=100, levels={1.0: 100}, modality_pairs={"text->text": 100})


def chosen(shape: Shape, kind: str = "embedder", **wanted: Any) -> str:
    return choose_objective(shape, kind, TrainSettings(**wanted)).name


def test_pairs_without_negatives_are_contrasted_within_the_batch() -> None:
    objective = choose_objective(PAIRS, "embedder", TrainSettings())
    assert objective.name == "contrastive"
    assert objective.sentence == (
        "You have pairs without negatives, so each query is told apart from the other documents of its batch."
    )
    assert chosen(PAIRS, "reranker") == "bce"
    assert chosen(PAIRS, "late-interaction") == "contrastive"


def test_a_guide_or_a_teacher_is_used_by_the_objective_that_takes_one() -> None:
    assert chosen(PAIRS, guide_model="starter") == "contrastive-guided"
    for kind in OBJECTIVES:
        objective = choose_objective(PAIRS, kind, TrainSettings(teacher_model="run:large"))
        assert objective.name == "distillation"
        assert "run:large" in objective.sentence


def read(workspace: Workspace, name: str, rows: list[tuple[Item, Item, float, str]]) -> tuple[Collection, Shape]:
    collection = planted(workspace, name, rows)
    return collection, shape_of(collection)


def test_the_shape_is_read_from_the_train_judgements(workspace: Workspace) -> None:
    collection, shape = read(workspace, "pairs", pair_rows())
    assert shape.positives == shape.told == len(collection.judged("train"))
    assert shape.modality_pairs == {"text->text": shape.positives}
    assert not (shape.is_float or shape.is_graded or shape.is_binary or shape.shows_negatives)

    _, shape = read(workspace, "float", scored_rows(lambda shared, generator: shared * 0.4 + 0.1 * generator.random()))
    assert shape.is_float and chosen(shape) == "similarity"
    assert "degrees of similarity" in choose_objective(shape, "embedder", TrainSettings()).sentence

    _, shape = read(workspace, "graded", scored_rows(lambda shared, _: shared))
    assert shape.is_graded and set(shape.levels) == {1.0, 2.0}
    assert chosen(shape) == "contrastive"  # in the measurements of `graded` no better


def test_lone_wrong_pairs_are_labels_and_wrong_ones_beside_right_ones_are_negatives(workspace: Workspace) -> None:
    beside = [
        row
        for number in range(20)
        for row in (
            (Item(text=f"question {number}"), Item(text=f"answer {number}"), 1.0, "train" if number else "eval"),
            (Item(text=f"question {number}"), Item(text=f"mistake {number}"), 0.0, "train" if number else "eval"),
        )
    ]
    _, shape = read(workspace, "beside", beside)
    assert shape.told_wrong == 19 and shape.lone_wrong == 0
    assert shape.shows_negatives and chosen(shape) == "contrastive"
    assert "wrong documents" in choose_objective(shape, "embedder", TrainSettings()).sentence

    lone = [
        (
            Item(text=f"sentence {number}"),
            Item(text=f"other {number}"),
            float(number % 2),
            "train" if number else "eval",
        )
        for number in range(1, 200)
    ]
    _, shape = read(workspace, "few", lone[:40])
    assert shape.lone_wrong == shape.told_wrong > 9
    assert shape.is_binary and chosen(shape) == "binary"
    _, shape = read(workspace, "many", lone)
    assert shape.is_binary and chosen(shape) == "contrastive"
    assert "the right ones teach most" in choose_objective(shape, "embedder", TrainSettings()).sentence


@pytest.mark.parametrize(
    ("kind", "wanted", "words"),
    [
        ("embedder", {"objective": "lambda"}, "“lambda” is not for embedder runs. Choose auto, or one of contrastive"),
        ("reranker", {"objective": "similarity"}, "“similarity” is not for reranker runs"),
        ("embedder", {"objective": "margin"}, "Set the teacher model"),
        ("late-interaction", {"objective": "distillation"}, "Set the teacher model"),
        ("embedder", {"objective": "contrastive-guided"}, "Set the guide model"),
        ("embedder", {"objective": "similarity"}, "all judgements of this collection have the same one"),
        ("embedder", {"objective": "binary"}, "this collection has no wrong ones"),
        ("embedder", {"objective": "graded"}, "here all have the same one"),
    ],
)
def test_an_objective_that_cannot_work_says_what_is_missing(kind: str, wanted: dict[str, Any], words: str) -> None:
    with pytest.raises(WorkbenchError, match=words):
        choose_objective(PAIRS, kind, TrainSettings(**wanted))


def test_every_objective_is_told_in_one_sentence() -> None:
    shape = Shape(positives=9, told=12, distinct=3, told_wrong=3, levels={1.0: 5, 2.0: 4}, queries=9)
    for kind, names in OBJECTIVES.items():
        for name in names:
            settings = TrainSettings(objective=name, teacher_model="run:large", guide_model="starter")  # type: ignore[arg-type]
            sentence = choose_objective(shape, kind, settings).sentence
            assert sentence.startswith("As you chose, ") and sentence.endswith(".") and "  " not in sentence


def test_a_spec_records_the_objective_and_says_why(workspace: Workspace) -> None:
    planted(workspace, "pairs", pair_rows())
    spec = train_spec(workspace, collection="pairs", model="starter")
    assert spec["objective"] == "contrastive"
    assert spec["objective_words"].startswith("You have pairs without negatives, so ")
    with pytest.raises(WorkbenchError, match="There is no run named “large”"):
        train_spec(workspace, collection="pairs", model="starter", overrides={"teacher_model": "run:large"})
    wanted = {"objective": "contrastive-guided", "guide_model": "starter-reranker"}
    with pytest.raises(WorkbenchError, match="is no embedder"):
        train_spec(workspace, collection="pairs", model="starter", overrides=wanted)


def test_a_run_of_scores_tells_their_correlation_and_a_teacher_stays_with_its_run(workspace: Workspace) -> None:
    planted(workspace, "scored", scored_rows(lambda shared, generator: 0.45 * shared + 0.1 * generator.random(), 60))
    short = {"max_steps": 2, "batch_size": 16, "evaluations": 1, "evaluation_queries": 10}
    job = create_job_folder(
        workspace.run("scores"),
        "train",
        train_spec(workspace, collection="scored", model="starter", overrides=short),
        {},
    )
    summary = run_training(workspace, job)
    assert -1 <= summary["metrics"]["spearman"] <= 1
    assert all("spearman" in event["metrics"] for event in job.events("evaluation"))

    short |= {"teacher_model": "starter"}
    spec = train_spec(workspace, collection="scored", model="run:scores", overrides=short)
    job = create_job_folder(workspace.run("copied"), "train", spec, {})
    assert set(run_training(workspace, job)["metrics"]) == {"ndcg@10"}
    assert (job.path / "teacher.npz").exists()
