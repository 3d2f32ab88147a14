"""Servers on loopback: the whole application with a fake bot, and web servers that answer as none should."""

import io
import json
import logging
import secrets
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gradio as gr
from fakes import WAIT, FakeBot
from fastapi import FastAPI

import chat_app
from rag.server.api import add_gradio_endpoint
from rag.server.app import build_app
from rag.server.log import start_logging
from rag.server.serve import listen, make_server
from rag.server.service import Service
from rag.server.store import FILE, Store
from rag.settings import ServerSettings, Settings


class MemoryStore:
    """Sessions in a dictionary."""

    cluster = None

    def __init__(self) -> None:
        self.users: dict[str, str] = {}

    def start_session(self, user: str, seconds: int) -> str:
        token = secrets.token_urlsafe()
        self.users[token] = user
        return token

    def session_user(self, token: str) -> str | None:
        return self.users.get(token)

    def end_session(self, token: str) -> None:
        self.users.pop(token, None)


def whoami(request: gr.Request) -> str:
    return str(request.username)


def make_blocks(service: Service) -> gr.Blocks:
    """A page with the endpoint `ask`, an event that says who asks, one of the page's own, and an upload."""
    blocks: gr.Blocks
    with gr.Blocks(analytics_enabled=False) as blocks:
        add_gradio_endpoint(service)
        gr.api(whoami, api_name="whoami")
        box, file = gr.Textbox(label="Box"), gr.File(label="File")
        box.submit(lambda text: text, box, box, api_visibility="private")
        file.upload(lambda path: path.name, file, box, api_visibility="private")
    return blocks


def make_app(bot: FakeBot, settings: Settings, store: MemoryStore | None = None) -> FastAPI:
    store = store or MemoryStore()
    service = Service(bot, settings, store.cluster)
    return build_app(service, store, make_blocks(service), settings)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The application on a free port of loopback; gives its address."""
    server = make_server(app)
    with listen(ServerSettings(port=0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(WAIT)
            assert not thread.is_alive()


def sse(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """The names and data of server-sent events."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def make_page(settings: Settings) -> FastAPI:
    """The whole page, as chat_app serves it, with a store in the settings' folder."""
    settings = settings.model_copy(update={"store": settings.index.parent / "store"})
    return chat_app.make_app(FakeBot(), Store(settings.store / FILE), settings)


@contextmanager
def logged(settings: Settings) -> Iterator[io.StringIO]:
    """What this process writes to its log, as an entry point starts it."""
    root, ours, stream = logging.getLogger(), logging.getLogger("rag"), io.StringIO()
    before, hooks = (root.handlers[:], root.level, ours.level), (threading.excepthook, sys.unraisablehook)
    try:
        start_logging(settings, stream)
        yield stream
    finally:
        root.handlers[:], root.level, ours.level = before
        threading.excepthook, sys.unraisablehook = hooks
        logging.captureWarnings(False)


_OK = b"HTTP/1.1 200 OK\r\n"
_PAGE = _OK + b"Content-Type: text/html\r\n"
STRANGE = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "a line of noise": bytes(range(256)) * 20,
    "an endless status": b"HTTP/1.1 200 " + b"x" * 200_000,
    "a status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "a header without a colon": _PAGE + b"X\r\n\r\nx",
    "a header with a NUL": _OK + b"Content-Type: text/html; charset=a\0b\r\n\r\nx",
    "a name with a blank": _PAGE + b"X y: z\r\n\r\nx",
    "headers without an end": _PAGE + b"X: y\r\n" * 50_000,
    "a length of letters": _PAGE + b"Content-Length: x\r\n\r\nx",
    "a length below nothing": _PAGE + b"Content-Length: -1\r\n\r\nx",
    "two lengths": _PAGE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "an unknown transfer": _PAGE + b"Transfer-Encoding: gzip\r\n\r\nx",
    "a passage of letters": _PAGE + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nx",
    "a passage that ends early": _PAGE + b"Transfer-Encoding: chunked\r\n\r\nff\r\nx",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "no redirection": b"HTTP/1.1 302 Found\r\n\r\n",
    "a redirection to noise": b"HTTP/1.1 302 Found\r\nLocation: http://\xad\xff/\r\n\r\n",
    "a redirection without a host": b"HTTP/1.1 302 Found\r\nLocation: http:///\r\n\r\n",
    "a redirection to an empty label": b"HTTP/1.1 302 Found\r\nLocation: http://a..b/\r\n\r\n",
    "a redirection to a long name": b"HTTP/1.1 302 Found\r\nLocation: http://" + b"a" * 70_000 + b"/\r\n\r\n",
    "a type in parts": _OK + b"Content-Type: image/x; charset*0*=undefined'en'%00; charset*1=y\r\n\r\nx",
    "a type of semicolons": _OK + b'Content-Type: image/x"' + b';"' * 40_000 + b"\r\n\r\nx",
    "a packing that is none": _PAGE + b"Content-Encoding: \xff\r\n\r\nx",
}


@contextmanager
def strange_server(sent: bytes) -> Iterator[str]:
    """The address of a server that sends these bytes to whoever asks, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):  # until it is closed
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.recv(65536)
                        connection.sendall(sent)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)


class Line:
    """A line to an address of loopback, which can be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._is_up = True
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """End every connection, and take no new one until it is mended."""
        self._is_up = False
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._is_up = True

    def lead_to(self, host: str, port: int) -> None:
        """Lead new connections to another server, as a proxy does when one is gone."""
        self._target = host, port

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):  # until it is closed
            while True:
                near, _ = self._listener.accept()
                if not self._is_up:
                    near.close()
                    continue
                far = socket.create_connection(self._target)
                self._ends += near, far
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    @staticmethod
    def _pass_on(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while read := one.recv(65_536):
                other.sendall(read)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
