"""What a parser gives, or why it gives nothing."""

import re
from collections import Counter
from dataclasses import dataclass

from rag.bounds import TITLE
from rag.documents.layout import headings

_NO_TITLE = re.compile(
    r"\A(?:\W{0,9}(?:anonymous|cover|index|no title|none|null|start|title|undefined|unknown|unnamed|unspecified"
    r"|page title|react app|vite app|powerpoint presentation|sans titre|documento? sin t[ií]tulo"
    r"|unbenannt(?:es dokument)?)\W{0,9}"
    r"|\W{0,2}(?:(?:new|untitled|unnamed|word|office|microsoft) ){0,3}(?:untitled|brochure|document"
    r"|dokument|documento|file|page|presentation|print|scan|sheet|slide|workbook)(?: title)?[\W_]{0,9}\d{0,9}\W{0,2}"
    r"|(?:microsoft |ms )?(?:word|powerpoint|excel|office|publisher) - .*|(?:https?|file|about|data|chrome):\S*"
    r"|[a-z]:\\.*|/\S*|[\W\d_]*)\Z",
    re.IGNORECASE,
)
_OF_FILE = re.compile(
    r"\.(?:docx?|docm|dotx?|dvi|html?|indd|od[pst]|pages|pdf|pptx?|ps|pub|qx[dp]|rtf|tex|txt|xlsx?|csv|md|jpe?g|png|tiff?)$",
    re.IGNORECASE,
)


class FormatError(Exception):
    """A file cannot be read; the message follows its name: "is empty; leave it out"."""


@dataclass(frozen=True)
class Parsed:
    """A document's title, if it names one, its text, and the offsets of its pages.

    `left_out` tells what it holds that is not in the text, by kind and number: "2 pictures".
    """

    title: str | None
    text: str
    pages: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()


def counted(left_out: Counter[str]) -> tuple[str, ...]:
    """What is left out, in words: "1 picture", "2 chapters that the file lacks"."""
    return tuple(f"{number:,} {_plural(kind) if number > 1 else kind}" for kind, number in left_out.items() if number)


def _plural(kind: str) -> str:
    noun, space, rest = kind.partition(" that ")
    noun, of, more = noun.partition(" of ")
    return f"{noun}s{of}{more}{space}{rest}"


def first_heading(text: str) -> str | None:
    """The first Markdown heading of `text` without its marks, None without one."""
    return next((heading.title for heading in headings(text) if heading.title), None)


def own_title(title: str | None) -> str | None:
    """`title`, None if it is one that programs give: "about:blank", "(anonymous)", the file's name."""
    title = " ".join((title or "").split())[:TITLE]
    return None if not title or _NO_TITLE.match(title) or _OF_FILE.search(title) else title
