"""The bounded process that reads documents (worker.py): a bad one harms nothing here."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rag.documents.parsers import PLAIN
from rag.documents.worker import Found, Refusal, Request
from rag.types import Document, Loaded, Span

MEMORY = 2_000_000_000
"""Bytes of address space that a document may need, if the system can bound it."""
_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from rag.documents.worker import serve
serve(int(sys.argv[2]), float(sys.argv[3]))
"""
LIFETIME = 500
"""Files that need a parser; then the process is replaced, for parsers leak."""
MAX_CRASHES = 3
"""After so many crashes a JSONL file is still read on; with the next one its reading ends."""
_REPLY = 250_000_000
"""Bytes; no document that is taken has a longer reply (rag/documents/worker.py)."""
_SENT_AHEAD = 1_000
"""Bytes; a longer request waits: all that are sent must fit into the pipe, or both sides could wait for each other."""


class _StoppedError(Exception):
    """There is no reply; the message follows the document's name: "took longer than …"."""


class Sandbox:
    """Reads documents in a process that starts with the first. Close it when done.

    Not multiprocessing: its children import the caller's main module first, which here takes
    seconds and 200 MB, their address space could not be bounded as tightly, and what they
    answer is unpickled.
    """

    def __init__(self, seconds: float, program: str = _PROGRAM) -> None:
        """`seconds` is the longest that one document may take; `program` is what the process runs."""
        self._seconds = seconds
        self._program = program
        self._process: _Process | None = None
        self._asked: list[Request] = []
        self._parsed = 0

    def read(self, request: Request, coming: Sequence[Request] = ()) -> Iterator[Found]:
        """What `parse` finds in the process, or a refusal if that had to be ended.

        `coming` are the requests that will follow, which the process works on meanwhile.
        """
        for _ in range(MAX_CRASHES + 1):
            try:
                for line, found in self._exchange(request, coming):
                    request = replace(request, after=line or 0, refusal=None)
                    yield line, found
                return
            except _StoppedError as error:
                reason = str(error)
            if request.kind != "jsonl":
                yield None, Refusal(reason)
                return
            request = replace(request, refusal=reason)
        yield None, Refusal(f"was not read beyond its line {request.after:,}: what follows {reason}")

    def _exchange(self, request: Request, coming: Sequence[Request]) -> Iterator[Found]:
        """Raises _StoppedError."""
        whole = False
        try:
            process = self._ask([request, *coming])
            while "end" not in (reply := process.reply()):
                yield reply["line"], found_of(reply)
            self._asked.pop(0)
            self._parsed += request.kind not in PLAIN
            whole = self._parsed < LIFETIME
        finally:
            if not whole:  # After a fault or an interrupt, what the process would say next is unknown.
                self.close()

    def _ask(self, requests: list[Request]) -> "_Process":
        """The process, after sending it as many of the requests as fit."""
        if self._process and not (self._process.alive() and self._asked == requests[: len(self._asked)]):
            self.close()
        if self._process is None:
            self._process, self._parsed = _Process(self._program, self._seconds), 0
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
    """The process, which is ended when a reply is overdue."""

    def __init__(self, program: str, seconds: float) -> None:
        root = str(Path(__file__).parents[2])
        command = [sys.executable, "-P", "-c", program, root, str(MEMORY), str(seconds + 10)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdin and self._process.stdout
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._seconds = seconds
        self._due: float | None = None
        self._is_overdue = False
        self._closed = threading.Event()
        # One thread for all replies: one for each would take as long as a short text.
        self._watch = threading.Thread(target=self._end_when_overdue, daemon=True)
        self._watch.start()

    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, request: bytes) -> None:
        with suppress(OSError):  # It has died, so there will be no reply.
            self._requests.write(request)
            self._requests.flush()

    def _end_when_overdue(self) -> None:
        """Look when a reply is due, until the process is closed."""
        patience = self._seconds
        while not self._closed.wait(patience):
            due = self._due
            patience = self._seconds if due is None else due - time.monotonic()
            if patience <= 0:
                self._is_overdue = True
                self._process.kill()
                return

    def reply(self) -> dict[str, Any]:
        """Raises _StoppedError when it is not there in time, or not whole."""
        self._due = time.monotonic() + self._seconds
        try:
            reply = self._replies.readline(_REPLY)
        finally:
            self._due = None
        if self._is_overdue:
            raise _StoppedError(f"took longer than {self._seconds:g} seconds to read; divide it or leave it out")
        if not reply.endswith(b"\n"):
            raise _StoppedError("made its reader crash, so it is damaged or needs too much memory; leave it out")
        fields: dict[str, Any] = json.loads(reply)
        return fields

    def close(self) -> None:
        self._closed.set()
        self._watch.join()
        self._process.kill()
        self._process.wait()
        for pipe in (self._requests, self._replies):
            with suppress(OSError):  # A request that was never read cannot be flushed any more.
                pipe.close()


def found_of(reply: dict[str, Any]) -> Loaded | Refusal:
    """What the process found, from the fields of its reply."""
    if "reason" in reply:
        return Refusal(reply["reason"], reply["detail"])
    fields = reply["document"]
    document = Document(**fields | {"pages": tuple(fields["pages"])})
    spans = tuple(Span(start, end) for start, end in reply["spans"])
    return Loaded(document, spans, tuple(reply["left_out"]))
