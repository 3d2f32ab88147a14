"""Models of the signals, fitted, and how good they are on unseen questions."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.preprocessing import StandardScaler

from eval.statistics import SEED, auc, figure, interval, share
from eval.table import Rows, aligned
from rag.answer.confidence import SIGNALS, Confidence

LEAVE_ONE_OUT = "each set by a model of the other sets"
TEN_FOLDS = "each tenth by a model of the other nine"
FOLDS = 10


@dataclass(frozen=True)
class Example:
    """An answered question.

    The set it is of, its signals by name, whether the documents answer it, whether the reply is right, and
    whether it is an answer.
    """

    set: str
    signals: Mapping[str, float]
    answerable: bool
    right: bool
    given: bool = True


Tried = Sequence[tuple[Example, float]]
"""Examples with the probabilities that models gave them which had not seen them."""


def fit(examples: Sequence[Example], names: Sequence[str]) -> Confidence:
    """The model of the signals `names`, of examples that have them all and are not all of one side.

    The penalty is on the weights of standardised signals, so that no unit matters; the
    standardisation is then folded into the weights. No signal may speak against an
    answer: with few examples chance would have it so, and what it says is known. The one
    that does so most gets the weight 0, until none does.
    """
    values = np.array([[one.signals[name] for name in names] for one in examples], dtype=np.float64)
    labels, weights = [one.answerable for one in examples], balanced(examples)
    while True:
        scaler = StandardScaler().fit(values, sample_weight=weights)
        model = LogisticRegression(tol=1e-8, max_iter=2000).fit(scaler.transform(values), labels, weights)
        slopes = model.coef_[0]
        worst = int(np.argmin(slopes))
        if slopes[worst] >= -1e-9:
            break
        values[:, worst] = 0.0
    slopes = slopes / scaler.scale_
    bias = float(model.intercept_[0] - slopes @ scaler.mean_)
    return Confidence(bias, dict(zip(names, map(float, slopes), strict=True)))


def balanced(examples: Sequence[Example]) -> list[float]:
    """A weight for each example: all sets weigh the same, and so do the sides of each.

    The mean is 1. The sides are the answerable and the unanswerable questions; a set that has only one
    gives it all its weight.
    """
    counts = Counter((one.set, one.answerable) for one in examples)
    sides = Counter(name for name, _ in counts)
    return [len(examples) / (len(sides) * sides[one.set] * counts[one.set, one.answerable]) for one in examples]


def having(examples: Sequence[Example], names: Sequence[str]) -> list[Example]:
    """The examples that have all these signals."""
    return [one for one in examples if all(name in one.signals for name in names)]


def sets_of(examples: Sequence[Example]) -> list[str]:
    """The names of their sets."""
    return list(dict.fromkeys(one.set for one in examples))


def ways(examples: Sequence[Example]) -> list[str]:
    """How to hold out questions: by folds, and by sets if there are several."""
    return [LEAVE_ONE_OUT, TEN_FOLDS] if len(sets_of(examples)) > 1 else [TEN_FOLDS]


def tried(examples: Sequence[Example], way: str, without: str = "") -> Tried:
    """The examples that have the SIGNALS, by models of these but `without`.

    Left out is what is left to try if nothing can be fitted to the others, all of one side.
    """
    known = having(examples, SIGNALS)
    names = [name for name in SIGNALS if name != without]
    groups = [one.set for one in known] if way == LEAVE_ONE_OUT else folds(known)
    found: dict[int, float] = {}
    for others, held_out in LeaveOneGroupOut().split(known, groups=groups):
        fitted_to = [known[place] for place in others]
        if len({one.answerable for one in fitted_to}) == 2:
            model = fit(fitted_to, names)
            found |= {int(place): model.probability(known[place].signals) for place in held_out}
    return [(known[place], found[place]) for place in sorted(found)]


def folds(examples: Sequence[Example]) -> list[int]:
    """A fold for each example; the sides of every set, however small, are spread evenly."""
    order = list(range(len(examples)))
    random.Random(SEED).shuffle(order)
    order.sort(key=lambda number: (examples[number].answerable, examples[number].set))
    fold_of = {number: place % FOLDS for place, number in enumerate(order)}
    return [fold_of[number] for number in range(len(examples))]


# The tables


def report(examples: Sequence[Example], tries: Mapping[str, Tried]) -> str:
    """The tables, with a line above each."""
    parts = [
        *(f"{way.capitalize()}:\n{aligned(score_rows(examples, of), 2)}" for way, of in tries.items()),
        "The Brier score and the expected calibration error (ECE) are over the questions as they are in the set; "
        "the models take as many to be answerable as not.",
        f"AUC of each signal alone (below 0.5: it speaks against an answer):\n{aligned(signal_rows(examples), 1)}",
        *(f"AUC of the model without one signal, {way}:\n{aligned(without_rows(examples, way), 1)}" for way in tries),
    ]
    return "\n\n".join(parts)


def score_rows(examples: Sequence[Example], of: Tried) -> Rows:
    """A row for each set, and for all together if there are several sets."""
    rows = [["set", "n", "answerable", "AUC (95% interval)", "Brier", "ECE"]]
    sets = sets_of(examples)
    for name in [*sets, *([""] if len(sets) > 1 else [])]:
        found, labels = columns(of_set(of, name) if name else of)
        ends = interval(auc, found, labels)
        area = _cell(figure(auc, found, labels)) + (f" ({ends[0]:.3f}–{ends[1]:.3f})" if ends else "")
        errors = [_cell(brier(found, labels)), _cell(calibration_error(found, labels))]
        rows.append([name or "all", str(len(labels)), str(sum(labels)), area, *errors])
    return rows


def of_set(some: Tried, name: str) -> Tried:
    """Those of one set."""
    return [one for one in some if one[0].set == name]


def columns(some: Tried) -> tuple[list[float], list[bool]]:
    """The probabilities, and whether the documents answer."""
    return [probability for _, probability in some], [one.answerable for one, _ in some]


def brier(confidences: Sequence[float], true: Sequence[bool]) -> float | None:
    """The mean square of what the confidence was wrong by, 0..1 (Brier 1950)."""
    return share([(confidence - one) ** 2 for confidence, one in zip(confidences, true, strict=True)])


def calibration_error(confidences: Sequence[float], true: Sequence[bool]) -> float | None:
    """The expected calibration error with ten bins, 0..1 (Naeini, Cooper and Hauskrecht 2015)."""
    if not confidences:
        return None
    sure = np.asarray(confidences)
    distances = np.bincount(np.minimum(sure * 10, 9).astype(int), weights=sure - np.asarray(true))
    return float(np.abs(distances).sum() / len(sure))


def signal_rows(examples: Sequence[Example]) -> Rows:
    """The AUC of each signal by itself in each set, and the mean over the sets."""
    sets = sets_of(examples)
    alone = {name: [(one, one.signals[name]) for one in having(examples, [name])] for name in SIGNALS}
    return [["signal", *sets, "mean"], *([name, *_areas(some, sets)] for name, some in alone.items())]


def without_rows(examples: Sequence[Example], way: str) -> Rows:
    """The AUC in each set with all signals, and without each in turn."""
    sets = sets_of(examples)
    rows = [[name or "none", *_areas(tried(examples, way, name), sets)] for name in ("", *SIGNALS)]
    return [["without", *sets, "mean"], *rows]


def _areas(some: Tried, sets: Sequence[str]) -> list[str]:
    values = [figure(auc, *columns(of_set(some, name))) for name in sets]
    return [_cell(value) for value in (*values, share([value for value in values if value is not None]))]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
