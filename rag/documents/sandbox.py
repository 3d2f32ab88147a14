"""The process that reads documents: what hangs, crashes or eats memory there harms nothing here."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rag.documents.parse import Found, Request, parse
from rag.types import Document, Loaded, Span

MEMORY = 2_000_000_000
"""Bytes of address space that a document may need, where the system can bound it."""
_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from rag.documents.sandbox import serve
serve(int(sys.argv[2]), float(sys.argv[3]))
"""
LIFETIME = 500
"""Files; then the process is replaced, for parsers leak."""
STOPPED = 3
"""Lines of a file of JSONL for which the process may have to be ended; what is behind them is not read."""
_REPLY = 250_000_000
"""Bytes; no document that is taken has a longer reply (rag/documents/parse.py)."""
_SENT_AHEAD = 1_000
"""Bytes; a longer request waits: all that are sent must fit into the pipe, or both sides could wait for each other."""


class _StoppedError(Exception):
    """There is no reply. Goes on after the name of the document: "took longer than …"."""


class Worker:
    """Starts with the first document. Close it when done.

    Not multiprocessing: its children import the caller's main module first, which here
    takes seconds and over 100 MB, and their address space could not be bounded as tightly.
    """

    def __init__(self, seconds: float, program: str = _PROGRAM) -> None:
        """`seconds` is the longest that one document may take; `program` is what the process runs."""
        self._seconds = seconds
        self._program = program
        self._process: _Process | None = None
        self._asked: list[Request] = []
        self._served = 0

    def read(self, request: Request, coming: Sequence[Request] = ()) -> Iterator[Found]:
        """What `parse` gives in the other process, and a reason for each document for which that had to be ended.

        `coming` are the requests that follow, so that the process can go on with them meanwhile.
        """
        for _ in range(STOPPED + 1):
            try:
                for line, found in self._exchange(request, coming):
                    request = replace(request, after=line or 0, refusal=None)
                    yield line, found
                return
            except _StoppedError as error:
                reason = str(error)
            if request.kind != "jsonl":
                yield None, reason
                return
            request = replace(request, refusal=reason)
        yield None, f"was not read beyond its line {request.after:,}: what follows {reason}"

    def _exchange(self, request: Request, coming: Sequence[Request]) -> Iterator[Found]:
        """Raises _StoppedError."""
        whole = False
        try:
            process = self._ask([request, *coming])
            while "end" not in (reply := process.reply()):
                yield reply["line"], reply.get("refusal") or _loaded(reply)
            self._asked.pop(0)
            self._served += 1
            whole = self._served < LIFETIME
        finally:
            if not whole:  # After a fault or an interrupt, what the process would say next is unknown.
                self.close()

    def _ask(self, requests: list[Request]) -> "_Process":
        """The process, which has been sent as many of these as it is good for."""
        if self._process and not (self._process.alive() and self._asked == requests[: len(self._asked)]):
            self.close()
        if self._process is None:
            self._process, self._served = _Process(self._program, self._seconds), 0
        for request in requests[len(self._asked) :]:
            line = json.dumps(vars(request)).encode() + b"\n"
            if self._asked and len(line) > _SENT_AHEAD:
                break
            self._process.send(line)
            self._asked.append(request)
        return self._process

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        self._asked.clear()
        if process is not None:
            process.close()


class _Process:
    """The process, and a thread that ends it when a reply is overdue."""

    def __init__(self, program: str, seconds: float) -> None:
        root = str(Path(__file__).parents[2])
        command = [sys.executable, "-P", "-c", program, root, str(MEMORY), str(seconds + 10)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdin and self._process.stdout
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._seconds = seconds
        self._deadline = math.inf
        self._overdue = False
        self._lock = threading.Lock()
        """Held where a reply may come and be overdue at the same moment."""
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._end_when_overdue, daemon=True)
        self._watch.start()

    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, request: bytes) -> None:
        with suppress(OSError):  # It has died, so there will be no reply.
            self._requests.write(request)
            self._requests.flush()

    def reply(self) -> dict[str, Any]:
        """Raises _StoppedError when it is not there in time, or not whole."""
        self._deadline = time.monotonic() + self._seconds
        reply = self._replies.readline(_REPLY)
        with self._lock:
            self._deadline = math.inf
        if self._overdue:
            raise _StoppedError(f"took longer than {self._seconds:g} seconds to read; divide it or leave it out")
        if not reply.endswith(b"\n"):
            raise _StoppedError("made its reader crash, so it is damaged or needs too much memory; leave it out")
        fields: dict[str, Any] = json.loads(reply)
        return fields

    def _end_when_overdue(self) -> None:
        left = self._seconds  # Nothing is overdue before, whenever somebody begins to wait.
        while not self._ended.wait(left):
            with self._lock:
                left = min(self._deadline - time.monotonic(), self._seconds)
                if left <= 0:
                    self._overdue = True
                    self._process.kill()
                    break

    def close(self) -> None:
        self._ended.set()
        self._process.kill()
        self._process.wait()
        self._watch.join()
        for pipe in (self._requests, self._replies):
            with suppress(OSError):  # A request that was never read cannot be flushed any more.
                pipe.close()


def _loaded(reply: dict[str, Any]) -> Loaded:
    fields = reply["document"]
    document = Document(**fields | {"pages": tuple(fields["pages"])})
    return Loaded(document, tuple(Span(start, end) for start, end in reply["spans"]))


def _reply(line: int | None, found: Loaded | str) -> dict[str, Any]:
    if isinstance(found, str):
        return {"line": line, "refusal": found}
    return {"line": line, "document": vars(found.document), "spans": [(span.start, span.end) for span in found.spans]}


def serve(memory: int, seconds: float) -> None:
    """Answer requests, one JSON object a line, until standard input ends.

    A request is answered by a line for each document, and by one for the end. `memory` bounds
    the address space, in bytes. A document that takes longer than `seconds` ends the process,
    which matters only when the parent, who is less patient, is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent is interrupted too, and ends this process.
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a parser prints must not be taken for a reply.

    def say(reply: dict[str, Any]) -> None:
        _end_after(0)
        replies.write(json.dumps(reply, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        replies.flush()

    for line in sys.stdin.buffer:
        request = Request(**json.loads(line))
        # Pages nest deeply; should the stack overflow, that is one more crash.
        sys.setrecursionlimit(1_000 if request.kind == "jsonl" else 100_000)
        _end_after(seconds)
        for number, found in parse(request):
            say(_reply(number, found))
            _end_after(seconds)
        say({"end": True})


def _end_after(seconds: float) -> None:
    """End this process then, where the system has an alarm for that; never where 0 is given."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)
