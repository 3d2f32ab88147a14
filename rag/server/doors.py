"""The doors for programs: POST /api/ask with its schema, and the endpoint `ask` for gradio_client."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, closing
from dataclasses import asdict
from typing import Annotated, Any

import gradio as gr
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from gradio.events import api
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse

from rag import bounds
from rag.documents.text import replace_surrogates
from rag.errors import BusyError, QuestionError, RagError, for_readers
from rag.server.desk import Desk, Waiting
from rag.server.events import events_of, stay
from rag.server.limit import OftenError
from rag.server.owner import owner_of
from rag.server.turns import Event
from rag.types import Answer

WAIT = 60
"""Seconds after which to ask again where the line is full."""
_NAMED = 100
"""Characters of what was sent that a sentence about it may repeat."""
Text = Annotated[str, Field(max_length=bounds.TURN)]


class Question(BaseModel):
    """What to ask, and of which documents."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(max_length=bounds.QUESTION, description="The question, in any words.")
    history: list[tuple[Text, Text]] = Field(
        [], max_length=bounds.TURNS, description="Earlier [question, answer] pairs, which the question may point at."
    )
    documents: list[Annotated[str, Field(max_length=bounds.ID)]] = Field(
        [], max_length=bounds.CHOSEN, description="Ids of the documents to ask; empty: all."
    )


class Problem(BaseModel):
    """Why there is no answer."""

    error: str = Field(description="One sentence: what happened, and what to do.")


def as_json(value: Any) -> Any:
    """A dataclass of rag.types, or a list of them, as plain JSON values; lone surrogates become U+FFFD."""
    plain = [asdict(one) for one in value] if isinstance(value, list) else asdict(value)
    return json.loads(replace_surrogates(json.dumps(plain, ensure_ascii=False)))


def status_of(error: RagError) -> int:
    """The HTTP status of an error: 400 for the question's own, 429 for too many, 503 for model and index."""
    return 400 if isinstance(error, QuestionError) else 429 if isinstance(error, BusyError) else 503


def problem(error: RagError) -> JSONResponse:
    """The answer of a door to an error: its sentence, its status, and when to ask again."""
    wait = error.seconds if isinstance(error, OftenError) else WAIT
    headers = {"Retry-After": str(wait)} if isinstance(error, BusyError) else {}
    return JSONResponse({"error": for_readers(error)}, status_of(error), headers=headers)


async def answer_to(
    desk: Desk, asked: Question, door: str, owner: str, request: str, gone: Callable[[], Awaitable[bool]] = stay
) -> Answer | None:
    """The Answer, None where the one who asked has `gone`. Raises what Desk.ask raises."""
    asking = desk.ask(owner, asked.question, asked.history, asked.documents, door=door, request=request)
    async with aclosing(events_of(asking, gone)) as events:
        async for event in events:
            if isinstance(event, Answer):
                return event
    return None


def add_doors(app: FastAPI, desk: Desk) -> None:
    """Add POST /api/ask and GET /api/schema to the application, and the sentences of their errors."""
    router = APIRouter(prefix="/api")
    problems: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "description": description}
        for status, description in {
            400: "The question is empty, or none of the documents is there.",
            401: "Nobody is signed in.",
            413: "The request is larger than 1 MB.",
            422: "The request is not as this schema says, or a text in it is too long.",
            429: "Too many questions; Retry-After says when to ask again, in seconds.",
            503: "The model or the index cannot answer.",
        }.items()
    }

    problems[200] = {"description": "The Answer, or its events.", "content": {"text/event-stream": {}}}

    @router.post("/ask", response_model=Answer, responses=problems, summary="Ask a question")
    async def ask(asked: Question, request: Request, stream: bool = False) -> Response:
        """The Answer; with `stream=true`, or where text/event-stream is accepted, server-sent events.

        They are `hits` (the passages), `waiting` (`ahead`: its place in the line), `piece` (`text`, as it is
        written), and last `answer` (the Answer, which holds) or `error`. Closing the connection stops the model.
        """
        identity = request.headers["x-request-id"]
        if stream or "text/event-stream" in request.headers.get("accept", ""):
            asking = desk.ask(
                owner_of(request), asked.question, asked.history, asked.documents, door="http", request=identity
            )
            events = events_of(asking)
            first = await anext(events)  # An error before it still has a status of its own.
            return StreamingResponse(
                _sent(first, events), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
            )
        answer = await answer_to(desk, asked, "http", owner_of(request), identity, request.is_disconnected)
        return JSONResponse(as_json(answer)) if answer else Response(status_code=499)

    @router.get("/schema", include_in_schema=False)
    async def schema() -> JSONResponse:
        return JSONResponse(get_openapi(title="Ask the article", version="1", routes=router.routes))

    app.include_router(router)
    app.add_exception_handler(RagError, _problem)
    app.add_exception_handler(RequestValidationError, wrong)
    app.add_exception_handler(HTTPException, _refused)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, RagError)
    return problem(error)


async def wrong(_: Request, error: Exception) -> Response:
    """The answer to a request that is not as it should be, which repeats nothing of it."""
    assert isinstance(error, RequestValidationError)
    return JSONResponse({"error": sentence(error.errors())}, 422)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": f"{error.detail}."}, error.status_code, headers=error.headers)


def sentence(errors: Sequence[Any]) -> str:
    """The first of pydantic's errors as a sentence, without what was sent."""
    where = ".".join(str(part) for part in errors[0]["loc"] if part != "body") or "the body"
    return f"The request is wrong at {where[:_NAMED]} ({errors[0]['msg']}); GET /api/schema says what it takes."


async def _sent(first: Event, events: AsyncGenerator[Event, None]) -> AsyncGenerator[str, None]:
    """The events as server-sent ones."""
    shown = 0
    async with aclosing(events):
        try:
            yield _line(first)
            async for event in events:
                if not isinstance(event, Waiting) or event.ahead != shown:
                    yield _line(event)
                shown = event.ahead if isinstance(event, Waiting) else 0
        except RagError as error:
            yield _named("error", {"error": for_readers(error), "status": status_of(error)})


def _line(event: Event) -> str:
    match event:
        case Answer():
            return _named("answer", as_json(event))
        case Waiting(ahead):
            return _named("waiting", {"ahead": ahead})
        case str():
            return _named("piece", {"text": event})
    return _named("hits", as_json(event))


def _named(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def register(desk: Desk) -> None:
    """Add the endpoint `ask` for gradio_client; to be called inside `with gr.Blocks()`.

    Its result is the Answer; on the way there are {"text": what is written so far}.
    """

    # No coroutine: gradio can close a running generator of this kind alone.
    def ask(
        question: str, request: gr.Request, history: list[list[str]] | None = None, documents: list[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        try:
            asked = Question.model_validate(
                {"question": question, "history": history or [], "documents": documents or []}
            )
        except ValidationError as error:
            raise gr.Error(sentence(error.errors()), print_exception=False) from error
        identity, owner = request.headers["x-request-id"], str(request.username)
        asking = desk.ask(owner, asked.question, asked.history, asked.documents, door="gradio", request=identity)
        text = ""
        try:
            with closing(asking) as events:
                for event in events:
                    text += event if isinstance(event, str) else ""
                    yield as_json(event) if isinstance(event, Answer) else {"text": text}
        except RagError as error:
            raise gr.Error(for_readers(error), print_exception=False) from error

    api(ask, api_name="ask", api_description="Ask a question; the result is the Answer.", concurrency_limit=None)
