"""Suggested questions: of sure names alone, from whatever text."""

from fakes import answer, hit
from hypothesis import given
from hypothesis import strategies as st
from markup import asked

from rag.page.suggest import AFTERWARDS, AT_THE_START, first_questions, names_in, next_questions
from rag.server.records import Turn
from rag.types import Document, Sentence

VOYAGE = (
    "By then Anna Berg had met Tom in the Blue House. Snow fell on the Blue House in March. The ambassador to Norland "
    "Peter Holm said so to Anna Berg on Monday, and the envoy to Norland Karin Holm was there on Monday. Western "
    "sailors and other Western captains, and Western towns, knew of Tom. In autumn Anna Berg’s ship left for Oslo, and "
    "nobody in Norland spoke of Oslo."
)
BAKERY = (
    "In spring the bakers in Little Dunmore, who asked Mayor Ruth Okoye for flour, had none. The Scottish mills had none, and the "
    "Scottish farms sold theirs to Velia. So Mayor Ruth Okoye wrote to friends in Velia, and to the Grain "
    "Board. On Friday the Grain Board said that pro-Velian traders and Velian ships would come to Little Dunmore."
)


def document(text: str, title: str = "A tale", titled: bool = True) -> Document:
    return Document("d", "a.txt", title, text, titled=titled)


def about(*names: str) -> list[str]:
    return [f"What is said about {name}?" for name in names]


def test_names_that_occur_by_themselves_are_asked_for() -> None:
    one = {"d": document(VOYAGE)}
    assert first_questions(one) == ["Summarise it", *about("Anna Berg", "the Blue House", "Tom")]
    assert first_questions({"d": document(BAKERY)})[1:] == about("Little Dunmore", "the Grain Board", "Velia")
    assert first_questions(one | {"e": Document("e", "b.txt", "B", "no names")})[0] == "Summarise “A tale”"
    assert first_questions({}) == []


def test_neither_names_that_run_together_nor_adjectives_nor_days_nor_what_occurs_once() -> None:
    assert names_in([VOYAGE]) == ["Anna Berg", "the Blue House", "Tom", "Oslo"]
    assert names_in([BAKERY]) == ["Little Dunmore", "the Grain Board", "Velia"]


def test_a_title_of_its_own_is_a_name_that_need_occur_only_once() -> None:
    text = "Much was written of Karin Holm. Others wrote of the sea."
    assert first_questions({"d": document(text, "Karin Holm")})[1:] == about("Karin Holm")
    assert first_questions({"d": document(text, "Karin Holm", titled=False)})[1:] == []
    assert first_questions({"d": document(text, "Introduction")})[1:] == []


def test_a_text_in_another_language_has_no_names_for_english_questions() -> None:
    assert names_in(["Er kam in das Haus, und sie war in dem Haus. Dann war er in dem Garten, in dem Garten."]) == []


def test_after_an_answer_names_are_offered_that_nobody_spoke_of() -> None:
    turn = asked(answer(Sentence("They met in Oslo.", (), True), hits=(hit(document(VOYAGE)),)))
    assert next_questions([turn]) == about("Anna Berg", "the Blue House", "Tom")
    assert next_questions([]) == next_questions([Turn(1, "Q", state="failed")]) == []


def test_no_word_is_in_two_suggestions_and_no_name_is_endless() -> None:
    once = f"that of Anna Berg, of Anna Lind, of Ben, of {'Z' * 100}, of {'Cleo ' * 5}and of the sea. "
    assert names_in([once * 2]) == ["Anna Berg", "Ben"]


@given(st.text())
def test_any_text_gives_a_few_questions(text: str) -> None:
    assert len(first_questions({"d": document(text, text)})) <= AT_THE_START
    assert len(next_questions([asked(answer(hits=(hit(document(text)),)))])) <= AFTERWARDS
