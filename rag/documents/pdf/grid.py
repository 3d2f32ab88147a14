"""Lines of a PDF's page divided at gaps that go down them."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.documents.pdf.rows import Row, Rule, row_text

_GAPS = ((6, 0.42), (3, 0.8), (1, 1.5))
"""So many lines must leave a gap of so many ems free, that it divides columns."""
_BESIDE = 0.8
"""Ems between the baselines of lines that stand beside each other, not one below the other."""
_LEAST = 0.3
"""Ems of a gap that tells where a line that comes close to it is divided."""
_CROSSING = 0.1
"""Of the lines may cross such a gap, as a heading over several columns does."""
_SOME = 0.25
"""Of the lines must have an entry in a column whose gap is crossed."""


@dataclass(frozen=True)
class Grid:
    """Lines, each as one piece for each column; a piece without words is empty."""

    lines: tuple[tuple[Row, ...], ...]
    gaps: tuple[tuple[float, float], ...]
    bases: tuple[float, ...]
    texts: tuple[tuple[str, ...], ...]

    def column(self, number: int) -> list[tuple[int, Row, str]]:
        """The lines that have words in a column: their numbers, words and texts."""
        return [
            (at, line[number], texts[number])
            for at, (line, texts) in enumerate(zip(self.lines, self.texts, strict=True))
            if line[number]
        ]

    @property
    def width(self) -> int:
        """How many columns."""
        return len(self.gaps) + 1


def grid_of(rows: Sequence[Row]) -> Grid:
    """The lines divided at the gaps that (nearly) all of them leave free."""
    size = sorted(word.size for row in rows for word in row)[sum(map(len, rows)) // 2]
    gaps = _gaps(rows, size)
    starts = [(left + right) / 2 for left, right in gaps]
    lines = []
    for row in rows:
        cells: list[Row] = [[] for _ in range(len(gaps) + 1)]
        for word in row:
            cells[bisect_right(starts, word.left + min(word.size, word.right - word.left) / 2)].append(word)
        lines.append(tuple(cells))
    texts = tuple(tuple(row_text(cell) for cell in line) for line in lines)
    return Grid(tuple(lines), tuple(gaps), tuple(row[0].base for row in rows), texts)


def _gaps(rows: Sequence[Row], size: float) -> list[tuple[float, float]]:
    """The gaps between columns, from left to right.

    Where some lines cross one, it is the part that none does.
    """
    ems = next(ems for lines, ems in _GAPS if len(rows) >= lines)
    most = int(_CROSSING * len(rows))
    events = sorted((x, step) for row in rows for word in row for x, step in ((word.left, 1), (word.right, -1)))
    gaps: dict[tuple[float, float], tuple[float, float]] = {}
    depth, start = 0, None
    free = 0.0, 0.0
    for (x, step), (following, _) in pairwise(events):
        depth += step
        if depth > most:
            if start is not None and x - start >= ems * size and start > events[0][0]:
                gaps[start, x] = free
            start = None
            continue
        if start is None:
            start, free = x, (x, x)
        if depth == 0 and following - x > free[1] - free[0]:
            free = x, following
    found = list(gaps)
    kept = [gap for gap in found if gaps[gap][1] - gaps[gap][0] >= ems * size or _is_filled(rows, gap, found)]
    return [gaps[gap] if gaps[gap][1] - gaps[gap][0] >= _LEAST * size else gap for gap in kept]


def _is_filled(rows: Sequence[Row], gap: tuple[float, float], gaps: list[tuple[float, float]]) -> bool:
    """Whether enough lines have words that begin in the column behind `gap`, none in it."""
    behind = next((other[0] for other in gaps if other[0] > gap[1]), float("inf"))
    entries = sum(any(gap[1] - 0.1 <= word.left < behind for word in row) for row in rows)
    before = sum(any(word.right <= gap[0] + 0.1 for word in row) for row in rows)
    return min(entries, before) >= _SOME * len(rows) and entries >= 2


def is_staggered(rows: Sequence[Row]) -> bool:
    """Whether many lines are a little above or below one beside them."""
    close = sum(below[0].base - above[0].base < _BESIDE * below[0].size for above, below in pairwise(rows))
    return close > 0.3 * (len(rows) - 1)


def inner_rules(grid: Grid, rules: Sequence[Rule]) -> list[float]:
    """The heights of drawn lines that cross a gap between two lines of text."""
    first = bisect_left(rules, (grid.bases[0], 0.0, 0.0))
    found: list[float] = []
    for rule in rules[first : bisect_right(rules, (grid.bases[-1], 0.0, 0.0))]:
        crosses = any(rule.left < (left + right) / 2 < rule.right for left, right in grid.gaps)
        if crosses and (not found or rule.y - found[-1] > 2):
            found.append(rule.y)
    return found


def least_distance(grid: Grid) -> float:
    """The distance of lines of one paragraph, in nearly the closest place."""
    distances = sorted(below - above for above, below in pairwise(grid.bases))
    size = max((cell[0].size for line in grid.lines for cell in line if cell), default=1.0)
    distances = [distance for distance in distances if distance > 0.7 * size] or [1.2 * size]
    return distances[len(distances) // 8]
