"""The process that reads HTML, PDF, DOCX and EPUB: what hangs, crashes or eats memory there harms nothing here."""

import faulthandler
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from rag.formats import FormatError, Parsed, read

MEMORY = 2_000_000_000
"""Bytes of address space that a document may need, where the system can bound it."""
_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from rag.worker import serve
serve(int(sys.argv[2]), float(sys.argv[3]))
"""
LIFETIME = 500
"""Documents; then the process is replaced, for parsers leak."""


class Worker:
    """Starts with the first document. Close it when done.

    Not multiprocessing: its children import the caller's main module first, which here
    takes seconds and over 100 MB, and their address space could not be bounded as tightly.
    """

    def __init__(self, seconds: float, program: str = _PROGRAM) -> None:
        """`seconds` is the longest that one document may take; `program` is what the process runs."""
        self._seconds = seconds
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._served = 0

    def read(self, path: str, kind: str, charset: str | None = None) -> Parsed:
        """`formats.read` in the other process. Raises FormatError with the reason."""
        request = json.dumps({"path": path, "kind": kind, "charset": charset}).encode() + b"\n"
        trusted = False
        try:
            reply, overdue = self._exchange(request)
            complete = reply.endswith(b"\n")
            answer = json.loads(reply) if complete else {}
            trusted = complete and not overdue and "spent" not in answer and self._served < LIFETIME
        finally:
            if not trusted:  # After a fault or an interrupt, what the process would say next is unknown.
                self.close()
        if overdue and not complete:
            raise FormatError(f"took longer than {self._seconds:g} seconds to read; divide it or leave it out")
        if not complete:
            raise FormatError("made its reader crash, so it is damaged or needs too much memory; leave it out")
        if "error" in answer:
            raise FormatError(answer["error"])
        return Parsed(answer["title"], answer["text"], tuple(answer["pages"]))

    def _exchange(self, request: bytes) -> tuple[bytes, bool]:
        """The reply, cut short where the process died, and whether its time was up."""
        if self._process is None or self._process.poll() is not None:
            self._process, self._served = self._start(), 0
        process = self._process
        self._served += 1
        overdue = threading.Event()

        def stop() -> None:
            overdue.set()
            process.kill()

        assert process.stdin and process.stdout
        timer = threading.Timer(self._seconds, stop)
        timer.start()
        try:
            process.stdin.write(request)
            process.stdin.flush()
            reply = process.stdout.readline()
        except OSError:  # It died before it read the request.
            reply = b""
        finally:
            timer.cancel()
            timer.join()
        return reply, overdue.is_set()

    def _start(self) -> "subprocess.Popen[bytes]":
        root = str(Path(__file__).parents[1])
        command = [sys.executable, "-P", "-c", self._program, root, str(MEMORY), str(self._seconds + 10)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # A request that was never read cannot be flushed any more.
                if pipe:
                    pipe.close()


def _reply(request: dict[str, str | None]) -> dict[str, object]:
    try:
        parsed = read(str(request["path"]), str(request["kind"]), request["charset"])
    except FormatError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "needs too much memory to be read; divide it or leave it out", "spent": True}
    except ImportError as error:
        return {"error": f"needs the package {error.name!r}, which is not installed; install the requirements anew"}
    except Exception as error:  # noqa: BLE001 - a parser may raise anything; here it becomes the reason
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200].replace(".)", ")").rstrip(".")
        return {"error": f"cannot be read, it seems damaged ({reason}); save it anew or leave it out"}
    return asdict(parsed)


def serve(memory: int, seconds: float) -> None:
    """Answer requests, one JSON object a line, until standard input ends.

    `memory` bounds the address space, in bytes. A request that takes longer than `seconds`
    ends the process, which matters only when the parent, who is less patient, is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent is interrupted too, and ends this process.
    sys.setrecursionlimit(100_000)  # Pages nest deeply; should the stack overflow, that is one more crash.
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    replies = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    os.dup2(2, 1)  # What a parser prints must not be taken for a reply.
    for line in sys.stdin.buffer:
        faulthandler.dump_traceback_later(seconds, exit=True)
        replies.write(json.dumps(_reply(json.loads(line))) + "\n")
        replies.flush()
        faulthandler.cancel_dump_traceback_later()
