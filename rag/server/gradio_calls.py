"""Which calls of the page's events pass to Gradio: right values, one's own session."""

import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.blocks import Block
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from rag import bounds
from rag.server.identity import owner_of
from rag.server.middleware import json_of
from rag.server.records import Reason
from rag.server.serve import CONNECTIONS
from rag.server.uploads import FILES

SESSIONS = 2_000
"""Sessions of pages that are remembered, with the last values of their events: those of a visitor STREAMS at most."""
STREAMS = CONNECTIONS // 2
"""Streams of events that may be open at once for one visitor, who may be a whole office; a tab has two."""
_CANCEL = "/gradio_api/cancel"
_CALL = re.compile(r"/gradio_api/(?:queue/join|run/(?P<name>[^/]+))")
_STREAM = re.compile(r"/gradio_api/(?:queue/data|heartbeat/(?P<session>[^/]+))")
_SESSION = re.compile(r"[A-Za-z0-9-]{1,64}")
_CONVERSATION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STRANGE = 403, "This session is somebody else's, or none; load the page anew."
_NO_EVENT = 404, "There is no such event; load the page anew."
Fault = tuple[int, str]


class GradioCalls:
    """ASGI middleware that passes sound calls, in a session of the caller's own.

    Gradio looks at nothing before it works with it: what it cannot work with is printed, texts of readers
    included, and a file that is named among the values of any event is copied to where it is served.
    """

    def __init__(
        self, app: ASGIApp, blocks: gr.Blocks, is_upload: Callable[[str, str], bool], visitor: Callable[[str], str]
    ) -> None:
        """`is_upload(owner, path)`: it is an upload of the owner's; `visitor(owner)`: what it counts under."""
        self._app = app
        self._blocks = blocks
        self._is_upload = is_upload
        self._visitor = visitor
        self._events = {number: event for number, event in blocks.fns.items() if event.fn is not None}
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._streams: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        stream = _STREAM.fullmatch(path)
        fault: Fault | None = None
        if stream:
            fault = self._stream_fault(Request(scope), stream["session"])
        elif path and scope["method"] == "POST" and (path == _CANCEL or _CALL.fullmatch(path)):
            fault = self._call_fault(path, json_of(scope), owner_of(Request(scope)))
        if fault:
            status, sentence = fault
            # "error" as everywhere; "detail" is what Gradio's page shows.
            await JSONResponse({"error": sentence, "detail": sentence}, status)(scope, receive, send)
            return
        if not stream:
            await self._app(scope, receive, send)
            return
        visitor = self._visitor(owner_of(Request(scope)))
        self._streams[visitor] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._streams[visitor] -= 1
            self._streams += Counter()  # Forgets those that are at nought.

    def _stream_fault(self, request: Request, session: str | None) -> Fault | None:
        owner = owner_of(request)
        given = parse_qs(request.url.query, keep_blank_values=True).get("session_hash", [])
        if not self._is_own(session or (given[0] if len(given) == 1 else ""), owner):  # Gradio would take the last one.
            return _STRANGE
        if self._streams[self._visitor(owner)] >= STREAMS:
            return 429, f"{STREAMS} streams of yours are open already; close some pages."
        return None

    def _call_fault(self, path: str, sent: Any, owner: str) -> Fault | None:
        """What is wrong with what was sent to call an event, or to cancel one."""
        if not isinstance(sent, dict):
            return 422, "The request is no JSON object."
        if not self._is_own(sent.get("session_hash"), owner):
            return _STRANGE
        call = _CALL.fullmatch(path)
        event = self._event(sent.get("fn_index"), call["name"] if call else None)
        if event is None:
            return _NO_EVENT
        if not call:
            return None
        values, trigger = sent.get("data"), sent.get("trigger_id")
        if not isinstance(values, list) or len(values) != len(event.inputs):
            return 422, f"This event takes {len(event.inputs)} values, and others were sent; load the page anew."
        if not (trigger is None or type(trigger) is int) or sent.get("batched"):
            return 422, "The event was not sent as the page sends it; load the page anew."
        for number, (block, value) in enumerate(zip(event.inputs, values, strict=True), start=1):
            if not self._takes(owner, block, value):
                return 422, f"Value {number} of this event is of another kind, or a file that was not uploaded."
        return None

    def _event(self, number: Any, name: str | None) -> BlockFunction | None:
        if number is None and name:
            return next((event for event in self._events.values() if event.api_name == name), None)
        return self._events.get(number) if type(number) is int else None

    def _takes(self, owner: str, block: Block, value: Any) -> bool:
        match block:
            case gr.State():  # It is kept here, and what is sent in its place is not read.
                return True
            case gr.File(file_count="multiple") if isinstance(value, list):
                return len(value) <= FILES and all(self._is_file(owner, each) for each in value)
            case gr.File():
                return value is None or (block.file_count == "single" and self._is_file(owner, value))
            case gr.CheckboxGroup():
                texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
                return texts and len(value) <= bounds.CHOSEN
            case gr.Textbox() | gr.Dropdown():
                return value is None or isinstance(value, str)
        return not _names_file(value)

    def _is_file(self, owner: str, value: Any) -> bool:
        try:
            return self._is_upload(owner, gr.FileData.model_validate(value).path)
        except ValidationError:
            return False

    def _is_own(self, session: Any, owner: str) -> bool:
        if not isinstance(session, str) or not _SESSION.fullmatch(session):
            return False
        if session not in self._owners:
            self._make_room(self._visitor(owner))
        holder = self._owners.setdefault(session, owner)
        self._owners.move_to_end(session)
        return holder == owner

    def _make_room(self, visitor: str) -> None:
        """Forget the sessions of this visitor, or of all, that were used least lately.

        Gradio keeps the last values of each event of a session for good.
        """
        every = list(self._owners)
        own = [session for session in every if self._visitor(self._owners[session]) == visitor]
        for session in {*own[: max(0, len(own) + 1 - STREAMS)], *every[: max(0, len(every) + 1 - SESSIONS)]}:
            del self._owners[session]
            self._blocks.state_holder.session_data.pop(session, None)
            self._blocks.state_holder.time_last_used.pop(session, None)


