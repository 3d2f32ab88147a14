"""Headers, footers and page numbers that repeat from page to page of a PDF."""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from typing import NamedTuple

from rag.documents.pdf.lattice import Lattice
from rag.documents.pdf.rows import Row, Rule, row_text, rows_of
from rag.documents.pdf.words import Word

_EDGE = 4
"""Lines at either end of a page that may repeat."""
_NEIGHBOURS = 2
"""Pages before and behind that are compared: left and right pages may differ."""
_NUMBERS = 4
"""In a line; one of them may be the page's."""
_APART = 1.8
"""Ems between the text and what repeats word for word; the head of a table is closer to its rows."""
_TABLES = 20
"""Tables of a page that are looked at."""
_MOVED = 3.0
"""Points by which the place of a repeated line may differ."""
_NUMBER = re.compile(r"\d{1,6}")
_ROMAN = re.compile(r"[ivxl]{1,7}", re.IGNORECASE)


@dataclass(frozen=True)
class Page:
    """The words of a page at its usual angle.

    `turned` are those at others, `rules` the lines drawn, `head` and `foot` repeated lines kept of it.
    """

    words: Sequence[Word]
    rules: Sequence[Rule] = ()
    grids: Sequence[Lattice] = ()
    turned: Sequence[Sequence[Word]] = ()
    head: tuple[str, ...] = ()
    foot: tuple[str, ...] = ()


class _Edge(NamedTuple):
    row: Row
    text: str
    keys: frozenset[tuple[str, int | None]]
    apart: bool
    """Whether space divides it from the text."""


def without_running(pages: Iterator[Page]) -> Iterator[Page]:
    """The pages without what repeats at their top and bottom.

    Where it comes first, it is in `head` or `foot`.
    A line repeats if a page nearby has it in the same place, word for word or with the number
    of that page. Bare page numbers are left out of every page.
    """
    window: deque[tuple[Page, list[_Edge], list[_Edge]]] = deque()
    before: deque[tuple[list[_Edge], list[_Edge]]] = deque(maxlen=_NEIGHBOURS)
    told: set[tuple[str, int | None]] = set()
    for number, page in enumerate(pages):
        window.append((page, *_edges(page, number)))
        if len(window) > _NEIGHBOURS:
            yield _reduced(window, before, told)
    while window:
        yield _reduced(window, before, told)


def _edges(page: Page, number: int) -> tuple[list[_Edge], list[_Edge]]:
    """The lines at the top and at the bottom, the outermost first."""
    rows = rows_of(page.words)
    ends = []
    for outer in (rows[: _EDGE + 1], rows[: -_EDGE - 2 : -1]):
        lines = list(takewhile(lambda row: not _is_in_table(row, page.grids), outer))
        distances = [abs(one[0].base - other[0].base) for one, other in pairwise(lines)]
        edges = [
            _Edge(row, text, _keys(text, number), distance > _APART * row[0].size)
            for row, distance in zip(lines, distances, strict=False)
            if (text := row_text(row))
        ]
        ends.append(edges[:_EDGE])
    return ends[0], ends[1]


def _is_in_table(row: Row, grids: Sequence[Lattice]) -> bool:
    """Whether a line stands in drawn cells, where the head of a long table repeats."""
    word = row[0]
    return any(
        grid.xs[0] <= word.left <= grid.xs[-1] and grid.ys[0] <= word.base <= grid.ys[-1] for grid in grids[:_TABLES]
    )


def _keys(text: str, page: int) -> frozenset[tuple[str, int | None]]:
    """What a line must share with another to repeat it.

    That is all its words, or all but a number that grows with the pages.
    """
    keys: set[tuple[str, int | None]] = {(text, None)}
    for match in list(_NUMBER.finditer(text))[:_NUMBERS]:
        keys.add((f"{text[: match.start()]}\0{text[match.end() :]}", int(match[0]) - page))
    if _ROMAN.fullmatch(text):
        keys.add(("\0", None))
    return frozenset(keys)


def _reduced(
    window: deque[tuple[Page, list[_Edge], list[_Edge]]],
    before: deque[tuple[list[_Edge], list[_Edge]]],
    told: set[tuple[str, int | None]],
) -> Page:
    page, top, bottom = window.popleft()
    others = [*before, *((top, bottom) for _, top, bottom in window)]
    before.append((top, bottom))
    head = _repeated(top, [one for one, _ in others])
    foot = _repeated(bottom, [one for _, one in others])
    gone = {id(word) for edge in head + foot for word in edge.row}
    kept = [_first_time(edges, told) for edges in (head, foot[::-1])]
    words = [word for word in page.words if id(word) not in gone] if gone else page.words
    return replace(page, words=words, head=kept[0], foot=kept[1])


def _repeated(edges: Sequence[_Edge], others: Sequence[Sequence[_Edge]]) -> list[_Edge]:
    """The outermost lines that repeat.

    The innermost of them stands apart from the text or has the page's number.
    """
    found: list[_Edge] = []
    for edge in edges:
        place = edge.row[0].base
        shared = {
            key
            for other in others
            for one in other
            if abs(one.row[0].base - place) <= _MOVED
            for key in edge.keys & one.keys
        }
        if not shared:
            break
        found.append(edge)
    while found and not found[-1].apart and not _is_numbered(found[-1], others):
        found.pop()
    return found


def _is_numbered(edge: _Edge, others: Sequence[Sequence[_Edge]]) -> bool:
    """Whether the line has a number that grows from page to page."""
    numbered = {key for key in edge.keys if key[1] is not None or key[0] == "\0"}
    same = any(edge.text == one.text for other in others for one in other)
    return not same and any(numbered & one.keys for other in others for one in other)


def _first_time(edges: Sequence[_Edge], told: set[tuple[str, int | None]]) -> tuple[str, ...]:
    kept = []
    for edge in edges:
        bare = not any(map(str.isalpha, edge.text)) or _ROMAN.fullmatch(edge.text)
        if not bare and not told & edge.keys:
            kept.append(edge.text)
        told |= edge.keys
    return tuple(kept)
