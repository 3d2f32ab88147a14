import math
from typing import Any

import pytest
from fakes import TopicEmbedder, source_sentences
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk

from rag.answer.confidence import (
    SIGNALS,
    Confidence,
    declines,
    evidence_of,
    log_odds,
    opening,
    refuses,
)
from rag.answer.context import Context
from rag.index.index import Index
from rag.index.retriever import HybridRetriever

share = st.floats(0, 1)


def piece(text: str, logprobs: Any = None) -> AIMessageChunk:
    return AIMessageChunk(text, response_metadata={} if logprobs is None else {"logprobs": logprobs})


def weighed(text: str, **likely: float) -> AIMessageChunk:
    """A piece with the probabilities of what could have been said."""
    top = [{"token": token.replace("_", " "), "logprob": math.log(share)} for token, share in likely.items()]
    return piece(text, {"content": [{"top_logprobs": top}]})


def test_the_first_word_tells_whether_the_text_answers() -> None:
    stream = [piece(""), weighed("Fish", Fish=0.5, Not=0.2, _not=0.1, No=0.2), weighed(" swim", Not=0.9)]
    pieces = iter(stream)
    assert opening(pieces) == (stream[:2], pytest.approx(0.7))
    assert list(pieces) == stream[2:]


def test_a_blank_before_the_first_word_tells_nothing() -> None:
    assert opening(iter([weighed("\n", blank=0.9, Not=0.01), weighed("Fish", Fish=0.6, Not=0.4)]))[1] == pytest.approx(
        0.6
    )
    refused = [weighed("N", N=0.9, Not=0.1), weighed("ot", ot=1.0), weighed(" stated", Not=0.0001)]
    assert opening(iter(refused))[1] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("said", "read", "refused"),
    [
        (["Fish", " swim"], 1, False),
        (["Not", " stated", ".", " Sorry"], 3, True),
        (["Not", " only", " fish"], 2, False),
        (["“", "Not", " stated", ".”", " Sorry"], 4, True),
        (["**Not stated**", "."], 2, True),
        (["N", "o", ", it does"], 3, False),
        ([" ", "", "Yes"], 3, False),
        ([], 0, False),
        ([""] * 60, 50, False),
    ],
)
def test_a_model_without_log_probabilities_is_taken_at_its_word(said: list[str], read: int, refused: bool) -> None:
    begun, stated = opening(iter([piece(text) for text in said]))
    assert len(begun) == read and refuses(begun) == refused
    assert stated == pytest.approx(0.1 if refused else 0.9)


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
    _, stated = opening(iter([piece("Yes" + " " * 1_000_000, logprobs)]))
    assert stated == pytest.approx(0.9)


def test_log_probabilities_beyond_a_certainty_are_certain() -> None:
    content = [{"top_logprobs": [{"token": "Not", "logprob": 1e9}]}]
    assert opening(iter([piece("Not", {"content": content})]))[1] == 0


MODEL = Confidence(-1.0, {"evidence": 2.0, "stated": -1.0})


def test_the_probability_is_that_of_a_logistic_model() -> None:
    assert MODEL.probability({"evidence": 1.0, "stated": 1.0, "another": 9.0}) == pytest.approx(0.5)
    assert MODEL.probability({"evidence": 1.0, "stated": 0.0}) == pytest.approx(1 / (1 + math.exp(-1)))


def test_the_shipped_model_trusts_the_signals_the_right_way_round() -> None:
    shipped = Confidence.shipped()
    assert set(shipped.weights) == set(SIGNALS) and all(weight > 0 for weight in shipped.weights.values())
    bad, good = (shipped.probability(dict.fromkeys(SIGNALS, value)) for value in (-3.0, 4.0))
    assert good > 0.8 and bad < 0.2
    assert shipped.probability({"evidence": -3.0, "stated": 4.0}) > 0.5  # The model reads better than the reranker.


@given(share)
def test_log_odds_are_finite_and_grow(probability: float) -> None:
    assert -7 < log_odds(0.0) <= log_odds(probability) <= log_odds(1.0) < 7


def test_the_best_score_counts_within_bounds(animals: Index) -> None:
    sentences = source_sentences()
    passages = [hit.passage for hit in HybridRetriever(index=animals, embedder=TopicEmbedder(), k=2).search("fish")]
    for question, signal in (("Who?", -3.0), ("Are there fish?", 0.0), ("Do black fish swim and eat?", 4.0)):
        assert evidence_of(Context("", [], sentences.ranked(question, passages), sentences)) == signal
    assert evidence_of(Context("", [], [], sentences)) == -3.0


@pytest.mark.parametrize(
    "text",
    [
        "Not stated.",
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