def _names_file(value: Any) -> bool:
    """Whether there is a file in it, as Gradio tells them."""
    if isinstance(value, list):
        return any(map(_names_file, value))
    return isinstance(value, dict) and ("path" in value or any(map(_names_file, value.values())))


class Click(BaseModel):
    """What a click in the page asks for; what it says nothing of is empty."""

    model_config = ConfigDict(strict=True, frozen=True)

    action: str = Field("", max_length=20)
    turn: int | None = Field(None, ge=1, le=1_000_000)
    question: str = Field("", max_length=bounds.TURN)
    title: str = Field("", max_length=bounds.TITLE)
    conversation: str = Field("", pattern=rf"^(?:{_CONVERSATION.pattern})?$")
    updated: float = 0.0
    """When the conversation was changed last, as far as the page knows."""
    verdict: Literal["", "good", "bad"] = ""
    reason: Literal[Reason, ""] = ""
    comment: str = Field("", max_length=bounds.COMMENT)
    right: str = Field("", max_length=bounds.COMMENT)
    document: str = Field("", max_length=bounds.ID)
    ticked: bool = False
    only: bool = False
    ticks: list[Annotated[str, Field(max_length=bounds.ID)]] = Field([], max_length=bounds.CHOSEN)
    """The documents that are ticked in the list after a tick."""


def click_of(event: gr.EventData) -> Click | None:
    """What an event asks for; None if the page's script never sent it."""
    try:
        return Click.model_validate(event._data or {})
    except ValidationError:
        return None


def conversation_id(given: str | None) -> str:
    """The identity of a conversation, empty if what is given cannot be one."""
    return given if given and _CONVERSATION.fullmatch(given) else ""
