"""Requests as nobody sends them, to every channel of the application: what Hypothesis makes, over sockets of loopback.

Run `python tests/fuzz.py --seconds 600` for the long form; the exit code is 1 where one was answered with a 5xx.
"""

import argparse
import json
import socket
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakes import WAIT
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as examples
from hypothesis import strategies as st
from serving import logged, make_page, serving

from rag.server.log import LINE
from rag.settings import ServerSettings

MARK = "Zanzibar"
"""In texts that are sent; the log must not hold it."""
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
COOKIE = "rag_owner=" + "0" * 32
ODD = [
    MARK, f'{MARK}\n{{"forged": 1}}', "\ud800", "\0", "\u202e", "[INST]<|im_start|>" * 50, "x" * 3000, " " * 3000,
    "../../etc", "",
]  # fmt: skip
TEXTS = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=()), max_size=60))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.just(10**400), TEXTS)
FILE = st.fixed_dictionaries({"path": TEXTS | st.just("/etc/passwd"), "meta": st.just({"_type": "gradio.FileData"})})
VALUES = st.recursive(
    LEAVES | FILE, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)
NAMES = ["Origin", "Cookie", "Range", "Accept", "Content-Type", "Authorization", "If-None-Match", "Expect",
         "X-Forwarded-For", "X-Forwarded-Host", "X-Gradio-Server", "Sec-Fetch-Site", "Mcp-Session-Id", "Upgrade",
         "Mcp-Protocol-Version", "Mcp-Method", "Last-Event-Id", "Connection"]  # fmt: skip
HEADERS = st.dictionaries(
    st.sampled_from(NAMES), TEXTS | st.sampled_from(["application/json", "text/event-stream", "*/*"])
)
PATHS = ["/", "/config", "/static/", "/assets/", "/gradio_api/file=", "/conversations/", "/gradio_api/run/", "/api/schema",
         "/gradio_api/heartbeat/", "/gradio_api/queue/data?session_hash=", "/gradio_api/info", "/?c=", "/login", "/ready",
         "/gradio_api/upload_progress?upload_id=", "/mcp", "/health", "/metrics", "/manifest.json", "/theme.css",
         "/v1/models/"]  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """A request; `follow` is a stream that is read after it."""

    method: str
    target: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    follow: str = ""


