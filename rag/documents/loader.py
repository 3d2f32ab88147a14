"""One file or web address -> its Documents, or a DocumentError that says why not."""

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from rag.documents import fetch as web
from rag.documents.parsers import SUFFIXES
from rag.documents.sandbox import Sandbox
from rag.documents.text import quoted
from rag.documents.worker import Found, Request
from rag.errors import DocumentError
from rag.types import Loaded

BROKEN_LINES = 20
"""Lines of a JSONL file that are named when they cannot be read; the rest is counted."""
MEGABYTES = 200
"""The largest file that is read."""
AHEAD = 8
"""How many sources should be read while the one before them is stored."""


class Loader:
    """Reads documents in a `with` statement: it starts a process and keeps fetched pages."""

    def __init__(self, online: bool = False, seconds: float = 60.0) -> None:
        """`online` is the consent to fetch web addresses; `seconds` bound each document."""
        self.online = online
        self._seconds = seconds
        self._sandbox = Sandbox(seconds)
        self._fetched: dict[str, Request] = {}
        self._coming: dict[str, Request] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sandbox.close()
        self._fetched.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def digest(self, source: str) -> str:
        """The SHA-256 of `source`; a web page is fetched and kept for `load`.

        Raises DocumentError when it cannot be read.
        """
        try:
            with self._open(self._located(source).path, source) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(source, error) from error

    def expect(self, sources: Mapping[str, str], words: int) -> None:
        """Tell what will be loaded, in this order, by its digests.

        A loader that reads on several machines begins with all of it.
        """

    def load(self, source: str, words: int, coming: Sequence[str] = ()) -> Iterator[Loaded | DocumentError]:
        """The documents of `source`, in passages of about `words` words.

        They are one, or one for each line of JSONL (its source is `PATH#LINE`). What cannot be
        read is yielded as a DocumentError that names it, the reason and the next step. `coming`
        are the sources that will be loaded next: they are read while this one is made use of.
        """
        try:
            yield from self._load(source, words, coming)
        except DocumentError as error:
            yield error
        except OSError as error:
            yield _unreadable(source, error)

    def _load(self, source: str, words: int, coming: Sequence[str]) -> Iterator[Loaded | DocumentError]:
        request = self._request(source, words)
        self._coming = dict(self._requests(coming, words))
        try:
            yield from _named(source, self._sandbox.read(request, list(self._coming.values())))
        finally:
            if self._fetched.pop(source, None):
                Path(request.path).unlink(missing_ok=True)

    def _requests(self, sources: Sequence[str], words: int) -> Iterator[tuple[str, Request]]:
        """The requests for the next sources, up to one that cannot be read."""
        with suppress(DocumentError, OSError):
            for source in sources:
                if web.is_address(source) and source not in self._fetched:
                    break
                yield source, self._request(source, words)

    def _request(self, source: str, words: int) -> Request:
        """Raises DocumentError, OSError."""
        if (made := self._coming.get(source)) and made.words == words:
            return made
        request = replace(self._located(source), words=words)
        self._open(request.path, source).close()
        return request

    def _located(self, source: str) -> Request:
        """The request for a file, or for the copy of a fetched page."""
        if not web.is_address(source):
            kind = SUFFIXES.get(Path(source).suffix.lower(), "text")
            return Request(os.path.abspath(source), kind, source, _name_in_words(source))
        if source not in self._fetched:
            page = web.fetch(source, online=self.online, seconds=min(self._seconds, 30.0))
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="rag-")
            number, path = tempfile.mkstemp(dir=self._folder.name)
            with open(number, "wb") as file:
                file.write(page.content)
            self._fetched[source] = Request(path, page.kind, source, _name_in_words(source), charset=page.charset)
        return self._fetched[source]

    def _open(self, path: str, source: str) -> BufferedReader:
        """The file, if it is an ordinary one and not too large. Raises DocumentError."""
        try:
            file = open(path, "rb", opener=_open_now)  # noqa: SIM115 - the caller closes it
            status = os.fstat(file.fileno())
        except (OSError, ValueError) as error:
            raise _unreadable(source, error) from error
        problem = ""
        if not stat.S_ISREG(status.st_mode):
            problem = "is not an ordinary file; leave it out"
        elif status.st_size > MEGABYTES * 1_000_000:
            problem = f"is larger than {MEGABYTES} MB; divide it or leave it out"
        if problem:
            file.close()
            raise DocumentError(f"{quoted(source)} {problem}.")
        return file


def _unreadable(source: str, error: OSError | ValueError) -> DocumentError:
    reason = error.strerror if isinstance(error, OSError) else error
    return DocumentError(f"{quoted(source)} cannot be read ({reason}); check its name and permissions.")


def _open_now(path: str, flags: int) -> int:
    """Without waiting for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _named(source: str, found: Iterator[Found]) -> Iterator[Loaded | DocumentError]:
    """What was found; refusals become DocumentErrors, of many broken lines the rest is counted."""
    broken = 0
    for line, one in found:
        if isinstance(one, Loaded):
            yield one
            continue
        broken += line is not None
        if broken <= BROKEN_LINES or line is None:
            name = source if line is None else f"{source}#{line}"
            yield DocumentError(f"{quoted(name)} {one.reason}.", one.detail)
    if broken > BROKEN_LINES:
        rest = broken - BROKEN_LINES
        yield DocumentError(f"{quoted(source)} has {rest} more lines that cannot be read; correct them.")


def _name_in_words(source: str) -> str:
    if web.is_address(source):
        parts = urlsplit(source)
        source = unquote(parts.path.rstrip("/")) or parts.netloc
    return Path(source).stem.replace("_", " ").replace("-", " ").strip().capitalize() or Path(source).name
