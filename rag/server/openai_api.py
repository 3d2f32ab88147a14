"""OpenAI's API: the chatbot as a model of chat completions, for whatever program speaks it."""

import json
import re
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Request
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from starlette.responses import JSONResponse, Response, StreamingResponse

from rag import bounds
from rag.chatbot import checked
from rag.documents.fetch import is_address
from rag.documents.text import replace_surrogates
from rag.errors import QuestionError, RagError, for_readers
from rag.langchain_adapter import turns
from rag.server.api import Question, answer_of, as_json, events_of, start, status_of, validation_sentence
from rag.server.cited_text import UNSUPPORTED, citations, escaped, marks, pieces, quotation
from rag.server.identity import owner_of
from rag.server.middleware import json_of
from rag.server.openai_errors import PREFIX, error_of
from rag.server.service import Service, ServiceEvent, Waiting
from rag.types import INCOMPLETE, Answer, Citation, Evidence

MODEL = "ask-the-article"
"""The one model that is listed, and answers."""
_SOURCES = "\n\n- [1] "
"""Where the list of sources begins."""
_MARK = re.compile(rf" (?:\[\d+\]|{re.escape(UNSUPPORTED)})")
_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
"""Tokens are not counted, and many clients fail without the figures."""


def _as_parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else [] if content is None else content


class Part(BaseModel):
    """A part of a message."""

    type: str
    text: str = ""


class ChatMessage(BaseModel):
    """A message of a conversation."""

    role: str
    content: Annotated[list[Part], BeforeValidator(_as_parts)] = []

    def text(self) -> str:
        """Its text, of an answer without the marks and sources that were added here."""
        text = "\n".join(part.text for part in self.content if part.type == "text")
        return _MARK.sub("", text.partition(_SOURCES)[0]) if self.role == "assistant" else text


class StreamOptions(BaseModel):
    """What a stream tells besides."""

    include_usage: bool | None = None


class Completion(BaseModel):
    """What is asked for; whatever else a model can be told is passed over."""

    model: str = MODEL
    messages: list[ChatMessage] = Field(min_length=1)
    n: Literal[1] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None


def add_openai_api(app: FastAPI, service: Service) -> None:
    """Add POST /v1/chat/completions and GET /v1/models to the application.

    Their errors get their shape by OpenAIErrors.
    """
    router = APIRouter(prefix=PREFIX)
    model = {"id": MODEL, "object": "model", "created": int(time.time()), "owned_by": MODEL}

    @router.get("/models")
    async def models() -> JSONResponse:
        return JSONResponse({"object": "list", "data": [model]})

    @router.get("/models/{name}")
    async def one_model(name: str) -> JSONResponse:
        return JSONResponse(model) if name == MODEL else _no_model(name)

    @router.post("/chat/completions")
    async def complete(request: Request) -> Response:
        try:
            asked = Completion.model_validate(json_of(request.scope))
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"])) or None
            sentence = validation_sentence(error.errors(), "docs/api.md")
            return JSONResponse({"error": error_of(sentence, 400, where)}, 400)
        return await _completion(service, asked, request) if asked.model == MODEL else _no_model(asked.model)

    app.include_router(router)


def _no_model(name: str) -> JSONResponse:
    sentence = f"There is no model {name[:100]!r}; the only one is {MODEL!r}."
    return JSONResponse({"error": error_of(sentence, 404, "model", "model_not_found")}, 404)


