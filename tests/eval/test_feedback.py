"""Ratings given in the page become a question set that the evaluation reads."""

import json
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import ANIMALS, EMBEDDER, answer, cite, publish, quoted, write

from eval.dataset import CORPUS, QUESTIONS, DatasetError, Place, Question, build, load, locate, mapped
from eval.feedback import OPEN, UNSAID, item_of, main, write_set
from eval.metrics import correct
from eval.results import ReportError
from rag.errors import NoIndexError
from rag.index.index import open_index
from rag.server.records import Rating, Turn
from rag.server.store import FILE, Store
from rag.settings import Settings
from rag.types import Citation, Document, Sentence

OUT = Path("feedback")


@pytest.fixture
def documents(settings: Settings) -> Iterator[dict[str, Document]]:
    """The documents of a published index, by their file's name without its suffix."""
    write(Path("texts"), {"cat.txt": ANIMALS[0], "dog.md": f"# Dogs\n\n{ANIMALS[1]}"})
    publish(settings.index, "texts")
    opened = open_index(settings.index, EMBEDDER).documents
    yield {Path(one.source).stem: one for one in opened.values()}
    opened.close()


def answered(question: str, text: str, document: Document, quote: str) -> Turn:
    said = answer(Sentence(text, (cite(1, quote, document),), True), question=question)
    return Turn(1, question, (), text, said, "done")


def abstained(question: str) -> Turn:
    said = answer(text="Not said.", abstained=True, question=question)
    return Turn(1, question, (), said.text, said, "done")


def good(turn: Turn, *history: tuple[str, str]) -> Rating:
    return Rating("", 1, True, "", "", "", turn, history)


def bad(turn: Turn, reason: str = "wrong", right: str = "", comment: str = "") -> Rating:
    return Rating("", 1, False, reason, comment, right, turn, ())


def rate(settings: Settings, *ratings: Rating) -> None:
    with Store(settings.store / FILE) as store:
        for number, rating in enumerate(ratings):
            store.rate(f"owner {number % 2}", replace(rating, conversation=str(number)))


def lines(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (OUT / name).read_text(encoding="utf-8").splitlines()]


def read(settings: Settings) -> tuple[list[Question], dict[str, Document]]:
    """The set as `python -m eval --data` takes it, and the documents of its index."""
    built = build(OUT, settings, Path("results"))
    opened = open_index(built.index, EMBEDDER).documents
    return mapped(load(OUT / QUESTIONS), OUT, opened), dict(opened)


