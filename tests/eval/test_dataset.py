"""Question sets: the reader, the sets that the project ships, and folders on small indexes made by the fake embedder."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from fakes import ANIMALS, EMBEDDER, write
from hypothesis import given
from hypothesis import strategies as st

from eval.dataset import (
    DatasetError,
    Place,
    Question,
    build,
    check_evidence,
    choose,
    load,
    locate,
    mapped,
    question_file,
)
from eval.metrics import covered
from rag.answer.kinds import KindClassifier
from rag.answer.question import Kind
from rag.errors import DocumentError
from rag.index.index import Index, open_index
from rag.settings import Settings

ROOT = Path(__file__).parents[2]
KINDS = {
    "fact", "paraphrase", "yes/no", "number", "list", "quotation", "two passages", "follow-up",
    "false premise", "nearly said", "outside", "orders",
}  # fmt: skip


def saved(folder: Path, text: str) -> Path:
    path = folder / "set.jsonl"
    path.write_text(text, encoding="utf-8")
    return path


def test_load_reads_every_key(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        '{"id": "1", "kind": "k", "question": "Why?", "answers": ["So."], "history": [["Who?", "He."]],'
        ' "must": [["so", "thus"]], "polarity": "yes", "evidence": ["It is so."], "doc_ids": ["d"], "near_doc_ids": ["n"]}\n',
    )
    assert load(path) == [
        Question(
            "1", "k", "Why?", ("So.",), history=(("Who?", "He."),), must=(("so", "thus"),), polarity="yes",
            evidence=("It is so.",), doc_ids=("d",), near_doc_ids=("n",),
        )
    ]  # fmt: skip


def test_load_reads_the_plain_format(tmp_path: Path) -> None:
    path = saved(
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
    path = saved(tmp_path, f"{GOOD}\n{line}\n")
    with pytest.raises(DatasetError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"Line 3 of {str(path)!r} is not a question (")
    assert reason in message
    assert message.endswith("; correct that line.")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"cannot be read \(No such file or directory\); name a file that exists"),
        (b"\n \n", "holds no question; write one JSON object a line"),
        (b"\xff\xfe{", "not UTF-8 text; save it as UTF-8"),
    ],
)
def test_load_says_what_to_do_about_a_bad_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "set.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        load(path)


def test_the_shipped_set_is_complete() -> None:
    questions = load(ROOT / "eval" / "questions.jsonl")
    assert len(questions) >= 60
    assert {question.kind for question in questions} == KINDS
    assert all(question.must and question.evidence for question in questions if question.answerable)
    assert not any(question.evidence for question in questions if not question.answerable)
    assert all(question.history for question in questions if question.kind == "follow-up")


def test_the_second_set_holds_yes_or_no_questions_of_both_kinds() -> None:
    questions = load(ROOT / "eval" / "yesno.jsonl")
    kinds = [KindClassifier.shipped().kind_of(question.question) for question in questions]
    assert kinds.count(Kind.YES_NO) > 0.9 * len(questions)
    assert min(sum(question.answerable for question in questions), sum(not q.answerable for q in questions)) > 10
    assert all(
        question.must and question.evidence and question.polarity for question in questions if question.answerable
    )


@pytest.mark.parametrize("name", ["questions.jsonl", "yesno.jsonl"])
def test_the_evidence_of_the_shipped_sets_is_verbatim_in_the_article(name: str) -> None:
    article = (ROOT / "data" / "article.txt").read_bytes().decode("utf-8")
    evidence = [(one.id, text) for one in load(ROOT / "eval" / name) for text in one.evidence]
    assert [(identity, text) for identity, text in evidence if text not in article] == []


def question(number: int, answerable: bool, kind: str = "k") -> Question:
    return Question(id=str(number), kind=kind, question="?", answers=("a",) if answerable else ())


def chosen(
    questions: list[Question], kind: Any = None, limit: Any = None, size: Any = None, seed: int = 0
) -> list[Question]:
    return choose(questions, Namespace(kind=kind, limit=limit, sample=size, seed=seed))


def test_kinds_and_a_limit_keep_the_order() -> None:
    questions = [question(0, True, "fact"), question(1, False, "outside"), question(2, True, "fact")]
    assert chosen(questions, kind=["fact"]) == [questions[0], questions[2]]
    assert chosen(questions, limit=2) == questions[:2]
    with pytest.raises(DatasetError, match="'orders'; its kinds are: fact, outside"):
        chosen(questions, kind=["orders"])


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 45), st.integers(0, 5))
def test_a_sample_keeps_the_order_and_the_shares(answerable: list[bool], size: int, seed: int) -> None:
    questions = [question(number, one) for number, one in enumerate(answerable)]
    drawn = chosen(questions, size=size, seed=seed)
    assert len(drawn) == min(size, len(questions))
    assert [one for one in questions if one in drawn] == drawn
    exact = len(drawn) * sum(answerable) / len(answerable)
    assert abs(sum(one.answerable for one in drawn) - exact) <= 0.5
    assert chosen(questions, size=size, seed=seed) == drawn


def test_another_seed_draws_another_sample() -> None:
    questions = [question(number, True) for number in range(50)]
    assert len({tuple(one.id for one in chosen(questions, size=5, seed=seed)) for seed in range(10)}) > 5


def corpus(folder: Path, *texts: str) -> Path:
    """A set whose documents are called a, b, c, ... in this order."""
    lines = [json.dumps({"id": name, "title": name, "text": text}) for name, text in zip("abcdef", texts, strict=False)]
    write(folder, {"corpus.jsonl": "\n".join(lines), "readme.txt": "No document of the set.", "questions.jsonl": "{}"})
    return folder


def opened(folder: Path, settings: Settings, out: Path) -> Index:
    return open_index(build(folder, settings, out).index, EMBEDDER)


def ask(**changes: tuple[str, ...]) -> Question:
    return Question(id="q", kind="k", question="?", answers=("x",), **changes)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_lines_of_the_corpus_are_the_documents(settings: Settings, tmp_path: Path) -> None:
    made = build(corpus(tmp_path / "set", *ANIMALS), settings, tmp_path / "out")
    assert made.index == tmp_path / "out" / "set" / "index"
    assert {one.text for one in open_index(made.index, EMBEDDER).documents.values()} == set(ANIMALS)


@pytest.mark.slow
def test_ids_become_those_of_the_index_and_identical_texts_one(settings: Settings, tmp_path: Path) -> None:
    folder = corpus(tmp_path / "set", *ANIMALS, ANIMALS[0])
    documents = opened(folder, settings, tmp_path / "out").documents
    by_text = {one.text: doc_id for doc_id, one in documents.items()}
    (found,) = mapped([ask(doc_ids=("d", "b", "a"), near_doc_ids=("c",), evidence=("dog",))], folder, documents)
    assert found.doc_ids == (by_text[ANIMALS[0]], by_text[ANIMALS[1]])
    assert found.near_doc_ids == (by_text[ANIMALS[2]],)
    assert locate(found, documents)[0][0] == Place(by_text[ANIMALS[1]], 2, 5)


@pytest.mark.slow
def test_without_any_spans_the_documents_are_the_evidence(settings: Settings, tmp_path: Path) -> None:
    folder = corpus(tmp_path / "set", *ANIMALS)
    documents = opened(folder, settings, tmp_path / "out").documents
    first, second = mapped([ask(doc_ids=("a", "c")), ask()], folder, documents)
    assert (first.evidence, second.evidence) == ((ANIMALS[0], ANIMALS[2]), ())
    assert covered([Place(first.doc_ids[1], 3, 4)], locate(first, documents)) == [False, True]
    spans, rest = mapped([ask(evidence=("cat",)), ask(doc_ids=("a",))], folder, documents)
    assert (spans.evidence, rest.evidence) == (("cat",), ())


@pytest.mark.slow
def test_a_folder_of_any_documents_goes_by_the_names_of_the_files(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    write(folder, {"a.txt": ANIMALS[0], "deep/b.md": ANIMALS[1], "questions.jsonl": '{"text": "no document"}'})
    write(folder, {"questions.draft.jsonl": '{"text": "none either"}', "deep/a.draft.jsonl": '{"text": "nor this"}'})
    documents = opened(folder, settings, tmp_path / "out").documents
    assert sorted(one.text for one in documents.values()) == sorted(ANIMALS[:2])
    (found,) = mapped([ask(doc_ids=("deep/b.md",), evidence=("dog",))], folder, documents)
    assert documents[found.doc_ids[0]].text == ANIMALS[1]


@pytest.mark.slow
def test_an_unknown_document_is_named(settings: Settings, tmp_path: Path) -> None:
    folder = corpus(tmp_path / "set", ANIMALS[0])
    documents = opened(folder, settings, tmp_path / "out").documents
    with pytest.raises(
        DatasetError, match="'q' names the document 'z', which is not in the index of the folder; correct it"
    ):
        mapped([ask(doc_ids=("z",))], folder, documents)


@pytest.mark.slow
def test_what_cannot_be_read_is_named_and_left_out(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = corpus(tmp_path / "set", ANIMALS[0], " ", ANIMALS[1])
    documents = opened(folder, settings, tmp_path / "out").documents
    assert len(documents) == 2
    assert "corpus.jsonl#2' is empty" in capsys.readouterr().err
    (found,) = mapped([ask(doc_ids=("c",), evidence=("dog",))], folder, documents)
    assert documents[found.doc_ids[0]].text == ANIMALS[1]


def test_a_folder_without_questions_or_documents_is_an_error(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"or draft some with: python -m eval draft {tmp_path}"):
        question_file(tmp_path)
    write(tmp_path / "empty", {"questions.jsonl": "{}"})
    assert question_file(tmp_path / "empty") == tmp_path / "empty" / "questions.jsonl"
    with pytest.raises(DocumentError, match="No document was found"):
        build(tmp_path / "empty", settings, tmp_path / "out")


@pytest.mark.slow
def test_an_index_of_other_texts_is_told_from_a_miss(settings: Settings, tmp_path: Path) -> None:
    documents = opened(corpus(tmp_path / "set", ANIMALS[0], ANIMALS[1]), settings, tmp_path).documents
    here, elsewhere = ask(evidence=("It eats at night.",)), ask(evidence=("The moon is far.",))
    check_evidence([here, elsewhere], documents)
    check_evidence([ask()], documents)
    with pytest.raises(DatasetError, match=r"none of the evidence .*'q'.*ingest.py, or name the set with --data"):
        check_evidence([elsewhere, ask()], documents)