async def _completion(service: Service, asked: Completion, request: Request) -> Response:
    asking = start(service, _question(asked.messages), "openai", owner_of(request), request)
    head = {"id": f"chatcmpl-{request.headers['x-request-id']}", "created": int(time.time()), "model": MODEL}
    if asked.stream:
        events = events_of(asking)
        first = await anext(events)  # An error before it still has a status of its own.
        chunks = _chunks(first, events, head, asked.stream_options or StreamOptions())
        return StreamingResponse(chunks, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
    answer = await answer_of(asking, request.is_disconnected)
    if answer is None:
        return Response(status_code=499)
    message = {"role": "assistant", "refusal": None, **_message(answer)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(answer)}
    return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": _USAGE})


def _question(messages: Sequence[ChatMessage]) -> Question:
    """The last message as the question, with those before it as the history.

    Raises QuestionError if the last one is not the user's or not text alone, and for texts that are too long.
    """
    said = [one for one in messages if one.role in ("user", "assistant")]
    question, history = turns([(HumanMessage if one.role == "user" else AIMessage)(one.text()) for one in said])
    if other := next((part.type for part in said[-1].content if part.type != "text"), None):
        raise QuestionError(f"The question has a part of the kind {other[:20]!r}; only text is read, send that alone.")
    history = history[-bounds.TURNS :]
    longest = max((len(text) for turn in history for text in turn), default=0)
    if longest > bounds.TURN:
        raise QuestionError(
            f"A message before the question has {longest:,} characters, and at most {bounds.TURN:,} are allowed; "
            "begin a new conversation."
        )
    return Question(question=checked(question), history=list(history))


async def _chunks(
    first: ServiceEvent, events: AsyncGenerator[ServiceEvent, None], head: dict[str, Any], options: StreamOptions
) -> AsyncGenerator[str, None]:
    """The events as server-sent chunks of a completion."""
    head = {**head, "object": "chat.completion.chunk", **({"usage": None} if options.include_usage else {})}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        return _sent({**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]})

    async with aclosing(events):
        yield chunk({"role": "assistant", "content": ""})
        try:
            event: ServiceEvent | None = first
            while event is not None:
                if isinstance(event, Waiting):  # A comment, which clients pass over; it keeps the connection open.
                    yield f": {event.ahead} ahead\n\n"
                for delta in _deltas(event):
                    yield chunk(delta)
                if isinstance(event, Answer):
                    yield chunk({}, _finish_reason(event))
                event = await anext(events, None)
        except RagError as error:
            yield _sent({"error": error_of(for_readers(error), status_of(error))})
            return
    if options.include_usage:
        yield _sent({**head, "choices": [], "usage": _USAGE})
    yield "data: [DONE]\n\n"


def _deltas(event: ServiceEvent) -> list[dict[str, Any]]:
    """The evidence and the draft as reasoning, the answer as content.

    So no content is ever taken back.
    """
    match event:
        case Evidence(cited) if cited:
            quoted = "\n".join(f"- {escaped(quotation(one))}" for one in cited)
            return [{"reasoning_content": f"In the documents:\n\n{quoted}\n\n"}]
        case str():
            return [{"reasoning_content": replace_surrogates(event)}]
        case Answer():
            message = _message(event)
            return [{"content": message.pop("content")}, message]
    return []


def _sent(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


def _message(answer: Answer) -> dict[str, Any]:
    """The content with marks and sources, its annotations, and `answer`: what else is told."""
    content, annotations = "", []
    for text, sentence in pieces(answer):
        begun = len(content)
        content += replace_surrogates(text)
        if sentence:
            annotations += [_annotation(one, begun, len(content)) for one in sentence.citations]
            content += marks(sentence)
    if answer.incomplete:
        content += f"\n\n{INCOMPLETE[answer.incomplete]}"
    for number, one in enumerate(citations(answer)):
        content += "\n- " if number else "\n\n- "
        begun = len(content)
        content += f"[{one.number}] {escaped(quotation(one))}"
        annotations += [_annotation(one, begun, len(content))] if answer.near else []
    told = {"abstained": answer.abstained, "confidence": answer.confidence, "incomplete": answer.incomplete}
    return {"content": content, "annotations": annotations, "answer": {**told, "near": as_json(list(answer.near))}}


def _annotation(of: Citation, begun: int, ended: int) -> dict[str, Any]:
    """A citation for the characters from `begun` to `ended` of the content.

    Open WebUI shows the titles, takes those that are alike, in title or in address, for one, and finds the source of
    [n] by counting them: so every number has its own. What is not from the web has an id for an address, no path.
    """
    where = of.source if is_address(of.source) else f"document:{of.doc_id}"
    cited = {
        "url": replace_surrogates(f"{where}#char={of.start},{of.end}"),
        "title": replace_surrogates(f"[{of.number}] {quotation(of)}"),
        "start_index": begun,
        "end_index": ended,
    }
    return {"type": "url_citation", "url_citation": cited, "citation": as_json(of)}


def _finish_reason(answer: Answer) -> str:
    """`length` for whatever is not whole: it must not pass for what is."""
    return "length" if answer.incomplete else "stop"
