"""HTML -> Markdown text: the main part of a page, without what no reader sees."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from rag.documents.parsed import FormatError, Parsed, counted, first_heading, own_title

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_EMPTY_LINES = re.compile(r"\n{3,}")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u00ad\u200b\ufeff\ufffe\uffff]")
_SOUND = 1_000
"""Characters for each NUL, at least; browsers pass over a few."""
_TINY = 40
"""Pixels; a picture of fewer is an icon."""


@dataclass(frozen=True)
class Rendered:
    """A text, and how many parts are not in it: {"struck-out part": 2}."""

    text: str
    left_out: Counter[str] = field(default_factory=Counter)


def read_html(file: IO[bytes], charset: str | None) -> Parsed:
    """The main text of a page, or all if that lacks too much. Raises FormatError."""
    from bs4.dammit import UnicodeDammit

    from rag.documents.html.consent import consent_dialogs
    from rag.documents.html.main_part import reduce_to_main
    from rag.documents.html.seen import reduce_to_seen, without

    html = UnicodeDammit(file.read(), [charset] if charset else [], is_html=True).unicode_markup
    if html is None or html.count("\0") * _SOUND > len(html):
        raise FormatError("is not a text in an encoding that could be told; save it as UTF-8")
    page = soup(html.replace("\0", ""))
    title = title_of(page)
    without(consent_dialogs(page))
    seen = reduce_to_seen(page)
    reduce_to_main(page, main_text(str(page)))
    text, pictures = _text(page, seen.nested_numbers), _pictures(page)
    return Parsed(title or first_heading(text), text, left_out=counted(seen.left_out + pictures))


def rendered(page: "BeautifulSoup") -> Rendered:
    """All that a reader sees of `page`, as paragraphs, lists, tables and `#` headings."""
    from rag.documents.html.seen import reduce_to_seen

    seen = reduce_to_seen(page)
    return Rendered(_text(page, seen.nested_numbers), seen.left_out + _pictures(page))


def markdown(page: "BeautifulSoup") -> str:
    """The text of `rendered`."""
    return rendered(page).text


def main_text(html: str) -> str:
    """What trafilatura takes for the main part of a page; empty if it finds none."""
    from trafilatura import extract
    from trafilatura.settings import use_config

    # Below its usual minimum it gives all text as one paragraph, menus and all.
    config = use_config()
    config.set("DEFAULT", "MIN_EXTRACTED_SIZE", "1")
    return extract(html, include_comments=False, config=config) or ""


def title_of(page: "BeautifulSoup") -> str | None:
    """The title that the page names; a default one ("Untitled document") is none."""
    named = page.find("meta", property="og:title")
    title = page.head.title if page.head else None
    for said in (str(named.get("content") or "") if named else "", title.get_text() if title else ""):
        if words := own_title(said):
            return words
    return None


def soup(html: str | bytes) -> "BeautifulSoup":
    """The parsed page, no deeper than a reader of it needs to climb."""
    from bs4 import BeautifulSoup

    from rag.documents.html.seen import flatten

    page = BeautifulSoup(html, "lxml")
    flatten(page)
    return page


def tidy(text: str) -> str:
    """`text` without unseen characters, blanks at line ends, and repeated empty lines."""
    text = _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " "))
    text = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    return _EMPTY_LINES.sub("\n\n", text).strip()


def _text(page: "BeautifulSoup", nested_numbers: bool) -> str:
    from rag.documents.html.markup import to_markdown

    return tidy(to_markdown(page, nested_numbers))


def _pictures(page: "BeautifulSoup") -> Counter[str]:
    """The pictures that may hold words; icons and those marked as mere decoration hold none."""
    shown: Iterable[Tag] = page.find_all("img")
    number = sum(1 for picture in shown if picture.get("alt") != "" and not _is_tiny(picture))
    return Counter({"picture": number})


def _is_tiny(picture: "Tag") -> bool:
    sizes = [str(picture.get(name) or "").removesuffix("px") for name in ("width", "height")]
    return any(size.isdigit() and int(size) < _TINY for size in sizes)
