"""`python -m eval fit`: results -> the weights of the confidence, and how good it is."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.plots import Plot, reliability, risk_coverage, svg
from eval.record import Record
from eval.results import Result, make_folder, read, write
from eval.statistics import auc, figure
from eval.trial import Example, Tried, brier, columns, fit, having, of_set, report, sets_of, tried, ways
from rag.answer.confidence import SIGNALS
from rag.errors import RagError

LEFT_OUT = ("underspecified", "conversational")
"""Kinds without answers of which one cannot say that the documents do not answer them."""
MEASURE = "RAG_ABSTAIN_BELOW=0 python -m eval"


class FitError(RagError):
    """A confidence cannot be fitted to these results."""


def main(options: argparse.Namespace) -> int:
    """Fit, print how good the fit is, and write the weights. Raises RagError."""
    examples = examples_of([read(path) for path in options.results])
    _check(examples)
    tries = {way: tried(examples, way) for way in ways(examples)}
    print(f"{report(examples, tries)}\n")
    if options.plots:
        _draw(options.plots, plots(examples, next(iter(tries.values()))))
    shipped = weights(examples, next(iter(tries.values())))
    write(options.out, json.dumps(shipped, ensure_ascii=False, indent=1) + "\n")
    print(f"Weights: {options.out}")
    return 0


def _draw(folder: Path, drawn: Mapping[str, Plot]) -> None:
    make_folder(folder, "--plots")
    for name, plot in drawn.items():
        path = folder / name
        write(path, svg(plot), "--plots")
        print(f"Plot: {path}")


def examples_of(results: Sequence[Result]) -> list[Example]:
    """The questions of the chatbot's chain, each once: of those in several results the last.

    Left out are the kinds of LEFT_OUT, questions that failed, and answers without the
    SIGNALS. Raises FitError if results were made with a threshold or hold no
    signals.
    """
    found: dict[tuple[object, ...], Example] = {}
    for result in results:
        for record in _usable(result):
            question = record.question
            found[result.questions, question.id, question.question, question.history] = Example(
                result.questions, record.signals, question.answerable, record.right, not record.abstained
            )
    return list(found.values())


def _check(examples: Sequence[Example]) -> None:
    labels = [one.answerable for one in having(examples, SIGNALS)]
    if min(sum(labels), len(labels) - sum(labels)) < 2:
        raise FitError("There are fewer than two answerable or unanswerable questions; name results of more questions.")


def _usable(result: Result) -> list[Record]:
    name = str(result.path)
    if (below := result.settings.get("abstain_below", 0)) > 0:
        raise FitError(
            f"{name!r} was made with RAG_ABSTAIN_BELOW={below:g}, so that answers are missing in it; "
            f"measure that set again with: {MEASURE}"
        )
    records = [one for one in result.chains.get("chat", ()) if one.error is None and one.question.kind not in LEFT_OUT]
    if not records:
        raise FitError(f"{name!r} has no answer of the chatbot to fit to; measure that set again with: {MEASURE}")
    known = [one for one in records if set(SIGNALS) <= one.signals.keys()]
    if not known:
        lacking = [one for one in SIGNALS if not any(one in record.signals for record in records)] or SIGNALS
        raise FitError(
            f"{name!r} lacks the signals {', '.join(lacking)}; measure that set again, with this version: {MEASURE}"
        )
    if without := len(records) - len(known):
        print(f"Left out: {without} of {len(records)} answers in {name!r} lack signals.", file=sys.stderr)
    return known


def weights(examples: Sequence[Example], of: Tried) -> dict[str, Any]:
    """The content of the file: the model, fitted to all examples, and what they were fitted to.

    AUC and Brier score there are those of `of`, on questions that the models had not seen.
    """
    model = fit(having(examples, SIGNALS), SIGNALS)
    sets = {name: [one.answerable for one in examples if one.set == name] for name in sets_of(examples)}
    seen = {name: columns(of_set(of, name)) for name in sets}
    fitted = {
        name: {
            "answerable": sum(labels),
            "unanswerable": len(labels) - sum(labels),
            "auc": _short(figure(auc, *seen[name])),
            "brier": _short(brier(*seen[name])),
        }
        for name, labels in sets.items()
    }
    shipped = {name: short for name, value in model.weights.items() if (short := _short(value))}
    return {"bias": _short(model.bias), "weights": shipped, "fitted": fitted}


def _short(value: float | None) -> float | None:
    """To 4 digits after the point, and never as -0."""
    return None if value is None else round(value, 4) + 0.0


def plots(examples: Sequence[Example], last: Tried) -> dict[str, Plot]:
    """Reliability, and risk and coverage, a line for each set, by the name of their file."""
    trust, risk = {}, {}
    for name in sets_of(examples):
        probabilities, labels = columns(of_set(last, name))
        trust[name] = reliability(probabilities, labels)
        given = [(sure, one.right) for one, sure in of_set(last, name) if one.given]
        risk[name] = risk_coverage(
            [sure for sure, _ in given], [right for _, right in given], sum(one.set == name for one in examples)
        )
    return {
        "reliability.svg": Plot(
            "Reliability", "confidence", "share answerable", "On the diagonal the confidence is a true probability.",
            trust, shares=True, diagonal=True,
        ),
        "risk-coverage.svg": Plot(
            "Risk and coverage", "questions answered", "wrong answers among these",
            "If only the surest answers were given. Lower is better.", risk, shares=True,
        ),
    }  # fmt: skip
