"""`python -m eval fit-kinds`: labelled wordings -> the weights that tell the kinds of questions."""

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.dataset import DatasetError
from eval.kinds import Wording, load, report
from rag.answer.kinds import KINDS, KindClassifier, tokens, vector
from rag.answer.question import Kind

BUCKETS = 2**17
"""More made no difference, and the file would be larger."""
COMMON = 10
"""Wordings that a word must stand in so that its place among the others counts."""
FOLDS = 5
PENALTY = 1.0


def main(options: argparse.Namespace) -> int:
    """Fit, print how good it is on wordings held out, and write the weights. Raises DatasetError."""
    wordings, further = load(options.wordings), load(options.further)
    if unknown := {kind for kind, _ in (*wordings, *further)} - {kind.value for kind in KINDS}:
        raise DatasetError(f"{sorted(unknown)[0]!r} is no kind; the kinds are: {', '.join(k.value for k in KINDS)}.")
    print(f"Of {len(wordings)} wordings, each told by weights fitted to the others:\n")
    print(report(held_out(wordings, further)))
    fit([*wordings, *further]).save(options.out)
    print(f"Weights: {options.out}")
    return 0


def held_out(wordings: Sequence[Wording], further: Sequence[Wording]) -> list[Wording]:
    """The kind of each wording, and the one told by what was fitted to the other folds and the `further` ones."""
    told = []
    order = np.random.default_rng(0).permutation(len(wordings))
    for fold in range(FOLDS):
        out = set(order[fold::FOLDS].tolist())
        classifier = fit([*(one for i, one in enumerate(wordings) if i not in out), *further])
        told += [(wordings[i][0], classifier.kind_of(wordings[i][1]).value) for i in sorted(out)]
    return told


def fit(wordings: Sequence[Wording], buckets: int = BUCKETS) -> KindClassifier:
    """The classifier fitted to these wordings, the same for the same wordings."""
    from sklearn.svm import LinearSVC

    questions = [question for _, question in wordings]
    labels = [KINDS.index(Kind(kind)) for kind, _ in wordings]
    held = Counter(word for question in questions for word in set(tokens(question)))
    common = frozenset(word for word, count in held.items() if count >= COMMON)
    rarity = rarity_of(questions, common, buckets)
    machine = LinearSVC(C=PENALTY, random_state=0).fit(matrix(questions, common, rarity), labels)
    found, sums = machine.coef_, machine.intercept_
    if len(machine.classes_) == 2:  # Then it has the weights of the second alone.
        found, sums = np.vstack([-found, found]), np.concatenate([-sums, sums])
    weights, bias = np.zeros((len(KINDS), buckets), np.float32), np.full(len(KINDS), -np.inf, np.float32)
    weights[machine.classes_], bias[machine.classes_] = found, sums
    return KindClassifier(common, rarity, weights, bias)


def rarity_of(questions: Sequence[str], common: frozenset[str], buckets: int) -> NDArray[np.float32]:
    """For each bucket the inverse document frequency of what falls into it."""
    ones = np.ones(buckets, np.float32)
    counts = np.zeros(buckets, np.float32)
    for question in questions:
        counts[np.unique(vector(question, common, ones)[0])] += 1
    return (np.log((1 + len(questions)) / (1 + counts)) + 1).astype(np.float32)


def matrix(questions: Sequence[str], common: frozenset[str], rarity: NDArray[np.float32]) -> Any:
    """A sparse row for each question."""
    from scipy.sparse import csr_matrix

    rows = [vector(question, common, rarity) for question in questions]
    ends = np.cumsum([0, *(len(places) for places, _ in rows)])
    places, values = (np.concatenate([row[i] for row in rows]) for i in (0, 1))
    return csr_matrix((values, places, ends), shape=(len(rows), len(rarity)))
