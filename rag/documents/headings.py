"""What a place in a Markdown text stands under: headings, captions, rows of headings."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from rag.documents.layout import Heading, headings

_LINE = re.compile(r"[^\n\r]+")
_RULE = re.compile(r"[|:\- ]+")
_PRINTED = re.compile(r"\w")
HEADING = 120
"""Characters of a heading that are told; the longest ones are paragraphs by mistake."""
_HEAD = 300
"""Characters of the row of headings of a table."""


def heading(line: str) -> Heading | None:
    """The heading that a line with marks is, if it is one."""
    return next((one for one in headings(line) if one.title), None)


def described(lines: Sequence[str]) -> str:
    """The lines that a place stands under, headings in one: "Falcon 200 > Warranty"."""
    titles = [line.lstrip("#").strip() for line in lines if heading(line)]
    return "\n".join([*([" > ".join(titles)] if titles else []), *(line for line in lines if not heading(line))])


def above(lines: Sequence[str], begun: Heading) -> tuple[str, ...]:
    """Those of a place's lines that stay where the heading `begun` begins."""
    return tuple(line for line in lines if (one := heading(line)) and one.level < begun.level)


def lines_over(text: str, places: Iterable[int], title: str = "") -> Iterator[tuple[str, ...]]:
    """For each place, in order, the Markdown lines that it stands under.

    They are headings, the highest first, but none that begins there or only repeats the `title`, and
    in a table its caption and its row of headings.
    """
    found, rows = [one for one in headings(text) if one.title], list(tables(text))
    lines: tuple[str, ...] = ()
    at = 0
    for place in places:
        while at < len(found) and found[at].start < place:
            lines = _opened(lines, found[at], title)
            at += 1
        begun = found[at] if at < len(found) and found[at].start == place else None
        yield above(lines, begun) if begun else (*lines, *_table_over(rows, place))


def _opened(lines: Sequence[str], begun: Heading, title: str) -> tuple[str, ...]:
    own = f"{'#' * begun.level} {begun.title[:HEADING]}"
    return (*above(lines, begun), *([own] if begun.title != title else []))


@dataclass(frozen=True)
class Table:
    """The rows of a table, and its caption and row of headings."""

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
