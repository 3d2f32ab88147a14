"""The figures of four records that one can count by hand."""

from dataclasses import replace

import pytest
from records import ANSWERED, BAD, EVIDENCE, FACT, FAILED, GOOD, HELD_BACK, OUTSIDE, RECORDS, REFUSED, record

from eval.summary import figures, summarise, waits
from rag.types import Sentence


def test_scores_by_kind() -> None:
    summary = summarise(RECORDS, k=2)
    fact = summary["kinds"]["fact"]
    assert fact == {
        "n": 2,
        "right": 1,
        "share": 0.5,
        "strict": None,
        "f1": 0.25,
        "rouge_l": None,
        "recall_1": 0.25,  # One of four spans: the first of the answered question.
        "recall_k": 0.5,  # Both spans of that question, none of the other's.
        "mrr": pytest.approx((1 + 1 / 3) / 2),
        "citation_precision": 0.5,
        "citation_recall": 0.5,
        "judged": None,
    }
    outside = summary["kinds"]["outside"]
    assert (outside["n"], outside["right"], outside["f1"]) == (2, 1, None)
    assert (outside["recall_1"], outside["mrr"]) == (None, None)
    assert (summary["all"]["n"], summary["all"]["right"]) == (4, 2)


def test_overall() -> None:
    values = summarise(RECORDS, k=2)["overall"]
    assert (values["abstention_precision"], values["abstention_recall"]) == (0.5, 0.5)
    assert (values["unanswerable_abstained"], values["unanswerable"]) == (1, 2)
    assert (values["answerable_abstained"], values["answerable"]) == (1, 2)
    assert (values["supported"], values["cited"]) == (0.5, 0.5)
    assert (values["passages_p50"], values["first_token_p50"], values["total_p50"]) == (2, 2, 4)
    assert values["total_p95"] == pytest.approx(4.9)
    assert (values["failed"], values["evidence_not_found"]) == (1, 0)


def test_a_reply_that_quotes_the_evidence_counts_beside_the_right_ones() -> None:
    touching, beside = replace(HELD_BACK, near=(GOOD,)), replace(HELD_BACK, near=(BAD,))
    answered = record(OUTSIDE, correct=False)
    values = figures(summarise([ANSWERED, touching, beside, answered], k=2))
    assert (values["right"], values["right_or_quoted"]) == (0.25, 0.5)
    assert (values["invented"], values["unanswerable"]) == (1, 1)
    assert summarise(RECORDS, k=2)["overall"]["invented"] == 0  # What failed invented nothing.


def test_a_chain_without_citations_has_no_citation_scores() -> None:
    fact = summarise([record(FACT, evidence=EVIDENCE)], k=2)["kinds"]["fact"]
    assert (fact["citation_precision"], fact["citation_recall"]) == (None, None)


def test_a_chain_that_cites_nothing_recalls_nothing() -> None:
    uncited = record(FACT, evidence=EVIDENCE, sentences=(Sentence("He did.", (), False),))
    fact = summarise([uncited], k=2)["kinds"]["fact"]
    assert (fact["citation_precision"], fact["citation_recall"]) == (None, 0)


def test_long_references_are_judged_by_their_gist_and_strictly_beside() -> None:
    near = record(FACT, correct=False, gist=True, rouge_l=0.4, f1=0.2)
    far = record(FACT, correct=False, gist=False, rouge_l=0.0, f1=0.0)
    values = summarise([near, far, REFUSED], k=1)["all"]
    assert (near.right, far.right, REFUSED.right) == (True, False, True)
    assert (values["right"], values["share"]) == (2, pytest.approx(2 / 3))
    assert (values["strict"], values["rouge_l"]) == (pytest.approx(1 / 3), pytest.approx(0.2))


def test_the_confidence_is_held_against_answerable_and_right() -> None:
    records = [
        replace(ANSWERED, confidence=0.9),
        replace(ANSWERED, confidence=0.6, correct=False),
        replace(HELD_BACK, confidence=0.3),
        replace(REFUSED, confidence=0.4),
        replace(FAILED, confidence=0.99),  # Counts in neither.
    ]
    values = summarise(records, k=1)["overall"]
    assert values["auc_answerable"] == pytest.approx(2 / 3)  # 0.9 and 0.6 above 0.4, 0.3 below.
    assert values["auc_right"] == 1  # Of those answered: 0.9 right, 0.6 wrong.
    assert values["answerable_right"] == pytest.approx(1 / 3)


def test_near_documents_count_for_unanswerable_questions() -> None:
    near = replace(OUTSIDE, near_doc_ids=("d",))
    found = record(near, hits=ANSWERED.hits)
    assert summarise([found, record(near), record(OUTSIDE)], 1)["overall"]["near_found"] == 0.5
    assert summarise([record(OUTSIDE)], 1)["overall"]["near_found"] is None


def test_figures_go_by_one_name() -> None:
    values = figures(summarise(RECORDS, k=2))
    assert (values["right"], values["recall_k"], values["abstention_recall"], values["failed"]) == (0.5, 0.5, 0.5, 1)
    assert "share" not in values and "n" not in values


def test_intervals_hold_their_figures_and_are_the_same_again() -> None:
    summary = summarise(RECORDS, k=2)
    values = figures(summary)
    assert set(summary["intervals"]) == {
        "right", "right_or_quoted", "answerable_right", "abstention_recall", "auc_answerable", "auc_right", "citation_recall",
    }  # fmt: skip
    assert summary["intervals"]["right"] == (0, 1)  # Two of four right: a resample of all right ones is no rarity.
    assert summary["intervals"]["auc_right"] is None  # A single answer.
    assert summary["intervals"]["citation_recall"] == (0.5, 0.5)
    for name, ends in summary["intervals"].items():
        value = values[name]
        assert ends is None or (value is not None and ends[0] <= value <= ends[1])
    assert summarise(RECORDS, k=2)["intervals"] == summary["intervals"]


def test_nothing_has_no_figures() -> None:
    values = figures(summarise([], k=1))
    assert {value for value in values.values() if value != 0} == {None}


def test_waits_leave_out_failures_and_what_never_came() -> None:
    assert waits(RECORDS) == {"passages": [1, 3, 2], "first_token": [2], "total": [3, 5, 4]}
