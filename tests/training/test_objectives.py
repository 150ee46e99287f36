"""Every objective teaches: on planted answers, which cannot be guessed, its own metric rises far beyond chance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training.planted import document, learn, pair_rows, planted, query, scored_rows, splits, words

from tests.conftest import png_bytes
from workbench.collection.store import Collection, Item, open_collection
from workbench.errors import WorkbenchError
from workbench.models import load_embedder
from workbench.settings import TrainSettings
from workbench.training.kinds import EmbedderRecipe
from workbench.training.objectives import check_guide, embedder_loss
from workbench.training.teacher import Teacher
from workbench.workspace import Workspace, open_workspace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = open_workspace(tmp_path_factory.mktemp("objectives"))
    planted(workspace, "pairs", pair_rows())
    return workspace


@pytest.fixture(scope="module")
def pairs(place: Workspace) -> Collection:
    return open_collection(place, "pairs")


@pytest.fixture(scope="module")
def large(place: Workspace, pairs: Collection, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that knows the planted answers, for those that learn from one; itself taught by `contrastive`."""
    folder = tmp_path_factory.mktemp("large")
    before, after, recipe = learn(place, pairs, folder, epochs=14)
    assert recipe.objective == "contrastive"
    assert before.ndcg < 0.2 and after.ndcg > 0.85
    recipe.model.save_pretrained(str(folder / "model"), create_model_card=False)
    return str(folder / "model")


@pytest.mark.parametrize("objective", ["contrastive-guided", "margin", "distillation"])
def test_an_embedder_learns_from_another_model(
    objective: str, place: Workspace, pairs: Collection, large: str, tmp_path: Path
) -> None:
    other = {"guide_model": large} if objective == "contrastive-guided" else {"teacher_model": large}
    before, after, recipe = learn(place, pairs, tmp_path, epochs=14, objective=objective, **other)
    assert recipe.objective == objective
    assert before.ndcg < 0.2 and after.ndcg > 0.5
    assert (tmp_path / "teacher.npz").exists() == (objective != "contrastive-guided")


@pytest.mark.parametrize(
    ("objective", "score"),
    [
        ("similarity", lambda shared, generator: 0.45 * shared + 0.1 * generator.random()),
        ("binary", lambda shared, _: shared == 2),
    ],
)
def test_an_embedder_learns_scores_and_labels(
    objective: str, score: Callable[..., float], workspace: Workspace, tmp_path: Path
) -> None:
    collection = planted(workspace, "scored", scored_rows(score))
    before, after, recipe = learn(workspace, collection, tmp_path, epochs=7, objective=objective)
    assert recipe.objective == objective
    assert before.more["spearman"] < 0.25
    assert after.more["spearman"] > 0.4


def test_an_embedder_learns_grades(workspace: Workspace, tmp_path: Path) -> None:
    collection = planted(workspace, "graded", scored_rows(lambda shared, _: shared))
    before, after, recipe = learn(workspace, collection, tmp_path, epochs=4, objective="graded")
    judged = collection.judged("train")
    grades = {(q, d): s for q, d, s in zip(judged.queries, judged.documents, judged.scores, strict=True)}
    (shown,) = recipe.pairs
    rows = zip(shown.queries, shown.documents, shown.negatives, strict=True)
    assert all(grades.get((q, wrong), 0) < grades[q, right] for q, right, wrong in rows)
    assert before.ndcg < 0.2 and after.ndcg > 0.4


@pytest.mark.parametrize("objective", ["bce", "lambda", "listwise", "contrastive", "margin", "distillation"])
def test_a_reranker_learns(objective: str, place: Workspace, pairs: Collection, large: str, tmp_path: Path) -> None:
    teacher = {"teacher_model": large} if objective in ("margin", "distillation") else {}
    before, after, recipe = learn(
        place, pairs, tmp_path, "reranker", large, large, epochs=9, objective=objective, **teacher
    )
    assert recipe.objective == objective
    assert after.ndcg > before.ndcg + 0.15  # a fresh head puts the first stage's documents in an order of chance


@pytest.mark.parametrize("objective", ["contrastive", "distillation"])
def test_a_late_interaction_model_learns(
    objective: str, place: Workspace, pairs: Collection, large: str, tmp_path: Path
) -> None:
    teacher = {"teacher_model": large} if objective == "distillation" else {}
    before, after, recipe = learn(
        place, pairs, tmp_path, "late-interaction", "starter", large, epochs=10, objective=objective, **teacher
    )
    assert recipe.objective == objective
    assert after.ndcg > before.ndcg + 0.15


