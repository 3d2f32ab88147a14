"""Files, folders and web addresses -> Documents; what cannot be read becomes a DocumentError, and the rest goes on."""

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from itertools import accumulate, pairwise
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from pathspec import GitIgnoreSpec

from rag import web
from rag.clean import clean, replace_surrogates
from rag.errors import DocumentError
from rag.formats import SUFFIXES, FormatError, Parsed, first_heading
from rag.text import decode, json_lines
from rag.types import Document
from rag.worker import Worker

BROKEN_LINES = 20
"""Lines of a JSONL file that are named when they cannot be read; the rest is counted."""


def find_sources(paths: Sequence[str], include: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[str]:
    """The documents of `paths`: files, folders with all that they hold, and web addresses; sorted, each once.

    In folders only files with a known suffix count; hidden ones, and links to folders, are left out.
    `include` and `exclude` are patterns as in .gitignore, relative to the folder named; with
    `include` only what matches is taken. A file named itself is held against them by its path
    and by its name. A folder that cannot be read is given as if it were a document, so that loading
    reports it. Raises DocumentError when a path does not exist or nothing is found.
    """
    included, excluded = _patterns(include), _patterns(exclude)

    def wanted(*names: str) -> bool:
        return (not include or any(map(included.match_file, names))) and not any(map(excluded.match_file, names))

    addresses = {path for path in paths if web.is_address(path)}
    files: dict[str, str] = {}
    for path in dict.fromkeys(path for path in paths if path not in addresses):
        if not os.path.exists(path):
            raise DocumentError(f"There is no file or folder {replace_surrogates(path)!r}; name one that exists.")
        folder = Path(path)
        if folder.is_dir():
            closed: list[Path] = []
            found = [folder / name for name in _walk(folder, excluded, closed) if wanted(name)] + closed
        else:
            found = [folder] if wanted(folder.as_posix(), folder.name) else []
        for file in found:
            files.setdefault(os.path.abspath(file), file.as_posix())
    if not files and not addresses:
        names = ", ".join(repr(replace_surrogates(path)) for path in paths)
        hint = "change the patterns or " if include or exclude else ""
        raise DocumentError(f"No document was found in {names}; {hint}put files there ({', '.join(SUFFIXES)}).")
    return sorted(files.values()) + sorted(addresses)


def _patterns(patterns: Sequence[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise DocumentError(f"A pattern of {', '.join(patterns)!r} cannot be used ({error}); correct it.") from error


def _walk(folder: Path, excluded: GitIgnoreSpec, closed: list[Path]) -> Iterator[str]:
    """The files with a known suffix, relative to `folder`; folders that cannot be read are added to `closed`."""
    for where, folders, names in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        below = Path(where).relative_to(folder)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and not excluded.match_file(f"{(below / name).as_posix()}/")
        ]
        for name in names:
            path = Path(where, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES and path.is_file():
                yield (below / name).as_posix()


@dataclass(frozen=True)
class _Fetched:
    """A page of the web, kept in a file until it is loaded."""

    path: str
    kind: str
    charset: str | None


class Loader:
    """Reads documents. Use it in a `with` statement: it may start a process and keep fetched pages."""

    def __init__(self, online: bool = False, seconds: float = 60.0, megabytes: int = 200) -> None:
        """`online` is the consent to fetch web addresses; `seconds` and `megabytes` bound each document."""
        self.online = online
        self._seconds = seconds
        self._megabytes = megabytes
        self._worker = Worker(seconds)
        self._fetched: dict[str, _Fetched] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.close()
        self._fetched.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def digest(self, source: str) -> str:
        """The SHA-256 of the bytes of `source`, in hex. A web page is fetched, and kept for `load`.

        Raises DocumentError when it cannot be read.
        """
        try:
            with self._open(self._fetch(source).path if web.is_address(source) else source, source) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(source, error) from error

    def load(self, source: str) -> Iterator[Document | DocumentError]:
        """The documents of `source`: one, or one for each line of JSONL (its source is `PATH#LINE`).

        What cannot be read is yielded as a DocumentError that names it, the reason and the next step.
        """
        try:
            if web.is_address(source):
                yield from self._load_address(source)
            else:
                kind = SUFFIXES.get(Path(source).suffix.lower(), "text")
                yield from self._load_file(source, kind, source)
        except FormatError as error:
            yield DocumentError(f"{replace_surrogates(source)!r} {error}.")
        except DocumentError as error:
            yield error
        except OSError as error:
            yield _unreadable(source, error)

    def _load_address(self, source: str) -> Iterator[Document | DocumentError]:
        page = self._fetch(source)
        try:
            yield from self._load_file(page.path, page.kind, source, page.charset)
        finally:
            del self._fetched[source]
            os.unlink(page.path)

    def _fetch(self, source: str) -> _Fetched:
        if source not in self._fetched:
            page = web.fetch(source, online=self.online, seconds=min(self._seconds, 30.0))
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="rag-")
            number, path = tempfile.mkstemp(dir=self._folder.name)
            with open(number, "wb") as file:
                file.write(page.content)
            self._fetched[source] = _Fetched(path, page.kind, page.charset)
        return self._fetched[source]

    def _open(self, path: str, source: str) -> BufferedReader:
        """The file, after a look at what and how large it is. Raises DocumentError."""
        try:
            file = open(path, "rb", opener=_open_now)  # noqa: SIM115 - the caller closes it
            status = os.fstat(file.fileno())
        except (OSError, ValueError) as error:
            raise _unreadable(source, error) from error
        problem = ""
        if not stat.S_ISREG(status.st_mode):
            problem = "is not an ordinary file; leave it out"
        elif status.st_size > self._megabytes * 1_000_000:
            problem = f"is larger than {self._megabytes} MB; divide it or leave it out"
        if problem:
            file.close()
            raise DocumentError(f"{replace_surrogates(source)!r} {problem}.")
        return file

    def _load_file(
        self, path: str, kind: str, source: str, charset: str | None = None
    ) -> Iterator[Document | DocumentError]:
        with self._open(path, source) as file:
            if kind == "jsonl":
                yield from _lines(file, source)
                return
            if kind in {"text", "markdown"}:
                text = decode(file.read(), charset)
                parsed = Parsed(first_heading(text) if kind == "markdown" else None, text)
            else:
                parsed = self._worker.read(path, kind, charset)
        yield _document(source, parsed)


def _unreadable(source: str, error: OSError | ValueError) -> DocumentError:
    reason = error.strerror if isinstance(error, OSError) else error
    return DocumentError(f"{replace_surrogates(source)!r} cannot be read ({reason}); check its name and permissions.")


def _open_now(path: str, flags: int) -> int:
    """Without waiting for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _lines(file: BufferedReader, source: str) -> Iterator[Document | DocumentError]:
    broken = sound = 0
    for number, item in json_lines(file):
        where = f"{source}#{number}"
        try:
            if isinstance(item, FormatError):
                raise item
            document = _document(source, item, number)
        except FormatError as error:
            broken += 1
            if broken <= BROKEN_LINES:
                yield DocumentError(f"{replace_surrogates(where)!r} {error}.")
        else:
            sound += 1
            yield document
    if broken > BROKEN_LINES:
        rest = broken - BROKEN_LINES
        yield DocumentError(f"{replace_surrogates(source)!r} has {rest} more lines that cannot be read; correct them.")
    if not broken and not sound:
        raise FormatError("is empty; put text in it or leave it out")


def _document(source: str, parsed: Parsed, line: int | None = None) -> Document:
    """Raises FormatError when the text is blank or not a text."""
    name = _name_in_words(source)
    if line is not None:
        source, name = f"{source}#{line}", f"{name} {line}"
    if "\0" in parsed.text:
        raise FormatError("holds NUL characters, so it is not a text; convert it or leave it out")
    text, pages = _cleaned(parsed)
    if not text.strip():
        raise FormatError("is empty; put text in it or leave it out")
    title = clean(" ".join((parsed.title or "").split())[:200]) or clean(name)
    # With the pages, or a text file would be cited by the pages of a PDF that holds the same.
    content = text if not pages else f"{pages}\0{text}"
    doc_id = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    titled = bool((parsed.title or "").strip())
    return Document(doc_id, replace_surrogates(source), title, text, pages, titled)


def _cleaned(parsed: Parsed) -> tuple[str, tuple[int, ...]]:
    """The text without what nobody sees, and where its pages start then."""
    borders = [*parsed.pages, len(parsed.text)] if parsed.pages else [0, len(parsed.text)]
    parts = [clean(parsed.text[a:b]) for a, b in pairwise(borders)]
    starts = accumulate((len(part) for part in parts[:-1]), initial=0)
    return "".join(parts), tuple(starts) if parsed.pages else ()


def _name_in_words(source: str) -> str:
    if web.is_address(source):
        parts = urlsplit(source)
        source = unquote(parts.path.rstrip("/")) or parts.netloc
    return Path(source).stem.replace("_", " ").replace("-", " ").strip().capitalize() or Path(source).name
