from __future__ import annotations

import math

import numpy as np
import pytest

from workbench.errors import WorkbenchError
from workbench.evaluation.measures import MEASURES, check_measures, measure, whole_gains
from workbench.evaluation.ranking import top_documents
from workbench.models.vectors import truncate

NAMES = {
    "ndcg@10": ("ndcg@k", 10),
    "mrr@10": ("mrr@k", 10),
    "recall@1": ("recall@k", 1),
    "recall@10": ("recall@k", 10),
    "recall@100": ("recall@k", 100),
}


def sentence_transformers_says(queries: np.ndarray, documents: np.ndarray, relevant: list[dict[int, float]]) -> dict:
    """What InformationRetrievalEvaluator measures of given vectors; document ids sort as their positions do."""
    import torch
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
    from sentence_transformers.util import cos_sim

    class OfVectors(InformationRetrievalEvaluator):
        def embed_inputs(self, model, sentences, encode_fn_name=None, **_):
            return torch.from_numpy((queries if encode_fn_name == "query" else documents)[list(sentences)])

    evaluator = OfVectors(
        {str(n): n for n in range(len(queries))},
        {f"{n:06}": n for n in range(len(documents))},
        {str(n): {f"{place:06}" for place in found} for n, found in enumerate(relevant)},
        precision_recall_at_k=[1, 10, 100],
        score_functions={"cosine": cos_sim},
    )
    return evaluator.compute_all_metrics(model=None)["cosine"]


@pytest.mark.parametrize("dimension", [48, 12])
def test_all_measures_equal_those_of_sentence_transformers(dimension):
    rng = np.random.default_rng(7)
    queries = truncate(rng.standard_normal((60, 48)).astype(np.float32), 48)
    documents = truncate(rng.standard_normal((1500, 48)).astype(np.float32), 48)
    relevant: list[dict[int, float]] = []
    for number in range(60):
        # None of the ties below is relevant: which of them comes first is the arithmetic's own choice.
        chosen = rng.choice(np.delete(np.arange(1, 1500), np.s_[699:719]), rng.integers(1, 30), replace=False)
        documents[chosen[:5]] += 0.4 * queries[number]
        relevant.append({int(place): 1.0 for place in chosen})
    documents = truncate(documents, 48)
    documents[700:720] = documents[0]  # ties
    positions, _ = top_documents(queries, documents, dimension)
    ours = measure(positions, relevant).means()
    theirs = sentence_transformers_says(truncate(queries, dimension), truncate(documents, dimension), relevant)
    for name, (family, k) in NAMES.items():
        assert ours[name] == pytest.approx(theirs[family][k], abs=1e-6), name
    assert 0.02 < ours["ndcg@10"] < 0.95


def test_binary_ties_are_broken_as_sentence_transformers_breaks_them():
    rng = np.random.default_rng(8)
    queries, documents = rng.standard_normal((30, 16)), rng.standard_normal((1200, 16))
    relevant = [{int(place): 1.0 for place in rng.choice(1200, 9, replace=False)} for _ in range(30)]
    ours = measure(top_documents(queries, documents, 16, "binary")[0], relevant).means()
    signs = [np.where(vectors > 0, 1, -1).astype(np.float32) / 4 for vectors in (queries, documents)]
    theirs = sentence_transformers_says(*signs, relevant)
    for name, (family, k) in NAMES.items():
        assert ours[name] == pytest.approx(theirs[family][k], abs=1e-6), name


def test_grades_are_the_gains_of_ndcg():
    measured = measure(np.array([[4, 2, 0]]), [{2: 3.0, 0: 1.0, 9: 2.0}])
    gained = 3 / math.log2(3) + 1 / math.log2(4)
    ideal = 3 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4)
    assert measured.values["ndcg@10"][0] == pytest.approx(gained / ideal, abs=1e-6)
    assert measured.values["recall@10"][0] == pytest.approx(2 / 3)


