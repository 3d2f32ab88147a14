import pytest
from fakes import ANIMALS, TopicEmbedder, divided, documents_of

from rag.answer.cleanup import cleaned, without_denied
from rag.answer.context import Context
from rag.answer.evidence import SourceSentences
from rag.answer.question import Kind, Wording

TALKS = ["The alliance was not discussing an invitation. Rutte called it strong but did not endorse the plan."]


def context(text: str) -> Context:
    (document,) = documents_of([text])
    evidence = SourceSentences(TopicEmbedder())
    return Context(text, True, evidence.sentences(divided(document)), evidence)


@pytest.mark.parametrize(
    ("answer", "settled"),
    [
        ("Yes, the alliance was discussing an invitation.", "The alliance was not discussing an invitation."),
        ("The alliance was not discussing an invitation.", "The alliance was not discussing an invitation."),
        ("No, the alliance was not discussing an invitation.", "No, the alliance was not discussing an invitation."),
        ("Yes, the alliance was not discussing it.", "The alliance was not discussing it."),
        ("Yes, the plan dismisses concessions.", "The plan dismisses concessions."),
        ("No one discussed it.", "No one discussed it."),
        ("Rutte called it strong.", "Rutte called it strong."),
        ("", ""),
    ],
)
def test_an_answer_that_its_source_denies_gives_way_to_the_source(answer: str, settled: str) -> None:
    assert without_denied(answer, context(*TALKS)) == settled


def test_lines_stay_apart() -> None:
    assert without_denied("Fish swim\nThere are 12 fish", context(ANIMALS[2])) == "Fish swim\nThere are 12 fish"


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("No one was hurt.", "No one was hurt."),
        ("No-one was hurt.", "No-one was hurt."),
        ("Yes, the text says that 12 fish swim.", "12 fish swim."),
        ("No – fish swim.", "Fish swim."),
        ("The text states that fish swim.", "Fish swim."),
    ],
)
def test_what_an_answer_of_yes_or_no_begins_with_is_taken_off(written: str, plain: str) -> None:
    asked = "Was anybody hurt by the fish?"
    assert cleaned(written, Kind.YES_NO, Wording(asked, ""), context(ANIMALS[2])) == plain
