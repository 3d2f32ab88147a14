"""`python -m eval compare`: the same questions in two runs, with a paired test."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.record import Record
from eval.results import ReportError, Result, read
from eval.statistics import interval, mcnemar, ratio, share
from eval.table import aligned, asked, said

Pairs = Sequence[tuple[Record, Record]]


@dataclass(frozen=True)
class Run:
    """A chain of a results file, and how it is called here."""

    name: str
    settings: Mapping[str, object]
    records: Sequence[Record]


def main(options: argparse.Namespace) -> int:
    """Compare every further run with the first one. Raises ReportError."""
    first, *others = runs([read(path) for path in options.results])
    if not others:
        raise ReportError(f"There is one run in {first.name}; name a second results file to compare it with.")
    print("\n\n".join(comparison(first, other) for other in others))
    return 0


def runs(results: Sequence[Result]) -> list[Run]:
    """The first chain of each of several results files, or all chains of a single one."""
    taken = [(one, chain) for one in results for chain in (one.chains if len(results) == 1 else [*one.chains][:1])]
    return [Run(f"{one.path.name} {chain}", one.settings, one.chains[chain]) for one, chain in taken]


def comparison(first: Run, second: Run) -> str:
    """What changed from the first run to the second, in plain words. Raises ReportError if nothing is in both."""
    pairs = paired(first.records, second.records)
    if not pairs:
        raise ReportError(f"{first.name} and {second.name} have no question in common; name runs of the same set.")
    gained = [pair for pair in pairs if pair[1].right and not pair[0].right]
    lost = [pair for pair in pairs if pair[0].right and not pair[1].right]
    chance = mcnemar(len(gained), len(lost))
    parts = [
        f"{first.name} and {second.name}: {len(pairs)} questions in both"
        f"{_alone(len(first.records) - len(pairs), len(second.records) - len(pairs))}.",
        *_differing(first.settings, second.settings),
        aligned(_rows(first, second, pairs), 1),
        f"{len(gained)} became right and {len(lost)} became wrong; by McNemar's exact test p = {chance:.3f}, "
        f"{'more than chance would do' if chance < 0.05 else 'which chance alone could do'}.",
        _changed("Became right", gained),
        _changed("Became wrong", lost),
    ]
    return "\n\n".join(part for part in parts if part)


def paired(first: Sequence[Record], second: Sequence[Record]) -> list[tuple[Record, Record]]:
    """The records of the questions that are in both with the same answers, in the order of the first.

    A reference that was corrected in between would make answers right that are the same.
    """
    there = {_same(one): one for one in second}
    return [(one, there[_same(one)]) for one in first if _same(one) in there]


def _same(record: Record) -> tuple[object, ...]:
    one = record.question
    return one.id, one.question, one.history, one.answers, one.must, one.polarity


def _alone(first: int, second: int) -> str:
    if not first and not second:
        return ""
    return f" (left out: {first} of the first and {second} of the second, not in the other with the same answers)"


def _differing(first: Mapping[str, object], second: Mapping[str, object]) -> list[str]:
    names = [name for name in dict.fromkeys([*first, *second]) if first.get(name) != second.get(name)]
    listed = ", ".join(f"{name} {first.get(name)!r} → {second.get(name)!r}" for name in names)
    return [f"Settings that differ: {listed}."] if names else []


def _rows(first: Run, second: Run, pairs: Pairs) -> list[list[str]]:
    before, after = ([one.right for one in records] for records in zip(*pairs, strict=True))
    rows = [["", "right", "share (95% interval)"]]
    for name, values in ((first.name, before), (second.name, after)):
        rows.append([name, str(sum(values)), f"{share(values):.2f}{_ends(values)}"])
    change = [new - old for old, new in zip(before, after, strict=True)]
    return [*rows, ["difference", f"{sum(change):+d}", f"{share(change):+.2f}{_ends(change, '+')}"]]


def _ends(values: Sequence[float], sign: str = "") -> str:
    ends = interval(ratio, values, [1] * len(values))
    return f" ({ends[0]:{sign}.2f} to {ends[1]:{sign}.2f})" if ends else ""


def _changed(heading: str, pairs: Pairs) -> str:
    lines = [f"{asked(new)}\n    before: {said(old)}\n    after:  {said(new)}" for old, new in pairs]
    return "\n".join([f"{heading}:", *lines]) if lines else ""
