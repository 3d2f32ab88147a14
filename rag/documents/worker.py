"""Inside the bounded process of sandbox.py: one file -> its Documents and their passages."""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from rag.bounds import TITLE
from rag.documents.blobs import without_data
from rag.documents.encoding import decode
from rag.documents.language import language_of
from rag.documents.parsed import FormatError, Parsed, first_heading, own_title
from rag.documents.parsers import PLAIN, read
from rag.documents.splitter import passage_spans
from rag.documents.text import clean, json_line, lines, replace_surrogates
from rag.types import Document, Loaded

CHARACTERS = 20_000_000
"""The longest text of a document: what PASSAGES hold of the longest words."""
PASSAGES = 20_000
"""The most that a document may have, four times War and Peace: the embedder takes minutes for them."""


@dataclass(frozen=True)
class Request:
    """The file at `path`, to be read as `kind` into passages of about `words` words.

    `name` is its title if it has none, `charset` the one that a server named. Of JSONL the
    lines up to `after` are skipped, and the next is refused with the reason `refusal`, if given.
    """

    path: str
    kind: str
    source: str
    name: str
    words: int = 110
    charset: str | None = None
    after: int = 0
    refusal: str | None = None


@dataclass(frozen=True)
class Refusal:
    """Why a document cannot be read; `reason` follows its name, `detail` is for the operator."""

    reason: str
    detail: str = ""


Found = tuple[int | None, Loaded | Refusal]
"""A document or why it is none, with the number of its line in a file of JSONL."""


def serve(memory: int, seconds: float) -> None:
    """Answer requests, one JSON object a line, until standard input ends.

    The answer is a line for each document, and one for the end. `memory` bounds the address
    space, in bytes. A document that takes longer than `seconds` ends the process; the parent is
    less patient, so this matters only if it is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent is interrupted too, and ends this process.
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a parser prints must not be taken for a reply.

    def reply(fields: dict[str, Any]) -> None:
        _end_after(0)
        replies.write(json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        replies.flush()

    for line in sys.stdin.buffer:
        request = Request(**json.loads(line))
        # Pages nest deeply; should the stack overflow, that is one more crash.
        sys.setrecursionlimit(1_000 if request.kind == "jsonl" else 100_000)
        _end_after(seconds)
        for number, found in parse(request):
            reply({"line": number, **(fields_of(found) if isinstance(found, Loaded) else vars(found))})
            _end_after(seconds)
        reply({"end": True})


def fields_of(loaded: Loaded) -> dict[str, Any]:
    """A document as JSON holds it, of which sandbox.py makes it again."""
    spans = [(span.start, span.end) for span in loaded.spans]
    return {"document": vars(loaded.document), "spans": spans, "left_out": loaded.left_out}


def _end_after(seconds: float) -> None:
    """End this process after so many seconds, if the system has alarms; 0 cancels that."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


def parse(request: Request) -> Iterator[Found]:
    """The document in a file, or those in its lines. Raises nothing but MemoryError."""
    if request.kind != "jsonl":
        yield None, _made(request, partial(_read, request))
        return
    refusal, empty = request.refusal, True
    try:
        with open(request.path, "rb") as file:
            for number, line in lines(file):
                empty = False
                if number > request.after:
                    yield number, Refusal(refusal) if refusal else _made(request, partial(json_line, line), number)
                    refusal = None
    except OSError as error:
        yield None, _unreadable(error)
        return
    if empty:
        yield None, Refusal("is empty; put text in it or leave it out")


def _read(request: Request) -> Parsed:
    """Raises FormatError; a parser may raise anything."""
    if request.kind not in PLAIN:
        return read(request.path, request.kind, request.charset)
    decoded = decode(Path(request.path).read_bytes(), request.charset)
    text, left_out = without_data(decoded.text)
    title = first_heading(text) if request.kind == "markdown" else None
    return Parsed(title, text, left_out=(*decoded.left_out(), *left_out))


def _made(request: Request, read_one: Callable[[], Parsed], line: int | None = None) -> Loaded | Refusal:
    try:
        return _loaded(request, read_one(), line)
    except FormatError as error:
        return Refusal(str(error))
    except MemoryError:  # Nobody knows how much of it would be given back.
        raise
    except Exception as error:  # noqa: BLE001 - a parser may raise anything; here it becomes the reason
        return _unreadable(error)


def _unreadable(error: Exception) -> Refusal:
    if isinstance(error, ImportError):
        return Refusal(f"needs the package {error.name!r}, which is not installed; install the requirements anew")
    if isinstance(error, OSError) and error.strerror:
        return Refusal(f"cannot be read ({error.strerror}); check its name and permissions")
    said = " ".join(str(error).split())[:200].replace(".)", ")").rstrip(".")
    reason = f"cannot be read, it seems damaged{f' ({said})' if said else ''}; save it anew or leave it out"
    return Refusal(reason, type(error).__name__)


def _loaded(request: Request, parsed: Parsed, line: int | None) -> Loaded:
    """Raises FormatError when the text is blank, too long or not a text."""
    source, name = request.source, request.name
    if line is not None:
        source, name = f"{source}#{line}", f"{name} {line}"
    if "\0" in parsed.text:
        raise FormatError("holds NUL characters, so it is not a text; convert it or leave it out")
    if len(parsed.text) > CHARACTERS:
        raise FormatError(f"holds more than {CHARACTERS:,} characters; divide it or leave it out")
    text, pages = _cleaned(parsed)
    if not text.strip():
        raise FormatError("is empty; put text in it or leave it out")
    named = own_title(parsed.title) or (own_title(first_heading(text)) if parsed.title else None) or ""
    title = clean(named[:TITLE]).strip()
    # With the pages, or a text file would be cited by the pages of a PDF that holds the same.
    content = text if not pages else f"{pages}\0{text}"
    doc_id = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    language = language_of(text)
    spans = tuple(passage_spans(text, request.words, language))
    if len(spans) > PASSAGES:
        raise FormatError(f"makes {len(spans):,} passages, where {PASSAGES:,} can be taken; divide it or leave it out")
    document = Document(
        doc_id, replace_surrogates(source), title or clean(name)[:TITLE], text, pages, bool(title), language
    )
    return Loaded(document, spans, parsed.left_out)


def _cleaned(parsed: Parsed) -> tuple[str, tuple[int, ...]]:
    """The text without what nobody sees, and the offsets of its pages then."""
    borders = [*parsed.pages, len(parsed.text)] if parsed.pages else [0, len(parsed.text)]
    parts = [clean(parsed.text[a:b]) for a, b in pairwise(borders)]
    starts = accumulate((len(part) for part in parts[:-1]), initial=0)
    return "".join(parts), tuple(starts) if parsed.pages else ()
