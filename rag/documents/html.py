"""HTML -> Markdown text: the main part of a page, without what no reader sees."""

import re
from typing import IO, TYPE_CHECKING

from rag.documents.parsed import FormatError, Parsed, first_heading

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

_EMPTY_LINES = re.compile(r"\n{3,}")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u00ad\u200b\ufeff\ufffe\uffff]")
NOT_SHOWN = "head, script, style, template, noscript, iframe, svg, [hidden]"
_ONLY_WRAPS = "a, b, big, code, del, em, font, i, s, small, span, strong, sub, sup, u, pre:has(> pre)"
"""Tags that leave no trace in the Markdown; the last is how trafilatura gives code."""
_ENOUGH = 0.4
"""The share of a page's text, without links and navigation, that its main text must hold."""
AROUND = "nav, footer, aside, form, button, [role=navigation]"


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


def main_text(html: str) -> str:
    """What trafilatura takes for the main part of a page; empty if it finds none."""
    from trafilatura import extract
    from trafilatura.settings import use_config

    # Below its usual minimum it gives all text as one paragraph, menus and all.
    config = use_config()
    config.set("DEFAULT", "MIN_EXTRACTED_SIZE", "1")
    main = extract(html, output_format="html", include_formatting=True, include_comments=False, config=config)
    return markdown(soup(main)) if main else ""


def title_of(page: "BeautifulSoup") -> str | None:
    """The title that the page names, if it does."""
    named = page.find("meta", property="og:title")
    title = str(named.get("content") or "").strip() if named else ""
    return title or (page.title.get_text().strip() if page.title else "") or None


def soup(html: str | bytes) -> "BeautifulSoup":
    """The parsed page."""
    from bs4 import BeautifulSoup

    return BeautifulSoup(html, "lxml")


def markdown(page: "BeautifulSoup") -> str:
    """`page` as paragraphs, lists, tables and `#` headings, without links, images and emphasis."""
    from markdownify import MarkdownConverter

    reduce(page, NOT_SHOWN, _ONLY_WRAPS)
    converter = MarkdownConverter(
        heading_style="ATX",
        bullets="-",
        strip=["img"],
        escape_asterisks=False,
        escape_underscores=False,
        table_infer_header=True,
        newline_style="BACKSLASH",
    )
    return tidy(str(converter.convert_soup(page)).replace("\\\n", "\n"))


def reduce(page: "BeautifulSoup", dropped: str, unwrapped: str | None = None) -> None:
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


def tidy(text: str) -> str:
    """`text` without unseen characters, blanks at line ends, and repeated empty lines."""
    text = _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " "))
    text = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    return _EMPTY_LINES.sub("\n\n", text).strip()
