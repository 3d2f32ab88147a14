from collections.abc import Iterator, Sequence
from itertools import islice

import pytest
from fakes import answering
from langchain_core.messages import AIMessageChunk, BaseMessage

from rag.models.chat_model import PLAIN
from rag.models.thoughts import CLOSING, Thoughts


def thoughts(plain: bool = False) -> Thoughts:
    model = answering("")
    return Thoughts(model.model_copy(update={"tags": [PLAIN] if plain else None}))


def stream(texts: Sequence[str], reason: str = "stop") -> Iterator[BaseMessage]:
    yield from map(AIMessageChunk, texts)
    yield AIMessageChunk("", response_metadata={"finish_reason": reason})


def said(of: Thoughts, *texts: str, reason: str = "stop") -> str:
    return "".join(str(piece.text) for piece in of.without(stream(texts, reason)))


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["<think>It rains?</think>Fish swim."], "Fish swim."),
        (list("<think>It rains?</think>Fish swim."), "Fish swim."),
        (["<thi", "nk>It rains?</", "think>Fish ", "swim."], "Fish swim."),
        (["<THINKING>It rains?</THINKING>\n\nFish swim."], "\n\nFish swim."),
        (["[THINK]It rains?[/TH", "INK]Fish swim."], "Fish swim."),
        (["<think>It rains. Fish swim."], ""),
        (["<think>It rains.</thi"], ""),
        (["Fish <think>no</think>swim <think>or</think>here."], "Fish swim here."),
        (["Fish swim at 5 < 7 <", "th>."], "Fish swim at 5 < 7 <th>."),
        (["Fish swim <thin"], "Fish swim <thin"),
        (["Fish swim."], "Fish swim."),
        ([], ""),
    ],
)
def test_thoughts_are_no_part_of_what_is_said(texts: list[str], expected: str, plain: bool) -> None:
    assert said(thoughts(plain), *texts) == expected


@pytest.mark.parametrize("texts", [["It rains? No.</think>Fish swim."], list("It rains? No.</think>Fish swim.")])
def test_thoughts_without_an_opening_tag_are_never_shown(texts: list[str]) -> None:
    of = thoughts()
    for _ in range(2):
        assert said(of, *texts) == "Fish swim."


def test_a_model_that_was_thinking_when_it_was_cut_has_said_nothing() -> None:
    of = thoughts()
    assert said(of, "It rains?</think>Fish swim.") == "Fish swim."
    pieces = list(of.without(stream(["It rains", " and rains"], "length")))
    assert [piece.text for piece in pieces] == [""]
    assert pieces[0].response_metadata["finish_reason"] == "length"


def test_what_is_said_is_held_back_only_until_the_model_is_known() -> None:
    of = thoughts()
    first = of.without(stream(["Fish ", "swim."]))
    assert [piece.text for piece in first] == ["Fish ", "swim.", ""]
    pieces = stream(["Fish ", "swim."])
    assert next(of.without(pieces)).text == "Fish " and next(pieces).text == "swim."


def test_a_cut_answer_does_not_tell_whether_the_model_thinks() -> None:
    of = thoughts()
    assert said(of, "Fish swim", reason="length") == "Fish swim"
    assert said(of, "It rains?</think>Fish swim.") == "Fish swim."


def test_where_thoughts_were_shown_a_tag_tells_where_they_end() -> None:
    of = thoughts(plain=True)
    assert said(of, "It rains?", "</think>Fish swim.") == f"It rains?{CLOSING}Fish swim."
    assert said(of, "It rains?", "</think>Fish swim.") == "Fish swim."


def test_the_piece_after_a_thought_keeps_why_the_stream_ended_but_no_probabilities() -> None:
    told = {"finish_reason": "stop", "logprobs": {"content": []}}
    (piece,) = thoughts().without(iter([AIMessageChunk("<think>a</think>Fish.", response_metadata=told)]))
    assert piece.text == "Fish." and piece.response_metadata == {"finish_reason": "stop"}


def test_a_model_that_thinks_for_good_is_given_up() -> None:
    said = ["<think>", *["a" * 1_000] * 30_000]
    assert [piece.text for piece in thoughts().without(map(AIMessageChunk, said)) if piece.text] == []


def test_what_is_too_long_for_thoughts_without_a_tag_is_an_answer() -> None:
    pieces = thoughts().without(AIMessageChunk("a" * 1_000) for _ in range(10**9))
    assert [len(piece.text) for piece in islice(pieces, 30)] == [1_000] * 30
