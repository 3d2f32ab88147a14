"""The page's server under load: while documents are published again and again, and beside a hostile client."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

from trials.finding import Finding
from trials.library import Library, make_library
from trials.process import Child, updated

_CLIENTS = 10
_AT_ONCE = 8
_HOSTILE = 200_000
"""Characters of a hostile text."""
_PATIENCE = 60.0
"""Seconds for one request."""


@dataclass(frozen=True)
class Load:
    """What ordinary clients saw: seconds for each answer, what went wrong, and how long it took them all."""

    seconds: Sequence[float]
    wrong: Sequence[str]
    took: float

    @property
    def minute(self) -> float:
        """Answers a minute."""
        return 60 * len(self.seconds) / self.took

    @property
    def p95(self) -> float:
        """Seconds within which 95% were answered."""
        return quantiles(self.seconds, n=20)[-1]


def republished(folder: Path, short: bool) -> Finding:
    """Ask for a while, and again while documents are published one time after the other."""
    times = 2 if short else 50
    with _served(folder) as (address, library):
        questions = _questions(library)
        quiet = _ask(address, questions, _CLIENTS, seconds=3 if short else 30)
        published = threading.Event()
        with ThreadPoolExecutor(1) as side:
            publishing = side.submit(_publish, folder, library, times, published, not short)
            busy = _ask(address, questions, _CLIENTS, until=published)
            wrong = [*quiet.wrong, *busy.wrong, *publishing.result()]
    if busy.minute < quiet.minute / (4 if short else 2):  # The short form has few answers, on a busy machine perhaps.
        wrong.append(f"{busy.minute:.0f} answers a minute while documents were published, {quiet.minute:.0f} without")
    return Finding(
        f"{times} publications while {_CLIENTS} clients ask without a pause",
        f"{len(busy.seconds):,} answers, no error; {busy.minute:.0f} a minute (p50 {median(busy.seconds):.2f} s, p95 "
        f"{busy.p95:.2f} s), without publications {quiet.minute:.0f} (p50 {median(quiet.seconds):.2f} s, p95 "
        f"{quiet.p95:.2f} s)",
        tuple(wrong),
    )


def hostile(folder: Path, short: bool) -> Finding:
    """Ask with nobody else there, and again beside a client that sends hostile texts by every channel."""
    count = 60 if short else 1000
    with _served(folder) as (address, library):
        questions = _questions(library)
        alone = _ask(address, questions, _AT_ONCE, count=count)
        ended = threading.Event()
        with ThreadPoolExecutor(1) as side:
            attacking = side.submit(_attack, address, ended)
            beside = _ask(address, questions, _AT_ONCE, count=count)
            ended.set()
            statuses, slowest, wrong = attacking.result()
    wrong = [*alone.wrong, *beside.wrong, *wrong]
    if beside.p95 > (4 if short else 2) * alone.p95:
        wrong.append(f"p95 {beside.p95:.2f} s beside it, {alone.p95:.2f} s alone")
    told = ", ".join(f"{number} times {status}" for status, number in sorted(statuses.items()))
    return Finding(
        f"{count:,} questions at a concurrency of {_AT_ONCE} beside a client that sends texts of "
        f"{_HOSTILE // 1000} kB by every channel",
        f"no error for the others, p95 {beside.p95:.2f} s (alone {alone.p95:.2f} s); it was told {told}, the slowest "
        f"after {slowest:.2f} s",
        tuple(wrong),
    )


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, Library]]:
    """The address of a server of its own process, over an index of a library."""
    library = make_library(folder / "texts", 20, 10)
    updated(folder / "index", folder / "texts", apart=False)
    with Child(3600) as child:
        child.begin(do="serve", index=str(folder / "index"), store=str(folder / "store"))
        listening = child.wait_for("listening")
        if listening is None:
            raise RuntimeError(f"the server ended with {child.events} {child.noise}")
        yield f"http://127.0.0.1:{listening['listening']}", library


def _questions(library: Library) -> list[str]:
    """Lines of the texts: each is found by its words."""
    return [text.splitlines()[0] for text in library.texts.values()]


def _publish(folder: Path, library: Library, times: int, published: threading.Event, apart: bool) -> list[str]:
    """Add a document and update, `times` over; returns what went wrong."""
    try:
        wrong = []
        for _ in range(times):
            library.add(1)
            event = updated(folder / "index", folder / "texts", apart=apart).events[-1]
            wrong += [] if "done" in event else [f"an update ended with {event}"]
        return wrong
    finally:
        published.set()


def _ask(
    address: str, questions: Sequence[str], clients: int, *, count: int | None = None, seconds: float = 3600,
    until: threading.Event | None = None,
) -> Load:  # fmt: skip
    """Let clients ask one question after the other: `count` of them, or for so long, or until the event."""
    began = time.perf_counter()
    left = iter(range(10**9 if count is None else count))
    took: list[float] = []
    wrong: list[str] = []

    def client(number: int) -> None:
        rng = random.Random(number)
        with httpx.Client(base_url=address, timeout=_PATIENCE) as http:
            while not (until and until.is_set()) and time.perf_counter() - began < seconds:
                if next(left, None) is None:
                    return
                asked = time.perf_counter()
                try:
                    reply = http.post("/api/ask", json={"question": _shuffled(rng.choice(questions), rng)})
                except httpx.HTTPError as error:
                    wrong.append(f"a question ended with {type(error).__name__}")
                    continue
                took.append(time.perf_counter() - asked)
                if reply.status_code != 200 or not reply.json()["hits"]:
                    wrong.append(f"a question was answered with {reply.status_code}: {reply.text[:100]}")

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    return Load(took, wrong, time.perf_counter() - began)


def _shuffled(question: str, rng: random.Random) -> str:
    """The question in other words than before: the same would be answered from memory."""
    words = question.lower().rstrip(".").split()
    return " ".join(rng.sample(words, len(words)))


def _texts() -> dict[str, str]:
    """Hostile texts, by what is in them."""
    half = _HOSTILE // 2
    return {
        "letters": "a" * _HOSTILE,
        "blanks": " " * _HOSTILE + "?",
        "capitals": "A B " * (_HOSTILE // 4),
        "digits": "1." * half,
        "brackets": "[" * half + "]" * half,
        "quotation marks": '"' * _HOSTILE,
        "nested tokens": "<|" * (_HOSTILE // 4) + "|>" * (_HOSTILE // 4),
        "hidden tokens": "[IN" * (_HOSTILE // 8) + "[INST]" + "ST]" * (_HOSTILE // 8),
        "names who say": "Ann Lee said " * (_HOSTILE // 13),
        "questions": "Who? " * (_HOSTILE // 5),
        "lines": "\n" * _HOSTILE,
    }


def _attack(address: str, ended: threading.Event) -> tuple[Counter[int], float, list[str]]:
    """Send hostile texts by every channel until the event, and see after each that the server still answers.

    Returns how often each status came, the longest time to an answer, and what went wrong.
    """
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    slowest = 0.0
    ways = [(what, name, text) for name, text in _texts().items() for what in _WAYS]
    with httpx.Client(base_url=address, timeout=_PATIENCE) as http:
        http.get("/")  # for the cookie
        while not ended.is_set():
            what, name, text = random.choice(ways)
            began = time.perf_counter()
            try:
                status = _WAYS[what](http, text).status_code
                http.get("/health").raise_for_status()
            except httpx.HTTPError as error:
                wrong.append(f"{what} of {name}: {type(error).__name__}")
                continue
            slowest = max(slowest, time.perf_counter() - began)
            statuses[status] += 1
            if status >= 500:
                wrong.append(f"{what} of {name}: status {status}")
    return statuses, slowest, wrong


def _tool(http: httpx.Client, arguments: dict[str, Any]) -> httpx.Response:
    call = {"name": "ask", "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    return http.post("/mcp", json=message, headers={"Accept": "application/json, text/event-stream"})


def _chat(http: httpx.Client, texts: list[str]) -> httpx.Response:
    return http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": text} for text in texts]})


def _page(http: httpx.Client, data: list[Any]) -> httpx.Response:
    """An event of the page or of gradio_client, whatever its number; nobody reads what comes of it."""
    joined = {"data": data, "fn_index": random.randrange(4), "session_hash": f"s{random.getrandbits(40)}"}
    return http.post("/gradio_api/queue/join", json=joined)


_WAYS: dict[str, Callable[[httpx.Client, str], httpx.Response]] = {
    "a question": lambda http, text: http.post("/api/ask", json={"question": text}),
    "a history": lambda http, text: http.post("/api/ask", json={"question": "And he?", "history": [[text, text]]}),
    "ids": lambda http, text: http.post("/api/ask", json={"question": "Who?", "documents": [text]}),
    "a tool's question": lambda http, text: _tool(http, {"question": text}),
    "a tool's history": lambda http, text: _tool(http, {"question": "And he?", "history": [[text, text]]}),
    "a page's question": lambda http, text: _page(http, [text, text, None]),
    "a message": lambda http, text: _chat(http, [text]),
    "an earlier message": lambda http, text: _chat(http, [text, "And he?"]),
    "a raw body": lambda http, text: http.post("/api/ask", content=json.dumps(text).encode()),
}
"""How a text is sent by each channel."""
