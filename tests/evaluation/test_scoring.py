from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import png_bytes
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.evaluation.scoring import score_embedder


def test_a_perfect_model_scores_one_and_a_noisy_one_less(collection, toy):
    perfect = score_embedder(toy(), collection).metrics()
    noisy = score_embedder(toy(noise=2.0), collection).metrics()
    assert perfect["ndcg@10"] == pytest.approx(1.0)
    assert 0.1 < noisy["ndcg@10"] < 0.9


def test_there_is_a_row_for_each_dimension_precision_and_direction(collection, toy):
    scores = score_embedder(toy(noise=1.0), collection, precisions=("float32", "binary"))
    assert len(scores.rows) == 3 * 2 * 7
    row = scores.rows[0]
    assert (row["model"], row["dimension"], row["precision"], row["direction"]) == ("toy", 32, "float32", "all")
    assert (row["queries"], row["documents"]) == (25, 50)
    assert list(row["metrics"]) == ["ndcg@10", "mrr@10", "recall@1", "recall@10", "recall@100"]
    assert row["interval"][0] < row["metrics"]["ndcg@10"] < row["interval"][1]
    values = scores.per_query[32, "float32", "all"]["ndcg@10"]
    assert values.shape == (25,) and values.mean() == pytest.approx(row["metrics"]["ndcg@10"])


def test_a_size_that_the_model_lacks_is_replaced_by_its_full_one_and_said(collection, toy):
    scores = score_embedder(toy(), collection, [1024, 512, 8])
    assert [row["dimension"] for row in scores.rows if row["direction"] == "all"] == [32, 8]
    assert scores.notes == ["“toy” has 32 dimensions, so its full size stands in for 1024, 512."]


def test_a_dimension_of_zero_is_refused(collection, toy):
    with pytest.raises(WorkbenchError, match="above 0"):
        score_embedder(toy(), collection, [0])


def test_an_unknown_direction_is_answered_with_those_there_are(collection, toy):
    with pytest.raises(WorkbenchError, match="text->image"):
        score_embedder(toy(), collection, directions=["video->text"])


def test_a_model_that_cannot_read_the_collection_is_refused_before_anything_is_encoded(collection, toy):
    class Deaf(toy):
        def check_supports(self, modalities):
            if "audio" in modalities:
                raise WorkbenchError("It cannot hear.")

    embedder = Deaf()
    with pytest.raises(WorkbenchError, match="cannot hear"):
        score_embedder(embedder, collection)
    assert embedder.encoded == []
    assert score_embedder(embedder, collection, directions=["text->image"]).rows


def test_a_direction_equal_to_all_has_equal_numbers(workspace, build, toy):
    collection = build(
        workspace,
        "questions",
        [Item(text=f"question {n}", id=f"q{n}") for n in range(20)],
        [Item(text=f"answer {n}", id=f"d{n}") for n in range(20)],
        [(f"q{n}", f"d{n}", 1.0, "eval") for n in range(20)],
    )
    scores = score_embedder(toy(noise=1.5), collection)
    assert scores.metrics(direction="text->text") == scores.metrics()


def test_the_starter_scores_what_sentence_transformers_says_of_it(workspace, build):
    """A real model, pictures and sentences, several relevant pictures, three dimensions: equal to 1e-6."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    from workbench.media import decode_image
    from workbench.models.load import load_embedder

    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (40, 3))
    pictures = [Item(image=png_bytes(tuple(map(int, color))), id=f"p{n:02}") for n, color in enumerate(colors)]
    queries = [Item(text=f"a square of colour {n}", id=f"q{n:02}") for n in range(12)]
    links = {query.id: [f"p{place:02}" for place in rng.choice(40, 3, replace=False)] for query in queries}
    judgements = [(query, picture, 1.0, "eval") for query, found in links.items() for picture in found]
    collection = build(workspace, "colours", queries, pictures, judgements)
    embedder = load_embedder(workspace, "starter", device="cpu")
    sizes = [embedder.dimension, 64, 16]
    scores = score_embedder(embedder, collection, sizes)
    for size in sizes:
        evaluator = InformationRetrievalEvaluator(
            {item.id: {"text": item.text} for item in queries},
            {item.id: decode_image(item.image) for item in pictures},
            {query: set(found) for query, found in links.items()},
            precision_recall_at_k=[1, 10, 100],
            truncate_dim=size,
            write_csv=False,
        )
        theirs = evaluator(embedder.model)
        ours = scores.metrics(size)
        for name, value in ours.items():
            assert value == pytest.approx(theirs[f"cosine_{name}"], abs=1e-6), (size, name)
