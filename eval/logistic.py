"""Signals -> the probability that the documents answer: a logistic model, fitted, and tried on what it has not seen."""

import random
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from eval.statistics import SEED, Floats
from rag.confidence import Logistic

PENALTY = 1.0
"""scikit-learn's C: the inverse of the strength of the L2 penalty."""
FOLDS = 10


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
    standardisation is then folded into the weights.
    """
    values = np.array([[one.signals[name] for name in names] for one in examples], dtype=np.float64)
    weights = balanced(examples)
    mean = np.average(values, axis=0, weights=weights)
    spread = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    scale = np.where(spread > 0, spread, 1.0)  # A signal that never varies gets the weight 0.
    model = LogisticRegression(C=PENALTY, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    model.fit((values - mean) / scale, [one.answerable for one in examples], sample_weight=weights)
    slopes = model.coef_[0] / scale
    bias = float(model.intercept_[0] - slopes @ mean)
    return Logistic(bias, dict(zip(names, map(float, slopes), strict=True)))


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
