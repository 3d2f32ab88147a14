"""What a place in a Markdown text stands under: headings, and in a table its caption and its row of headings."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_LINE = re.compile(r"[^\n\r]+")
_RULE = re.compile(r"[|:\- ]+")
_PRINTED = re.compile(r"\w")
HEADING = 120
"""Characters of a heading that are told; the longest ones are paragraphs by mistake."""
_HEAD = 300
"""Characters of the row of headings of a table."""


@dataclass(frozen=True)
class Heading:
    """A heading at `start`: its level (1 to 6), and its words without marks."""

    start: int
    level: int
    text: str


def heading(line: str) -> Heading | None:
    """The heading that a line is, if it is one: "## Pond ##", but not "# C#" without its sign."""
    if not (match := _HEADING.match(line)):
        return None
    text = match[2].strip()
    opened = text.rstrip("#")
    text = opened.rstrip() if opened != opened.rstrip() or not opened else text
    return Heading(0, len(match[1]), text) if text else None


def described(lines: Sequence[str]) -> str:
    """The lines that a place stands under, the headings in one line: "Falcon 200 > Warranty"."""
    titles = [line.lstrip("#").strip() for line in lines if heading(line)]
    return "\n".join([*([" > ".join(titles)] if titles else []), *(line for line in lines if not heading(line))])


def headings(text: str) -> Iterator[Heading]:
    """The ATX headings of `text`, as CommonMark has them; a "#" in fenced code is none."""
    fence = ""
    for line in _LINE.finditer(text):
        if mark := _FENCE.match(line[0]):
            if not fence:
                fence = mark[1]
            elif mark[1].startswith(fence):
                fence = ""
        elif not fence and (found := heading(line[0])):
            yield Heading(line.start(), found.level, found.text)


def above(lines: Sequence[str], begun: Heading) -> tuple[str, ...]:
    """Those of the lines that a place stands under that stay where the heading `begun` begins."""
    return tuple(line for line in lines if (one := heading(line)) and one.level < begun.level)


def lines_over(text: str, places: Iterable[int], title: str = "") -> Iterator[tuple[str, ...]]:
    """For each place, in order, the Markdown lines that it stands under.

    They are headings, the highest first, but none that begins there or only repeats the `title`, and
    in a table its caption and its row of headings.
    """
    found, rows = list(headings(text)), list(tables(text))
    lines: tuple[str, ...] = ()
    at = 0
    for place in places:
        while at < len(found) and found[at].start < place:
            lines = _opened(lines, found[at], title)
            at += 1
        begun = found[at] if at < len(found) and found[at].start == place else None
        yield above(lines, begun) if begun else (*lines, *_table_over(rows, place))


def _opened(lines: Sequence[str], begun: Heading, title: str) -> tuple[str, ...]:
    own = f"{'#' * begun.level} {begun.text[:HEADING]}"
    return (*above(lines, begun), *([own] if begun.text != title else []))


@dataclass(frozen=True)
class Table:
    """The rows of a table, between two offsets, and what stands over them: a caption, the row of headings."""

    start: int
    end: int
    head: tuple[str, ...]


def tables(text: str) -> Iterator[Table]:
    """The Markdown tables of `text` that have a row of headings."""
    before, rows = "", list[re.Match[str]]()
    for line in chain(_LINE.finditer(text), [None]):
        if line and line[0].startswith("|"):
            rows.append(line)
            continue
        if len(rows) > 2 and _RULE.fullmatch(rows[1][0]) and _PRINTED.search(rows[0][0]):
            caption = [before] if before and len(before) <= HEADING and not heading(before) else []
            yield Table(rows[2].start(), rows[-1].end(), (*caption, rows[0][0][:_HEAD].rstrip()))
        before, rows = line[0].strip() if line else "", []


def _table_over(found: Sequence[Table], place: int) -> tuple[str, ...]:
    at = bisect_right(found, place, key=lambda table: table.start) - 1
    return found[at].head if at >= 0 and place < found[at].end else ()
