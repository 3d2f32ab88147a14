"""Figures over all questions and how sure they are; a figure without a denominator is None."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, rankdata

RESAMPLES = 2000
SEED = 0
MOST_AT_ONCE = 1_000_000
"""How many values of resamples are held in memory at once, about."""


Statistic = Callable[..., npt.NDArray[np.float64]]
"""A figure of arrays with a value for each question, the last axis; NaN if undefined."""


def ratio(above: npt.NDArray[Any], below: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The sum of the first over that of the second."""
    return _divided(above.sum(axis=-1), below.sum(axis=-1))


def auc(scores: npt.NDArray[Any], labels: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The area under the ROC curve (Hanley and McNeil 1982).

    The probability that one with the label has a higher score than one without, ties
    counting half. It is made of ranks, which goes for thousands of resamples at once.
    """
    count = labels.sum(axis=-1)
    above = (rankdata(scores, axis=-1) * labels).sum(axis=-1) - count * (count + 1) / 2
    return _divided(above, count * (labels.shape[-1] - count))


def _divided(above: npt.NDArray[Any], below: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
    return found


def figure(statistic: Statistic, *values: Sequence[float]) -> float | None:
    """The statistic of all questions."""
    if not values[0]:
        return None
    found = float(statistic(*map(np.asarray, values)))
    return None if np.isnan(found) else found


def interval(statistic: Statistic, *values: Sequence[float]) -> tuple[float, float] | None:
    """The 95% percentile bootstrap interval (Efron 1979) over RESAMPLES resamples of the questions.

    Resamples without a value are left out, which `scipy.stats.bootstrap` cannot do; None if none has one.
    """
    columns, count = [np.asarray(one) for one in values], len(values[0])
    random = np.random.default_rng(SEED)
    rows = max(1, MOST_AT_ONCE // max(1, count))
    drawn = [
        statistic(*(column[chosen] for column in columns))
        for first in range(0, RESAMPLES if count else 0, rows)
        for chosen in [random.integers(count, size=(min(rows, RESAMPLES - first), count))]
    ]
    found = np.concatenate([one[~np.isnan(one)] for one in drawn] or [np.empty(0)])
    if not len(found):
        return None
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def share(values: Sequence[bool | float]) -> float | None:
    """The mean."""
    return float(np.mean(values)) if values else None


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The `percent` percentile (0..100), interpolated."""
    return float(np.percentile(values, percent)) if values else None


def mcnemar(gained: int, lost: int) -> float:
    """The two-sided p of McNemar's exact test (1947) of changes in either direction."""
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
