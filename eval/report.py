"""Records -> a summary, a text table, and a results file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from eval.metrics import Place, abstention, covered, percentile, reciprocal_rank, relevant, share
from eval.run import Record
from rag.errors import RagError
from rag.settings import Settings
from rag.types import Document

Scores = dict[str, float | None]
"""Shares and means in 0..1, times in seconds, and counts, by name; None where undefined."""

COLUMNS = {
    "n": "n",
    "right": "right",
    "share": "share",
    "f1": "F1",
    "recall_1": "recall@1",
    "recall_k": "recall@{k}",
    "mrr": "MRR",
    "citation_precision": "cite prec",
    "citation_recall": "cite rec",
    "judged": "judge",
}


class ReportError(RagError):
    """The results cannot be written."""


def summarise(records: Sequence[Record], k: int) -> dict[str, Any]:
    """`kinds`: the scores by kind, in the order of the questions; `all`: those of all records; `overall`: the rest."""
    kinds = dict.fromkeys(record.question.kind for record in records)
    return {
        "k": k,
        "kinds": {kind: scores([one for one in records if one.question.kind == kind], k) for kind in kinds},
        "all": scores(records, k),
        "overall": overall(records),
    }


def scores(records: Sequence[Record], k: int) -> Scores:
    """The columns of the table.

    Recall and MRR are over the questions with evidence, citation precision and recall over
    those of them that were answered by a chain that cites; spans are pooled over questions.
    """
    known = [one for one in records if one.evidence]
    cited = [(_cited(one), one.evidence) for one in known if one.question.answerable and one.sentences]
    return {
        "n": len(records),
        "right": sum(one.correct for one in records),
        "share": share([one.correct for one in records]),
        "f1": share([one.f1 for one in records if one.f1 is not None]),
        "recall_1": share([span for one in known for span in covered(one.hits[:1], one.evidence)]),
        "recall_k": share([span for one in known for span in covered(one.hits[:k], one.evidence)]),
        "mrr": share([reciprocal_rank(one.hits, one.evidence) for one in known]),
        "citation_precision": share([one for places, evidence in cited for one in relevant(places, evidence)]),
        "citation_recall": share([span for places, evidence in cited for span in covered(places, evidence)]),
        "judged": share([one.judged for one in records if one.judged is not None]),
    }


def _cited(record: Record) -> list[Place]:
    return [Place(one.doc_id, one.start, one.end) for one in record.citations]


def overall(records: Sequence[Record]) -> Scores:
    """Abstention, support of sentences, times in seconds (failed questions left out), and counts."""
    unanswerable = [not one.question.answerable for one in records]
    abstained = [one.abstained for one in records]
    sentences = [sentence for one in records for sentence in one.sentences]
    times = [one.times for one in records if one.error is None]
    waits = {
        "passages": [time.passages for time in times if time.passages is not None],
        "first_token": [time.first_token for time in times if time.first_token is not None],
        "total": [time.total for time in times],
    }
    abstention_precision, abstention_recall = abstention(unanswerable, abstained)
    return {
        "abstention_precision": abstention_precision,
        "abstention_recall": abstention_recall,
        "unanswerable": sum(unanswerable),
        "unanswerable_abstained": sum(one.abstained and not one.question.answerable for one in records),
        "answerable": len(records) - sum(unanswerable),
        "answerable_abstained": sum(one.abstained and one.question.answerable for one in records),
        "supported": share([sentence.supported for sentence in sentences]),
        "cited": share([bool(sentence.citations) for sentence in sentences]),
        **{f"{name}_p{percent}": percentile(values, percent) for name, values in waits.items() for percent in (50, 95)},
        "failed": sum(one.error is not None for one in records),
        "evidence_not_found": sum(len(one.question.evidence) - len(one.evidence) for one in records),
    }


def table(summaries: Mapping[str, Mapping[str, Any]]) -> str:
    """The scores by kind, one line a chain below each other, then the overall ones, a column a chain."""
    first = next(iter(summaries.values()))
    columns = [name for name in COLUMNS if any(one["all"][name] is not None for one in summaries.values())]
    many = len(summaries) > 1
    rows = [["kind", *(["chain"] if many else []), *(COLUMNS[name].format(k=first["k"]) for name in columns)]]
    for kind in [*first["kinds"], "all"]:
        for chain, summary in summaries.items():
            values = summary["all"] if kind == "all" else summary["kinds"][kind]
            rows.append([kind, *([chain] if many else []), *(_cell(values[name]) for name in columns)])
    parts = [aligned(rows, 2 if many else 1), _overall_table({name: one["overall"] for name, one in summaries.items()})]
    if count := first["overall"]["evidence_not_found"]:
        spans = "span that is" if count == 1 else "spans that are"
        parts.append(f"Left out: {count} evidence {spans} in no indexed document.")
    return "\n\n".join(parts)


def _overall_table(chains: Mapping[str, Scores]) -> str:
    def line(label: str, text: str) -> list[str]:
        return [label, *(text.format(**{key: _cell(value) for key, value in one.items()}) for one in chains.values())]

    return aligned(
        [
            ["", *chains],
            line("abstention precision", "{abstention_precision}"),
            line("abstention recall", "{abstention_recall}"),
            line("abstained, unanswerable", "{unanswerable_abstained} of {unanswerable}"),
            line("abstained, answerable", "{answerable_abstained} of {answerable}"),
            line("sentences supported", "{supported}"),
            line("sentences cited", "{cited}"),
            line("passages, s (p50 / p95)", "{passages_p50} / {passages_p95}"),
            line("first token, s (p50 / p95)", "{first_token_p50} / {first_token_p95}"),
            line("end, s (p50 / p95)", "{total_p50} / {total_p95}"),
            line("failed", "{failed}"),
        ],
        1,
    )


def _cell(value: float | None) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.2f}"


def aligned(rows: Sequence[Sequence[str]], left: int) -> str:
    """The rows under each other, two spaces between columns; the first `left` columns flush left, the rest right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, range(len(row)), strict=True)
        padded = [cell.ljust(width) if number < left else cell.rjust(width) for cell, width, number in cells]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def wrong(records: Sequence[Record]) -> str:
    """The wrong answers: id and question, and the answer or the failure below; empty where all are right."""
    return "\n".join(
        f"{one.question.id}: {one.question.question}\n    {f'Failed: {one.error}' if one.error else one.text}"
        for one in records
        if not one.correct
    )


