"""The lines of a PDF -> its paragraphs."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from statistics import median
from typing import NamedTuple

from rag.documents.pdf.hyphen import HYPHENS
from rag.documents.pdf.rows import LIST_MARK, Block, Line, ended, starts_low

_SAME_SIZE = 0.08
"""Of a size: larger letters are another font's."""
_FAR = 1.3
"""Of the usual distance of lines: as far apart are paragraphs."""
_NORMAL = 1.8
"""Ems between the lines of a paragraph, where so few lines stand that none is usual."""
_INDENT = 0.8
"""Ems."""
_FULL = 0.12
"""Of a column's width that a full line may leave free at its end."""
_RAGGED = 0.35
"""Of a column's width that a line of prose may leave free, where lines are not filled."""
_GOES_ON = re.compile(
    r"(?:[,(\[«“„/&–—=+]|\b(?:a|an|the|of|and|or|to|in|on|at|by|for|with|from|as|is|are|was|were|that|which|der|die|das|und|"
    r"de|la|le|et|du|des|el|los|y))\Z",
    re.IGNORECASE,
)


class Paragraph(NamedTuple):
    """Lines that are one text, or the rows of a table."""

    lines: tuple[Line, ...] = ()
    table: Block | None = None
    after_gap: bool = True
    """Whether it stands apart from the one before."""
    code: bool = False
    """Whether its lines stay lines."""
    opens: bool = False
    """Whether it is the first of its column."""
    prose: bool = False
    """Whether the lines of its column are filled."""
    turned: bool = False
    """Whether it does not run as the page's text does."""


def paragraphs(block: Block) -> Iterator[Paragraph]:
    """The paragraphs of a block of lines, or its table."""
    if block.rows:
        yield Paragraph(table=block, opens=True)
        return
    opens = True
    for fixed, group in groupby(block.lines, key=lambda line: line.fixed):
        lines = _with_edges(list(group))
        prose = _is_prose(lines)
        if fixed and not prose and len(lines) >= 2:
            yield Paragraph(tuple(lines), code=True, opens=opens)
        else:
            yield from _paragraphs(lines, prose, opens)
        opens = False


def _paragraphs(lines: list[Line], prose: bool, opens: bool) -> Iterator[Paragraph]:
    usual = _usual_distances(lines)
    edged = _edged(lines)
    begun: list[Line] = []
    apart = True
    for line in lines:
        if begun:
            far = line.base - begun[-1].base > usual[round(line.size * 2)] * _FAR
            if _parts(begun, line, far, prose, round(line.size * 2) in edged):
                yield Paragraph(tuple(begun), after_gap=apart, opens=opens, prose=prose)
                apart = far or not _alike(begun[-1], line)
                opens, begun = False, []
        begun.append(line)
    if begun:
        yield Paragraph(tuple(begun), after_gap=apart, opens=opens, prose=prose)


def _edged(lines: Sequence[Line]) -> set[int]:
    """The sizes, in half points, of which two lines reach the edge.

    One alone may just happen to be long.
    """
    rights: dict[int, list[float]] = {}
    for line in lines:
        if not line.divided:
            rights.setdefault(round(line.size * 2), []).append(line.right)
    start = lines[0].start
    return {
        size
        for size, ends in rights.items()
        if sorted(ends)[-2:][0] >= max(ends) - _FULL * (max(ends) - start) and len(ends) > 1
    }


def goes_on(above: Paragraph, below: Paragraph) -> bool:
    """Whether a sentence goes on from one column or page to the next."""
    if not above.lines or not below.lines or above.code or below.code or above.turned != below.turned:
        return False
    last, first = above.lines[-1], below.lines[0]
    if not _alike(last, first) or last.divided or first.divided or mark_of(first):
        return False
    if last.text[-1:] in HYPHENS:
        return True
    if ended(last.text):
        return False
    slack = _slack(last)
    if starts_low(first.text):
        return len(above.lines) > 1 or (slack < 0.5 and len(last.text) >= 25)
    return above.prose and (bool(_GOES_ON.search(last.text)) or (below.prose and slack <= _FULL))


