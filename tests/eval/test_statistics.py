"""Figures over questions: every expected number can be worked out by hand, or is scikit-learn's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from eval.statistics import (
    abstention,
    area,
    auc,
    brier,
    calibration_error,
    distribution,
    interval,
    mcnemar,
    percentile,
    ratio,
    reliability,
    risk_coverage,
    share,
)

SCORED = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=30)


def test_abstention() -> None:
    # Abstained three times, twice rightly; four questions were unanswerable.
    unanswerable = [True, True, True, True, False, False]
    abstained = [True, True, False, False, True, False]
    assert abstention(unanswerable, abstained) == (2 / 3, 1 / 2)
    assert abstention([True, False], [False, False]) == (None, 0)
    assert abstention([False, False], [True, False]) == (0, None)
    assert abstention([], []) == (None, None)


def test_share_and_percentile() -> None:
    assert share([True, False, True, True]) == 0.75
    assert share([]) is None
    assert percentile([1, 2, 3, 4, 5], 50) == 3
    assert percentile([0, 10], 95) == pytest.approx(9.5)
    assert percentile([], 50) is None


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_percentiles_lie_within_the_values(values: list[float]) -> None:
    median, high = percentile(values, 50), percentile(values, 95)
    assert median is not None and high is not None
    assert median <= high or math.isclose(median, high)
    assert min(values) - 1e-9 <= median and high <= max(values) + 1e-9


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    # Pairs of one with and one without the label: 0.9 > 0.5, 0.9 > 0.2, 0.5 = 0.5 (half), 0.5 > 0.2.
    assert auc([0.9, 0.5, 0.5, 0.2], [True, True, False, False]) == 3.5 / 4
    assert auc([0.1, 0.9], [True, False]) == 0
    assert auc([0.1, 0.9], [True, True]) is None
    assert auc([], []) is None


@given(SCORED)
def test_auc_is_that_of_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    scores, labels = zip(*pairs, strict=True)
    found = auc(scores, labels)
    if len(set(labels)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(roc_auc_score(labels, scores))


def test_ratio_sums_before_it_divides() -> None:
    statistic = ratio([1, 0, 2], [1, 2, 4])
    rows = np.array([[0, 1, 2], [0, 0, 0], [1, 1, 1]])
    assert statistic(rows).tolist() == [3 / 7, 1, 0]
    assert np.isnan(ratio([1], [0])(np.array([[0, 0]]))).all()


def test_an_interval_of_a_share_is_about_two_standard_errors_wide() -> None:
    # 100 questions, half of them right: 0.5 plus or minus 1.96 * sqrt(0.25 / 100) = 0.098.
    low, high = interval(ratio([1, 0] * 50, [1] * 100), 100) or (0, 0)
    assert low == pytest.approx(0.402, abs=0.015)
    assert high == pytest.approx(0.598, abs=0.015)


def test_an_interval_is_drawn_with_a_seed_and_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    statistic = ratio([1, 0, 1, 1], [1] * 4)
    assert interval(statistic, 4, seed=1) == interval(statistic, 4, seed=1)
    whole = interval(statistic, 4, seed=1)
    monkeypatch.setattr("eval.statistics._AT_ONCE", 30)
    assert interval(statistic, 4, seed=1) == whole
    sizes: list[tuple[int, ...]] = []
    interval(lambda rows: (sizes.append(rows.shape), np.zeros(len(rows)))[1], 4)
    assert max(rows for rows, _ in sizes) == 7
    assert sum(rows for rows, _ in sizes) == 2000


def test_an_interval_without_values_is_none() -> None:
    assert interval(ratio([], []), 0) is None
    assert interval(ratio([1, 1], [0, 0]), 2) is None
    assert interval(area([0.1, 0.2], [True, True]), 2) is None


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_an_interval_lies_within_the_possible(values: list[bool]) -> None:
    low, high = interval(ratio(values, [1] * len(values)), len(values)) or (-1, -1)
    assert 0 <= low <= high <= 1


def test_mcnemar() -> None:
    # Of 5 changes all the one way: 2 / 2^5. Of 4, three and one: 2 * (1 + 4) / 2^4.
    assert mcnemar(5, 0) == mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(3, 1) == pytest.approx(10 / 16)
    assert mcnemar(2, 2) == 1
    assert mcnemar(0, 0) == 1


def test_risk_and_coverage() -> None:
    # Of 5 asked, four answered; the surest two are right, then two equally sure, one of them wrong.
    points = risk_coverage([0.7, 0.9, 0.5, 0.5], [True, True, True, False], 5)
    assert points == [(1 / 5, 0), (2 / 5, 0), (4 / 5, 1 / 4)]
    assert risk_coverage([], [], 5) == []


@given(SCORED)
def test_coverage_grows_to_what_was_answered(pairs: list[tuple[float, bool]]) -> None:
    scores, right = zip(*pairs, strict=True)
    points = risk_coverage(scores, right, 2 * len(pairs))
    assert points[-1] == (0.5, 1 - sum(right) / len(right)) or math.isclose(points[-1][1], 1 - sum(right) / len(right))
    coverages = [coverage for coverage, _ in points]
    assert coverages == sorted(set(coverages))


def test_reliability_has_a_point_for_each_tenth() -> None:
    points = reliability([0.11, 0.19, 0.95, 1.0], [True, False, True, True])
    assert points == [(pytest.approx(0.15), 0.5), (pytest.approx(0.975), 1)]


def test_calibration_error_is_the_mean_distance_from_the_diagonal() -> None:
    # Two at 0.15 in the mean, one of which came true; two at 0.975, both of which did.
    assert calibration_error([0.11, 0.19, 0.95, 1.0], [True, False, True, True]) == pytest.approx((0.35 + 0.025) / 2)
    assert calibration_error([0.5, 0.5, 0.05], [True, False, False]) == pytest.approx(0.05 / 3)
    assert calibration_error([], []) is None


def test_brier() -> None:
    assert brier([1.0, 0.5, 0.2], [True, False, False]) == pytest.approx((0 + 0.25 + 0.04) / 3)
    assert brier([], []) is None


def test_distribution() -> None:
    assert distribution([3.0, 1.0]) == [(1.0, 0.5), (3.0, 1.0)]
    assert distribution([]) == []
