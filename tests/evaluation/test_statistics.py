from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from workbench.evaluation.statistics import (
    LARGE,
    compare,
    correct_for_many,
    mean_interval,
    permutation_p,
    queries_needed,
    smallest_seen,
)


def scores(count: int, seed: int) -> np.ndarray:
    return np.clip(np.random.default_rng(seed).normal(0.6, 0.3, count), 0, 1)


def test_a_planted_gain_is_found_and_a_loss_too():
    before = scores(300, 1)
    after = np.clip(before + np.random.default_rng(2).normal(0.05, 0.15, 300), 0, 1)
    found = compare(before, after)
    low, high = found["interval"]
    assert found["verdict"] == "better"
    assert 0 < low < found["difference"] < high
    assert found["p"] < 0.01
    assert compare(after, before)["verdict"] == "worse"
    assert compare(after, before)["difference"] == pytest.approx(-found["difference"])


def test_a_model_against_itself_is_no_real_change():
    same = scores(50, 3)
    assert compare(same, same) == {
        "difference": 0.0, "interval": [0.0, 0.0], "p": 1.0, "verdict": "no real change", "queries": 50, "spread": 0.0,
    }  # fmt: skip


def test_noise_is_called_no_real_change_about_nineteen_times_in_twenty():
    verdicts = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        verdicts.append(compare(rng.uniform(size=40), rng.uniform(size=40), seed=seed)["verdict"])
    assert verdicts.count("no real change") >= 54


def test_interval_and_p_agree_with_scipy():
    before, after = scores(80, 4), scores(80, 5)
    found = compare(before, after)
    expanded = 2 * stats.norm.cdf(np.sqrt(80 / 79) * stats.t.ppf(0.975, 79)) - 1
    reference = stats.bootstrap(
        (after - before,), np.mean, n_resamples=9999, confidence_level=expanded, method="percentile", rng=1
    ).confidence_interval
    assert found["interval"] == pytest.approx([reference.low, reference.high], abs=0.005)
    difference = after[:30] - before[:30]
    test = stats.permutation_test(
        (difference,), np.mean, permutation_type="samples", n_resamples=9999, rng=1, vectorized=True
    )
    assert permutation_p(difference) == pytest.approx(test.pvalue, abs=0.02)


def test_intervals_of_few_queries_hold_a_true_difference_as_often_as_they_say():
    """Eight of ten queries do not differ, so that a sample has few that do: BCa holds the truth in 88 of 100."""
    rng = np.random.default_rng(1)
    truth, held = 0.2 * 0.3, 0
    for seed in range(400):
        differences = np.where(rng.random(50) < 0.2, rng.normal(0.3, 0.6, 50), 0.0)
        low, high = mean_interval(differences, seed=seed, resamples=999)
        held += low <= truth <= high
    assert 0.9 <= held / 400 <= 0.975


def test_few_queries_try_every_sign():
    difference = np.array([0.1, 0.2, 0.3, 0.1, 0.2])
    assert permutation_p(difference) == pytest.approx(2 / 32)
    assert compare(np.zeros(5), difference)["verdict"] == "no real change"


def test_the_same_gain_everywhere_has_an_interval_of_no_width():
    found = compare(np.full(40, 0.5), np.full(40, 0.6))
    assert found["interval"] == pytest.approx([0.1, 0.1])
    assert found["verdict"] == "better"


@pytest.mark.parametrize("count", [0, 1])
def test_with_fewer_than_two_queries_nothing_can_be_said(count):
    found = compare(np.zeros(count), np.ones(count))
    assert found["interval"] == [-1.0, 1.0]
    assert found["verdict"] == "no real change"


def test_a_query_without_a_number_is_left_out():
    found = compare(np.array([0.1, np.nan, 0.2, 0.4]), np.array([0.2, 0.5, np.nan, 0.4]))
    assert found["queries"] == 2
    assert found["difference"] == pytest.approx(0.05)


def test_one_changed_query_among_many_does_not_break_the_interval():
    after = np.zeros(30)
    after[0] = 1.0
    found = compare(np.zeros(30), after)
    assert np.isfinite(found["interval"]).all()
    assert found["verdict"] == "no real change"


def test_different_queries_cannot_be_compared():
    with pytest.raises(ValueError, match="same queries"):
        compare(np.zeros(3), np.zeros(4))


def test_above_the_limit_the_normal_approximation_takes_over_without_a_jump():
    values = scores(LARGE + 1, 6)
    below, above = mean_interval(values[:-1]), mean_interval(values)
    assert below == pytest.approx(above, abs=0.001)
    started = time.perf_counter()
    found = compare(np.zeros(100_000), scores(100_000, 7) - 0.6)
    assert time.perf_counter() - started < 5
    assert 0 <= found["p"] <= 1


def test_the_same_seed_gives_the_same_answer():
    before, after = scores(70, 8), scores(70, 9)
    assert compare(before, after, seed=3) == compare(before, after, seed=3)


def test_many_comparisons_are_corrected_as_holm_says():
    """Worked by hand: 0.01·4, 0.013·3 raised to the one before, 0.03·2, 0.2·1."""
    family = [
        {"p": p, "interval": [0.01, 0.2], "verdict": "better", "difference": 0.1} for p in (0.03, 0.01, 0.2, 0.013)
    ]
    corrected = correct_for_many(family)
    assert [one["p_holm"] for one in corrected] == pytest.approx([0.06, 0.04, 0.2, 0.04])
    assert [one["verdict"] for one in corrected] == ["no real change", "better", "no real change", "better"]
    alone = correct_for_many(family[:1])[0]
    assert (alone["p_holm"], alone["verdict"]) == (0.03, "better")
    assert correct_for_many([]) == []


def test_the_number_of_queries_that_is_told_shows_the_difference_in_four_cases_of_five():
    spread, difference = 0.3, 0.08
    count = queries_needed(spread, difference)
    rng = np.random.default_rng(5)
    found = sum(
        compare(np.zeros(count), rng.normal(difference, spread, count), seed=seed)["verdict"] == "better"
        for seed in range(120)
    )
    assert 0.68 <= found / 120 <= 0.92
    assert smallest_seen(spread, count) == pytest.approx(difference, rel=0.01)
    assert queries_needed(spread, -difference) == count
    assert queries_needed(0.0, difference) == 2
    with pytest.raises(ValueError, match="nothing"):
        queries_needed(spread, 0.0)
