"""HTML, PDF, DOCX and EPUB files -> title, text and pages.

Runs in the process of worker.py; each parser is imported when its first file comes.
"""

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import unquote
from xml.etree.ElementTree import Element

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
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
PLAIN = frozenset({"text", "markdown", "jsonl"})
"""Kinds that need no parser."""
UNPACKED_LIMIT = 500_000_000
"""Bytes that an archive may unpack to."""
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$", re.MULTILINE)
_EMPTY_LINES = re.compile(r"\n{3,}")
_LETTER = re.compile(r"[^\W\d_]")
_START = 1024
"""Bytes that tell a format."""
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u00ad\u200b\ufeff\ufffe\uffff]")
_HYPHEN_AT_LINE_END = re.compile(r"(?<=\w)(?:[\x02\ufffe]\n?|[-\u2010\u00ad]\n)(?=(\w))")
_NOT_SHOWN = "head, script, style, template, noscript, iframe, svg, [hidden]"
_ONLY_WRAPS = "a, b, big, code, del, em, font, i, s, small, span, strong, sub, sup, u, pre:has(> pre)"
"""Tags that leave no trace in the Markdown; the last is how trafilatura gives code."""
_AROUND = "nav, footer, aside, form, button, [role=navigation]"
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
    """Read the file as `kind`: "html", "pdf", "docx" or "epub".

    `charset` is the one that a server named for HTML. Raises FormatError with the reason;
    on a broken file a parser may raise anything else.
    """
    with open(path, "rb") as file:
        _check_start(file.read(_START), kind)
        file.seek(0)
        if kind == "html":
            return read_html(file.read(), charset)
        return _read_pdf(file) if kind == "pdf" else _read_archive(file, kind)


def _check_start(start: bytes, kind: str) -> None:
    """Raises FormatError if the first bytes show that the suffix is wrong."""
    if len(start) < _START and not start.strip():
        raise FormatError("is empty; put text in it or leave it out")
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        raise FormatError(
            "is an old Office file or protected by a password; save it as .docx without a password or leave it out"
        )
    if kind == "html":
        other = start.startswith((b"%PDF-", b"PK\x03\x04", b"\x89PNG", b"\xff\xd8\xff", b"GIF8"))
        utf_16 = start.startswith((b"\xff\xfe", b"\xfe\xff"))
        right = not other and (utf_16 or b"\0" not in start)
    else:
        right = b"%PDF-" in start if kind == "pdf" else start.startswith(b"PK")
    if not right:
        raise FormatError(f"does not look like {kind.upper()} inside; give it the right suffix or leave it out")


def read_html(content: bytes, charset: str | None = None) -> Parsed:
    """The main text of a page, or all if trafilatura leaves out too much. Raises FormatError."""
    from bs4.dammit import UnicodeDammit

    html = UnicodeDammit(content, [charset] if charset else [], is_html=True).unicode_markup
    if html is None or "\0" in html:
        raise FormatError("is not a text in an encoding that could be told; save it as UTF-8")
    page = soup(html)
    title = _html_title(page)
    _reduce(page, _NOT_SHOWN)
    text = _main_text(str(page))
    _reduce(page, _AROUND)
    own = sum(len(piece.strip()) for piece in page.strings if not piece.find_parent("a"))
    if len(text) < own * _ENOUGH or not text:
        text = markdown(page) or markdown(soup(html))
    return Parsed(title or first_heading(text), text)


def _main_text(html: str) -> str:
    from trafilatura import extract
    from trafilatura.settings import use_config

    # Below its usual minimum it gives all text as one paragraph, menus and all.
    config = use_config()
    config.set("DEFAULT", "MIN_EXTRACTED_SIZE", "1")
    main = extract(html, output_format="html", include_formatting=True, include_comments=False, config=config)
    return markdown(soup(main)) if main else ""


def _html_title(page: "BeautifulSoup") -> str | None:
    named = page.find("meta", property="og:title")
    title = str(named.get("content") or "").strip() if named else ""
    return title or (page.title.get_text().strip() if page.title else "") or None


def soup(html: str | bytes) -> "BeautifulSoup":
    from bs4 import BeautifulSoup

    return BeautifulSoup(html, "lxml")


