"""The chatbot for LangChain, on streams that follow a script."""

from dataclasses import asdict, replace
from typing import Any

from fakes import CITATION, FakeBot, cite, quoted

from rag.langchain_adapter import ChatbotRunnable, annotations
from rag.types import NEAREST, Document


def runnable(bot: FakeBot) -> ChatbotRunnable:
    return ChatbotRunnable(lambda question, history=(), *, config=None: bot.stream(question, history))  # type: ignore[arg-type, return-value]


def test_a_reply_that_only_quotes_says_so_in_its_metadata_and_annotates_the_quotations() -> None:
    message = runnable(FakeBot(FakeBot.quote)).invoke("Who sailed?")
    assert message.response_metadata == {"abstained": True, "confidence": 0.5, "near": [asdict(CITATION)]}
    assert message.text == f"{NEAREST} “{CITATION.quote}”"
    (block,) = message.content_blocks
    (citation,) = block["annotations"]  # type: ignore[typeddict-item]
    assert message.text[citation["start_index"] : citation["end_index"]] == citation["cited_text"] == CITATION.quote


def test_the_draft_is_no_text_so_nothing_is_taken_back() -> None:
    chunks: list[Any] = list(runnable(FakeBot(FakeBot.quote)).stream("Who sailed?"))
    assert [chunk.text for chunk in chunks] == ["", f"{NEAREST} “{CITATION.quote}”"]
    assert chunks[0].content_blocks == [{"type": "reasoning", "reasoning": "Anna", "index": 0}]
    assert chunks[-1].response_metadata["near"] == [asdict(CITATION)]


def test_each_quotation_is_found_in_its_place_and_one_with_other_white_space_stands_for_the_whole_text() -> None:
    document = Document("d", "a.txt", "A", "It is so. It\nis so.")
    first, second = cite(1, "It is so.", document), cite(2, "It\nis so.", document)
    twice = quoted(first, first)
    places = [(one["start_index"], one["end_index"]) for one in annotations(twice)]
    assert places[0] < places[1] and {twice.text[start:end] for start, end in places} == {"It is so."}
    folded = replace(quoted(second), text=f"{NEAREST} “It is so.”")
    assert [(one["start_index"], one["end_index"]) for one in annotations(folded)] == [(0, len(folded.text))]
