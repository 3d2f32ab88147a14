"""What lines of a text are: headings outside code, entries of a log."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.bounds import TITLE

_MARKED = re.compile(
    r"(?<![^\n\r])([ \t]{0,20})"
    r"(?:(#{1,6})[ \t]+(\S[^\n\r]*)|(`{3,}|~{3,})([^\n\r]*)|(={3,}|-{3,})[ \t]*(?![^\n\r]))"
)
"""A line that is a heading, a code fence, or the underline of a heading."""
_NO_TITLE = ("-", "*", "+", "•", ">", "#", "`", "~")
"""Marks that begin a line which is no title: an item, a quotation."""
_ROW = ("|", "\t", "  ")
"""Signs of a table's row."""
_LEVELS = "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|SEVERE|ALERT|EMERG|PANIC"
_DAY = r"(?:\d{4}([-/.])\d\d?\1\d\d?|\d\d?([-/.])(?:\d\d?|[A-Z][a-z]{2})\2\d{2,4}|[A-Z][a-z]{2} {1,2}\d\d?)"
_ENTRY = re.compile(
    rf"[ \t]{{0,8}}(?:[\[(<]?{_DAY}[T:, ]{{1,2}}\d\d?:\d\d|\[ {{0,12}}\d{{1,12}}\.\d{{1,9}}\]"
    rf"|[\[(<](?:{_LEVELS})[\])>]|(?:{_LEVELS})(?:[ \t]|:\w))"
)
"""How an entry of a log begins: a day with a time, seconds since the start, or a level."""
_OPENING = re.compile(r"\S{1,40}")
_LABEL = re.compile(r"[^\W\d_][\w()/&.' -]{0,40}:[ \t]")
_DIGITS = re.compile(r"\d+")
_NUMBERS = re.compile(r"[\[(<]?0(?:[-/.:T]0){1,8}Z?[\])>,:;]?")


@dataclass(frozen=True)
class Heading:
    """A heading with the place of its lines; level 1 is the highest."""

    start: int
    end: int
    level: int
    title: str


def headings(text: str) -> list[Heading]:
    """The headings of `text`: Markdown's, with marks or underlined, outside of fenced code."""
    found: list[Heading] = []
    inside: list[Heading] = []
    fence = ""
    for match in _MARKED.finditer(text):
        ticks, info = match[4], match[5]
        if not ticks:
            (inside if fence else found).extend(_heading(text, match))
        elif not fence and (ticks[0] == "~" or "`" not in info):
            fence, inside = ticks, []
        elif fence and ticks.startswith(fence) and not info.strip():
            fence = ""
    return [*found, *inside] if fence else found  # A fence that is never closed is none.


def _heading(text: str, match: re.Match[str]) -> Iterator[Heading]:
    """The heading that a line of marks is, or underlines, if any."""
    indent, marks, title, _, _, underline = match.groups()
    if "\t" in indent or len(indent) > 3:
        return
    if marks:
        yield Heading(match.start(), match.end(), len(marks), _without_marks(title))
        return
    start, title = _line_before(text, match.start())
    above_start, above = _line_before(text, start) if start else (0, "")
    is_boxed = above == underline and len(title) <= len(above)
    if (not above or is_boxed) and _is_title(title):
        yield Heading(above_start if is_boxed else start, match.end(), 1 if underline[0] == "=" else 2, title)


def _line_before(text: str, end: int) -> tuple[int, str]:
    """Where the line before `end` begins, and what it says; a long one is cut."""
    first = max(0, end - 2 * TITLE)
    stop = end - (2 if text[end - 2 : end] == "\r\n" else 1 if end else 0)
    start = max(text.rfind("\n", first, max(first, stop)), text.rfind("\r", first, max(first, stop)), first - 1) + 1
    return start, text[start : max(start, stop)].strip()


def _is_title(line: str) -> bool:
    return (
        0 < len(line) <= TITLE
        and not line.endswith((".", ",", ";"))
        and not line.startswith(_NO_TITLE)
        and not any(sign in line for sign in _ROW)
    )


def _without_marks(title: str) -> str:
    """ "Pond" of "Pond ##", but "C#" of "C#"."""
    title = title.strip()
    opened = title.rstrip("#")
    return opened.rstrip() if opened != opened.rstrip() or not opened else title


def is_entry(line: str) -> bool:
    """Whether a line begins as an entry of a log does."""
    return bool(_ENTRY.match(line))


def begins_entry(line: str, following: str) -> bool:
    """Whether the `following` line does not go on with `line`, but is an entry.

    That is so of a log's entry, and where both lines begin alike: with numbers that are divided by the
    same signs ("10:30", "3.2.1") or with a label ("Capacity: ").
    """
    if is_entry(following) or (_LABEL.match(line) and _LABEL.match(following)):
        return True
    shape = _shape(line)
    return bool(_NUMBERS.fullmatch(shape)) and shape == _shape(following)


def _shape(line: str) -> str:
    """The first word, every number in it as 0."""
    opening = _OPENING.match(line)
    return _DIGITS.sub("0", opening[0]) if opening else ""
