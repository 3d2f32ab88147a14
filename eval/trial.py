"""How good a model of the signals is on questions that it has not seen, as tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.logistic import Example, folds, held_out
from eval.statistics import area, auc, brier, calibration_error, interval, share
from eval.table import Rows, aligned
from rag.answer.confidence import AFTER, BEFORE, WRITTEN

STAGES = {"before": BEFORE, "written": WRITTEN, "after": AFTER}
"""The signals of the models: those known before the answer is written, when it is written, and all."""
LEAVE_ONE_OUT = "each set by a model of the other sets"
TEN_FOLDS = "each tenth by a model of the other nine"


@dataclass(frozen=True)
class Tried:
    """Examples with the probabilities that models gave them which had not seen them."""

    pairs: Sequence[tuple[Example, float]]

    def of(self, name: str) -> "Tried":
        """Those of one set."""
        return Tried([pair for pair in self.pairs if pair[0].set == name])

    @property
    def probabilities(self) -> list[float]:
        """One for each example."""
        return [probability for _, probability in self.pairs]

    @property
    def labels(self) -> list[bool]:
        """Whether the documents answer, for each example."""
        return [example.answerable for example, _ in self.pairs]


def having(examples: Sequence[Example], names: Sequence[str]) -> list[Example]:
    """The examples that have all these signals."""
    return [one for one in examples if all(name in one.signals for name in names)]


def sets_of(examples: Sequence[Example]) -> list[str]:
    """The names of their sets."""
    return list(dict.fromkeys(one.set for one in examples))


def ways(examples: Sequence[Example]) -> list[str]:
    """How to keep apart what a model is fitted to and what it is tried on: by sets, where there are several, and by
    folds."""
    return [LEAVE_ONE_OUT, TEN_FOLDS] if len(sets_of(examples)) > 1 else [TEN_FOLDS]


def tried(examples: Sequence[Example], stage: str, way: str, without: str = "") -> Tried:
    """The examples that have the signals of `stage`, by models of these signals but `without`."""
    known = having(examples, STAGES[stage])
    groups: Sequence[str | int] = [one.set for one in known] if way == LEAVE_ONE_OUT else folds(known)
    return Tried(held_out(known, [name for name in STAGES[stage] if name != without], groups))


def report(examples: Sequence[Example], tries: Mapping[str, Mapping[str, Tried]]) -> str:
    """The tables, with a line above each."""
    parts = [
        *(f"{way.capitalize()}:\n{aligned(score_rows(examples, of), 2)}" for way, of in tries.items()),
        "The Brier score and the expected calibration error (ECE) are over the questions as they are in the set; "
        "the models take as many to be answerable as not.",
        f"AUC of each signal alone (below 0.5: it speaks against an answer):\n{aligned(signal_rows(examples), 1)}",
        *(
            f"AUC of the model after the answer without one signal, {way}:\n{aligned(without_rows(examples, way), 1)}"
            for way in tries
        ),
    ]
    return "\n\n".join(parts)


def score_rows(examples: Sequence[Example], of: Mapping[str, Tried]) -> Rows:
    """A row for each set and stage, and for all together where there are several sets."""
    rows = [["set", "signals", "n", "answerable", "AUC (95% interval)", "Brier", "ECE"]]
    sets = sets_of(examples)
    for name in sets:
        rows += [[name, stage, *_scores(one.of(name))] for stage, one in of.items()]
    if len(sets) > 1:
        rows += [["all", stage, *_scores(one)] for stage, one in of.items()]
    return rows


def _scores(one: Tried) -> list[str]:
    found, labels = one.probabilities, one.labels
    ends = interval(area(found, labels), len(labels))
    return [
        str(len(labels)),
        str(sum(labels)),
        _cell(auc(found, labels)) + (f" ({ends[0]:.3f}–{ends[1]:.3f})" if ends else ""),
        _cell(brier(found, labels)),
        _cell(calibration_error(found, labels)),
    ]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def signal_rows(examples: Sequence[Example]) -> Rows:
    """The AUC of each signal by itself in each set, and the mean over the sets."""

    def alone(name: str) -> Tried:
        return Tried([(one, one.signals[name]) for one in examples if name in one.signals])

    sets = sets_of(examples)
    return [["signal", *sets, "mean"], *([name, *_areas(alone(name), sets)] for name in AFTER)]


def without_rows(examples: Sequence[Example], way: str) -> Rows:
    """The AUC in each set of the model after the answer, with all signals and without each in turn."""
    sets = sets_of(examples)
    rows = [["without", *sets, "mean"]]
    for name in ("", *AFTER):
        rows.append([name or "none", *_areas(tried(examples, "after", way, name), sets)])
    return rows


def _areas(one: Tried, sets: Sequence[str]) -> list[str]:
    values = [auc(one.of(name).probabilities, one.of(name).labels) for name in sets]
    return [_cell(value) for value in (*values, share([value for value in values if value is not None]))]