def test_a_modality_pair_with_a_twentieth_of_the_rows_is_learnt_beside_the_others(
    workspace: Workspace, tmp_path: Path
) -> None:
    generator, names = np.random.default_rng(0), words(200)[100:]
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255), (0, 0, 0)]
    rows = [
        (query(*things, names[more]), document(*things, names[more + 8]), 1.0, split)
        for things, split in splits().items()
        for more in range(8)
    ]
    for number, colour in enumerate(colours):
        for more in range(4):
            shade = tuple(int(abs(part - 20 * generator.random())) for part in colour)
            asked = Item(text=f"{names[20 + number]} {names[30 + more]}")
            rows.append((asked, Item(image=png_bytes(shade, (32, 32))), 1.0, "train" if more else "eval"))  # type: ignore[arg-type]
    collection = planted(workspace, "uneven", rows)
    before, after, recipe = learn(workspace, collection, tmp_path, quick=False, epochs=6, batch_size=64)
    few, many = (next(len(one) for one in recipe.pairs if one.name == f"text->{kind}") for kind in ("image", "text"))
    assert few <= 0.25 * many  # each shown four times as often: the root of their ratio
    assert len(collection.judged("train")) > 19 * few / 4
    # The four shades of a colour cannot be told apart, so that 0.64 is the best there is, and chance is 0.16.
    assert before.by_direction["text->image"].mean() < 0.3
    assert after.by_direction["text->image"].mean() > 0.4
    assert after.by_direction["text->text"].mean() > before.by_direction["text->text"].mean() + 0.1


def test_a_teachers_scores_fit_between_minus_one_and_one(
    place: Workspace, pairs: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = pairs.judged("train")
    queries, documents = judged.queries[:6], np.stack([judged.documents[:6], judged.documents[6:12]], axis=1)
    teacher = Teacher(place, "starter", tmp_path)
    monkeypatch.setattr(Teacher, "_ask", lambda self, collection, asked, *known: (asked, (asked % 1000).astype("f4")))
    scores = teacher.scores(pairs, queries, documents)
    assert scores.shape == (6, 2) and scores.min() == 0 and scores.max() == 1


def test_several_mined_negatives_stand_beside_each_pair(place: Workspace, pairs: Collection) -> None:
    recipe = EmbedderRecipe(place, pairs, {"model": "starter"}, TrainSettings(mined_negatives=3, epochs=2))
    (dataset,) = recipe.datasets().values()
    assert dataset.column_names == ["query", "document", "negative_1", "negative_2", "negative_3"]
    assert len(dataset) == 2 * len(pairs.judged("train"))
    right = set(zip(pairs.judged().queries.tolist(), pairs.judged().documents.tolist(), strict=True))
    (shown,) = recipe.pairs
    assert shown.negatives is not None
    for asked, wrong in zip(shown.queries.tolist(), shown.negatives.tolist(), strict=True):
        assert len(set(wrong)) == 3 and not any((asked, one) in right for one in wrong)


def test_matryoshka_is_refused_weighted_or_told_that_the_weights_do_not_fit(
    place: Workspace, pairs: Collection
) -> None:
    model: Any = load_embedder(place, "starter", device="cpu").model
    recipe = EmbedderRecipe(place, pairs, {"model": "starter"}, TrainSettings(matryoshka=False))
    assert recipe.dimensions == [128]
    assert type(recipe.loss()).__name__ == "MultipleNegativesRankingLoss"
    weighted = embedder_loss(model, TrainSettings(matryoshka_weights=[2, 1]), [128, 32], "similarity")
    assert weighted.matryoshka_weights == (2, 1)
    with pytest.raises(WorkbenchError, match="There are 3 Matryoshka weights and 2 dimensions"):
        embedder_loss(model, TrainSettings(matryoshka_weights=[1, 1, 1]), [128, 32])


def test_a_guide_that_prepares_pictures_in_another_way_is_refused(place: Workspace) -> None:
    model: Any = load_embedder(place, "starter", device="cpu").model
    guide: Any = load_embedder(place, "starter", device="cpu").model
    check_guide(model, guide, "other", ["text->image"])
    guide.max_seq_length = 8
    check_guide(model, guide, "other", ["text->text"])
    with pytest.raises(WorkbenchError, match="prepares pictures or sound in another way"):
        check_guide(model, guide, "other", ["text->text", "text->image"])


def test_hardness_reaches_the_loss(place: Workspace) -> None:
    model: Any = load_embedder(place, "starter", device="cpu").model
    loss = embedder_loss(model, TrainSettings(hardness=5, matryoshka=False), [128])
    assert (loss.hardness_mode, loss.hardness_strength) == ("all_negatives", 5)
    assert embedder_loss(model, TrainSettings(), [128]).hardness_mode is None