def test_similarities_between_0_and_1_are_grades_too():
    whole = measure(np.array([[4, 2, 0]]), [{2: 3.0, 0: 1.0}])
    parts = measure(np.array([[4, 2, 0]]), [{2: 0.75, 0: 0.25}])
    assert parts.values["ndcg@10"][0] == pytest.approx(whole.values["ndcg@10"][0], abs=1e-3)


def test_enormous_grades_are_scaled_down_and_tiny_ones_stay_relevant():
    assert whole_gains([{0: 1e9, 1: 5e8, 2: 1.0}]) == [{0: 1000, 1: 500, 2: 1}]
    assert whole_gains([{0: 3.0, 1: 1.0}]) == [{0: 3, 1: 1}]


def test_the_rank_of_the_first_relevant_document_is_told():
    rankings = np.array([list(range(100))] * 4)
    measured = measure(rankings, [{0: 1.0}, {9: 1.0, 50: 1.0}, {10: 1.0}, {5000: 1.0}])
    assert measured.first_ranks.tolist() == [1, 10, 11, 0]
    assert measured.values["mrr@10"].tolist() == pytest.approx([1.0, 0.1, 0.0, 0.0])
    assert measured.values["recall@100"].tolist() == [1.0, 1.0, 1.0, 0.0]


def test_a_corpus_smaller_than_ten_documents_is_measured():
    assert measure(np.array([[1, 0]]), [{0: 1.0}]).means()["ndcg@10"] == pytest.approx(1 / math.log2(3))


ASKED = ("ndcg@3", "ndcg@100", "mrr@5", "map@100", "map@7", "recall@5", "precision@5", "precision@100", "success@3")


def test_any_measure_at_any_rank_equals_trec_eval_by_its_own_names():
    """Graded judgements, several relevant documents, queries of which nothing was found, rankings shorter than k."""
    import pytrec_eval

    rng = np.random.default_rng(11)
    rankings = np.stack([rng.permutation(400)[:100] for _ in range(80)])
    relevant = [
        {int(place): float(rng.integers(1, 4)) for place in rng.choice(400, rng.integers(1, 25), replace=False)}
        for _ in range(80)
    ]
    ours = measure(rankings, relevant, ASKED).values
    judged = {str(n): {str(place): int(gain) for place, gain in found.items()} for n, found in enumerate(relevant)}
    run = {str(n): {str(place): -float(rank) for rank, place in enumerate(row)} for n, row in enumerate(rankings)}
    names = {"ndcg_cut_3", "ndcg_cut_100", "recip_rank", "map_cut_100", "map_cut_7", "recall_5", "P_5", "P_100"}
    theirs = pytrec_eval.RelevanceEvaluator(judged, {*names, "success_3"}).evaluate(run)
    pairs = dict(zip(ASKED, ("ndcg_cut_3", "ndcg_cut_100", "", "map_cut_100", "map_cut_7", "recall_5", "P_5", "P_100",
                             "success_3"), strict=True))  # fmt: skip
    for name, theirs_name in pairs.items():
        if theirs_name:
            expected = [theirs[str(n)][theirs_name] for n in range(80)]
        else:
            expected = [rank if (rank := theirs[str(n)]["recip_rank"]) >= 1 / 5 - 1e-9 else 0.0 for n in range(80)]
        np.testing.assert_allclose(ours[name], expected, atol=1e-6, err_msg=name)
        assert 0 < ours[name].mean() < 1, name


@pytest.mark.parametrize("name", ["ndcg", "ndcg@0", "ndcg@101", "bleu@4", "recall@-1", "mrr@ten", "map@1e2"])
def test_what_is_no_measure_is_refused_in_words(name):
    with pytest.raises(WorkbenchError, match="is no measure"):
        check_measures([name])


def test_measures_are_read_as_they_are_typed():
    assert check_measures([" MAP@100", "map@100", "", "Recall@5"]) == ("map@100", "recall@5")
    assert check_measures([]) == MEASURES
