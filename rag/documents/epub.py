"""EPUB -> the Markdown text of its chapters."""

import posixpath
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from rag.documents.archive import Archive, opened
from rag.documents.encoding import decode
from rag.documents.html.reader import rendered, soup
from rag.documents.parsed import FormatError, Parsed, counted, first_heading, own_title

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from bs4.element import PageElement

_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_WRITING = {"application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document", "image/svg+xml"}
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
_LETTER = re.compile(r"[^\W\d_]")
_HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
_ENTRIES = 3
"""The fewest of a table of contents."""
_UNSEEN = "template"
"""A tag whose content is never shown."""
_SVG = {"svg", "text", "tspan", "desc", "title", "metadata", "defs"}
_NOTE = {"noteref", "doc-noteref"}
_POPPED_UP = {"footnote", "endnote", "rearnote", "note", "footnotes", "endnotes", "rearnotes", "doc-footnote"}
_BREAK = {"pagebreak", "doc-pagebreak"}
_NUMBERS_PAGE = {"pagenum", "pagenumber", "pageno", "page-number", "x-ebookmaker-pageno"}
_LISTS = {"toc", "landmarks", "page-list", "lot", "loi", "doc-toc", "doc-pagelist"}


@dataclass(frozen=True)
class _Item:
    """A file that the manifest names."""

    name: str
    media_type: str
    fallback: str


def read_epub(file: IO[bytes], _: str | None) -> Parsed:
    """The chapters in the order of the spine. Raises FormatError."""
    left_out: Counter[str] = Counter()
    with opened(file) as archive:
        path, package = _package(archive)
        items = _items(path, package)
        order = _order(package, items, left_out)
        if _encrypted(archive) & {item.name for item in order}:
            raise FormatError("is protected against copying (DRM); leave it out")
        texts = [text for item in order if (text := _chapter(archive, items, item, left_out))]
    text = "\n\n".join(texts)
    return Parsed(_title(package) or first_heading(text), text, (), counted(left_out))


def _package(archive: Archive) -> tuple[str, Element]:
    """The description of the book, and where it is."""
    container = archive.xml("META-INF/container.xml")
    roots = container.iterfind(".//{*}rootfile") if container is not None else ()
    named = [root.get("full-path", "") for root in roots]
    for path in [*named, *(name for name in archive.file.namelist() if name.lower().endswith(".opf"))]:
        package = archive.xml(path)
        if package is not None:
            return path, package
    raise FormatError("names no list of its chapters, so it is damaged; convert it anew or leave it out")


def _items(path: str, package: Element) -> dict[str, _Item]:
    """The files of the manifest by their ids."""
    folder = posixpath.dirname(path)
    return {
        item.get("id", ""): _Item(
            posixpath.normpath(posixpath.join(folder, unquote(item.get("href", "").partition("#")[0]))),
            item.get("media-type", "").partition(";")[0].strip().lower(),
            item.get("fallback", ""),
        )
        for item in package.iterfind("{*}manifest/{*}item")
    }


def _order(package: Element, items: Mapping[str, _Item], left_out: Counter[str]) -> list[_Item]:
    """The files that are read, once each; without a spine, all that hold writing."""
    named = [one.get("idref", "") for one in package.iterfind("{*}spine/{*}itemref")]
    order = list(dict.fromkeys(items[one] for one in named if one in items))
    left_out["chapter that the file lacks"] += len({one for one in named if one not in items})
    return order or [item for item in items.values() if item.media_type in _WRITING - {"image/svg+xml"}]


def _chapter(archive: Archive, items: Mapping[str, _Item], item: _Item, left_out: Counter[str]) -> str:
    """The text of an item, or of the first of its fallbacks that is one."""
    tried: set[_Item] = set()
    kinds: list[str] = []
    here: _Item | None = item
    while here is not None and here not in tried:
        tried.add(here)
        content = archive.bytes(here.name)
        kind = _kind(content, here.media_type)
        if kind == "page":
            return _page(content or b"", left_out)
        if kind == "text":
            return decode(content or b"").text.strip()
        kinds.append(kind)
        here = items.get(here.fallback)
    left_out[kinds[0]] += 1
    return ""


