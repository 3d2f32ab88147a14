"""Suggested questions."""

from hypothesis import given
from hypothesis import strategies as st
from markup import answer, asked, hit

from rag.page.suggest import AFTERWARDS, AT_THE_START, first_questions, next_questions
from rag.server.records import Turn
from rag.types import Document, Sentence

TEXT = "By then Anna Berg met Tom in the Blue House. Snow fell on the Blue House. In autumn Anna Berg's ship left for Oslo."


def test_names_of_the_documents_are_asked_for_and_no_word_that_only_begins_a_sentence() -> None:
    one = {"d": Document("d", "a.txt", "A trip", TEXT)}
    assert first_questions(one) == [
        "Summarise it",
        "What is said about Anna Berg?",
        "What is said about the Blue House?",
        "What is said about Tom?",
    ]
    assert first_questions(one | {"e": Document("e", "b.txt", "B", "no names")})[0] == "Summarise “A trip”"
    assert first_questions({}) == []


def test_after_an_answer_names_are_offered_that_nobody_spoke_of() -> None:
    turn = asked(answer(Sentence("Tom met her.", (), True), hits=(hit(0, len(TEXT), TEXT),)))
    assert next_questions([turn]) == [
        "What is said about Anna Berg?", "What is said about the Blue House?", "What is said about Oslo?",
    ]  # fmt: skip
    assert next_questions([]) == next_questions([Turn(1, "Q", state="failed")]) == []


def test_no_word_is_in_two_suggestions_and_no_name_is_endless() -> None:
    text = f"x Anna Berg and x Anna Lind. Then x Ben and x {'Z' * 100} x Cleo."
    assert first_questions({"d": Document("d", "a.txt", "A", text)})[1:] == [
        "What is said about Anna Berg?", "What is said about Ben?", "What is said about Cleo?",
    ]  # fmt: skip


@given(st.text())
def test_any_text_gives_a_few_questions(text: str) -> None:
    assert len(first_questions({"d": Document("d", "a.txt", text, text)})) <= AT_THE_START
    assert len(next_questions([asked(answer(hits=(hit(0, len(text), text),)))])) <= AFTERWARDS
