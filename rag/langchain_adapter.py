"""The chatbot for LangChain: a Runnable that gives AIMessages with citations, and a tool."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from typing import Any, Protocol

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.content import Citation, create_citation
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool

from rag.errors import QuestionError
from rag.types import Answer, Event, Hit
from rag.types import Citation as Cited

History = Sequence[tuple[str, str]]
Asked = str | Mapping[str, Any] | Sequence[BaseMessage]
"""A question, {"question", "history"}, or messages that end with the question."""


class Stream(Protocol):
    """`Chatbot.stream`."""

    def __call__(
        self, question: str, history: History = (), *, config: RunnableConfig | None = None
    ) -> Generator[Event, None, None]: ...


class ChatbotRunnable(Runnable[Asked, AIMessage]):
    """Answers in an AIMessage, whose text block carries the citations as LangChain's annotations."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def invoke(self, input: Asked, config: RunnableConfig | None = None, **_: Any) -> AIMessage:
        """The answer. Raises QuestionError and ModelError like `Chatbot.ask`."""
        *_events, answer = self._stream(*turns(input), config=config)
        assert isinstance(answer, Answer)
        return AIMessage(content=[_block(answer, 0)], response_metadata=_metadata(answer))

    def stream(self, input: Asked, config: RunnableConfig | None = None, **_: Any) -> Generator[AIMessage, None, None]:
        """The draft in pieces, as reasoning, then the answer that holds, as text.

        So no text is ever taken back.
        """
        with closing(self._stream(*turns(input), config=config)) as events:
            for event in events:
                if isinstance(event, str):
                    yield AIMessageChunk(content=[{"type": "reasoning", "reasoning": event, "index": 0}])
                elif isinstance(event, Answer):
                    yield AIMessageChunk(content=[_block(event, 1)], response_metadata=_metadata(event))

    async def astream(self, input: Asked, config: RunnableConfig | None = None, **_: Any) -> AsyncIterator[AIMessage]:
        """The same for asynchronous code."""
        pieces = self.stream(input, config)
        try:
            # Step by step: a thread that ran ahead would end the trace before its last pieces are seen.
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                yield piece
        finally:
            with suppress(ValueError):  # The thread of a cancelled step is still in it, and closes it when it is done.
                pieces.close()


def turns(asked: Asked) -> tuple[str, History]:
    """The question and the (question, answer) pairs before it.

    Raises QuestionError if the last message is no question. Messages of other kinds than
    the user's and the assistant's are passed over.
    """
    if isinstance(asked, str):
        return asked, ()
    if isinstance(asked, Mapping):
        return asked["question"], asked.get("history", ())
    pairs: list[tuple[str, str]] = []
    said = [message for message in asked if isinstance(message, HumanMessage | AIMessage)]
    for message in said:
        if isinstance(message, HumanMessage):
            pairs.append((str(message.text), ""))
        elif pairs:
            pairs[-1] = (pairs[-1][0], str(message.text))
    if not said or not isinstance(said[-1], HumanMessage):
        raise QuestionError("The last message is not the user's; end the conversation with a question.")
    return pairs[-1][0], pairs[:-1]


def annotations(answer: Answer) -> list[Citation]:
    """A Citation for each source of each sentence, or for each quotation.

    The indices are those of the answer's text.
    """
    made: list[Citation] = []
    start = 0
    for sentence in answer.sentences:
        end = start + len(sentence.text)
        made += [_annotation(one, start, end) for one in sentence.citations]
        start = end + 1
    for one in answer.near:
        found = answer.text.find(one.quote, start)
        if found < 0:  # The text has it with other white space.
            made.append(_annotation(one, 0, len(answer.text)))
            continue
        start = found + len(one.quote)
        made.append(_annotation(one, found, start))
    return made


def _annotation(of: Cited, start: int, end: int) -> Citation:
    own: dict[str, Any] = {"doc_id": of.doc_id, "source": of.source, "start": of.start, "end": of.end}
    return create_citation(
        title=of.title,
        start_index=start,
        end_index=end,
        cited_text=of.quote,
        number=of.number,
        page=of.page,
        **own,
    )


def retrieval_tool(search: Callable[[str, RunnableConfig], list[Hit]]) -> BaseTool:
    """The search alone: the passages as text, the list of Hits as the artifact."""

    def search_documents(question: str, config: RunnableConfig) -> tuple[str, list[Hit]]:
        hits = search(question, config)
        texts = [f"[{i}] {hit.passage.source}\n{hit.passage.text}" for i, hit in enumerate(hits, 1)]
        return "\n\n".join(texts), hits

    return StructuredTool.from_function(
        search_documents,
        description="Finds the passages of the documents that are nearest to a question.",
        response_format="content_and_artifact",
    )


def _block(answer: Answer, index: int) -> dict[str, Any]:
    return {"type": "text", "text": answer.text, "annotations": annotations(answer), "index": index}


def _metadata(answer: Answer) -> dict[str, Any]:
    near = [asdict(one) for one in answer.near]
    return {"abstained": answer.abstained, "confidence": answer.confidence, "near": near}
