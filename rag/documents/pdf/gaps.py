"""Gaps between words that go down a PDF's page and divide its lines."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from rag.documents.pdf.rows import Row, is_mark

_BESIDE = 0.8
"""Lines whose baselines differ by less, in ems, stand beside each other, not one below the other."""
_GUTTER = ((6, 0.6), (3, 0.9), (2, 1.5))
"""So many lines must leave a gap of so many ems free, that it is one between columns."""
_WIDER = 1.6
"""Of the usual gap of a line: a gap between columns is wider."""
_WATCHED = 60
"""Gaps that are followed down the page, the widest ones."""
_FAR = 2.2
"""Of the usual distance of lines: a line that is farther away does not belong to the columns."""


class Gap(NamedTuple):
    """A gap from `left` to `right` that begins at the line `start`."""

    left: float
    right: float
    start: int
    both: int
    """Lines with words on both sides of it."""
    clear: int = 0
    """Those of them in which it is wider than the others."""


def bands(rows: list[Row], known: list[float]) -> list[tuple[int, int, Gap]]:
    """The lines that a gap divides, in the order of the page.

    Where gaps compete for a line, the one that goes down most lines has it.
    """
    size = median(row[0].size for row in rows)
    runs = sorted(_runs(rows, size, known), key=lambda run: (run[1].both, run[1].right - run[1].left), reverse=True)
    taken = [False] * len(rows)
    bands = []
    for end, gap in runs:
        if taken[gap.start] or taken[end - 1]:
            continue
        start, end = _trimmed(rows, gap.start, end, gap)  # noqa: PLW2901
        if end - start >= 2 and not any(taken[start:end]):
            bands.append((start, end, gap))
            taken[start:end] = [True] * (end - start)
    return sorted(bands)


def _runs(rows: list[Row], size: float, known: list[float]) -> Iterator[tuple[int, Gap]]:
    """The gaps that go down some lines, with the line that ends each."""
    narrowest = _GUTTER[0][1] * size
    taken = [_taken(row) for row in rows]
    alive: list[Gap] = []
    for number in range(len(rows)):
        intervals = _union([one for near in _near(rows, number) for one in taken[near]])
        blank = _usual_blank(taken[number])
        going: list[Gap] = []
        for gap in alive:
            rest = _free(gap, intervals, taken[number], blank)
            if rest is not None and rest.right - rest.left >= narrowest:
                going.append(rest)
            elif _is_gutter(gap, size, known):
                yield number, gap
        for (_, left), (right, _) in pairwise(intervals):
            if right - left >= narrowest and not any(gap.left < right and left < gap.right for gap in going):
                going.append(Gap(left, right, number, 1, int(right - left >= _WIDER * blank)))
        alive = sorted(going, key=lambda gap: gap.left - gap.right)[:_WATCHED]
    yield from ((len(rows), gap) for gap in alive if _is_gutter(gap, size, known))


def _near(rows: list[Row], number: int) -> list[int]:
    """The lines beside this one, which may lie a little higher or lower."""
    near = [number]
    base, size = rows[number][0].base, rows[number][0].size
    for step in (-1, 1):
        other = number + step
        while 0 <= other < len(rows) and abs(rows[other][0].base - base) < _BESIDE * size and len(near) < 8:
            near.append(other)
            other += step
    return near


def _taken(row: Row) -> list[tuple[float, float]]:
    """Where a line has words; the mark of a list reaches to its item."""
    taken = []
    for number, word in enumerate(row):
        right = word.right
        if number + 1 < len(row) and is_mark(row, number):
            following = row[number + 1].left
            right = following if following - right < 5 * word.size else right
        taken.append((word.left, right))
    return taken


def _union(intervals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for left, right in sorted(intervals):
        if joined and left <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], right)
        else:
            joined.append((left, right))
    return joined


def _usual_blank(taken: list[tuple[float, float]]) -> float:
    """The usual gap of a line, 0 if there are too few to tell.

    It is wide where lines are filled.
    """
    blanks = sorted(right - left for (_, left), (right, _) in pairwise(taken))
    return blanks[(len(blanks) - 1) // 2] if len(blanks) > 1 else 0.0


def _free(gap: Gap, intervals: list[tuple[float, float]], own: list[tuple[float, float]], blank: float) -> Gap | None:
    """The widest part of the gap that `intervals` leave free.

    `own` are the words of the line alone.
    """
    at = max(0, bisect_left(intervals, (gap.left, gap.left)) - 1)
    left, best = gap.left, (0.0, 0.0)
    while at < len(intervals) and intervals[at][0] < gap.right:
        if intervals[at][1] > left:
            if intervals[at][0] - left > best[1] - best[0]:
                best = left, intervals[at][0]
            left = max(left, intervals[at][1])
        at += 1
    if gap.right - left > best[1] - best[0]:
        best = left, gap.right
    if best[1] <= best[0]:
        return None
    both = intervals[0][1] <= best[0] and intervals[-1][0] >= best[1]
    behind = bisect_left(own, (best[1], best[1]))
    clear = both and not (0 < behind < len(own) and own[behind][0] - own[behind - 1][1] < _WIDER * blank)
    return Gap(*best, gap.start, gap.both + both, gap.clear + clear)


def is_known(gap: Gap, known: list[float]) -> bool:
    """Whether one of the middles lies in the gap."""
    return any(gap.left < middle < gap.right for middle in known)


def _is_gutter(gap: Gap, size: float, known: list[float]) -> bool:
    em = (gap.right - gap.left) / size
    return is_known(gap, known) or any(
        (gap.both if lines > 2 else gap.clear) >= lines and em >= ems for lines, ems in _GUTTER
    )


def _trimmed(rows: list[Row], start: int, end: int, gap: Gap) -> tuple[int, int]:
    """Start and end without lines that only happen to leave the gap free.

    Such are titles, headings and the foot of the page.
    """
    usual = _usual_distance(rows[start:end])

    def one_sided(row: Row) -> bool:
        return row[-1].right <= gap.left or row[0].left >= gap.right

    def differs(row: Row, other: Row) -> bool:
        side = [word for word in other if not one_sided(row) or (word.left < gap.right) == (row[0].left < gap.right)]
        return bool(side) and not 0.9 < row[0].size / max(side[0].size, 1e-6) < 1.1

    for _ in range(3):
        if end - start <= 2:
            break
        row, below = rows[start], rows[start + 1]
        far = below[0].base - row[0].base
        if row[0].left >= gap.right and far <= _FAR * usual:
            break  # A column may begin higher at the right; a title stands at the left.
        if (
            far > _FAR * usual
            or (one_sided(row) and (differs(row, below) or far > 1.3 * usual))
            or (differs(row, below) and far > 1.3 * usual)
        ):
            start += 1
        else:
            break
    for _ in range(3):
        if end - start <= 2:
            break
        row, above = rows[end - 1], rows[end - 2]
        far = row[0].base - above[0].base
        leads = end < len(rows) and rows[end][0].base - row[0].base < far
        if far > _FAR * usual or (one_sided(row) and (differs(row, above) or (far > 1.3 * usual and leads))):
            end -= 1
        else:
            break
    return start, end


def _usual_distance(rows: list[Row]) -> float:
    distances = [below[0].base - row[0].base for row, below in pairwise(rows)]
    large = [distance for distance, row in zip(distances, rows, strict=False) if distance > _BESIDE * row[0].size]
    return median(large) if large else rows[0][0].size * 1.2


def parts_of(rows: list[Row]) -> list[list[Row]]:
    """The lines parted where all of them are far from the next."""
    usual = _usual_distance(rows)
    parts = [rows[:1]]
    for above, below in pairwise(rows):
        if below[0].base - above[0].base > _FAR * usual:
            parts.append([])
        parts[-1].append(below)
    return parts


def without_headings(rows: list[Row], gap: Gap) -> list[list[Row]]:
    """The lines parted at headings, which stand on one side of the gap alone."""
    usual = _usual_distance(rows)
    sides = [_sides(row, gap) for row in rows]
    both = [number for number, side in enumerate(sides) if side == (True, True)]
    parts: list[list[Row]] = [[]]
    for number, row in enumerate(rows):
        if both and both[0] < number < both[-1] and sides[number] != (True, True):
            above, below = row[0].base - rows[number - 1][0].base, rows[number + 1][0].base - row[0].base
            unlike = row[0].bold != rows[number + 1][0].bold or not 0.9 < row[0].size / rows[number + 1][0].size < 1.1
            before, behind = sides[number - 1], sides[number + 1]
            if above > 1.25 * usual and (below > 1.25 * usual or unlike) and (True, True) in {before, behind}:
                parts += [[row], []]
                continue
        parts[-1].append(row)
    return [part for part in parts if part]


def _sides(row: Row, gap: Gap) -> tuple[bool, bool]:
    """Whether a line has words at the left and at the right of the gap."""
    return row[0].left < gap.right, row[-1].right > gap.left


def extended(rows: list[Row], start: int, first: int, gap: Gap) -> int:
    """Where a band begins if lines of one column alone belong to it.

    None before `first` do.
    """
    usual = _usual_distance(rows[start:])
    while start > first:
        row, below = rows[start - 1], rows[start]
        alone = row[-1].right <= gap.left or row[0].left >= gap.right
        side = [word for word in below if (word.right <= gap.left) == (row[-1].right <= gap.left)] or below
        if not alone or below[0].base - row[0].base > 1.3 * usual or not 0.9 < row[0].size / side[0].size < 1.1:
            break
        start -= 1
    return start
