"""Signals -> the probability that the documents answer: a logistic model, fitted, and tried on what it has not seen."""

import random
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from eval.statistics import SEED, Floats
from rag.answer.confidence import AGAINST, Logistic

PENALTY = 1.0
"""The inverse of the strength of the L2 penalty, scikit-learn's C."""
FOLDS = 10
_OPTIONS = {"ftol": 1e-14, "gtol": 1e-10, "maxiter": 2000}


@dataclass(frozen=True)
class Example:
    """A question that was answered: the set it is of, its signals by name, whether the documents answer it, and
    whether the answer is right."""

    set: str
    signals: Mapping[str, float]
    answerable: bool
    right: bool


def fit(examples: Sequence[Example], names: Sequence[str]) -> Logistic:
    """The model of the signals `names`, of examples that have them all and are not all of one side.

    The penalty is on the weights of standardised signals, so that no unit matters; the
    standardisation is then folded into the weights. No signal may count against its
    meaning: with few examples chance would have it so, and what it says is known.
    """
    values = np.array([[one.signals[name] for name in names] for one in examples], dtype=np.float64)
    weights = balanced(examples)
    mean = np.average(values, axis=0, weights=weights)
    spread = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    scale = np.where(spread > 0, spread, 1.0)  # A signal that never varies gets the weight 0.
    rows = np.hstack([(values - mean) / scale, np.ones((len(examples), 1))])
    sides = np.where([one.answerable for one in examples], 1.0, -1.0)

    def loss(slopes: Floats) -> tuple[float, Floats]:
        margins = sides * (rows @ slopes)
        inner = np.append(slopes[:-1], 0.0)
        gradient = rows.T @ (-weights * sides * expit(-margins)) + inner / PENALTY
        return float(weights @ np.logaddexp(0, -margins) + inner @ inner / (2 * PENALTY)), gradient

    bounds = [(None, 0.0) if name in AGAINST else (0.0, None) for name in names]
    found = minimize(loss, np.zeros(len(names) + 1), jac=True, bounds=[*bounds, (None, None)], options=_OPTIONS).x
    slopes = found[:-1] / scale
    return Logistic(float(found[-1] - slopes @ mean), dict(zip(names, map(float, slopes), strict=True)))


def balanced(examples: Sequence[Example]) -> Floats:
    """A weight for each example, 1 in the mean, with which all sets weigh the same, and so do the sides within a set.

    The sides are the answerable and the unanswerable questions; a set that has only one
    gives it all its weight.
    """
    counts = Counter((one.set, one.answerable) for one in examples)
    sides = Counter(name for name, _ in counts)
    shares = [1 / (len(sides) * sides[one.set] * counts[one.set, one.answerable]) for one in examples]
    return len(examples) * np.array(shares)


def has_both_sides(examples: Sequence[Example]) -> bool:
    """Whether some are answerable and some are not."""
    return len({one.answerable for one in examples}) == 2


def held_out(
    examples: Sequence[Example], names: Sequence[str], groups: Sequence[Hashable]
) -> list[tuple[Example, float]]:
    """Each example with its probability by the model of the examples of all other groups; one group for each.

    Left out are those of a group without which nothing can be fitted.
    """
    models = {}
    for group in dict.fromkeys(groups):
        others = [one for one, its in zip(examples, groups, strict=True) if its != group]
        if has_both_sides(others):
            models[group] = fit(others, names)
    pairs = zip(examples, groups, strict=True)
    return [(one, models[group].probability(one.signals)) for one, group in pairs if group in models]


def folds(examples: Sequence[Example]) -> list[int]:
    """A fold, 0 to FOLDS - 1, for each example, drawn so that the sides of every set are spread evenly over them."""
    order = list(range(len(examples)))
    random.Random(SEED).shuffle(order)
    order.sort(key=lambda number: (examples[number].answerable, examples[number].set))
    fold_of = {number: place % FOLDS for place, number in enumerate(order)}
    return [fold_of[number] for number in range(len(examples))]
