"""Figures over all questions and how sure they are; a figure without a denominator is None."""

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, rankdata
from sklearn.metrics import precision_recall_fscore_support

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Statistic = Callable[[Indices], Floats]
"""Takes the numbers of questions, shape (resamples, questions), and gives a value for each resample, NaN for none."""

RESAMPLES = 2000
SEED = 0
BINS = 10
_AT_ONCE = 1_000_000
"""Numbers of questions held in memory at once, about."""


def share(values: Sequence[bool | float]) -> float | None:
    """The mean of `values`; None where there are none."""
    return float(np.mean(values)) if values else None


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The `percent` percentile (0..100) of `values`, interpolated; None where there are none."""
    return float(np.percentile(values, percent)) if values else None


def abstention(unanswerable: Sequence[bool], abstained: Sequence[bool]) -> tuple[float | None, float | None]:
    """Precision and recall of abstaining, one truth value a question in each sequence.

    The precision is None where nothing was abstained from, the recall where all is answerable.
    """
    if not unanswerable:
        return None, None
    nan = float("nan")
    precisions, recalls, _, _ = precision_recall_fscore_support(
        unanswerable, abstained, labels=[True], average=None, zero_division=nan
    )
    return _number(precisions[0]), _number(recalls[0])


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


# How sure a figure is


def auc(scores: Sequence[float], labels: Sequence[bool]) -> float | None:
    """The area under the ROC curve; None where all labels are the same.

    It is the probability that one with the label has a higher score than one without,
    ties counting half (Hanley and McNeil 1982).
    """
    return _number(float(area(scores, labels)(np.arange(len(scores))[None, :])[0])) if scores else None


def area(scores: Sequence[float], labels: Sequence[bool]) -> Statistic:
    """`auc` as a statistic: from the ranks, which goes for thousands of resamples at once."""
    held, marked = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool)

    def statistic(chosen: Indices) -> Floats:
        positive = marked[chosen]
        ranks = rankdata(held[chosen], axis=1)
        count = positive.sum(axis=1)
        above = (ranks * positive).sum(axis=1) - count * (count + 1) / 2
        return _divided(above, count * (positive.shape[1] - count))

    return statistic


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Statistic:
    """The sum of the numerators over that of the denominators, one of each for a question."""
    above, below = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    return lambda chosen: _divided(above[chosen].sum(axis=1), below[chosen].sum(axis=1))


def _divided(above: Floats, below: Floats) -> Floats:
    quotient: Floats = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return quotient


def interval(statistic: Statistic, questions: int, seed: int = SEED) -> tuple[float, float] | None:
    """The 95% percentile bootstrap interval (Efron 1979) over RESAMPLES resamples of the questions.

    Resamples without a value are left out; None where none has one.
    """
    if not questions:
        return None
    random = np.random.default_rng(seed)
    rows = max(1, _AT_ONCE // questions)
    parts = [
        statistic(random.integers(questions, size=(min(rows, RESAMPLES - first), questions)))
        for first in range(0, RESAMPLES, rows)
    ]
    values = np.concatenate(parts)
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def mcnemar(gained: int, lost: int) -> float:
    """The two-sided p of McNemar's exact test (1947): that as many questions or more change one way by chance."""
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


# Curves


def risk_coverage(confidences: Sequence[float], right: Sequence[bool], asked: int) -> list[tuple[float, float]]:
    """Coverage and risk where only the answers of at least some confidence were given, the surest first.

    One confidence and one truth value an answer. The coverage is the share of the `asked`
    questions that would be answered, the risk the share of these answers that are wrong
    (El-Yaniv and Wiener 2010).
    """
    points = []
    answered = wrong = 0
    ordered = sorted(zip(confidences, right, strict=True), reverse=True)
    for _, equal in groupby(ordered, key=lambda pair: pair[0]):
        verdicts = [one for _, one in equal]
        answered += len(verdicts)
        wrong += len(verdicts) - sum(verdicts)
        points.append((answered / asked, wrong / answered))
    return points


def reliability(confidences: Sequence[float], true: Sequence[bool]) -> list[tuple[float, float]]:
    """The mean confidence and the share that came true in each of BINS equal ranges that has any.

    The points of a reliability diagram (DeGroot and Fienberg 1983).
    """
    return [(confidence, came_true) for confidence, came_true, _ in _bins(confidences, true)]


def calibration_error(confidences: Sequence[float], true: Sequence[bool]) -> float | None:
    """The expected calibration error, 0..1 (Naeini, Cooper and Hauskrecht 2015); None where there are none.

    The distance of the points of `reliability` from the diagonal, each counted as often as
    there are confidences in its range.
    """
    distances = [abs(confidence - came_true) * count for confidence, came_true, count in _bins(confidences, true)]
    return sum(distances) / len(confidences) if distances else None


def brier(confidences: Sequence[float], true: Sequence[bool]) -> float | None:
    """The mean square of what the confidence was wrong by, 0..1 (Brier 1950); None where there are none."""
    return share([(confidence - one) ** 2 for confidence, one in zip(confidences, true, strict=True)])


def _bins(confidences: Sequence[float], true: Sequence[bool]) -> list[tuple[float, float, int]]:
    """The mean confidence, the share that came true and the number in each range that has any."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for confidence, one in zip(confidences, true, strict=True):
        bins.setdefault(min(int(confidence * BINS), BINS - 1), []).append((confidence, one))
    return [
        (sum(confidence for confidence, _ in held) / len(held), sum(one for _, one in held) / len(held), len(held))
        for _, held in sorted(bins.items())
    ]


def distribution(values: Sequence[float]) -> list[tuple[float, float]]:
    """The share of `values` up to each of them, in order: the empirical distribution."""
    return [(value, number / len(values)) for number, value in enumerate(sorted(values), 1)]
