"""The summary, the table and the results file of four records that one can count by hand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from eval.dataset import Question
from eval.metrics import Place
from eval.report import ReportError, aligned, public_settings, save, summarise, table, wrong
from eval.run import Record, Times
from rag.settings import Settings, read_settings
from rag.types import Citation, Document, Sentence

DOCUMENT = Document("d", "/home/somebody/article.txt", "Article", "x" * 100)
FACT = Question(id="f", kind="fact", question="Who?", answers=("He",), evidence=("x", "xx"))
OUTSIDE = Question(id="o", kind="outside", question="What?", answers=())


def cite(number: int, start: int, end: int) -> Citation:
    return Citation(number, "d", DOCUMENT.source, "Article", start, end, DOCUMENT.text[start:end])


def record(question: Question, **changes: object) -> Record:
    base = Record(
        question=question,
        searched=question.question,
        text="He did.",
        abstained=False,
        confidence=0.5,
        hits=(),
        citations=(),
        sentences=(),
        evidence=(),
        times=Times(1.0, 2.0, 3.0),
        correct=True,
        f1=None,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


EVIDENCE = ((Place("d", 0, 10),), (Place("d", 50, 60),))
GOOD, BAD = cite(1, 5, 9), cite(2, 20, 30)
ANSWERED = record(
    FACT,
    hits=(Place("d", 0, 20), Place("d", 40, 70)),
    citations=(GOOD, BAD),
    sentences=(Sentence("He did.", (GOOD, BAD), True), Sentence("Perhaps.", (), False)),
    evidence=EVIDENCE,
    f1=0.5,
)
HELD_BACK = record(
    FACT,
    text="The documents do not say.",
    abstained=True,
    hits=(Place("d", 20, 30), Place("d", 30, 40), Place("d", 55, 56)),
    evidence=EVIDENCE,
    times=Times(3.0, None, 5.0),
    correct=False,
    f1=0.0,
)
REFUSED = record(OUTSIDE, abstained=True, times=Times(2.0, None, 4.0))
FAILED = record(
    OUTSIDE,
    text="",
    times=Times(None, None, 99.0),
    correct=False,
    error="The file /home/somebody/model.gguf is gone; put it back.",
    error_kind="ModelError",
)
RECORDS = [ANSWERED, HELD_BACK, REFUSED, FAILED]


def test_scores_by_kind() -> None:
    summary = summarise(RECORDS, k=2)
    fact = summary["kinds"]["fact"]
    assert fact == {
        "n": 2,
        "right": 1,
        "share": 0.5,
        "f1": 0.25,
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


def test_a_chain_without_citations_has_no_citation_scores() -> None:
    fact = summarise([record(FACT, evidence=EVIDENCE)], k=2)["kinds"]["fact"]
    assert (fact["citation_precision"], fact["citation_recall"]) == (None, None)


def test_a_chain_that_cites_nothing_recalls_nothing() -> None:
    uncited = record(FACT, evidence=EVIDENCE, sentences=(Sentence("He did.", (), False),))
    fact = summarise([uncited], k=2)["kinds"]["fact"]
    assert (fact["citation_precision"], fact["citation_recall"]) == (None, 0)


def test_the_table_of_one_chain() -> None:
    text = table({"chat": summarise(RECORDS, k=2)})
    assert text.splitlines()[:4] == [
        "kind     n  right  share    F1  recall@1  recall@2   MRR  cite prec  cite rec",
        "fact     2      1   0.50  0.25      0.25      0.50  0.67       0.50      0.50",
        "outside  2      1   0.50     –         –         –     –          –         –",
        "all      4      2   0.50  0.25      0.25      0.50  0.67       0.50      0.50",
    ]
    assert "abstained, unanswerable          1 of 2" in text
    assert "end, s (p50 / p95)          4.00 / 4.90" in text
    assert "Left out" not in text


def test_the_table_of_two_chains_compares_them() -> None:
    judged = [replace(one, judged=True, correct=False) for one in RECORDS]
    lines = table({"chat": summarise(RECORDS, 2), "baseline": summarise(judged, 2)}).splitlines()
    assert [line.split()[:4] for line in lines[1:3]] == [["fact", "chat", "2", "1"], ["fact", "baseline", "2", "0"]]
    assert lines[0].endswith("judge") and lines[1].endswith("–") and lines[2].endswith("1.00")
    assert any(line.split() == ["abstention", "recall", "0.50", "0.50"] for line in lines)


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


def settings(tmp_path: Path) -> Settings:
    return read_settings(
        data=tmp_path,
        index=tmp_path,
        cache=tmp_path,
        model="/home/somebody/small.gguf",
        embedder="/home/somebody/minilm",
        base_url="https://user:word@host.example/v1",
        api_key=SecretStr("very-secret"),
        passages=3,
    )


def test_settings_are_kept_without_keys_addresses_and_folders(tmp_path: Path) -> None:
    kept = public_settings(settings(tmp_path))
    assert (kept["model"], kept["embedder"], kept["passages"]) == ("small.gguf", "minilm", 3)
    assert not {"api_key", "base_url", "data", "index", "cache", "host", "port"} & set(kept)
    assert public_settings(read_settings(model="openai:gpt", embedder="org/name"))["embedder"] == "org/name"


def test_the_results_file_holds_everything_but_secrets_and_folders(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        settings=settings(tmp_path),
        questions="set.jsonl",
        documents={"d": DOCUMENT},
        chains={"chat": RECORDS},
        summaries={"chat": summarise(RECORDS, 2)},
    )
    text = path.read_text(encoding="utf-8")
    assert not any(word in text for word in ("very-secret", "word@", "somebody", str(tmp_path)))
    written = json.loads(text)
    assert written["questions"] == "set.jsonl"
    assert written["documents"] == [{"doc_id": "d", "title": "Article", "characters": 100}]
    assert written["summaries"]["chat"]["kinds"]["fact"]["right"] == 1
    first, _, _, failed = written["records"]["chat"]
    assert first["question"]["evidence"] == ["x", "xx"]
    assert first["evidence"][0] == [{"doc_id": "d", "start": 0, "end": 10}]
    assert first["sentences"][0]["citations"][0]["quote"] == "xxxx"
    assert failed["error_kind"] == "ModelError"


def test_save_says_what_to_do_when_the_folder_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"cannot be written .*; name another --out folder"):
        save(
            tmp_path / "none",
            settings=settings(tmp_path),
            questions="set.jsonl",
            documents={},
            chains={},
            summaries={},
        )
