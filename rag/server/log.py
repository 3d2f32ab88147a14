"""Metrics for Prometheus, and the log: one JSON line a question, without its text."""

import hashlib
import json
import logging
import re
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO

import gradio.queueing
import gradio.route_utils
import gradio.routes
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from rag.errors import BusyError, QuestionError, RagError, StoreError, with_detail
from rag.settings import ServerSettings
from rag.types import Answer

_LOG = logging.getLogger(__name__)
_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LINE = 8_000
"""Characters of a line of the log."""
_CUTS = (6_000, 2_000, 500, 100, 20)
"""Characters of each text in it: the first of these with which it fits."""
_FRAMES = 30
"""Of a trace, the last ones."""
_STEPS = (0.03, 0.1, 0.3, 1, 2, 5, 10, 20, 40, 80, 160)
"""Seconds at which the histograms are divided."""


def make_request_id(given: str = "") -> str:
    """The id that a client gave its request, or a new one."""
    return given if _GOOD_ID.fullmatch(given) else uuid.uuid4().hex


@dataclass
class Record:
    """One question as it goes on. Seconds count from `began`."""

    channel: str
    owner: str
    question: str
    request_id: str
    began: float = field(default_factory=time.perf_counter)
    outcome: str = "failed"
    found: float | None = None
    first: float | None = None
    answer: Answer | None = None

    def see(self, event: object) -> None:
        """Note the hits, the first piece and the answer among the events."""
        match event:
            case Answer():
                self.answer = event
                self.outcome = "quoted" if event.near else "abstained" if event.abstained else "answered"
            case str():
                self.first = self.first or self.seconds()
            case list():
                self.found = self.found or self.seconds()

    def seconds(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self.began


class Monitor:
    """Counts, times and logs questions, without their text unless asked for it.

    A channel is the page, HTTP, OpenAI's API, gradio_client or MCP.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._with_text = settings.log_questions
        self.registry = CollectorRegistry()
        self._asked = Counter(
            "rag_questions", "Questions by channel and outcome.", ["channel", "outcome"], registry=self.registry
        )
        self._found = self._histogram("rag_passages_seconds", "Seconds until the passages were found.")
        self._first = self._histogram("rag_first_token_seconds", "Seconds until the model wrote its first word.")
        self._total = self._histogram("rag_answer_seconds", "Seconds until the end of an answer.")

    def gauge(self, name: str, description: str, value: Callable[[], float]) -> None:
        """Show what `value` gives whenever the metrics are read."""
        Gauge(name, description, registry=self.registry).set_function(value)

    @contextmanager
    def question(self, record: Record) -> Generator[Record, None, None]:
        """Count and log one question at its end, also if it fails or is abandoned."""
        error: BaseException | None = None
        try:
            yield record
        except BaseException as raised:
            error = raised
            if record.answer is None:
                record.outcome = _outcome(raised)
            raise
        finally:
            self._note(record, error)

    def metrics(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self.registry)

    def _histogram(self, name: str, description: str) -> Histogram:
        return Histogram(name, description, registry=self.registry, buckets=_STEPS)

    def _note(self, record: Record, error: BaseException | None) -> None:
        total, answer = record.seconds(), record.answer
        self._asked.labels(record.channel, record.outcome).inc()
        for histogram, seconds in (
            (self._found, record.found), (self._first, record.first), (self._total, total if answer else None)
        ):  # fmt: skip
            if seconds is not None:
                histogram.observe(seconds)
        fields = {
            "request_id": record.request_id,
            "owner": hashed(record.owner),
            "channel": record.channel,
            "outcome": record.outcome,
            "seconds": round(total, 3),
            "confidence": round(answer.confidence, 3) if answer else None,
            "citations": len(answer.citations) if answer else None,
        }
        if isinstance(error, RagError):
            fields["reason"] = with_detail(error) if self._with_text else reason(error)
        if self._with_text:
            fields["question"] = record.question
        unforeseen = record.outcome == "failed" and not isinstance(error, RagError)
        level = logging.ERROR if unforeseen else logging.WARNING if record.outcome == "failed" else logging.INFO
        _LOG.log(level, "question", extra={"fields": fields}, exc_info=error if unforeseen else None)


def reason(error: RagError) -> str:
    """What an operator needs to know of an error, without the text of a question."""
    said = str(error) if isinstance(error, StoreError) else error.detail
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _outcome(error: BaseException) -> str:
    if isinstance(error, GeneratorExit):
        return "stopped"
    return "refused" if isinstance(error, BusyError | QuestionError) else "failed"


def hashed(owner: str) -> str:
    """A short name for an owner that does not name it."""
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class JsonLines(logging.Formatter):
    """Each record as one line of JSON of at most LINE characters.

    Of an exception it has the type and the trace; its message, and what other packages say, which may quote a
    question, are given only `with_text`.
    """

    def __init__(self, with_text: bool = False) -> None:
        super().__init__()
        self._with_text = with_text

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._said(record),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            kind, error, trace = record.exc_info
            entry["error"] = f"{kind.__name__}: {error}" if self._with_text else kind.__name__
            entry["trace"] = "".join(traceback.format_tb(trace, -_FRAMES))
        return next(line for most in _CUTS if len(line := json.dumps(_cut(entry, most))) <= LINE)

    def _said(self, record: logging.LogRecord) -> str:
        if self._with_text or record.name.partition(".")[0] == "rag":
            return record.getMessage()
        if record.name == "py.warnings":
            return ": ".join(record.getMessage().split(": ", 2)[:2])  # The place and the kind of a warning.
        return f"{record.pathname}:{record.lineno}"


def _cut(entry: dict[str, object], most: int) -> dict[str, object]:
    """The entry with each text cut to so many characters, a trace to its end."""
    short: dict[str, object] = {}
    for name, value in entry.items():
        if isinstance(value, int | float | None):
            short[name] = value
            continue
        text = str(value)
        cut = f"… {text[-most:]}" if name == "trace" else f"{text[:most]} …"
        short[name] = text if len(text) <= most else cut
    return short


def start_logging(settings: ServerSettings, stream: IO[str] | None = None) -> None:
    """Write this process's log as JSON lines to `stream` or stderr; for entry points only."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(settings.log_questions))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    logging.getLogger("rag").setLevel(logging.INFO)
    threading.excepthook = sys.unraisablehook = _log_uncaught
    for module in (gradio.queueing, gradio.routes, gradio.route_utils):
        module.traceback = _ToLog  # type: ignore[attr-defined]


def _log_uncaught(found: "threading.ExceptHookArgs | sys.UnraisableHookArgs") -> None:
    """Log what Python would print of an exception, with its message."""
    kind, error = found.exc_type, found.exc_value
    if error is not None:
        _LOG.error("Something failed that nobody waits for.", exc_info=(kind, error, found.exc_traceback))


class _ToLog:
    """In place of `traceback`: logs what Gradio would print, with values of readers in it."""

    @staticmethod
    def print_exc() -> None:
        _LOG.error("An event of the page failed.", exc_info=True)
