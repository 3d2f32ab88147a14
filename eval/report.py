"""`python -m eval report`: results -> one HTML page without scripts, with nothing fetched from anywhere."""

import argparse
from collections.abc import Iterable, Sequence
from html import escape

from eval.metrics import Place, covered, relevant
from eval.options import RESULTS
from eval.plots import Line, Plot, svg
from eval.record import Record
from eval.results import Result, newest, read, write
from eval.statistics import distribution, reliability, risk_coverage, share
from eval.style import STYLE
from eval.summary import summarise, waits
from eval.table import Rows, Summaries, kind_rows, overall_rows
from rag.types import Citation, Sentence

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
    many = len(results) > 1
    stems = {one.path.stem for one in results}
    runs = {
        (f"{one.path.stem if len(stems) == len(results) else one.path} " if many else "") + chain: records
        for one in results
        for chain, records in one.chains.items()
    }
    k = max(one.k for one in results)
    titles = {doc_id: title for one in results for doc_id, title in one.titles.items()}
    summaries: Summaries = {name: summarise(records, k) for name, records in runs.items()}
    parts = [
        "<h1>How well were the questions answered?</h1>",
        *(f"<p>{escape(_made(one))}</p>" for one in results),
        _table("By kind", kind_rows(summaries), 2 if len(runs) > 1 else 1),
        _table("Over all questions, with 95% bootstrap intervals", overall_rows(summaries), 1),
        '<div class="plots">',
        *(
            f"<figure><h2>{escape(one.title)}</h2>{svg(one)}<p>{escape(one.about)}</p></figure>"
            for one in plots(runs, k)
        ),
        "</div>",
        *_questions(runs, titles),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Evaluation</title><style>{STYLE}</style></head><body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def _made(result: Result) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in result.settings.items() if value != "")
    return f"{result.path.name}: the set {result.questions}, measured {result.made}. Settings: {settings}."


def _table(title: str, rows: Rows, left: int) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        kinds = [""] * left + [' class="n"'] * (len(cells) - left)
        return "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))

    head, *body = rows
    lines = "\n".join(f"<tr>{row(cells, 'td')}</tr>" for cells in body)
    return f'<h2>{escape(title)}</h2><div class="wide"><table><tr>{row(head, "th")}</tr>\n{lines}</table></div>'


def plots(runs: Runs, k: int) -> list[Plot]:
    """Risk and coverage, reliability, times, recall by k. A run whose confidence is only 0 or 1 has no first two."""
    graded = {name: records for name, records in runs.items() if len({one.confidence for one in records}) > 2}
    trust: dict[str, Line] = {}
    for name, records in graded.items():
        given = _given(records)
        trust[f"{name}: the answer is right"] = reliability(
            [one.confidence for one in given], [one.right for one in given]
        )
        asked = [one for one in records if one.error is None]
        trust[f"{name}: the question is answerable"] = reliability(
            [one.confidence for one in asked], [one.question.answerable for one in asked]
        )
    times = {
        f"{name}: {what.replace('_', ' ')}": distribution(values)
        for name, records in runs.items()
        for what, values in waits(records).items()
    }
    recalls = {name: [(n, value) for n in range(1, k + 1) if (value := _recall(records, n)) is not None]
               for name, records in runs.items()}  # fmt: skip
    return [
        Plot("Risk and coverage", "questions answered", "wrong answers among these",
             "If only the surest answers were given. Lower is better; what was held back is not drawn.",
             {name: _risk(records) for name, records in graded.items()}, shares=True),
        Plot("Reliability", "confidence", "share that came true",
             "On the diagonal the confidence is a true probability.", trust, shares=True, diagonal=True),
        Plot("Times", "seconds", "share of questions", "Until the passages, the first token and the end.", times),
        Plot("Recall", "k", "recall@k", "The share of the evidence in the first k passages.", recalls),
    ]  # fmt: skip


def _given(records: Iterable[Record]) -> list[Record]:
    return [one for one in records if not one.abstained and one.error is None]


def _risk(records: Sequence[Record]) -> Line:
    given = _given(records)
    return risk_coverage([one.confidence for one in given], [one.right for one in given], len(records))


def _recall(records: Sequence[Record], k: int) -> float | None:
    return share([span for one in records for span in covered(one.hits[:k], one.evidence)])


