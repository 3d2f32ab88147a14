"""Records -> figures with their intervals."""

from collections.abc import Sequence
from typing import Any

from eval.dataset import Place
from eval.metrics import covered, reciprocal_rank, relevant
from eval.record import Record
from eval.statistics import Statistic, auc, figure, interval, percentile, ratio, share

Scores = dict[str, float | None]
"""Shares and means in 0..1, times in seconds, and counts, by name; None if undefined."""


def summarise(records: Sequence[Record], k: int) -> dict[str, Any]:
    """All figures of a run.

    `kinds`: scores by kind, in the order of the questions; `all`: of all; `overall`: the
    rest; `intervals`: the 95% intervals of some.
    """
    kinds = dict.fromkeys(record.question.kind for record in records)
    return {
        "k": k,
        "kinds": {kind: scores([one for one in records if one.question.kind == kind], k) for kind in kinds},
        "all": scores(records, k),
        "overall": overall(records),
        "intervals": {name: interval(*values) for name, values in _resampled(records).items()},
    }


def figures(summary: dict[str, Any]) -> Scores:
    """Every figure over all questions by one name; `right` is the share."""
    values = {name: value for name, value in summary["all"].items() if name not in {"n", "right", "share"}}
    return {"right": summary["all"]["share"], **values, **summary["overall"]}


def scores(records: Sequence[Record], k: int) -> Scores:
    """The columns of the table.

    `right` counts by the verdict that fits each question; if some have long references,
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


def _resampled(records: Sequence[Record]) -> dict[str, tuple[Statistic, Sequence[float], Sequence[float]]]:
    """The figures that have an interval, by their names in `figures`: a statistic and its values by question.

    `auc_answerable` is how well the confidence tells the answerable questions, `auc_right`
    how well it tells the right answers among those given: what an answer that was held
    back would have been is not known.
    """
    asked = [one for one in records if one.error is None]
    given = [one for one in asked if not one.abstained]
    cited = [one for one in records if _cites(one)]
    answerable = [one.question.answerable for one in records]
    unanswerable = [not one for one in answerable]
    right = [one.right for one in records]
    held_back = [one.abstained and not one.question.answerable for one in records]
    return {
        "right": (ratio, right, [1] * len(records)),
        "right_or_quoted": (ratio, [one.right or one.quoted for one in records], [1] * len(records)),
        "answerable_right": (ratio, [one.right and one.question.answerable for one in records], answerable),
        "abstention_recall": (ratio, held_back, unanswerable),
        "auc_answerable": (auc, [one.confidence for one in asked], [one.question.answerable for one in asked]),
        "auc_right": (auc, [one.confidence for one in given], [one.right for one in given]),
        "citation_recall": (
            ratio, [sum(covered(_cited(one), one.evidence)) for one in cited], [len(one.evidence) for one in cited]
        ),
    }  # fmt: skip


def overall(records: Sequence[Record]) -> Scores:
    """Abstention, support of sentences, times in seconds (failed questions left out), and counts.

    `right_or_quoted` counts a question as well if some of its evidence was quoted in the
    place of an answer, `invented` the unanswerable ones that were answered. `near_found` is
    the share of the unanswerable questions for which a document that only seems to answer
    was found.
    """
    unanswerable = [one for one in records if not one.question.answerable]
    abstained = [one for one in records if one.abstained]
    right_to_abstain = sum(one.abstained for one in unanswerable)
    sentences = [sentence for one in records for sentence in one.sentences]
    near = [one for one in unanswerable if one.error is None and one.question.near_doc_ids]
    shared = {name: figure(*values) for name, values in _resampled(records).items()}
    return {
        "right_or_quoted": shared["right_or_quoted"],
        "abstention_precision": share([not one.question.answerable for one in abstained]),
        **{name: shared[name] for name in ("abstention_recall", "answerable_right", "auc_answerable", "auc_right")},
        "unanswerable": len(unanswerable),
        "unanswerable_abstained": right_to_abstain,
        "invented": sum(not one.abstained and one.error is None for one in unanswerable),
        "answerable": len(records) - len(unanswerable),
        "answerable_abstained": len(abstained) - right_to_abstain,
        "near_found": share([any(hit.doc_id in one.question.near_doc_ids for hit in one.hits) for one in near]),
        "supported": share([sentence.supported for sentence in sentences]),
        "cited": share([bool(sentence.citations) for sentence in sentences]),
        **{f"{name}_p{part}": percentile(times, part) for name, times in waits(records).items() for part in (50, 95)},
        "failed": sum(one.error is not None for one in records),
        "evidence_not_found": sum(len(one.question.evidence) - len(one.evidence) for one in records),
    }


def waits(records: Sequence[Record]) -> dict[str, list[float]]:
    """The seconds until the passages, the first token and the end, of questions that did not fail."""
    times = [one.times for one in records if one.error is None]
    return {
        "passages": [time.passages for time in times if time.passages is not None],
        "first_token": [time.first_token for time in times if time.first_token is not None],
        "total": [time.total for time in times],
    }
