"""Figures over questions: every expected number can be worked out by hand, or is scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from eval.statistics import auc, figure, interval, mcnemar, percentile, ratio, share

SCORED = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=30)


def test_share_and_percentile() -> None:
    assert (share([True, False, True, True]), share([])) == (0.75, None)
    assert (percentile([1, 2, 3, 4, 5], 50), percentile([], 50)) == (3, None)
    assert percentile([0, 10], 95) == pytest.approx(9.5)


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    # Pairs of one with and one without the label: 0.9 > 0.5, 0.9 > 0.2, 0.5 = 0.5 (half), 0.5 > 0.2.
    assert figure(auc, [0.9, 0.5, 0.5, 0.2], [True, True, False, False]) == 3.5 / 4
    assert figure(auc, [0.1, 0.9], [True, False]) == 0
    assert figure(auc, [0.1, 0.9], [True, True]) is None
    assert figure(auc, [], []) is None


@pytest.mark.slow
@given(SCORED)
def test_auc_is_that_of_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    scores, labels = zip(*pairs, strict=True)
    expected = None if len(set(labels)) == 1 else pytest.approx(roc_auc_score(labels, scores))
    assert figure(auc, scores, labels) == expected


def test_ratio_sums_before_it_divides() -> None:
    rows = np.array([[0, 1, 2], [0, 0, 0], [1, 1, 1]])
    assert ratio(np.array([1, 0, 2])[rows], np.array([1, 2, 4])[rows]).tolist() == [3 / 7, 1, 0]
    assert figure(ratio, [1], [0]) is None


def test_an_interval_of_a_share_is_about_two_standard_errors_wide() -> None:
    # 100 questions, half of them right: 0.5 plus or minus 1.96 * sqrt(0.25 / 100) = 0.098.
    found = interval(ratio, [1, 0] * 50, [1] * 100)
    assert found == (pytest.approx(0.402, abs=0.015), pytest.approx(0.598, abs=0.015))
    assert found == interval(ratio, [1, 0] * 50, [1] * 100)


def test_an_interval_is_the_same_whatever_is_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = interval(ratio, [1, 0, 1, 1], [1] * 4)
    monkeypatch.setattr("eval.statistics.MOST_AT_ONCE", 30)
    assert interval(ratio, [1, 0, 1, 1], [1] * 4) == whole


def test_an_interval_without_values_is_none() -> None:
    assert interval(ratio, [], []) is None
    assert interval(ratio, [1, 1], [0, 0]) is None
    assert interval(auc, [0.1, 0.2], [True, True]) is None


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_an_interval_lies_within_the_possible(values: list[bool]) -> None:
    low, high = interval(ratio, values, [1] * len(values)) or (-1, -1)
    assert 0 <= low <= high <= 1


def test_mcnemar() -> None:
    # Of 5 changes all the one way: 2 / 2^5. Of 4, three and one: 2 * (1 + 4) / 2^4.
    assert mcnemar(5, 0) == mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(3, 1) == pytest.approx(10 / 16)
    assert mcnemar(2, 2) == mcnemar(0, 0) == 1
