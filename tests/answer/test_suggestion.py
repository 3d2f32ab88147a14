"""Which of the model's questions are good ones to suggest."""

from dataclasses import replace

import pytest
from fakes import cite
from test_context import context, numbered

from rag.answer.suggestion import is_good
from rag.settings import Settings
from rag.types import Citation, Document

PASSAGE = numbered(1, 900, 2)
QUOTED = "The 900 cat cat cat cat cat cat cat sleeps."


@pytest.fixture
def quoted() -> Citation:
    return cite(1, QUOTED, Document(PASSAGE.doc_id, PASSAGE.source, PASSAGE.title, PASSAGE.text))


@pytest.mark.parametrize(
    ("question", "good"),
    [
        ("Why does the 900 cat sleep?", True),
        ("Why does the 900 cat sleep", False),
        ("Why does the 900 dog sleep?", False),
        ("Who sleeps?", False),
        ("", False),
        (f"Why does the {'cat ' * 30}sleep?", False),
    ],
)
def test_a_question_is_good_in_the_words_of_the_passage(
    settings: Settings, quoted: Citation, question: str, good: bool
) -> None:
    assert is_good(question, quoted, context(settings, PASSAGE, question="q")) is good


def test_it_has_to_lead_back_to_what_was_quoted_and_for_sure(settings: Settings, quoted: Citation) -> None:
    question = "Why does the 900 cat sleep?"
    found = context(settings, PASSAGE, question="q")
    assert not is_good(question, replace(quoted, start=0, end=quoted.start), found)
    assert not is_good(question, replace(quoted, doc_id="another"), found)
    assert not is_good(question, quoted, context(settings, numbered(1, 90, 2), question="q"))
    assert not is_good(question, quoted, context(settings, question="q"))
