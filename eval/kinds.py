"""`python -m eval kinds`: how many wordings of questions are taken for the kind that they are."""

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from eval.dataset import DatasetError
from eval.table import aligned
from rag.answer.kinds import KindClassifier

Wording = tuple[str, str]
"""A kind, and a question or what it was taken for."""


def main(options: argparse.Namespace) -> int:
    """Print the table. Raises DatasetError."""
    classifier = KindClassifier.shipped()
    pairs = [(kind, classifier.kind_of(question).value) for kind, question in load(options.wordings)]
    print(report(pairs))
    return 0


def load(path: Path) -> list[Wording]:
    """The kind and the wording of each line. Raises DatasetError if the file cannot be read as such."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [(str(row["kind"]), str(row["question"])) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"The wordings in {str(path)!r} cannot be read ({error}); "
            'name a file with {"kind": …, "question": …} on each line.'
        ) from error


def report(pairs: Iterable[Wording]) -> str:
    """For each kind how many there are, how many were taken for it, and what the others were taken for most."""
    taken: dict[str, Counter[str]] = {}
    for kind, told in pairs:
        taken.setdefault(kind, Counter())[told] += 1
    rows = [["kind", "n", "right", "share", "else"]]
    for kind, counts in taken.items():
        others = [f"{name} {count}" for name, count in counts.most_common(4) if name != kind]
        share = f"{counts[kind] / counts.total():.2f}"
        rows.append([kind, str(counts.total()), str(counts[kind]), share, ", ".join(others)])
    right = sum(counts[kind] for kind, counts in taken.items())
    every = sum(counts.total() for counts in taken.values())
    rows.append(["all", str(every), str(right), f"{right / max(1, every):.2f}", ""])
    return aligned(rows, 1)
