"""What may be sent to Gradio: calls of the page's events, with values as they take, in sessions of one's own."""

import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.blocks import Block
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from rag import bounds
from rag.server.bodies import sent_in
from rag.server.connections import CONNECTIONS
from rag.server.owner import owner_of

SESSIONS = 2_000
"""Sessions of pages that are remembered, with the last values of their events: those of a visitor STREAMS at most."""
STREAMS = CONNECTIONS // 2
"""Streams of events that may be open at once for one visitor, who may be a whole office; a tab has two."""
FILES = 100
"""Files of one call."""
_JOIN = "/gradio_api/queue/join"
_CALL = re.compile(r"/gradio_api/(?:queue/join|run/(?P<name>[^/]+))")
_ENDING = "/gradio_api/cancel"
_WATCHED = re.compile(r"/gradio_api/(?:queue/data|heartbeat/(?P<session>[^/]+))")
_SESSION = re.compile(r"[A-Za-z0-9-]{1,64}")
_STRANGE = 403, "This session is somebody else's, or none; load the page anew."
Fault = tuple[int, str]


class Calls:
    """The events of a page, and what is wrong with a call of one.

    Gradio looks at nothing before it works with it: what it cannot work with is printed, texts of readers
    included, and a file that is named among the values of any event is copied to where it is served.
    """

    def __init__(self, blocks: gr.Blocks, is_upload: Callable[[str, str], bool]) -> None:
        """`is_upload` tells whether an owner has uploaded the file of a path."""
        self._events = {number: event for number, event in blocks.fns.items() if event.fn is not None}
        self._is_upload = is_upload
        self._blocks = blocks

    def fault(self, owner: str, name: str | None, sent: dict[str, Any]) -> Fault | None:
        """What is wrong with what was sent to call an event, named by its number or else by `name`."""
        event = self._event(sent.get("fn_index"), name)
        if event is None:
            return 404, "There is no such event; load the page anew."
        values, trigger = sent.get("data"), sent.get("trigger_id")
        if not isinstance(values, list) or len(values) != len(event.inputs):
            return 422, f"This event takes {len(event.inputs)} values, and others were sent; load the page anew."
        if not (trigger is None or type(trigger) is int) or sent.get("batched"):
            return 422, "The event was not sent as the page sends it; load the page anew."
        for number, (block, value) in enumerate(zip(event.inputs, values, strict=True), start=1):
            if not self._takes(owner, block, value):
                return 422, f"Value {number} of this event is of another kind, or a file that was not uploaded."
        return None

    def has(self, number: Any) -> bool:
        """Whether there is an event of this number."""
        return type(number) is int and number in self._events

    def forget(self, session: str) -> None:
        """Let go of what Gradio keeps of a session: the last values of each event, which it keeps for good."""
        self._blocks.state_holder.session_data.pop(session, None)
        self._blocks.state_holder.time_last_used.pop(session, None)

    def _event(self, number: Any, name: str | None) -> BlockFunction | None:
        if number is None and name:
            return next((event for event in self._events.values() if event.api_name == name), None)
        return self._events[number] if self.has(number) else None

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


def _names_file(value: Any) -> bool:
    """Whether there is a file in it, as Gradio tells them."""
    if isinstance(value, list):
        return any(map(_names_file, value))
    return isinstance(value, dict) and ("path" in value or any(map(_names_file, value.values())))


class Sessions:
    """ASGI middleware that binds each session of the page to the owner who began it, and lets good calls through."""

    def __init__(self, app: ASGIApp, calls: Calls, counted: Callable[[str], str]) -> None:
        """`counted` gives the key under which the streams of an owner are counted."""
        self._app = app
        self._calls = calls
        self._counted = counted
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, request = scope["path"], Request(scope)
        if scope["method"] == "POST" and (path == _ENDING or _CALL.fullmatch(path)):
            fault = self._fault(path, sent_in(scope), owner_of(request))
        elif watched := _WATCHED.fullmatch(path):
            given = parse_qs(request.url.query, keep_blank_values=True).get("session_hash", [])
            session = watched["session"] or (given[0] if len(given) == 1 else "")  # Gradio would take the last one.
            fault = None if self._is_own(session, owner_of(request)) else _STRANGE
            if fault is None:
                await self._watch(scope, receive, send)
                return
        else:
            fault = None
        if fault:
            await _refusal(fault)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self._counted(owner_of(Request(scope)))
        if self._open[key] >= STREAMS:
            fault = 429, f"{STREAMS} streams of yours are open already; close some pages."
            await _refusal(fault)(scope, receive, send)
            return
        self._open[key] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[key] -= 1
            self._open += Counter()  # Forgets those that are at nought.

    def _fault(self, path: str, sent: Any, owner: str) -> Fault | None:
        if not isinstance(sent, dict):
            return 422, "The request is no JSON object."
        if not self._is_own(sent.get("session_hash"), owner):
            return _STRANGE
        call = _CALL.fullmatch(path)
        if call:
            return self._calls.fault(owner, call["name"], sent)
        return None if self._calls.has(sent.get("fn_index")) else (404, "There is no such event; load the page anew.")

    def _is_own(self, session: Any, owner: str) -> bool:
        if not isinstance(session, str) or not _SESSION.fullmatch(session):
            return False
        if session not in self._owners:
            self._make_room(self._counted(owner))
        holder = self._owners.setdefault(session, owner)
        self._owners.move_to_end(session)
        return holder == owner

    def _make_room(self, key: str) -> None:
        """Forget the sessions that were used least lately, of this visitor or of all, so that one more may begin."""
        every = list(self._owners)
        own = [session for session in every if self._counted(self._owners[session]) == key]
        for session in {*own[: max(0, len(own) + 1 - STREAMS)], *every[: max(0, len(every) + 1 - SESSIONS)]}:
            del self._owners[session]
            self._calls.forget(session)


def _refusal(fault: Fault) -> JSONResponse:
    status, sentence = fault
    return JSONResponse({"detail": sentence}, status)