def markdown(page: "BeautifulSoup") -> str:
    """`page` as paragraphs, lists, tables and `#` headings, without links, images and emphasis."""
    from markdownify import MarkdownConverter

    _reduce(page, _NOT_SHOWN, _ONLY_WRAPS)
    converter = MarkdownConverter(
        heading_style="ATX",
        bullets="-",
        strip=["img"],
        escape_asterisks=False,
        escape_underscores=False,
        table_infer_header=True,
        newline_style="BACKSLASH",
    )
    return _tidy(str(converter.convert_soup(page)).replace("\\\n", "\n"))


def _reduce(page: "BeautifulSoup", dropped: str, unwrapped: str | None = None) -> None:
    """Remove the tags that `dropped` selects, and replace the `unwrapped` ones by their content.

    The strings around them are joined. The time of bs4's own methods for that grows with the
    square of the number of tags.
    """
    from bs4.element import NavigableString, PreformattedString

    drop = {id(tag): tag for tag in page.select(dropped)}
    unwrap = {id(tag): tag for tag in page.select(unwrapped)} if unwrapped else {}
    gone = drop | unwrap
    parents = {id(tag.parent): tag.parent for tag in gone.values() if tag.parent and id(tag.parent) not in gone}
    for parent in parents.values():
        strings: list[str] = []
        waiting = parent.contents[::-1]
        while waiting:
            child = waiting.pop()
            if id(child) in unwrap and id(child) not in drop:
                waiting += unwrap[id(child)].contents[::-1]
            if id(child) in gone:
                child.extract()
            elif isinstance(child, NavigableString) and not isinstance(child, PreformattedString):
                strings.append(child.extract())
            else:
                if strings:
                    parent.append("".join(strings))
                    strings = []
                parent.append(child)
        if strings:
            parent.append("".join(strings))


def _tidy(text: str) -> str:
    text = _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " "))
    text = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    return _EMPTY_LINES.sub("\n\n", text).strip()


def _read_pdf(file: IO[bytes]) -> Parsed:
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
        yield _tidy(text)
        text_page.close()
        page.close()


def _read_archive(file: IO[bytes], kind: str) -> Parsed:
    with zipfile.ZipFile(file) as archive:
        if sum(info.file_size for info in archive.infolist()) > UNPACKED_LIMIT:
            raise FormatError(f"unpacks to more than {UNPACKED_LIMIT // 1_000_000} MB; leave it out")
        if any(info.flag_bits & 1 for info in archive.infolist()):
            raise FormatError("is protected by a password; save it without one or leave it out")
        return _read_docx(file, archive) if kind == "docx" else _read_epub(archive)


def _xml(archive: zipfile.ZipFile, name: str) -> Element | None:
    """The parsed member, None if there is none; entities are refused."""
    from defusedxml.ElementTree import fromstring

    return cast(Element, fromstring(archive.read(name))) if name in archive.namelist() else None


def _read_docx(file: IO[bytes], archive: zipfile.ZipFile) -> Parsed:
    """By mammoth, whose XML parser expands entities: a strict one reads each part first."""
    import mammoth

    for name in archive.namelist():
        if name.endswith((".xml", ".rels")):
            _xml(archive, name)
    core = _xml(archive, "docProps/core.xml")
    title = core.findtext("{http://purl.org/dc/elements/1.1/}title") if core is not None else None
    style = "p[style-name='Title'] => h1:fresh"
    text = markdown(soup(mammoth.convert_to_html(file, style_map=style, convert_image=lambda _: []).value))
    return Parsed((title or "").strip() or first_heading(text), text)


def _read_epub(archive: zipfile.ZipFile) -> Parsed:
    """The chapters in the order of the spine."""
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
    chapters = [markdown(soup(archive.read(name))) for name in names if name in present]
    text = "\n\n".join(chapter for chapter in chapters if chapter)
    title = package.findtext("{*}metadata/{http://purl.org/dc/elements/1.1/}title")
    return Parsed((title or "").strip() or first_heading(text), text)


def _encrypted(archive: zipfile.ZipFile) -> set[str]:
    listed = _xml(archive, "META-INF/encryption.xml")
    references = listed.iterfind(".//{*}CipherReference") if listed is not None else ()
    return {unquote(reference.get("URI", "")) for reference in references}
