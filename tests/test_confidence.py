import math
from typing import Any

import pytest
from conftest import ScriptedModel
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.prompt_values import StringPromptValue

from rag.confidence import declines, estimate, mistyped, outlook, yes_probability
from rag.model import LOGPROBS
from rag.types import Sentence

SAID = (Sentence("It is so.", (), supported=True),)
INVENTED = (Sentence("It is so.", (), supported=False),)
share = st.floats(0, 1)


class Weighing(ScriptedModel):
    """Gives log-probabilities for its next word, if they are asked for."""

    top: dict[str, float]

    def _generate(self, messages: Any, *args: Any, **options: Any) -> ChatResult:
        assert options["max_tokens"] == 1 and options["logprobs"]
        top = [{"token": token, "logprob": math.log(share)} for token, share in self.top.items()]
        message = AIMessage("Yes", response_metadata={"logprobs": {"content": [{"top_logprobs": top}]}})
        return ChatResult(generations=[ChatGeneration(message=message)])


def test_the_yes_is_weighed_against_the_no_whatever_their_case() -> None:
    model = Weighing(responses=[], top={"Yes": 0.3, " yes": 0.3, "No": 0.2, "Maybe": 0.2}, tags=[LOGPROBS])
    assert yes_probability(model, StringPromptValue(text="?")) == pytest.approx(0.75)


@pytest.mark.parametrize(("said", "expected"), [("Yes.", 1.0), ("no", 0.0), (" No, it does not.", 0.0)])
def test_a_model_without_log_probabilities_is_taken_at_its_word(said: str, expected: float) -> None:
    assert yes_probability(ScriptedModel(responses=[said]), StringPromptValue(text="?")) == expected


@given(share, share, share)
def test_the_confidence_is_a_probability_that_grows_with_each_signal(low: float, high: float, other: float) -> None:
    low, high = sorted((low, high))
    assert (
        0 <= estimate("?", low, other, "It is so.", SAID, "") <= estimate("?", high, other, "It is so.", SAID, "") <= 1
    )
    assert estimate("?", other, low, "It is so.", SAID, "") <= estimate("?", other, high, "It is so.", SAID, "")
    assert estimate("?", low, other, "It is so.", INVENTED, "") < estimate("?", low, other, "It is so.", SAID, "")


def test_the_outlook_is_the_confidence_of_a_good_answer() -> None:
    assert outlook("How many fish?", 0.9, "fish") > 0.5 > outlook("How many fish?", 0.2, "fish")


def test_a_question_about_a_name_that_is_not_there_is_doubted() -> None:
    assert outlook("What does Rex eat?", 0.8, "The dog eats.") < outlook("What does Rex eat?", 0.8, "Rex eats.")


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("How many fish are there?", "There are 12 fish.", False),
        ("How many fish are there?", "There are twelve fish.", False),
        ("How many fish are there?", "The fish swim in the pond.", True),
        ("How many of the 12 fish are red?", "Of the 12 fish some are red.", True),
        ("When does the cat sleep?", "It sleeps on Thursday.", False),
        ("When does the cat sleep?", "The cat sleeps a lot.", True),
        ("What is the name of the dog?", "The dog is called Rex.", False),
        ("What is the name of the dog?", "One dog eats bones.", True),
        ("Who eats the bones?", "A dog does.", False),
    ],
)
def test_an_answer_has_the_type_that_is_asked_for(question: str, answer: str, expected: bool) -> None:
    assert mistyped(question, answer) is expected


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.",
        "I don’t know the answer to that question.",
        "I do not have enough information to say.",
        "The context does not mention Mark Rutte's age.",
        "The provided text doesn't explicitly specify the date.",
        "The passages given here do not contain that name.",
        "His age is not mentioned in the provided context.",
        "The exact amount is not specified.",
        "I cannot answer this question.",
        "It is impossible to determine the date.",
        "There is no information about China in the article.",
    ],
)
def test_an_answer_that_says_it_does_not_know_declines(text: str) -> None:
    assert declines(text)


@pytest.mark.parametrize(
    "text",
    [
        "Rutte did not fully endorse the entirety of the plan.",
        "NATO is not expected to announce any new military support.",
        "The alliance was not discussing an invitation.",
        "Russia cannot achieve its goals through military force.",
        "No, the plan dismisses any territorial concessions.",
        "He affirmed it without indicating a timeline.",
        "Support from Western nations remains elusive.",
    ],
)
def test_an_answer_with_a_negation_does_not_decline(text: str) -> None:
    assert not declines(text)
