"""What programs call: POST /api/ask with its schema, and the endpoint `ask` for gradio_client."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
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
from rag.server.identity import owner_of
from rag.server.limits import OftenError
from rag.server.service import Service, ServiceEvent, Waiting
from rag.types import Answer, Evidence

RETRY_AFTER = 60
"""Seconds after which to ask again if the queue is full."""
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


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The Answer, or its events.", "content": {"text/event-stream": {}}},
    **{
        status: {"model": Problem, "description": description}
        for status, description in {
            400: "The question is empty, or none of the documents is there.",
            401: "Nobody is signed in.",
            413: "The request is larger than 1 MB.",
            422: "The request is not as this schema says, or a text in it is too long.",
            429: "Too many questions; Retry-After says when to ask again, in seconds.",
            503: "The model or the index cannot answer.",
        }.items()
    },
}


def add_api(app: FastAPI, service: Service) -> None:
    """Add POST /api/ask and GET /api/schema to the application, and the sentences of their errors."""
    router = APIRouter(prefix="/api")

    @router.post("/ask", response_model=Answer, responses=_RESPONSES, summary="Ask a question")
    async def ask(asked: Question, request: Request, stream: bool = False) -> Response:
        """The Answer; with `stream=true`, or if text/event-stream is accepted, server-sent events.

        They are `hits` (the passages), `evidence` (the citations of the sentences that most likely answer),
        `waiting` (`ahead`: its place in the queue), `piece` (`text`: of a draft, as it is written), and last `answer`
        (the Answer, which alone holds) or `error`. Closing the connection stops the model.
        """
        asking = start(service, asked, "http", owner_of(request), request)
        if not stream and "text/event-stream" not in request.headers.get("accept", ""):
            answer = await answer_of(asking, request.is_disconnected)
            return JSONResponse(as_json(answer)) if answer else Response(status_code=499)
        events = events_of(asking)
        first = await anext(events)  # An error before it still has a status of its own.
        return StreamingResponse(
            _server_sent(first, events), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )

    @router.get("/schema", include_in_schema=False)
    async def schema() -> JSONResponse:
        return JSONResponse(get_openapi(title="Ask the article", version="1", routes=router.routes))

    app.include_router(router)
    app.add_exception_handler(RagError, _failed)
    app.add_exception_handler(RequestValidationError, invalid_request)
    app.add_exception_handler(HTTPException, _refused)


def add_gradio_endpoint(service: Service) -> None:
    """Add the endpoint `ask` for gradio_client; to be called inside `with gr.Blocks()`.

    Its result is the Answer; on the way there are {"text": the draft so far}, and "evidence" once it is known.
    """

    # No coroutine: gradio can close a running generator of this kind alone.
    def ask(
        question: str, request: gr.Request, history: list[list[str]] | None = None, documents: list[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        sent = {"question": question, "history": history or [], "documents": documents or []}
        draft: dict[str, Any] = {"text": ""}
        try:
            asking = start(service, Question.model_validate(sent), "gradio", str(request.username), request)
            with closing(asking) as events:
                for event in events:
                    if isinstance(event, Evidence):
                        draft["evidence"] = as_json(list(event.citations))
                    draft["text"] += event if isinstance(event, str) else ""
                    yield as_json(event) if isinstance(event, Answer) else dict(draft)
        except ValidationError as error:
            raise gr.Error(validation_sentence(error.errors()), print_exception=False) from error
        except RagError as error:
            raise gr.Error(for_readers(error), print_exception=False) from error

    api(ask, api_name="ask", api_description="Ask a question; the result is the Answer.", concurrency_limit=None)


def start(
    service: Service, asked: Question, channel: str, owner: str, request: Request | gr.Request
) -> Generator[ServiceEvent, None, None]:
    """The events of a question that came by a request."""
    request_id = request.headers["x-request-id"]
    return service.ask(owner, asked.question, asked.history, asked.documents, channel=channel, request_id=request_id)


async def answer_of(
    asking: Generator[ServiceEvent, None, None], is_gone: Callable[[], Awaitable[bool]]
) -> Answer | None:
    """The Answer, None if the client is gone before it. Raises what Service.ask raises."""
    async with aclosing(events_of(asking)) as events:
        async for event in events:
            if isinstance(event, Answer):
                return event
            if await is_gone():
                break
    return None


async def events_of(asking: Generator[ServiceEvent, None, None]) -> AsyncGenerator[ServiceEvent, None]:
    """The events for asynchronous code, read by a thread; closing it ends them."""
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[ServiceEvent | BaseException | None] = asyncio.Queue()
    left = threading.Event()

    def put(event: ServiceEvent | BaseException | None) -> None:
        if loop.is_closed():
            left.set()
        else:
            loop.call_soon_threadsafe(events.put_nowait, event)

    def read() -> None:
        try:
            with closing(asking):
                for event in asking:
                    if left.is_set():
                        break
                    put(event)
            put(None)
        except Exception as error:  # noqa: BLE001 - handed over, and raised there
            put(error)

    # One of its own, for those of anyio's pool are few, and the server waits for them when it stops.
    threading.Thread(target=read, name="question", daemon=True).start()
    try:
        while (event := await events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event
    finally:
        left.set()


async def _server_sent(first: ServiceEvent, events: AsyncGenerator[ServiceEvent, None]) -> AsyncGenerator[str, None]:
    """The events as server-sent ones."""
    shown = 0
    async with aclosing(events):
        try:
            yield _message(first)
            async for event in events:
                ahead = event.ahead if isinstance(event, Waiting) else 0
                if not ahead or ahead != shown:
                    yield _message(event)
                shown = ahead
        except RagError as error:
            yield _named("error", {"error": for_readers(error), "status": status_of(error)})


def _message(event: ServiceEvent) -> str:
    match event:
        case Answer():
            return _named("answer", as_json(event))
        case Waiting(ahead):
            return _named("waiting", {"ahead": ahead})
        case str():
            return _named("piece", {"text": event})
        case Evidence(citations):
            return _named("evidence", as_json(list(citations)))
    return _named("hits", as_json(event))


def _named(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def as_json(value: Any) -> Any:
    """Dataclasses of rag.types as plain JSON values; lone surrogates become U+FFFD."""
    plain = [asdict(one) for one in value] if isinstance(value, list) else asdict(value)
    return json.loads(replace_surrogates(json.dumps(plain, ensure_ascii=False)))


def status_of(error: RagError) -> int:
    """400 for the question's own errors, 429 for too many, 503 for model and index."""
    return 400 if isinstance(error, QuestionError) else 429 if isinstance(error, BusyError) else 503


def validation_sentence(errors: Sequence[Any], described: str = "GET /api/schema") -> str:
    """The first of pydantic's errors as a sentence, without what was sent.

    `described` says what it takes.
    """
    where = ".".join(str(part) for part in errors[0]["loc"] if part != "body") or "the body"
    return f"The request is wrong at {where[:_NAMED]} ({errors[0]['msg']}); {described} says what it takes."


async def _failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, RagError)
    wait = error.seconds if isinstance(error, OftenError) else RETRY_AFTER
    headers = {"Retry-After": str(wait)} if isinstance(error, BusyError) else {}
    return JSONResponse({"error": for_readers(error)}, status_of(error), headers=headers)


async def invalid_request(_: Request, error: Exception) -> Response:
    """The response to an invalid request; it repeats nothing of what was sent."""
    assert isinstance(error, RequestValidationError)
    return JSONResponse({"error": validation_sentence(error.errors())}, 422)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": f"{error.detail}."}, error.status_code, headers=error.headers)
