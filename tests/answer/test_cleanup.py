import pytest
from fakes import ANIMALS, divided, documents_of, source_sentences

from rag.answer.cleanup import cleaned, without_denied
from rag.answer.context import Context
from rag.answer.question import Kind, Wording

TALKS = ["The alliance was not discussing an invitation. Rutte called it strong but did not endorse the plan."]


def context(text: str, asked: str = "") -> Context:
    (document,) = documents_of([text])
    sentences = source_sentences()
    (passage,) = divided(document)
    return Context(text, sentences.of(passage), sentences.ranked(asked, [passage]), sentences)


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


SAID = "The dog eats bones. The dog said: “I eat every fish.” The cat sleeps."


@pytest.mark.parametrize(
    ("kind", "asked", "written", "given"),
    [
        (Kind.QUOTATION, "What exactly did the dog say?", "The dog eats.", "The dog said: “I eat every fish.”"),
        (Kind.QUOTATION, "What exactly did the dog say?", "It said “I eat fish.”", "It said “I eat fish.”"),
        (Kind.QUOTATION, "What exactly sleeps?", "The cat sleeps all day.", "The dog said: “I eat every fish.”"),
        (Kind.FACT, "Which dog eats?", "The dog eats.", "The dog eats bones."),
        (Kind.FACT, "Which dog eats?", "The dog eats fish.", "The dog eats fish."),
        (Kind.YES_NO, "Does the dog eat?", "The dog eats.", "The dog eats."),
        (Kind.FACT, "Does the dog or the cat eat?", "The dog eats.", "The dog eats."),
        (Kind.YES_NO, "Does the dog eat?", "Yes.", "Yes. The dog eats bones."),
        (Kind.SEVERAL, "Who sleeps, and how old is it?", "The cat sleeps. Not stated.", "The cat sleeps."),
    ],
)
def test_a_sentence_of_the_text_stands_in_for_a_missing_quotation_and_for_a_repeated_question(
    kind: Kind, asked: str, written: str, given: str
) -> None:
    assert cleaned(written, kind, Wording(asked, ""), context(SAID, asked)) == given
