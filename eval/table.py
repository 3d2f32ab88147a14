"""Summaries -> tables, as rows and as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from eval.record import Record
from eval.summary import figures

Summaries = Mapping[str, dict[str, Any]]
"""What `summarise` made, by chain."""
Rows = list[list[str]]

COLUMNS = {
    "n": "n",
    "right": "right",
    "share": "share",
    "strict": "strict",
    "f1": "F1",
    "rouge_l": "ROUGE-L",
    "recall_1": "recall@1",
    "recall_k": "recall@{k}",
    "mrr": "MRR",
    "citation_precision": "cite prec",
    "citation_recall": "cite rec",
    "judged": "judge",
}
_OVERALL = {
    "right": "{right}",
    "right or nearest sentence quoted": "{right_or_quoted}",
    "answerable right": "{answerable_right}",
    "abstention precision": "{abstention_precision}",
    "abstention recall": "{abstention_recall}",
    "AUC, answerable": "{auc_answerable}",
    "AUC, right among answered": "{auc_right}",
    "citation recall": "{citation_recall}",
    "abstained, unanswerable": "{unanswerable_abstained} of {unanswerable}",
    "invented": "{invented} of {unanswerable}",
    "abstained, answerable": "{answerable_abstained} of {answerable}",
    "near document found, unanswerable": "{near_found}",
    "sentences supported": "{supported}",
    "sentences cited": "{cited}",
    "passages, s (p50 / p95)": "{passages_p50} / {passages_p95}",
    "first token, s (p50 / p95)": "{first_token_p50} / {first_token_p95}",
    "end, s (p50 / p95)": "{total_p50} / {total_p95}",
    "failed": "{failed}",
}


def table(summaries: Summaries) -> str:
    """The scores by kind, a line for each chain, then the overall ones, a column for each."""
    parts = [aligned(kind_rows(summaries), 2 if len(summaries) > 1 else 1), aligned(overall_rows(summaries), 1)]
    first = next(iter(summaries.values()))
    if count := first["overall"]["evidence_not_found"]:
        spans = "span that is" if count == 1 else "spans that are"
        parts.append(f"Left out: {count} evidence {spans} in no indexed document.")
    return "\n\n".join(parts)


def kind_rows(summaries: Summaries) -> Rows:
    """The scores by kind, with a heading; columns that are empty everywhere are left out."""
    first = next(iter(summaries.values()))
    columns = [name for name in COLUMNS if any(one["all"][name] is not None for one in summaries.values())]
    many = len(summaries) > 1
    rows = [["kind", *(["chain"] if many else []), *(COLUMNS[name].format(k=first["k"]) for name in columns)]]
    for kind in [*dict.fromkeys(kind for one in summaries.values() for kind in one["kinds"]), "all"]:
        for chain, summary in summaries.items():
            values = summary["all"] if kind == "all" else summary["kinds"].get(kind)
            if values:
                rows.append([kind, *([chain] if many else []), *(cell(values[name]) for name in columns)])
    return rows


def overall_rows(summaries: Summaries) -> Rows:
    """The figures over all questions, those with an interval as `0.82 (0.72–0.90)`."""
    cells = [_cells(summary) for summary in summaries.values()]
    rows = [["", *summaries]]
    for label, text in _OVERALL.items():
        values = [text.format(**one) for one in cells]
        if label != "near document found, unanswerable" or values != ["–"] * len(values):
            rows.append([label, *values])
    return rows


def _cells(summary: dict[str, Any]) -> dict[str, str]:
    texts = {name: cell(value) for name, value in figures(summary).items()}
    for name, ends in summary["intervals"].items():
        if ends:
            texts[name] += f" ({ends[0]:.2f}–{ends[1]:.2f})"
    return texts


def cell(value: float | None) -> str:
    """A count as it is, any other figure with two decimals."""
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.2f}"


def aligned(rows: Sequence[Sequence[str]], left: int) -> str:
    """The rows as text in columns, the first `left` of them flush left, the rest right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, range(len(row)), strict=True)
        padded = [cell.ljust(width) if number < left else cell.rjust(width) for cell, width, number in cells]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def wrong(records: Sequence[Record]) -> str:
    """The wrong answers: id and question, and the answer or the failure below; empty if all are right."""
    return "\n".join(f"{asked(one)}\n    {said(one)}" for one in records if not one.right)


def asked(record: Record) -> str:
    """The id and the question."""
    return f"{record.question.id}: {record.question.question}"


def said(record: Record) -> str:
    """The answer, or what went wrong."""
    return f"Failed: {record.error}" if record.error else record.text
