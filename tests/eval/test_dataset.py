"""Question sets: the reader, and the set that the project ships."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.dataset import DatasetError, Question, load, sample, select
from rag.answer.answer_type import polar

ROOT = Path(__file__).parents[2]
KINDS = {
    "fact", "paraphrase", "yes/no", "number", "list", "quotation", "two passages", "follow-up",
    "false premise", "nearly said", "outside", "orders",
}  # fmt: skip


def write(folder: Path, text: str) -> Path:
    path = folder / "set.jsonl"
    path.write_text(text, encoding="utf-8")
    return path


def test_load_reads_every_key(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '{"id": "1", "kind": "k", "question": "Why?", "answers": ["So."], "history": [["Who?", "He."]],'
        ' "must": [["so", "thus"]], "polarity": "yes", "evidence": ["It is so."], "doc_ids": ["d"], "near_doc_ids": ["n"]}\n',
    )
    assert load(path) == [
        Question(
            id="1",
            kind="k",
            question="Why?",
            answers=("So.",),
            history=(("Who?", "He."),),
            must=(("so", "thus"),),
            polarity="yes",
            evidence=("It is so.",),
            doc_ids=("d",),
            near_doc_ids=("n",),
        )
    ]


def test_load_reads_the_plain_format(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '\ufeff{"id": "1", "kind": "k", "question": "Line\u2028break?", "answers": [], "passages": [0]}\r\n\n'
        '{"id": "2", "kind": "k", "question": "Who?", "answers": ["He"]}',
    )
    first, second = load(path)
    assert (first.question, first.answerable, first.must) == ("Line\u2028break?", False, ())
    assert second.answerable


GOOD = '{"id": "1", "kind": "k", "question": "Who?", "answers": ["He"]}\n'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Invalid JSON"),
        ("[1]", "object"),
        ('{"id": "2", "kind": "k", "question": "Who?"}', "answers: Field required"),
        ('{"id": 2, "kind": "k", "question": "Who?", "answers": []}', "id: "),
        ('{"id": "2", "kind": "k", "question": " ", "answers": []}', "blank"),
        ('{"id": "2", "kind": "k", "question": "Who?", "answers": "He"}', "answers: "),
        ('{"id": "2", "kind": "k", "question": "Who?", "answers": [""]}', "blank"),
        ('{"id": "2", "kind": "k", "question": "Who?", "answers": [], "must": [["He"]]}', "no 'answers'"),
        ('{"id": "2", "kind": "k", "question": "Who?", "answers": ["He"], "must": [[]]}', "empty group"),
        ('{"id": "2", "kind": "k", "question": "Who?", "answers": ["He"], "must": [[" "]]}', "blank alternative"),
        ('{"id": "2", "kind": "k", "question": "Who?", "answers": ["He"], "polarity": "maybe"}', "polarity: "),
        ('{"id": "2", "kind": "k", "question": "Who?", "answers": [], "history": [["a"]]}', "history.0.1: "),
        ('{"id": "1", "kind": "k", "question": "Who?", "answers": []}', "that of line 1"),
    ],
)
def test_load_names_the_file_the_line_and_the_reason(tmp_path: Path, line: str, reason: str) -> None:
    path = write(tmp_path, f"{GOOD}\n{line}\n")
    with pytest.raises(DatasetError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"Line 3 of {str(path)!r} is not a question (")
    assert reason in message
    assert message.endswith("; correct that line.")


def test_load_says_what_to_do_about_a_bad_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot be read \(No such file or directory\); name a file that exists"):
        load(tmp_path / "none.jsonl")
    with pytest.raises(DatasetError, match="holds no question; write one JSON object a line"):
        load(write(tmp_path, "\n \n"))
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b"\xff\xfe{")
    with pytest.raises(DatasetError, match="not UTF-8 text; save it as UTF-8"):
        load(binary)


def test_the_shipped_set_is_complete() -> None:
    questions = load(ROOT / "eval" / "questions.jsonl")
    assert len(questions) >= 60
    assert {question.kind for question in questions} == KINDS
    assert all(question.must and question.evidence for question in questions if question.answerable)
    assert not any(question.evidence for question in questions if not question.answerable)
    assert all(question.history for question in questions if question.kind == "follow-up")


def test_the_second_set_holds_yes_or_no_questions_of_both_kinds() -> None:
    questions = load(ROOT / "eval" / "yesno.jsonl")
    assert all(polar(question.question) for question in questions)
    assert min(sum(question.answerable for question in questions), sum(not q.answerable for q in questions)) > 10
    assert all(
        question.must and question.evidence and question.polarity for question in questions if question.answerable
    )


@pytest.mark.parametrize("name", ["questions.jsonl", "yesno.jsonl"])
def test_the_evidence_of_the_shipped_sets_is_verbatim_in_the_article(name: str) -> None:
    article = (ROOT / "data" / "article.txt").read_bytes().decode("utf-8")
    missing = [
        (question.id, text)
        for question in load(ROOT / "eval" / name)
        for text in question.evidence
        if text not in article
    ]
    assert missing == []


def question(number: int, answerable: bool, kind: str = "k") -> Question:
    return Question(id=str(number), kind=kind, question="?", answers=("a",) if answerable else ())


def test_select_keeps_the_order() -> None:
    questions = [question(0, True, "fact"), question(1, False, "outside"), question(2, True, "fact")]
    assert select(questions, ["fact"], None) == [questions[0], questions[2]]
    assert select(questions, None, 2) == questions[:2]
    with pytest.raises(DatasetError, match="'orders'; its kinds are: fact, outside"):
        select(questions, ["orders"], None)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 45), st.integers(0, 5))
def test_a_sample_keeps_the_order_and_the_shares(answerable: list[bool], size: int, seed: int) -> None:
    questions = [question(number, one) for number, one in enumerate(answerable)]
    drawn = sample(questions, size, seed)
    assert len(drawn) == min(size, len(questions))
    assert [one for one in questions if one in drawn] == drawn
    exact = len(drawn) * sum(answerable) / len(answerable)
    assert abs(sum(one.answerable for one in drawn) - exact) <= 0.5
    assert sample(questions, size, seed) == drawn


def test_another_seed_draws_another_sample() -> None:
    questions = [question(number, True) for number in range(50)]
    assert len({tuple(one.id for one in sample(questions, 5, seed)) for seed in range(10)}) > 5
    assert sample(questions, None, 0) == questions
