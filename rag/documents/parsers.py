"""The formats of documents: how each is told, and what reads it.

Runs in the process of worker.py; each parser is imported when its first file comes.
"""

from collections.abc import Callable
from typing import IO

from rag.documents.delimited import read_delimited
from rag.documents.docx.reader import read_docx
from rag.documents.epub import read_epub
from rag.documents.html.reader import read_html
from rag.documents.parsed import FormatError, Parsed
from rag.documents.pdf.reader import read_pdf

SUFFIXES = {
    ".txt": "text",
    ".text": "text",
    ".log": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".epub": "epub",
}
"""The kind of document for each suffix."""
MEDIA_TYPES = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/plain": "text",
    "text/markdown": "markdown",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/pdf": "pdf",
}
"""The kind for each type that a web server may name."""
PLAIN = frozenset({"text", "markdown", "jsonl"})
"""Kinds that need no parser; FORMATS, at the end of this file, has the others."""
_START = 1024
"""Bytes that tell a format."""


def read(path: str, kind: str, charset: str | None = None) -> Parsed:
    """Read the file as `kind`, one of FORMATS.

    `charset` is the one that a server named for HTML. Raises FormatError with the reason;
    on a broken file a parser may raise anything else.
    """
    looks_right, reader = FORMATS[kind]
    with open(path, "rb") as file:
        start = file.read(_START)
        if len(start) < _START and not start.strip():
            raise FormatError("is empty; put text in it or leave it out")
        if start.startswith(b"\xd0\xcf\x11\xe0"):
            raise FormatError(
                "is an old Office file or protected by a password; save it as .docx without a password or leave it out"
            )
        if not looks_right(start):
            raise FormatError(f"does not look like {kind.upper()} inside; give it the right suffix or leave it out")
        file.seek(0)
        return reader(file, charset)


def _looks_like_html(start: bytes) -> bool:
    other = start.startswith((b"%PDF-", b"PK\x03\x04", b"\x89PNG", b"\xff\xd8\xff", b"GIF8"))
    utf_16 = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    return not other and (utf_16 or b"\0" not in start)


def _looks_like_pdf(start: bytes) -> bool:
    return b"%PDF-" in start


def _looks_like_archive(start: bytes) -> bool:
    return start.startswith(b"PK")


FORMATS: dict[str, tuple[Callable[[bytes], bool], Callable[[IO[bytes], str | None], Parsed]]] = {
    "html": (_looks_like_html, read_html),
    "csv": (lambda _: True, read_delimited),
    "pdf": (_looks_like_pdf, read_pdf),
    "docx": (_looks_like_archive, read_docx),
    "epub": (_looks_like_archive, read_epub),
}
"""For each kind, whether the first bytes of a file are of it, and what reads one, with the charset a server named.

A new one is added here, in SUFFIXES, and in MEDIA_TYPES if web servers give it.
"""
