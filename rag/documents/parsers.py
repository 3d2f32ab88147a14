"""HTML, PDF, DOCX and EPUB files -> title, text and pages.

Runs in the process of worker.py; each parser is imported when its first file comes.
"""

import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from rag.documents.html import AROUND, NOT_SHOWN, main_text, markdown, reduce, soup, tidy, title_of

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

SUFFIXES = {
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".jsonl": "jsonl",
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
    "application/pdf": "pdf",
}
"""The kind for each type that a web server may name."""
PLAIN = frozenset({"text", "markdown", "jsonl"})
"""Kinds that need no parser; FORMATS, at the end of this file, has the others."""
UNPACKED_LIMIT = 500_000_000
"""Bytes that an archive may unpack to."""
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$", re.MULTILINE)
_LETTER = re.compile(r"[^\W\d_]")
_START = 1024
"""Bytes that tell a format."""
_HYPHEN_AT_LINE_END = re.compile(r"(?<=\w)(?:[\x02\ufffe]\n?|[-\u2010\u00ad]\n)(?=(\w))")
_ENOUGH = 0.4
"""The share of a page's text, without links and navigation, that its main text must hold."""
_NO_TITLE = re.compile(
    r"\A(untitled|unknown|(document|slide|presentation)\s*\d*|microsoft (word|powerpoint) - .*"
    r"|.*\.(docx?|dvi|html?|indd|odt|pdf|pptx?|ps|qxd|rtf|tex|txt))\Z",
    re.IGNORECASE,
)


class FormatError(Exception):
    """A file cannot be read; the message follows its name: "is empty; leave it out"."""


@dataclass(frozen=True)
class Parsed:
    """A document's title, if it names one, its text, and the offsets of its pages."""

    title: str | None
    text: str
    pages: tuple[int, ...] = ()


def first_heading(text: str) -> str | None:
    """The first Markdown heading of `text` without its marks, None without one."""
    for match in _HEADING.finditer(text):
        heading = match[1].strip()
        opened = heading.rstrip("#")
        if opened != opened.rstrip() or not opened:  # "## Pond ##", but not "# C#"
            heading = opened.rstrip()
        if heading:
            return heading
    return None


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


def read_html(file: IO[bytes], charset: str | None) -> Parsed:
    """The main text of a page, or all if that lacks too much. Raises FormatError."""
    from bs4.dammit import UnicodeDammit

    html = UnicodeDammit(file.read(), [charset] if charset else [], is_html=True).unicode_markup
    if html is None or "\0" in html:
        raise FormatError("is not a text in an encoding that could be told; save it as UTF-8")
    page = soup(html)
    title = title_of(page)
    reduce(page, NOT_SHOWN)
    text = main_text(str(page))
    reduce(page, AROUND)
    own = sum(len(piece.strip()) for piece in page.strings if not piece.find_parent("a"))
    if len(text) < own * _ENOUGH or not text:
        text = markdown(page) or markdown(soup(html))
    return Parsed(title or first_heading(text), text)


