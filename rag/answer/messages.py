"""Questions and answers as LangChain's messages know them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.messages.content import Citation as CitationAnnotation
from langchain_core.messages.content import create_citation, create_text_block

from rag.errors import QuestionError
from rag.types import Answer

Asked = str | Mapping[str, Any] | Sequence[AnyMessage]
"""A question, `{"question": …, "history": …}`, or the messages of a conversation, the question last."""


def asked_in(given: Asked) -> tuple[str, list[tuple[str, str]]]:
    """The question and its history of (question, answer) pairs.

    Raises QuestionError if the last message is not a person's.
    """
    if isinstance(given, str):
        return given, []
    if isinstance(given, Mapping):
        return str(given.get("question", "")), [(str(asked), str(said)) for asked, said in given.get("history", ())]
    before, last = given[:-1], given[-1] if given else None
    if not isinstance(last, HumanMessage):
        raise QuestionError("The last message is no question; put a HumanMessage at the end.")
    history: list[tuple[str, str]] = []
    for message in before:
        if isinstance(message, HumanMessage):
            history.append((str(message.text), ""))
        elif isinstance(message, AIMessage) and history:
            history[-1] = history[-1][0], str(message.text)
    return str(last.text), history


def message_of(answer: Answer) -> AIMessage:
    """The answer as a message whose text carries a `Citation` annotation for each citation of each sentence.

    `start_index` and `end_index` count characters of the answer's text; `extras` has the rest of our
    Citation: `number`, `doc_id`, `source`, `start`, `end` (of the document's text) and `page`.
    """
    return AIMessage(
        content_blocks=[create_text_block(answer.text, annotations=list(_annotations(answer)))],
        response_metadata={
            "abstained": answer.abstained,
            "confidence": answer.confidence,
            "incomplete": answer.incomplete,
        },
    )


def _annotations(answer: Answer) -> Iterator[CitationAnnotation]:
    at = 0
    for sentence in answer.sentences:
        start = answer.text.index(sentence.text, at)
        at = start + len(sentence.text)
        for one in sentence.citations:
            yield create_citation(
                title=one.title, start_index=start, end_index=at, cited_text=one.quote, number=one.number,
                doc_id=one.doc_id, source=one.source, start=one.start, end=one.end, page=one.page,
            )  # fmt: skip
