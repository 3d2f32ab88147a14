import pytest
from fakes import ANIMALS, TopicEmbedder, divided, documents_of

from rag.answer.cleanup import without_denied
from rag.answer.context import Context
from rag.answer.evidence import Evidence

TALKS = ["The alliance was not discussing an invitation. Rutte called it strong but did not endorse the plan."]


def context(text: str) -> Context:
    (document,) = documents_of([text])
    evidence = Evidence(TopicEmbedder())
    return Context(text, True, evidence.sentences(divided(document)), evidence)


@pytest.mark.parametrize(
    ("answer", "settled"),
    [
        ("Yes, the alliance was discussing an invitation.", "The alliance was not discussing an invitation."),
        ("The alliance was not discussing an invitation.", "The alliance was not discussing an invitation."),
        ("No, the alliance was not discussing an invitation.", "No, the alliance was not discussing an invitation."),
        ("Yes, the alliance was not discussing it.", "The alliance was not discussing it."),
        ("Yes, the plan dismisses concessions.", "The plan dismisses concessions."),
        ("Rutte called it strong.", "Rutte called it strong."),
        ("", ""),
    ],
)
def test_an_answer_that_its_source_denies_gives_way_to_the_source(answer: str, settled: str) -> None:
    assert without_denied(answer, context(*TALKS)) == settled


def test_lines_stay_apart() -> None:
    assert without_denied("Fish swim\nThere are 12 fish", context(ANIMALS[2])) == "Fish swim\nThere are 12 fish"
