"""Records -> figures with their intervals."""

from collections.abc import Sequence
from typing import Any

from eval.metrics import Place, covered, reciprocal_rank, relevant
from eval.record import Record
from eval.statistics import Statistic, abstention, area, auc, interval, percentile, ratio, share

Scores = dict[str, float | None]
"""Shares and means in 0..1, times in seconds, and counts, by name; None where undefined."""


def summarise(records: Sequence[Record], k: int) -> dict[str, Any]:
    """`kinds`: the scores by kind, in the order of the questions; `all`: those of all records; `overall`: the rest;
    `intervals`: the 95% bootstrap intervals of some."""
    kinds = dict.fromkeys(record.question.kind for record in records)
    return {
        "k": k,
        "kinds": {kind: scores([one for one in records if one.question.kind == kind], k) for kind in kinds},
        "all": scores(records, k),
        "overall": overall(records),
        "intervals": intervals(records),
    }


def figures(summary: dict[str, Any]) -> Scores:
    """Every figure over all questions by one name, as thresholds and intervals name them; `right` is the share."""
    values = {name: value for name, value in summary["all"].items() if name not in {"n", "right", "share"}}
    return {"right": summary["all"]["share"], **values, **summary["overall"]}


def scores(records: Sequence[Record], k: int) -> Scores:
    """The columns of the table.

    `right` counts by the verdict that fits each question; where some have long references,
    `strict` is the share by the strict verdict alone. Recall and MRR are over the questions
    with evidence, citation precision and recall over those of them that were answered by a
    chain that cites; spans are pooled over questions.
    """
    known = [one for one in records if one.evidence]
    cited = [one for one in known if _cites(one)]
    return {
        "n": len(records),
        "right": sum(one.right for one in records),
        "share": share([one.right for one in records]),
        "strict": share([one.correct for one in records]) if any(one.gist is not None for one in records) else None,
        "f1": share([one.f1 for one in records if one.f1 is not None]),
        "rouge_l": share([one.rouge_l for one in records if one.rouge_l is not None]),
        "recall_1": share([span for one in known for span in covered(one.hits[:1], one.evidence)]),
        "recall_k": share([span for one in known for span in covered(one.hits[:k], one.evidence)]),
        "mrr": share([reciprocal_rank(one.hits, one.evidence) for one in known]),
        "citation_precision": share([good for one in cited for good in relevant(_cited(one), one.evidence)]),
        "citation_recall": share([span for one in cited for span in covered(_cited(one), one.evidence)]),
        "judged": share([one.judged for one in records if one.judged is not None]),
    }


def _cites(record: Record) -> bool:
    return bool(record.evidence and record.question.answerable and record.sentences)


def _cited(record: Record) -> list[Place]:
    return [Place(one.doc_id, one.start, one.end) for one in record.citations]


def overall(records: Sequence[Record]) -> Scores:
    """Abstention, support of sentences, times in seconds (failed questions left out), and counts.

    `auc_answerable` is how well the confidence tells the answerable questions, `auc_right`
    how well it tells the right answers among those given: what an answer that was held
    back would have been is not known. `near_found` is the share of the unanswerable
    questions for which a document that only seems to answer was found.
    """
    unanswerable = [not one.question.answerable for one in records]
    abstained = [one.abstained for one in records]
    sentences = [sentence for one in records for sentence in one.sentences]
    asked, answered = _asked(records), _answered(records)
    near = [one for one in asked if one.question.near_doc_ids and not one.question.answerable]
    abstention_precision, abstention_recall = abstention(unanswerable, abstained)
    return {
        "abstention_precision": abstention_precision,
        "abstention_recall": abstention_recall,
        "answerable_right": share([one.right for one in records if one.question.answerable]),
        "auc_answerable": auc([one.confidence for one in asked], [one.question.answerable for one in asked]),
        "auc_right": auc([one.confidence for one in answered], [one.right for one in answered]),
        "unanswerable": sum(unanswerable),
        "unanswerable_abstained": sum(one.abstained and not one.question.answerable for one in records),
        "answerable": len(records) - sum(unanswerable),
        "answerable_abstained": sum(one.abstained and one.question.answerable for one in records),
        "near_found": share([any(hit.doc_id in one.question.near_doc_ids for hit in one.hits) for one in near]),
        "supported": share([sentence.supported for sentence in sentences]),
        "cited": share([bool(sentence.citations) for sentence in sentences]),
        **_times(asked),
        "failed": sum(one.error is not None for one in records),
        "evidence_not_found": sum(len(one.question.evidence) - len(one.evidence) for one in records),
    }


def _asked(records: Sequence[Record]) -> list[Record]:
    """Those that did not fail."""
    return [one for one in records if one.error is None]


def _answered(records: Sequence[Record]) -> list[Record]:
    return [one for one in _asked(records) if not one.abstained]


def waits(records: Sequence[Record]) -> dict[str, list[float]]:
    """The seconds until the passages, the first token and the end, of questions that did not fail."""
    times = [one.times for one in _asked(records)]
    return {
        "passages": [time.passages for time in times if time.passages is not None],
        "first_token": [time.first_token for time in times if time.first_token is not None],
        "total": [time.total for time in times],
    }


def _times(records: Sequence[Record]) -> Scores:
    found = waits(records).items()
    return {f"{name}_p{percent}": percentile(values, percent) for name, values in found for percent in (50, 95)}


def intervals(records: Sequence[Record]) -> dict[str, tuple[float, float] | None]:
    """The 95% bootstrap intervals over questions, by the names of `figures`."""
    asked, answered = _asked(records), _answered(records)
    cited = [one for one in records if _cites(one)]
    answerable = [one.question.answerable for one in records]

    def of(statistic: Statistic, of_records: Sequence[Record] = records) -> tuple[float, float] | None:
        return interval(statistic, len(of_records))

    return {
        "right": of(ratio([one.right for one in records], [1] * len(records))),
        "answerable_right": of(ratio([one.right and one.question.answerable for one in records], answerable)),
        "abstention_recall": of(
            ratio(
                [one.abstained and not one.question.answerable for one in records],
                [not one.question.answerable for one in records],
            )
        ),
        "auc_answerable": of(
            area([one.confidence for one in asked], [one.question.answerable for one in asked]), asked
        ),
        "auc_right": of(area([one.confidence for one in answered], [one.right for one in answered]), answered),
        "citation_recall": of(
            ratio([sum(covered(_cited(one), one.evidence)) for one in cited], [len(one.evidence) for one in cited]),
            cited,
        ),
    }
