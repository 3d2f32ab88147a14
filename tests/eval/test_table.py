"""The tables of four records that one can count by hand."""

from dataclasses import replace

from records import ANSWERED, EVIDENCE, FACT, OUTSIDE, RECORDS, record

from eval.summary import summarise
from eval.table import aligned, overall_rows, table, wrong


def test_the_table_of_one_chain() -> None:
    text = table({"chat": summarise(RECORDS, k=2)})
    assert text.splitlines()[:4] == [
        "kind     n  right  share    F1  recall@1  recall@2   MRR  cite prec  cite rec",
        "fact     2      1   0.50  0.25      0.25      0.50  0.67       0.50      0.50",
        "outside  2      1   0.50     –         –         –     –          –         –",
        "all      4      2   0.50  0.25      0.25      0.50  0.67       0.50      0.50",
    ]
    assert "abstained, unanswerable                     1 of 2" in text
    assert "invented                                    0 of 2" in text
    assert "end, s (p50 / p95)                     4.00 / 4.90" in text
    assert "Left out" not in text


def test_the_table_of_two_chains_compares_them() -> None:
    judged = [replace(one, judged=True, correct=False, abstained=not one.question.answerable) for one in RECORDS]
    lines = table({"chat": summarise(RECORDS, 2), "baseline": summarise(judged, 2)}).splitlines()
    assert [line.split()[:4] for line in lines[1:3]] == [["fact", "chat", "2", "1"], ["fact", "baseline", "2", "0"]]
    assert lines[0].endswith("judge") and lines[1].endswith("–") and lines[2].endswith("1.00")
    assert any(line.split() == ["abstention", "precision", "0.50", "1.00"] for line in lines)


def test_the_table_says_which_evidence_is_left_out() -> None:
    text = table({"chat": summarise([record(FACT)], k=2)})
    assert text.endswith("\n\nLeft out: 2 evidence spans that are in no indexed document.")
    half = table({"chat": summarise([record(FACT, evidence=EVIDENCE[:1])], k=2)})
    assert half.endswith("\n\nLeft out: 1 evidence span that is in no indexed document.")


def test_aligned() -> None:
    assert aligned([["a", "10"], ["bcd", "2"]], left=1) == "a    10\nbcd   2"


def test_wrong_answers() -> None:
    assert wrong(RECORDS) == (
        "f: Who?\n    The documents do not say.\n"
        "o: What?\n    Failed: The file /home/somebody/model.gguf is gone; put it back."
    )
    assert wrong([ANSWERED]) == ""


def test_intervals_stand_behind_their_figures() -> None:
    rows = {row[0]: row[1] for row in overall_rows({"chat": summarise(RECORDS, 2)})}
    assert rows["right"] == rows["right or nearest sentence quoted"] == "0.50 (0.00–1.00)"
    assert rows["citation recall"] == "0.50 (0.50–0.50)"
    assert rows["AUC, right among answered"] == "–"
    assert "near document found, unanswerable" not in rows
    near = record(replace(OUTSIDE, near_doc_ids=("d",)))
    rows = {row[0]: row[1] for row in overall_rows({"chat": summarise([near], 2)})}
    assert rows["near document found, unanswerable"] == "0.00"


def test_a_kind_that_only_one_chain_was_asked_has_one_line() -> None:
    lines = table({"a": summarise([ANSWERED], 2), "b": summarise(RECORDS, 2)}).splitlines()
    assert [line.split()[:2] for line in lines if line.startswith("outside")] == [["outside", "b"]]
