"""`python -m eval fit`: results -> the weights of the confidence, and how good it is on questions it has not seen."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.logistic import Example, fit
from eval.plots import Plot, svg
from eval.record import Record
from eval.results import Result, make_folder, read, write
from eval.statistics import auc, brier, reliability, risk_coverage
from eval.style import ALONE
from eval.trial import STAGES, Tried, having, report, sets_of, tried, ways
from rag.answer.confidence import BEFORE, PASSAGES, WHOLE
from rag.errors import RagError

LEFT_OUT = ("underspecified", "conversational")
"""Kinds without answers of which one cannot say that the documents do not answer them."""
_READS = {WHOLE: "a whole short text:", PASSAGES: "the passages found in a long one:"}
MEASURE = "RAG_ABSTAIN_BELOW=0 python -m eval"


class FitError(RagError):
    """A confidence cannot be fitted to these results."""


def main(options: argparse.Namespace) -> int:
    """Fit, print how good the fit is, and write the weights. Raises RagError."""
    every = examples_of([read(path) for path in options.results])
    shipped = _before(options.out)
    for reading in (WHOLE, PASSAGES):
        examples = [one for one in every if bool(one.signals[WHOLE]) is (reading == WHOLE)]
        if not examples:
            continue
        _check(examples)
        tries = {way: {stage: tried(examples, stage, way) for stage in STAGES} for way in ways(examples)}
        print(f"Where the model reads {_READS[reading]}\n\n{report(examples, tries)}\n")
        first = next(iter(tries.values()))
        shipped[reading] = weights(examples, first)
        if options.plots:
            _draw(options.plots, reading, plots(examples, first["after"]))
    write(options.out, json.dumps(shipped, ensure_ascii=False, indent=1) + "\n")
    print(f"Weights: {options.out}")
    return 0


def _before(path: Path) -> dict[str, Any]:
    """What the file holds; a way of reading that no result is of stays as it is."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise FitError(f"{str(path)!r} does not hold weights ({error}); name another --out.") from error


def _draw(folder: Path, reading: str, drawn: Mapping[str, Plot]) -> None:
    make_folder(folder, "--plots")
    for name, plot in drawn.items():
        write(folder / f"{reading}-{name}", svg(plot, ALONE) + "\n", "--plots")
        print(f"Plot: {folder / f'{reading}-{name}'}")


def examples_of(results: Sequence[Result]) -> list[Example]:
    """The questions of the chatbot's chain, each once: of those in several results the last.

    Left out are the kinds of LEFT_OUT, questions that failed, and answers without the
    signals of BEFORE. Raises FitError where results were made with a threshold or hold no
    signals.
    """
    found: dict[tuple[object, ...], Example] = {}
    for result in results:
        for record in _usable(result):
            question = record.question
            found[result.questions, question.id, question.question, question.history] = Example(
                result.questions, record.signals, question.answerable, record.right
            )
    return list(found.values())


def _check(examples: Sequence[Example]) -> None:
    for stage, names in STAGES.items():
        known = having(examples, names)
        if min(sum(one.answerable for one in known), sum(not one.answerable for one in known)) < 2:
            raise FitError(
                f"Fewer than two answerable or two unanswerable questions have the signals of {stage!r}; "
                "name results of more questions."
            )


def _usable(result: Result) -> list[Record]:
    name = str(result.path)
    if (below := result.settings.get("abstain_below", 0)) > 0:
        raise FitError(
            f"{name!r} was made with RAG_ABSTAIN_BELOW={below:g}, so that answers are missing in it; "
            f"measure that set again with: {MEASURE}"
        )
    needed = [WHOLE, *BEFORE]
    records = [one for one in result.chains.get("chat", ()) if one.error is None and one.question.kind not in LEFT_OUT]
    if not records:
        raise FitError(f"{name!r} has no answer of the chatbot to fit to; measure that set again with: {MEASURE}")
    known = [one for one in records if set(needed) <= one.signals.keys()]
    if not known:
        lacking = [one for one in needed if not any(one in record.signals for record in records)] or needed
        raise FitError(
            f"{name!r} lacks the signals {', '.join(lacking)}; measure that set again, with this version: {MEASURE}"
        )
    if without := len(records) - len(known):
        print(f"Left out: {without} of {len(records)} answers in {name!r} lack signals.", file=sys.stderr)
    return known


def weights(examples: Sequence[Example], of: Mapping[str, Tried]) -> dict[str, Any]:
    """The content of the file: bias and weights of the models, fitted to all examples, and what they were fitted to.

    AUC and Brier score there are those of `of`, on questions that the models had not seen.
    """
    models = {stage: fit(having(examples, names), names) for stage, names in STAGES.items()}
    sets = {name: [one.answerable for one in examples if one.set == name] for name in sets_of(examples)}
    tried_by_set = {name: {stage: one.of(name) for stage, one in of.items()} for name in sets}
    return {
        **{
            stage: {"bias": _short(one.bias), "weights": {name: _short(value) for name, value in one.weights.items()}}
            for stage, one in models.items()
        },
        "fitted": {
            "sets": {
                name: {"answerable": sum(labels), "unanswerable": len(labels) - sum(labels)}
                for name, labels in sets.items()
            },
            **{
                figure: {
                    name: {stage: _short(scorer(one.probabilities, one.labels)) for stage, one in by_stage.items()}
                    for name, by_stage in tried_by_set.items()
                }
                for figure, scorer in {"auc": auc, "brier": brier}.items()
            },
        },
    }


def _short(value: float | None) -> float | None:
    """To 4 digits after the point, and never as -0."""
    return None if value is None else round(value, 4) + 0.0


def plots(examples: Sequence[Example], after: Tried) -> dict[str, Plot]:
    """Reliability, and risk and coverage, a line for each set, by the name of their file."""
    trust, risk = {}, {}
    for name in sets_of(examples):
        one = after.of(name)
        right = [example.right for example, _ in one.pairs]
        trust[name] = reliability(one.probabilities, one.labels)
        risk[name] = risk_coverage(one.probabilities, right, sum(each.set == name for each in examples))
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
