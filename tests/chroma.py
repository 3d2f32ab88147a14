"""A real Chroma server on loopback, which can be stopped and started again, and a proxy that asks for a token."""

import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any

import httpx

STARTING = 60  # seconds


class ChromaProcess:
    """`chroma run` with its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        with create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        command = Path(sys.executable).with_name("chroma")
        self._command = [str(command), "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(self.port)]
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + STARTING
        while True:
            try:
                httpx.get(f"{self.url}/api/v2/heartbeat").raise_for_status()
                return
            except httpx.HTTPError:
                assert time.monotonic() < end and self._process.poll() is None
                time.sleep(0.02)

    def kill(self) -> None:
        """End it where it stands."""
        self._process.kill()
        self._process.wait()

    def collections(self) -> list[str]:
        """The names of those that it has."""
        path = "api/v2/tenants/default_tenant/databases/default_database/collections"
        return sorted(one["name"] for one in httpx.get(f"{self.url}/{path}").json())


@contextmanager
def asking_for_token(target: str, token: str, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a proxy that passes on what comes with this token."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, said = 401, b"no"
            if self.headers["Authorization"] == f"Bearer {token}":
                answer = httpx.request(self.command, target + self.path, content=body)
                status, said = answer.status_code, answer.content
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = do_DELETE = _pass_on

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