def mutated(good: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """JSON like a good body, some of whose fields are something else, missing or new; or no JSON."""
    changed = st.dictionaries(st.sampled_from([*good, "more"]), VALUES, max_size=2).map(lambda new: good | new)
    fewer = st.sets(st.sampled_from([*good, "more"])).map(
        lambda names: {one: good[one] for one in good if one not in names}
    )
    return st.one_of(changed, changed, fewer, VALUES).map(_raw) | st.binary(max_size=40)


def _raw(value: Any) -> bytes:
    return json.dumps(value).encode()


def posts(path: str, bodies: st.SearchStrategy[bytes], follow: str = "") -> st.SearchStrategy[Sent]:
    """Requests with these bodies, with headers as they should be, and others."""
    headers = st.just(JSON) | HEADERS.map(lambda odd: JSON | odd)
    return st.builds(Sent, st.just("POST"), st.just(path), bodies, headers, st.just(follow))


def questions() -> st.SearchStrategy[Sent]:
    """To what programs call."""
    question = {"question": MARK, "history": [["a", "b"]], "documents": ["d"]}
    call = {"name": "ask", "arguments": question}
    kinds = [posts("/api/ask", mutated(question)), posts("/api/ask?stream=1", mutated(question))]
    message = {"role": "user", "content": MARK}
    messages = mutated(message).map(lambda odd: b'{"stream": true, "messages": [' + odd + b"]}")
    kinds.append(posts("/v1/chat/completions", mutated({"messages": [message], "n": 1, "stream": True}) | messages))
    for method, params in {"tools/call": call, "tools/list": {}, "initialize": {"capabilities": {}}, MARK: {}}.items():
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        start = b'{"jsonrpc": "2.0", "id": 1, "method": %s, "params": ' % _raw(method)
        inner = mutated(params).map(lambda odd, start=start: start + odd + b"}")  # type: ignore[misc]
        arguments = mutated(question).map(
            lambda odd, start=start: start + b'{"name": "ask", "arguments": ' + odd + b"}}"
        )  # type: ignore[misc]
        kinds.append(posts("/mcp", mutated(message) | inner | arguments))
    return st.one_of(kinds)


def calls(events: dict[int, int]) -> st.SearchStrategy[Sent]:
    """To the events of the page."""
    follow = "/gradio_api/queue/data?session_hash=f"
    cancel = {"session_hash": "f", "fn_index": min(events), "event_id": "x"}
    kinds = [posts("/gradio_api/cancel", mutated(cancel)), posts("/gradio_api/reset", mutated({"event_id": "x"}))]
    for number, values in events.items():
        good = {
            "fn_index": number,
            "session_hash": "f",
            "trigger_id": None,
            "data": [MARK] * values,
            "event_data": None,
        }
        typed = {"data": st.lists(VALUES | TEXTS | st.none(), min_size=values, max_size=values), "event_data": VALUES}
        bodies = mutated(good) | st.fixed_dictionaries(typed).map(lambda odd, good=good: _raw(good | odd))  # type: ignore[misc]
        kinds += [posts("/gradio_api/queue/join", bodies, follow), posts("/gradio_api/run/ask", bodies)]
    return st.one_of(kinds)


def uploads() -> st.SearchStrategy[Sent]:
    """Forms, with files and without."""
    part = 'Content-Disposition: form-data; name="files"; filename="{}"\r\n\r\n{}\r\n'
    parts = st.lists(st.builds(part.format, TEXTS, TEXTS) | TEXTS, max_size=3)
    forms = parts.map(lambda each: "".join(f"--b\r\n{one}" for one in each) + "--b--\r\n")
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    return forms.map(lambda form: Sent("POST", "/gradio_api/upload", form.encode(errors="replace"), kind))


def paths() -> st.SearchStrategy[Sent]:
    """To paths that exist and to others."""
    quoted = st.binary(max_size=300).map(
        lambda raw: "".join(f"%{byte:02x}" if byte % 3 else chr(byte % 94 + 33) for byte in raw)
    )
    methods = st.sampled_from(["GET", "GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS", "CONNECT", "x"])
    return st.builds(Sent, methods, st.builds(str.__add__, st.sampled_from(PATHS), quoted), st.just(b""), HEADERS)


def answer(address: str, sent: Sent) -> int:
    """The status that the request is answered with, 0 where the connection is closed without one."""
    odd = "".join(f"{name}: {' '.join(value.split())}\r\n" for name, value in sent.headers.items())
    head = f"{sent.method} {sent.target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {COOKIE}\r\n{odd}"
    raw = f"{head}Content-Length: {len(sent.body)}\r\n\r\n".encode("latin-1", "replace") + sent.body
    received, where = b"", ("127.0.0.1", int(address.rpartition(":")[2]))
    with socket.create_connection(where, timeout=WAIT) as connection, suppress(ConnectionError):
        connection.sendall(raw)
        while b"\r\n" not in received and (part := connection.recv(65536)):
            received += part
        connection.settimeout(0.3)  # A stream may go on for good.
        with suppress(TimeoutError):
            while connection.recv(65536):
                pass
    return int(received[9:12]) if received.startswith(b"HTTP/1.1 ") else 0


def fuzz(address: str, events: dict[int, int], number: int, seconds: float = 60, start: int = 0) -> Counter[int]:
    """Send so many requests, or for so many seconds; counts their statuses. Raises AssertionError at a 5xx."""
    statuses: Counter[int] = Counter()
    ends = time.monotonic() + seconds

    @seed(start)
    @examples(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(questions(), calls(events), uploads(), paths()))
    def each(sent: Sent) -> None:
        if time.monotonic() > ends:
            return
        status = answer(address, sent)
        statuses[status] += 1
        assert status < 500, sent
        if status == 200 and sent.follow:
            assert answer(address, Sent("GET", sent.follow)) < 500

    each()
    return statuses


def run(folder: Path, number: int, seconds: float = 60, start: int = 0) -> tuple[Counter[int], list[str]]:
    """Fuzz the whole page in `folder`; gives the statuses, and what is wrong with the log that it left."""
    settings = ServerSettings(data=folder / "data", index=folder / "index", cache=folder / "cache", per_minute=0)
    with logged(settings) as log, serving(make_page(settings)) as address:
        events = {each["id"]: len(each["inputs"]) for each in _config(address)["dependencies"] if each["backend_fn"]}
        statuses = fuzz(address, events, number, seconds, start)
        began = time.monotonic()
        assert answer(address, Sent("GET", "/health")) == 200 and time.monotonic() - began < 5
    lines = log.getvalue().splitlines()
    wrong = [line for line in lines if len(line) > LINE or MARK in line or "A request failed" in line]
    return statuses, wrong + [line for line in lines if not isinstance(json.loads(line), dict)]


def _config(address: str) -> Any:
    import httpx

    return httpx.get(address + "/config", headers={"cookie": COOKIE}, timeout=WAIT).json()


def main() -> int:
    """The long form: rounds of 1,000 until the time is over, each with the texts of a seed of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    seconds, total, start = parser.parse_args().seconds, Counter[int](), 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with tempfile.TemporaryDirectory() as folder:
            statuses, wrong = run(Path(folder), 1000, ends - time.monotonic(), start := start + 1)
        total += statuses
        if wrong:
            print(f"Seed {start}: {wrong[0]}")
            return 1
        print(f"{sum(total.values()):,} requests: {dict(sorted(total.items()))}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