def _kind(content: bytes | None, media_type: str) -> str:
    """Whether an item is a "page" or a "text", else what to call it."""
    if content is None:
        return "chapter that the file lacks"
    start = content[:200].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<") or start.startswith((b"\xff\xfe<", b"\xfe\xff\0<")):
        return "page"
    binary = b"\0" in content[:1_000]
    if media_type.startswith("image/") or (binary and content.startswith(_PICTURES)):
        return "picture"
    if binary:
        return "part of another kind"
    return "text" if media_type in {"text/plain", ""} else "page" if media_type in _WRITING else "part of another kind"


def _page(content: bytes, left_out: Counter[str]) -> str:
    """The text of a chapter; nothing if it only lists other ones."""
    page = soup(content)
    lists = 0
    for tag in page.find_all(True):
        name = tag.name.rpartition(":")[2]
        kinds = set(f"{tag.get('epub:type', '')} {tag.get('role', '')}".split())
        if kinds & _NOTE:
            _refer(tag)
        elif kinds & _POPPED_UP:
            del tag["hidden"]
        elif kinds & _BREAK or _NUMBERS_PAGE & set(tag.get_attribute_list("class")):
            tag.name = _UNSEEN
        elif name == "nav" and kinds & _LISTS:
            tag.name = _UNSEEN
            lists += 1
        elif name in _SVG:
            _write(tag, name)
        elif name == "image":
            tag.name = "img"
    if _only_lists(page, lists > 0):
        return ""
    shown = rendered(page)
    left_out.update(shown.left_out)
    return shown.text


def _refer(tag: "Tag") -> None:
    """Write the reference to a note as [1]."""
    mark = tag.get_text().strip().strip("[]()")
    tag.string = f"[{mark}]" if mark else ""
    for one in [tag, tag.parent]:
        if one is not None and one.name == "sup":
            one.name = "span"


def _write(tag: "Tag", name: str) -> None:
    """Make the text of an SVG picture text as any other."""
    if name in {"desc", "metadata", "defs"} or (
        name == "title" and tag.parent is not None and tag.parent.name != "head"
    ):
        tag.name = _UNSEEN
    elif name in {"svg", "text"}:
        tag.name = "div" if name == "svg" else "p"
    elif name == "tspan":
        tag.name = "div" if {"x", "y", "dy"} & set(tag.attrs) else "span"


def _only_lists(page: "BeautifulSoup", listed: bool) -> bool:
    """Whether all words of a page but a title are links: a table of contents.

    `listed` tells that a list that says it is one was removed from it.
    """
    from bs4.element import PreformattedString, Tag

    entries: list[int] = []
    rest: list[int] = []
    waiting: list[tuple[PageElement, list[int]]] = [(page.body, rest)] if page.body is not None else []
    while waiting:
        node, place = waiting.pop()
        if isinstance(node, Tag):
            is_entry = node.name == "a" and node.get("href")
            place = entries if is_entry else [] if node.name in _HEADINGS and place is rest else place
            waiting += [(child, place) for child in node.contents if node.name != _UNSEEN]
        elif not isinstance(node, PreformattedString) and _LETTER.search(str(node)):
            place.append(len(str(node)))
    if listed:
        return not rest and not entries
    return len(entries) >= _ENTRIES and len(rest) <= 1 and 2 * sum(rest) < sum(entries)


def _title(package: Element) -> str | None:
    """The main title of a book, if it has one that means something."""
    titles = {one.get("id", ""): " ".join((one.text or "").split()) for one in package.iter(_TITLE)}
    types = {
        one.get("refines", "").lstrip("#"): one.text for one in package.iter() if one.get("property") == "title-type"
    }
    main = [title for name, title in titles.items() if types.get(name) == "main"]
    return next((title for one in [*main, *titles.values()] if (title := own_title(one))), None)


def _encrypted(archive: Archive) -> set[str]:
    listed = archive.xml("META-INF/encryption.xml")
    references = listed.iterfind(".//{*}CipherReference") if listed is not None else ()
    return {unquote(reference.get("URI", "")) for reference in references}
