import math
from typing import Any

import pytest
from fakes import ScriptedModel, TopicEmbedder
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.prompt_values import StringPromptValue

from rag.answer.confidence import (
    AFTER,
    BEFORE,
    PASSAGES,
    WHOLE,
    WRITTEN,
    Confidence,
    Logistic,
    declines,
    known_before,
    known_written,
    log_odds,
    token_chances,
    yes_probability,
)
from rag.answer.context import Context
from rag.answer.evidence import Evidence
from rag.index.index import Index
from rag.index.retriever import HybridRetriever
from rag.models.chat_model import LOGPROBS

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


@pytest.mark.parametrize(("said", "expected"), [("Yes.", 0.9), ("no", 0.1), (" No, it does not.", 0.1)])
def test_a_model_without_log_probabilities_is_taken_at_its_word(said: str, expected: float) -> None:
    assert yes_probability(ScriptedModel(responses=[said]), StringPromptValue(text="?")) == pytest.approx(expected)


YES = {"token": "Yes", "logprob": -0.1}


@pytest.mark.parametrize(
    "logprobs",
    [
        "none", [], {"content": "Yes"}, {"content": ["Yes"]}, {"content": [{}]}, {"tokens": ["No"]},
        {"content": [{"top_logprobs": {"Yes": -0.1}}]},
        {"content": [{"top_logprobs": [["Yes", -0.1], {"token": "Yes"}, {"token": None, "logprob": 0}]}]},
        {"content": [{"top_logprobs": [{"token": "No", "logprob": value} for value in (math.nan, -math.inf, "0")]}]},
    ],
)  # fmt: skip
def test_log_probabilities_that_are_none_are_no_evidence(logprobs: Any) -> None:
    message = AIMessage("Yes" + " " * 1_000_000, response_metadata={"logprobs": logprobs})
    model = GenericFakeChatModel(messages=iter([message]))
    assert yes_probability(model, StringPromptValue(text="?")) == pytest.approx(0.9)
    assert token_chances(message) == []


def test_log_probabilities_beyond_a_certainty_are_certain() -> None:
    content = [YES | {"logprob": 1e9, "top_logprobs": [YES | {"logprob": 1e9}]}]
    message = AIMessage("No", response_metadata={"logprobs": {"content": content}})
    assert yes_probability(GenericFakeChatModel(messages=iter([message])), StringPromptValue(text="?")) > 0.99
    assert token_chances(message) == [0]


MODEL = Logistic(-1.0, {"stated": 2.0, "unknown": -1.0})


def test_the_probability_is_that_of_a_logistic_model() -> None:
    assert MODEL.probability({"stated": 1.0, "unknown": 1.0, "another": 9.0}) == pytest.approx(0.5)
    assert MODEL.probability({"stated": 1.0, "unknown": 0.0}) == pytest.approx(1 / (1 + math.exp(-1)))


@pytest.mark.parametrize("reading", [WHOLE, PASSAGES])
def test_the_shipped_models_hold_every_signal_and_trust_them_the_right_way_round(reading: str) -> None:
    shipped = Confidence.shipped(reading)
    assert set(shipped.early.weights) == set(BEFORE)
    assert set(shipped.written.weights) == set(WRITTEN)
    assert set(shipped.late.weights) == set(AFTER)
    good = dict.fromkeys(AFTER, 1.0) | {
        "stated": 4.0,
        "grounded": 4.0,
        "likelihood": 0.0,
        "unknown": 0.0,
        "mistyped": 0.0,
    }
    bad = dict.fromkeys(AFTER, 0.0) | {
        "stated": -4.0,
        "grounded": -4.0,
        "unknown": 1.0,
        "mistyped": 1.0,
    }
    assert shipped.late.probability(good) > 0.8 and shipped.late.probability(bad) < 0.2
    assert not shipped.hopeless(good, 0.5) and shipped.hopeless(bad, 0.5)
    assert shipped.settled(good, 0.5) is (reading == WHOLE) and not shipped.settled(bad, 0.5)


def test_the_last_check_is_left_out_only_where_the_answer_is_far_above_the_threshold() -> None:
    even = Logistic(0.0, {"stated": 1.0})
    confidence = Confidence(even, even, even, sure=0.5)
    sure = {"stated": math.log(0.76 / 0.24)}
    assert confidence.settled(sure, 0.5)
    assert not confidence.settled(sure, 0.6) and not confidence.settled({"stated": math.log(0.74 / 0.26)}, 0.5)
    assert not confidence.settled({"stated": 7.0}, 0.0), "with a threshold of 0 every signal is measured"


@given(share)
def test_log_odds_are_finite_and_grow(probability: float) -> None:
    assert -7 < log_odds(0.0) <= log_odds(probability) <= log_odds(1.0) < 7


def test_what_is_known_before_an_answer_is_written(animals: Index) -> None:
    hits = HybridRetriever(index=animals, embedder=TopicEmbedder(), k=1).search("How many fish swim?")
    context = Context("Fish swim in the pond.", True, [], Evidence(TopicEmbedder()))
    signals = known_before("How many fish swim in Loch Ness?", 0.5, hits, context)
    assert tuple(signals) == BEFORE
    assert signals["stated"] == pytest.approx(0)
    assert signals["similarity"] == hits[0].similarity
    assert signals["unknown"] == 1


def test_what_is_known_when_it_is_written() -> None:
    signals = known_written("How many fish swim?", "12 fish.", [-0.1, -0.3])
    assert set(BEFORE) | set(signals) == set(WRITTEN)
    assert signals["likelihood"] == pytest.approx(-0.2)
    assert signals["mistyped"] == 0
    assert known_written("How many fish swim?", "Fish.", [])["likelihood"] == 0


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
        "No specific date is given; no information about it is there.",
        "The article contains no mention of China.",
        "I'm not sure.",
        "It is unclear from the text who attended.",
        "Based on the given context, it is not clear who attended.",
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
        "He gave no details of the plan.",
        "The Kremlin said it had no information about the strike.",
        "She was not sure of victory.",
        "He said that it was unclear when the talks would begin.",
    ],
)
def test_an_answer_with_a_negation_does_not_decline(text: str) -> None:
    assert not declines(text)
