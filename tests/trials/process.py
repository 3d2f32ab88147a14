"""The parent's side of `child.py`."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_TESTS = Path(__file__).parents[1]
Event = dict[str, Any]


@cache
def _server() -> socket.socket:
    """The process that forks the children, as a connection; it ends with this one."""
    ours, theirs = socket.socketpair()
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", "trials.child", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(_TESTS), str(_TESTS.parent)])},
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    ours.settimeout(60)
    return ours


class Child:
    """A process that waits for its job. Leaving the `with` statement ends it."""

    def __init__(self, seconds: float = 600.0) -> None:
        """`seconds` is the longest that it may be silent or at work."""
        self._seconds = seconds
        self._code: int | None = None
        its_input, job = os.pipe()
        events, its_output = os.pipe()
        socket.send_fds(_server(), [b"fork"], [its_input, its_output])
        self.pid = int(_server().recv(100))
        os.close(its_input)
        os.close(its_output)
        self._job = os.fdopen(job, "w", encoding="utf-8")
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, args=[events], daemon=True).start()
        self.events: list[Event] = []
        self.noise: list[str] = []
        """What it printed beside the events."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def begin(self, **job: object) -> None:
        """Hand it the job."""
        with suppress(OSError), self._job as file:  # Where it has died, whoever waits for its result will see.
            file.write(json.dumps(job | {"temporary": tempfile.gettempdir()}) + "\n")

    def wait_for(self, key: str, value: object = None) -> Event | None:
        """The first event with this key (and value), None where the child ends without. Raises TimeoutError."""
        for event in chain(tuple(self.events), self._next()):
            if key in event and value in (None, event[key]):
                return event
        return None

    def result(self) -> Event:
        """What came of the job: the event with `done` or `refused`, or one with `crashed`."""
        for _ in self._next():
            pass  # Until it has ended.
        last = self.events[-1] if self.events else {}
        if "done" not in last and "refused" not in last:
            last = {"crashed": f"exit code {self._end()}: {' '.join(self.noise[-3:])}"}
            self.events.append(last)
        return last

    def kill(self) -> str:
        """End it and all that it started, at once; returns the step that it was at."""
        with suppress(OSError):
            self._job.close()
        if self._code is None:
            with suppress(ProcessLookupError, PermissionError):  # It is ending by itself.
                os.killpg(self.pid, signal.SIGKILL)
            self._end()
        for _ in self._next():
            pass
        return self.step()

    def step(self) -> str:
        """The step that it was at last."""
        if self.events and "done" in self.events[-1]:
            return "afterwards"
        return str(next((event["step"] for event in reversed(self.events) if "step" in event), "starting"))

    def steps(self) -> dict[str, float]:
        """When each step began, by the monotonic clock; the end counts as a step."""
        return {str(event.get("step", "end")): event["at"] for event in self.events if "at" in event}

    def _end(self) -> int:
        """Wait for its end, after which its number is no longer its own; returns the exit code."""
        if self._code is None:
            _server().send(b"%d" % self.pid)
            self._code = int(_server().recv(100))
        return self._code

    def _next(self) -> Iterator[Event]:
        end = time.monotonic() + self._seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                os.killpg(self.pid, signal.SIGKILL)
                raise TimeoutError(f"a child took longer than {self._seconds:g} seconds") from None
            if line is None:
                self._lines.put(None)
                return
            try:
                event: Event = json.loads(line)
            except ValueError:
                self.noise.append(line.strip())
                continue
            self.events.append(event)
            yield event

    def _listen(self, events: int) -> None:
        with os.fdopen(events, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)


def updated(index: Path, texts: Path, seconds: float = 600.0, **more: object) -> Child:
    """A child that has done an update, or tried to."""
    with Child(seconds) as child:
        child.begin(do="update", index=str(index), texts=str(texts), **more)
        child.result()
    return child