def _read_pdf(file: IO[bytes], _: str | None) -> Parsed:
    """Page by page with PDFium."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise FormatError("is protected by a password; save it without one or leave it out") from error
        raise
    with document:
        texts = list(_page_texts(document))
        title = str(document.get_metadata_value("Title")).strip()
    pages = accumulate((len(text) + 2 for text in texts[:-1]), initial=0)
    whole = "\n\n".join(texts)
    if not whole.strip():
        raise FormatError("holds no text, probably only images of pages; run OCR on it first")
    if not _LETTER.search(title) or _NO_TITLE.match(title):
        title = next(line for line in whole.splitlines() if line.strip())
    return Parsed(title if 3 <= len(title) <= 150 else None, whole, tuple(min(page, len(whole)) for page in pages))


def _page_texts(document: "PdfDocument") -> Iterator[str]:
    for page in document:
        text_page = page.get_textpage()
        text = text_page.get_text_bounded().replace("\r\n", "\n").replace("\r", "\n")
        # PDFium puts U+0002 or U+FFFE where it has joined a word divided at a line's end.
        text = _HYPHEN_AT_LINE_END.sub(lambda match: "" if match[1].islower() else "-", text)
        yield tidy(text)
        text_page.close()
        page.close()


@contextmanager
def _archive(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """Raises FormatError if it unpacks to too much, or has a password."""
    with zipfile.ZipFile(file) as archive:
        if sum(info.file_size for info in archive.infolist()) > UNPACKED_LIMIT:
            raise FormatError(f"unpacks to more than {UNPACKED_LIMIT // 1_000_000} MB; leave it out")
        if any(info.flag_bits & 1 for info in archive.infolist()):
            raise FormatError("is protected by a password; save it without one or leave it out")
        yield archive


def _xml(archive: zipfile.ZipFile, name: str) -> Element | None:
    """The parsed member, None if there is none; entities are refused."""
    from defusedxml.ElementTree import fromstring

    return cast(Element, fromstring(archive.read(name))) if name in archive.namelist() else None


def _read_docx(file: IO[bytes], _: str | None) -> Parsed:
    """By mammoth, whose XML parser expands entities: a strict one reads each part first."""
    import mammoth

    with _archive(file) as archive:
        for name in archive.namelist():
            if name.endswith((".xml", ".rels")):
                _xml(archive, name)
        core = _xml(archive, "docProps/core.xml")
    title = core.findtext("{http://purl.org/dc/elements/1.1/}title") if core is not None else None
    style = "p[style-name='Title'] => h1:fresh"
    text = markdown(soup(mammoth.convert_to_html(file, style_map=style, convert_image=lambda _: []).value))
    return Parsed((title or "").strip() or first_heading(text), text)


def _read_epub(file: IO[bytes], _: str | None) -> Parsed:
    """The chapters in the order of the spine."""
    with _archive(file) as archive:
        package, chapters = _chapters(archive)
    text = "\n\n".join(chapter for chapter in chapters if chapter)
    title = package.findtext("{*}metadata/{http://purl.org/dc/elements/1.1/}title")
    return Parsed((title or "").strip() or first_heading(text), text)


def _chapters(archive: zipfile.ZipFile) -> tuple[Element, list[str]]:
    """The package's own description, and the text of each chapter."""
    container = _xml(archive, "META-INF/container.xml")
    root = container.find(".//{*}rootfile") if container is not None else None
    path = root.get("full-path", "") if root is not None else ""
    package = _xml(archive, path)
    if package is None:
        raise FormatError("names no list of its chapters, so it is damaged; convert it anew or leave it out")
    items = {item.get("id"): unquote(item.get("href", "")) for item in package.iterfind("{*}manifest/{*}item")}
    spine = [items.get(item.get("idref")) for item in package.iterfind("{*}spine/{*}itemref")]
    names = [posixpath.normpath(posixpath.join(posixpath.dirname(path), href)) for href in spine if href]
    if _encrypted(archive) & set(names):
        raise FormatError("is protected against copying (DRM); leave it out")
    present = set(archive.namelist())
    return package, [markdown(soup(archive.read(name))) for name in names if name in present]


def _encrypted(archive: zipfile.ZipFile) -> set[str]:
    listed = _xml(archive, "META-INF/encryption.xml")
    references = listed.iterfind(".//{*}CipherReference") if listed is not None else ()
    return {unquote(reference.get("URI", "")) for reference in references}


FORMATS: dict[str, tuple[Callable[[bytes], bool], Callable[[IO[bytes], str | None], Parsed]]] = {
    "html": (_looks_like_html, read_html),
    "pdf": (_looks_like_pdf, _read_pdf),
    "docx": (_looks_like_archive, _read_docx),
    "epub": (_looks_like_archive, _read_epub),
}
"""For each kind, whether the first bytes of a file are of it, and what reads one, with the charset a server named.

A new one is added here, in SUFFIXES, and in MEDIA_TYPES if web servers give it.
"""