def public_settings(settings: Settings) -> dict[str, Any]:
    """The settings that bear on the results: numbers and switches, and the bare names of model and embedder.

    Keys, addresses and folders are left out.
    """
    values = settings.model_dump(exclude={"host", "port"})
    kept = {name: value for name, value in values.items() if isinstance(value, bool | int | float)}
    return {**kept, "model": _bare(settings.model), "embedder": _bare(settings.embedder)}


def _bare(name: str) -> str:
    path = PurePath(name)
    return path.name if path.is_absolute() or name.startswith((".", "~")) or path.suffix == ".gguf" else name


def save(
    folder: Path,
    *,
    settings: Settings,
    questions: str,
    documents: Mapping[str, Document],
    chains: Mapping[str, Sequence[Record]],
    summaries: Mapping[str, Mapping[str, Any]],
) -> Path:
    """Write `folder`/<UTC time>.json with the settings, the summaries and every record, and return its path.

    `questions` is the name of the question set. The messages of failed questions are left
    out, since they may name folders. Raises ReportError.
    """
    now = datetime.now(UTC)
    result = {
        "made": now.isoformat(timespec="seconds"),
        "questions": questions,
        "settings": public_settings(settings),
        "documents": [
            {"doc_id": one.doc_id, "title": one.title, "characters": len(one.text)} for one in documents.values()
        ],
        "summaries": summaries,
        "records": {name: [_plain(record) for record in records] for name, records in chains.items()},
    }
    path = folder / f"{now:%Y%m%dT%H%M%SZ}.json"
    try:
        path.write_text(json.dumps(result, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{str(path)!r} cannot be written ({error.strerror}); name another --out folder.") from error
    return path


def _plain(record: Record) -> dict[str, Any]:
    values = asdict(record)
    del values["error"]
    for citation in [*values["citations"], *(one for text in values["sentences"] for one in text["citations"])]:
        del citation["source"]
    return values