def _with_edges(lines: Sequence[Line]) -> list[Line]:
    """The lines with the edge that two of their size reach."""
    rights: dict[int, list[float]] = {}
    for line in lines:
        if not line.divided:
            rights.setdefault(round(line.size * 2), []).append(line.right)
    edges = {size: sorted(ends)[-2] if len(ends) >= 4 else max(ends) for size, ends in rights.items()}
    return [line._replace(edge=max(line.right, edges.get(round(line.size * 2), line.right))) for line in lines]


def _is_prose(lines: Sequence[Line]) -> bool:
    """Whether most lines are filled with words, so that their ends mean nothing."""
    inner = [line for line in lines[:-1] if not ended(line.text) and not line.divided]
    if len(inner) < 2:
        return False
    filled = sum(_slack(line) <= _RAGGED for line in inner)
    words = median(len(line.text.split()) for line in inner)
    letters = median(len(line.text) for line in inner)
    return filled >= 0.65 * len(inner) and ((words >= 3 and letters >= 20) or letters >= 12 * words)


def _usual_distances(lines: Sequence[Line]) -> dict[int, float]:
    """How far the lines of each size, in half points, are apart.

    Notes are closer than the text.
    """
    found: dict[int, list[float]] = {round(line.size * 2): [] for line in lines}
    for above, below in pairwise(lines):
        if _alike(above, below) and below.base > above.base:
            found[round(below.size * 2)].append(below.base - above.base)
    usual = {}
    for size, distances in found.items():
        close = sorted(distances)[len(distances) // 4] if len(distances) >= 3 else 0.0
        usual[size] = min(median(distances), close * _FAR) if close else _NORMAL * size / 2 / _FAR
    return usual


def _parts(begun: Sequence[Line], below: Line, far: bool, prose: bool, edged: bool) -> bool:
    """Whether a new paragraph begins with `below`."""
    above = begun[-1]
    if above.divided or below.divided or not _alike(above, below):
        return True
    if above.text[-1:] in HYPHENS and above.text[-2:-1].isalnum() and not mark_of(below):
        return below.base - above.base > 3 * above.size
    if far:
        return True
    closed = ended(above.text)
    if mark := mark_of(below):
        numbered = any(map(str.isalnum, mark))
        if not numbered or closed or mark_of(begun[0]) or _slack(above) > _FULL:
            return True
    if _is_indented(begun, below) and (closed or _slack(above) > _FULL):
        return True
    room = below.first_width + 0.3 * below.size < above.edge - above.right
    if closed:
        return room and _slack(above) > _FULL
    return not _is_continued(above, below, edged and not room, prose)


def _is_continued(above: Line, below: Line, filled: bool, prose: bool) -> bool:
    """Whether a sentence that has not ended goes on in the next line."""
    slack = _slack(above)
    if starts_low(below.text):
        return prose or slack < 0.5
    if _GOES_ON.search(above.text):
        return prose or slack < 0.6
    if prose:
        return slack <= _RAGGED
    return filled and len(above.text) >= 25


def _is_indented(begun: Sequence[Line], below: Line) -> bool:
    shift = (below.left - begun[-1].left) / below.size
    if mark_of(begun[0]):
        return (below.left - begun[0].left) / below.size < -_INDENT
    return abs(shift) > _INDENT if len(begun) > 1 else shift > _INDENT


def _alike(above: Line, below: Line) -> bool:
    same = abs(above.size - below.size) <= _SAME_SIZE * max(above.size, below.size)
    return same and above.bold == below.bold


def mark_of(line: Line) -> str | None:
    """The mark with which a list's item begins."""
    if line.text.startswith("[ ] "):
        return "[ ]"
    first, _, rest = line.text.partition(" ")
    return first if rest and LIST_MARK.fullmatch(first) else None


def _slack(line: Line) -> float:
    """The share of its column's width that a line leaves free at its end."""
    width = line.edge - line.start
    return (line.edge - line.right) / width if width > 0 else 0.0