def _questions(runs: Runs, titles: dict[str, str]) -> list[str]:
    """Every question, those that some run got wrong first."""
    asked: dict[tuple[object, ...], dict[str, Record]] = {}
    for name, records in runs.items():
        for one in records:
            asked.setdefault((one.question.id, one.question.question, one.question.history), {})[name] = one
    wrong = [one for one in asked.values() if not all(record.right for record in one.values())]
    right = [one for one in asked.values() if all(record.right for record in one.values())]
    return [
        f"<h2>Wrong: {len(wrong)} of {len(asked)}</h2>",
        *(_question(one, titles) for one in wrong),
        f"<h2>Right: {len(right)} of {len(asked)}</h2>",
        *(_question(one, titles) for one in right),
    ]


def _question(answers: dict[str, Record], titles: dict[str, str]) -> str:
    first = next(iter(answers.values()))
    question = first.question
    marks = "".join(f'<b class="{_verdict(one)}">{"✓" if one.right else "✗"}</b>' for one in answers.values())
    history = "".join(f"<p><i>{escape(earlier)}</i><br>{escape(answer)}</p>" for earlier, answer in question.history)
    reference = "".join(f"<p>{escape(text)}</p>" for text in question.answers) or "<p>The documents do not answer.</p>"
    evidence = "".join(f"<blockquote>{escape(text)}</blockquote>" for text in question.evidence) or "<p>None.</p>"
    parts = [
        f"<section><h3>Before</h3>{history}</section>" if history else "",
        *(_answer(name, one) for name, one in answers.items()),
        f"<section><h3>Reference</h3>{reference}</section>",
        f"<section><h3>Evidence</h3>{evidence}</section>",
        *(_citations(name, one) for name, one in answers.items() if one.citations),
        *(_found(name, one, titles) for name, one in answers.items()),
    ]
    return (
        f"<details><summary>{marks} <small>{escape(question.id)} · {escape(question.kind)}</small> "
        f'{escape(question.question)}</summary><div class="sides">{"".join(parts)}</div></details>'
    )


def _verdict(record: Record) -> str:
    return "right" if record.right else "wrong"


def _answer(name: str, record: Record) -> str:
    said = "".join(map(_sentence, record.sentences))
    text = f"Failed: {escape(record.error)}" if record.error else said or escape(record.text)
    facts = [
        _verdict(record) + (", abstained" if record.abstained else ""),
        f"confidence {record.confidence:.2f}",
        f"{record.times.total:.1f} s",
        *([f"F1 {record.f1:.2f}"] if record.f1 is not None else []),
        *([f"judged {'right' if record.judged else 'wrong'}"] if record.judged is not None else []),
    ]
    return (
        f'<section><h3>Answer, {escape(name)}</h3><p>{text}</p><p class="{_verdict(record)}">'
        f"{escape('; '.join(facts))}</p></section>"
    )


def _sentence(sentence: Sentence) -> str:
    numbers = "".join(f"<sup>{citation.number}</sup>" for citation in sentence.citations)
    support = "" if sentence.supported else ' class="unsupported"'
    return f"<span{support}>{escape(sentence.text)}{numbers}</span> "


def _citations(name: str, record: Record) -> str:
    hits = relevant([Place(one.doc_id, one.start, one.end) for one in record.citations], record.evidence)
    listed = "".join(
        f"<blockquote><b>{one.number}</b> {_where(one)}{' · touches the evidence' if hit else ''}<br>"
        f"{escape(one.quote)}</blockquote>"
        for one, hit in zip(record.citations, hits, strict=True)
    )
    return f"<section><h3>Citations, {escape(name)}</h3>{listed}</section>"


def _where(citation: Citation) -> str:
    return f"<small>{escape(citation.title)}{'' if citation.page is None else f', page {citation.page}'}</small>"


def _found(name: str, record: Record, titles: dict[str, str]) -> str:
    hits = relevant(record.hits, record.evidence)
    listed = "".join(
        f"<li>{escape(titles.get(place.doc_id, place.doc_id))}, {place.start}–{place.end}"
        f"{' · holds evidence' if hit else ''}</li>"
        for place, hit in zip(record.hits, hits, strict=True)
    )
    searched = "" if record.searched == record.question.question else f"<p>Searched: {escape(record.searched)}</p>"
    return f"<section><h3>Passages found, {escape(name)}</h3>{searched}<ol>{listed}</ol></section>"
