"""`python -m eval report`: results -> one HTML page without scripts, with nothing fetched from anywhere."""

import argparse
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from eval.dataset import Place
from eval.metrics import covered, relevant
from eval.options import RESULTS
from eval.plots import Line, Plot, distribution, reliability, risk_coverage, svg
from eval.record import Record
from eval.results import Result, newest, read, write
from eval.statistics import share
from eval.summary import summarise, waits
from eval.table import Summaries, kind_rows, overall_rows
from rag.types import Citation

TEMPLATE = Path(__file__).with_name("report.html.j2")

Runs = dict[str, Sequence[Record]]
"""Records by the name of their run: the chain, and with several results the file as well."""


def main(options: argparse.Namespace) -> int:
    """Write the page. Raises ReportError."""
    results = [read(path) for path in options.results or [newest(RESULTS)]]
    write(options.out, page(results))
    print(f"Report: {options.out}")
    return 0


def page(results: Sequence[Result]) -> str:
    """The whole page; all text that comes from documents, questions and answers is escaped."""
    runs = _runs(results)
    k = max(one.k for one in results)
    summaries: Summaries = {name: summarise(records, k) for name, records in runs.items()}
    asked: dict[tuple[object, ...], dict[str, Record]] = {}
    for name, records in runs.items():
        for one in records:
            asked.setdefault((one.question.id, one.question.question, one.question.history), {})[name] = one
    groups: dict[str, list[dict[str, Record]]] = {"Wrong": [], "Right": []}
    for answers in asked.values():
        groups["Right" if all(one.right for one in answers.values()) else "Wrong"].append(answers)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters.update(image=_image, cited=_cited, found=_found)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        results=results,
        tables=[
            ("By kind", kind_rows(summaries), 2 if len(runs) > 1 else 1),
            ("Over all questions, with 95% bootstrap intervals", overall_rows(summaries), 1),
        ],
        plots=plots(runs, k),
        groups=groups,
        asked=len(asked),
        titles={doc_id: title for one in results for doc_id, title in one.titles.items()},
    )


def _runs(results: Sequence[Result]) -> Runs:
    alike = len({one.path.stem for one in results}) < len(results)
    files = [f"{one.path if alike else one.path.stem} " if len(results) > 1 else "" for one in results]
    both = zip(files, results, strict=True)
    return {file + chain: records for file, one in both for chain, records in one.chains.items()}


def _image(plot: Plot) -> str:
    """The plot as an address for an <img>, which keeps its ids and styles from the page's."""
    return f"data:image/svg+xml;base64,{b64encode(svg(plot).encode()).decode()}"


def _cited(record: Record) -> list[tuple[Citation, bool]]:
    """What is cited or quoted, and whether each touches the evidence."""
    shown = (*record.citations, *record.near)
    places = [Place(one.doc_id, one.start, one.end) for one in shown]
    return list(zip(shown, relevant(places, record.evidence), strict=True))


def _found(record: Record) -> list[tuple[Place, bool]]:
    """The places of the hits, and whether each holds evidence."""
    return list(zip(record.hits, relevant(record.hits, record.evidence), strict=True))


def plots(runs: Runs, k: int) -> list[Plot]:
    """Risk and coverage, reliability, times, recall by k.

    A run whose confidence is only 0 or 1 has no line in the first two.
    """
    risk: dict[str, Line] = {}
    trust: dict[str, Line] = {}
    times: dict[str, Line] = {}
    for name, records in runs.items():
        asked = [one for one in records if one.error is None]
        given = [one for one in asked if not one.abstained]
        if len({one.confidence for one in records}) > 2:
            sure, right = [one.confidence for one in given], [one.right for one in given]
            risk[name] = risk_coverage(sure, right, len(records))
            trust[f"{name}: the answer is right"] = reliability(sure, right)
            trust[f"{name}: the question is answerable"] = reliability(
                [one.confidence for one in asked], [one.question.answerable for one in asked]
            )
        times |= {f"{name}: {what.replace('_', ' ')}": distribution(them) for what, them in waits(records).items()}
    recalls = {
        name: [(n, value) for n in range(1, k + 1) if (value := _recall(records, n)) is not None]
        for name, records in runs.items()
    }
    return [
        Plot("Risk and coverage", "questions answered", "wrong answers among these",
             "If only the surest answers were given. Lower is better; what was held back is not drawn.",
             risk, shares=True),
        Plot("Reliability", "confidence", "share that came true",
             "On the diagonal the confidence is a true probability.", trust, shares=True, diagonal=True),
        Plot("Times", "seconds", "share of questions", "Until the passages, the first token and the end.", times),
        Plot("Recall", "k", "recall@k", "The share of the evidence in the first k passages.", recalls),
    ]  # fmt: skip


def _recall(records: Sequence[Record], k: int) -> float | None:
    return share([span for one in records for span in covered(one.hits[:k], one.evidence)])
