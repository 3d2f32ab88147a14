"""What a place in a Markdown text stands under: headings, captions, rows of headings."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from rag.documents.layout import Heading, headings

_LINE = re.compile(r"[^\n\r]+")
_RULE = re.compile(r"[|:\- ]+")
_CELL_END = re.compile(r"(?<!\\)\|")
_ITEM = re.compile(r"(?:[-*+•–]|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,4})[.)]|\[[ x]\])\s")
_MARKS = 10
"""Characters in which the marks of a heading stand."""
_TABLE = 3
"""Columns."""
_PRINTED = re.compile(r"\w")
HEADING = 120
"""Characters of a heading that are told; the longest ones are paragraphs by mistake."""
_HEAD = 300
"""Characters of the row of headings of a table."""


def heading(line: str) -> Heading | None:
    """The heading that a line with marks is, if it is one."""
    if "#" not in line[:_MARKS] and "\n" not in line:
        return None
    return next((one for one in headings(line) if one.title), None)


def described(lines: Sequence[str]) -> str:
    """The lines that a place stands under, headings in one: "Falcon 200 > Warranty"."""
    titles = [line.lstrip("#").strip() for line in lines if heading(line)]
    return "\n".join([*([" > ".join(titles)] if titles else []), *(line for line in lines if not heading(line))])


def staying(lines: Sequence[str], text: str) -> tuple[str, ...]:
    """Those of a place's lines that stay where the sentence or line `text` begins."""
    if begun := heading(text):
        return tuple(line for line in lines if (one := heading(line)) and one.level < begun.level)
    if is_row(text) or _ITEM.match(text):
        return tuple(lines)
    return tuple(line for line in lines if heading(line))


def opened(lines: Sequence[str], text: str, title: str = "") -> tuple[str, ...]:
    """What stands under the sentence or line `text` stands under these lines.

    That is a heading that does not only repeat the `title`, what leads in a list, and of a table the row
    of headings, before it perhaps a row with only a caption.
    """
    if begun := heading(text):
        return (*lines, *([f"{'#' * begun.level} {begun.title[:HEADING]}"] if begun.title != title else []))
    if is_row(text):
        named = is_rule(text) or any(map(is_row, lines))
        return (*lines, *([] if named else [_caption(text) or text[:_HEAD].rstrip()]))
    leads = text.rstrip().endswith(":") and len(text) <= HEADING and not _ITEM.match(text)
    return (*lines, *([text] if leads else []))


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
            line = f"{'#' * found[at].level} {found[at].title}"
            lines = opened(staying(lines, line), line, title)
            at += 1
        begun = found[at] if at < len(found) and found[at].start == place else None
        yield staying(lines, f"{'#' * begun.level} x") if begun else (*lines, *_table_over(rows, place))


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
        if len(rows) > 2 and is_rule(rows[1][0]) and _PRINTED.search(rows[0][0]):
            caption = [before] if before and len(before) <= HEADING and not heading(before) else []
            if within := _caption(rows[0][0]):
                caption, rows[:2] = [*caption, within], []
            if len(rows) > 1:
                yield Table(rows[1].start(), rows[-1].end(), (*caption, rows[0][0][:_HEAD].rstrip()))
        before, rows = line[0].strip() if line else "", []


def _table_over(found: Sequence[Table], place: int) -> tuple[str, ...]:
    at = bisect_right(found, place, key=lambda table: table.start) - 1
    return found[at].head if at >= 0 and place < found[at].end else ()


def is_row(line: str) -> bool:
    """Whether a line is a row of a Markdown table."""
    return line.startswith("|")


def is_rule(line: str) -> bool:
    """Whether it is the line below a table's row of headings."""
    return is_row(line) and bool(_RULE.fullmatch(line))


def labelled(row: str, header: str) -> str:
    """A row of a table with its headings: "Depot: North; Trams: 22; Staff: 4".

    One of two cells stays as it is: the first row of a form may well be no headings.
    """
    pairs = [f"{name}: {cell}" if name else cell for name, cell in columns(row, header) if cell]
    return "; ".join(pairs) or row


def columns(row: str, header: str) -> list[tuple[str, str]]:
    """The cells of a row, each after its heading; none if they do not fit."""
    cells, names = _cells(row), _cells(header)
    return list(zip(names, cells, strict=True)) if len(cells) == len(names) >= _TABLE else []


def _caption(row: str) -> str:
    """What a row says that has one text for several columns; else empty."""
    cells = _cells(row)
    texts = set(filter(None, cells))
    return texts.pop() if len(texts) == 1 and len(cells) > 1 else ""


def _cells(row: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(row.strip().strip("|"))]
