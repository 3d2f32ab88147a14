"""Escaping, shortening, and the marks of an answer."""

import html

from fakes import answer
from hypothesis import given
from hypothesis import strategies as st
from markup import HOSTILE, Reader, asked, cite

from rag.page.markup import button, count, escape, marks_of, shorten
from rag.types import Sentence


@given(st.text())
def test_escape_shows_any_text_letter_for_letter(text: str) -> None:
    shown = escape(text)
    assert html.unescape(shown) == text
    assert not set(shown) & set("<>\"'\n\t")


def test_escape_replaces_a_lone_surrogate_and_keeps_a_pair() -> None:
    assert escape("a\ud800b😀") == "a\ufffdb😀"


def test_shorten_and_count() -> None:
    assert shorten(" a \n b ", 9) == "a b" and shorten("abcdef ghi", 7) == "abcdef …"
    assert [count(number, "passage") for number in (0, 1, 1200)] == ["0 passages", "1 passage", "1,200 passages"]


def test_every_cited_span_has_one_mark_that_knows_its_sentences() -> None:
    oslo, ben = cite(1, "to Oslo"), cite(2, "Ben stayed")
    turn = asked(answer(Sentence("One.", (oslo,), True), Sentence("Two.", (ben, oslo), True)), number=3)
    assert [(mark.anchor, mark.citation.quote, mark.sentences) for mark in marks_of(turn).values()] == [
        ("t3-c1", "to Oslo", ("t3-s1", "t3-s2")),
        ("t3-c2", "Ben stayed", ("t3-s2",)),
    ]


def test_a_button_carries_any_text_as_data() -> None:
    ((tag, given),) = Reader(button("suggest", HOSTILE, question=HOSTILE)).tags
    assert tag == "button" and given["data-question"] == HOSTILE