@pytest.mark.slow
def test_the_ratings_in_a_database_become_a_set_too(
    settings: Settings, documents: dict[str, Document], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_DATABASE", address)
    with pytest.raises(ReportError, match="There are no ratings in the database of RAG_DATABASE; rate answers"):
        main(Namespace(store=None, out=OUT))
    cat = answered("When does it eat?", "It eats at night.", documents["cat"], "It eats at night.")
    with Store(address) as store:
        store.rate("owner", good(cat))
    assert main(Namespace(store=None, out=OUT)) == 0
    assert [one["question"] for one in lines("questions.jsonl")] == ["When does it eat?"]


@pytest.mark.slow
def test_the_ratings_become_a_set_that_the_evaluation_reads(
    settings: Settings, documents: dict[str, Document], capsys: pytest.CaptureFixture[str]
) -> None:
    cat = answered("When does it eat?", "It eats at night.", documents["cat"], "It eats at night.")
    rate(
        settings,
        good(cat, ("Who sleeps?", "The cat.")),
        good(abstained("How old is the cat?")),
        bad(answered("Who is Rex?", "A cat \ud800.", documents["cat"], "cat"), right=" The dog is called Rex. \n"),
        bad(cat, "should not have answered", right="It does not say."),
        bad(abstained("What eats bones?"), "should have answered", right="A dog."),
        bad(abstained("What sleeps?"), "should have answered", comment="It is there."),
    )
    assert main(Namespace(store=None, out=OUT)) == 0
    said = capsys.readouterr()
    assert "Ratings: 6, of which 5 can be scored\nQuestions: feedback/questions.jsonl\n" in said.out
    assert "To complete: feedback/questions.draft.jsonl (1)\n" in said.out
    assert said.out.endswith("Measure with: python -m eval --data feedback\n")
    assert "Give each question in 'feedback/questions.draft.jsonl' its \"answers\"" in said.err

    questions, found = read(settings)
    assert {one.text for one in found.values()} == {one.text for one in documents.values()}
    assert [(one.kind, one.answers) for one in questions] == [
        ("feedback-good", ("It eats at night.",)),
        ("feedback-abstained", ()),
        ("feedback-corrected", ("The dog is called Rex.",)),
        ("feedback-unanswerable", ()),
        ("feedback-corrected", ("A dog.",)),
    ]
    first = questions[0]
    assert (first.question, first.history) == ("When does it eat?", (("Who sleeps?", "The cat."),))
    assert locate(first, found) == ((Place(documents["cat"].doc_id, 30, 47),),)
    assert [one.evidence for one in questions[1:]] == [()] * 4
    assert correct(first, "It eats at night.", False) and correct(questions[1], "", True)
    assert not correct(questions[3], "It eats at night.", False)


@pytest.mark.slow
def test_what_cannot_be_scored_waits_for_its_answers(settings: Settings, documents: dict[str, Document]) -> None:
    turn = answered("Who is Rex?", "A cat.", documents["cat"], "The black cat")
    rate(
        settings,
        bad(turn, "incomplete", comment="Which one?"),
        good(Turn(1, "And?", text="It ea", state="stopped", note="Stopped.")),
    )
    assert write_set(settings.store, settings.index, OUT) == (0, 2)
    assert not (OUT / QUESTIONS).exists()
    first, second = lines(OPEN)
    assert first == {
        "id": "feedback-1",
        "kind": "feedback-open",
        "question": "Who is Rex?",
        "history": [],
        "said": "A cat.",
        "cited": [{"title": "Cat", "quote": "The black cat"}],
        "reason": "incomplete",
        "comment": "Which one?",
    }
    assert (second["question"], second["said"]) == ("And?", "It ea")
    with pytest.raises(DatasetError, match="answers: Field required"):  # It is not taken for unanswerable.
        load(OUT / OPEN)
    completed = [json.dumps({**item, "answers": ["The dog."]}) for item in (first, second)]
    write(OUT, {QUESTIONS: "\n".join(completed)})
    questions, _ = read(settings)
    assert [one.answers for one in questions] == [("The dog.",)] * 2


def test_a_reply_that_only_quotes_does_not_say_what_is_right() -> None:
    near = Citation(1, "d", "a.txt", "A", 0, 3, "Rex")
    item = item_of(1, good(Turn(1, "Who?", (), "", quoted(near, question="Who?"), "done")), {"d"})
    assert (item["kind"], item["reason"]) == ("feedback-open", UNSAID) and "answers" not in item
    assert item["cited"] == [{"title": "A", "quote": "Rex"}]


@pytest.mark.slow
def test_a_good_answer_whose_document_is_gone_must_be_looked_at(
    settings: Settings, documents: dict[str, Document]
) -> None:
    lost = Document("0" * 16, "lost.txt", "Lost", "It is gone.")
    rate(settings, good(answered("Where?", "Gone.", lost, "gone")))
    assert write_set(settings.store, settings.index, OUT) == (0, 1)
    (item,) = lines(OPEN)
    assert "answers" not in item and item["reason"] == "the index has no longer every document that it cites"


@pytest.mark.slow
def test_only_a_title_of_its_own_goes_with_a_document(settings: Settings, documents: dict[str, Document]) -> None:
    rate(settings, good(abstained("Who?")))
    write_set(settings.store, settings.index, OUT)
    titles = {item["text"]: item.get("title") for item in lines(CORPUS)}
    assert titles == {documents["cat"].text: None, documents["dog"].text: "Dogs"}
    _, found = read(settings)
    assert {one.text: one.titled for one in found.values()} == {
        documents["cat"].text: False,
        documents["dog"].text: True,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", [QUESTIONS, OPEN, CORPUS])
def test_nothing_is_overwritten(settings: Settings, documents: dict[str, Document], name: str) -> None:
    rate(settings, good(abstained("Who?")))
    write(OUT, {name: "corrected by hand"})
    with pytest.raises(ReportError, match="is there already; name another --out folder"):
        write_set(settings.store, settings.index, OUT)
    assert (OUT / name).read_text(encoding="utf-8") == "corrected by hand"


def test_without_ratings_or_an_index_there_is_no_set(settings: Settings) -> None:
    with pytest.raises(ReportError, match=r"no ratings in 'store/page.sqlite'; rate answers in the page, or name"):
        write_set(settings.store, settings.index, OUT)
    assert not settings.store.exists()
    with Store(settings.store / FILE):
        pass
    with pytest.raises(ReportError, match="There are no ratings"):
        write_set(settings.store, settings.index, OUT)
    rate(settings, good(abstained("Who?")))
    with pytest.raises(NoIndexError, match="There is no index"):
        write_set(settings.store, settings.index, OUT)
    assert not OUT.exists()


def test_a_place_that_cannot_be_written_is_said(settings: Settings, documents: dict[str, Document]) -> None:
    rate(settings, good(abstained("Who?")))
    OUT.write_text("a file")
    with pytest.raises(ReportError, match=r"'feedback' cannot be made .*; name another --out folder"):
        write_set(settings.store, settings.index, OUT)
