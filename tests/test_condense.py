import pytest
from conftest import ScriptedModel

from rag.condense import condense, needs_rewriting

HISTORY = [("Who is Rex?", "Rex is a dog.")]


@pytest.mark.parametrize(
    ("question", "needed"),
    [
        ("What does he eat?", True),
        ("And at night?", True),
        ("Since when?", True),
        ("Is its name Rex?", True),
        ("What does the cat eat at night?", False),
        ("How many fish swim in the pond?", False),
    ],
)
def test_only_a_question_that_points_back_is_rewritten(question: str, needed: bool) -> None:
    assert needs_rewriting(question, HISTORY) is needed
    assert not needs_rewriting(question, [])


def test_the_model_sees_the_conversation_and_its_question_is_used() -> None:
    model = ScriptedModel(responses=["Question: What does Rex eat?\nHe eats bones."])
    assert condense("What does he eat?", HISTORY, model, "the text") == "What does Rex eat?"
    assert "Rex is a dog." in model.prompts[-1]
    assert "the text" in model.prompts[-1]


def test_a_question_that_stands_alone_costs_no_model_call() -> None:
    model = ScriptedModel(responses=[])
    assert condense("What does the cat eat at night?", HISTORY, model, "") == "What does the cat eat at night?"


@pytest.mark.parametrize("written", ["", "What does Bello eat?", "word " * 100, "zzz"])
def test_a_bad_rewriting_is_replaced_by_the_question_before(written: str) -> None:
    model = ScriptedModel(responses=[written])
    assert condense("What does he eat?", HISTORY, model, "") == "Who is Rex? What does he eat?"
