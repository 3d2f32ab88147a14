"""Tables of a PDF: what tells them from columns, and their rows."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

from rag.documents.pdf.grid import Grid, inner_rules, is_staggered, least_distance
from rag.documents.pdf.rows import Block, Row, Rule, ended, has_header, starts_low

_BESIDE = 0.75
"""Ems between lines of one row."""
_ROW_BREAK = 1.35
"""Of the least distance of lines: as far apart are lines of different rows."""
_ROW = 6
"""Lines; longer rows are told from paragraphs by drawn lines only."""
_FULL = 0.7
"""Of its column's width: such a line is full."""


def is_table(grid: Grid, rules: Sequence[Rule]) -> bool:
    """Whether what stands on a line belongs together; in columns the sentences run down each."""
    if grid.width < 2:
        return False
    if len(inner_rules(grid, rules)) >= 2:
        return True
    if is_staggered([[word for cell in line for word in cell] for line in grid.lines]):
        return False
    if _breaks_in_all(grid) >= max(2, len(grid.lines) / _ROW) or _rows_begin_together(grid) or _is_labelled(grid):
        return True
    columns = [grid.column(number) for number in range(grid.width)]
    letters = [sum(len(text) for _, _, text in column) for column in columns]
    prose = [number for number, column in enumerate(columns) if _is_prose(column)]
    if len(prose) >= 2 and sum(letters[number] for number in prose) >= 0.6 * sum(letters):
        return False
    if prose and _runs_past(grid, prose):
        return False
    return not _drawn_in_columns(columns)


def _breaks_in_all(grid: Grid) -> int:
    """How often all columns pause at once.

    0 if a sentence ever goes on behind such a pause.
    """
    least = least_distance(grid)
    count = 0
    normal = 0
    for number in range(1, len(grid.lines)):
        if grid.bases[number] - grid.bases[number - 1] <= _ROW_BREAK * least:
            normal += 1
            continue
        if any(
            above and below and starts_low(below) and not ended(above)
            for above, below in zip(grid.texts[number - 1], grid.texts[number], strict=True)
        ):
            return 0
        count += 1
    return count if normal else 0


def _rows_begin_together(grid: Grid) -> bool:
    """Whether a column that has stopped goes on only where the others begin anew."""
    resumed = together = 0
    for column in range(grid.width):
        for number in range(2, len(grid.lines)):
            here, above = grid.texts[number][column], grid.texts[number - 1][column]
            if here and not above and any(texts[column] for texts in grid.texts[: number - 1]):
                resumed += 1
                together += all(
                    other == column or not below or not before or not (starts_low(below) or _is_cut(before, below))
                    for other, (before, below) in enumerate(
                        zip(grid.texts[number - 1], grid.texts[number], strict=True)
                    )
                )
    return resumed >= max(2, len(grid.lines) / _ROW) and together >= 0.8 * resumed and _sparse(grid)


def _is_labelled(grid: Grid) -> bool:
    """Whether short entries of one column stand where cells of others begin.

    The lines before such cells are not full.
    """
    columns = [grid.column(number) for number in range(grid.width)]
    edges = [max((word.right for _, row, _ in column for word in row), default=0.0) for column in columns]
    for labels in columns:
        if not 2 <= len(labels) <= 0.75 * len(grid.lines) or sum(len(row) for _, row, _ in labels) > 4 * len(labels):
            continue
        begun = [
            ended(grid.texts[at - 1][other]) or edges[other] - above[-1].right > below[0].right - below[0].left + 1
            for at, _, _ in labels
            if at
            for other, below in enumerate(grid.lines[at])
            if below and (above := grid.lines[at - 1][other]) and columns[other] is not labels
        ]
        if len(begun) >= 2 and sum(begun) >= 0.7 * len(begun):
            return True
    return False


def _sparse(grid: Grid) -> bool:
    """Whether many lines lack a column, as those do that only one cell wraps into."""
    lacking = sum(not all(texts) for texts in grid.texts)
    return lacking >= 0.25 * len(grid.texts)


def _is_prose(column: list[tuple[int, Row, str]]) -> bool:
    """Whether sentences run over its lines, most of which are full."""
    words, letters = _averages(column)
    cased = any(letter.islower() or letter.isupper() for _, _, text in column[:5] for letter in text)
    if len(column) < 3 or letters < (14 if cased else 8) or (cased and words < 2.5):
        return False
    if _filled(column) < 0.65:
        return False
    pairs = len(column) - 1
    going_on = sum(_goes_on(above, below) for (_, _, above), (_, _, below) in pairwise(column))
    open_ended = sum(not ended(above) for _, _, above in column[:-1])
    return (cased and going_on >= 0.3 * pairs) or (
        _filled(column) >= 0.75 and (words >= 5 or not cased) and open_ended >= 0.6 * pairs
    )


def _averages(column: list[tuple[int, Row, str]]) -> tuple[float, float]:
    """Words and letters of a line."""
    lines = max(1, len(column))
    return sum(len(text.split()) for _, _, text in column) / lines, sum(len(text) for _, _, text in column) / lines


def _filled(column: list[tuple[int, Row, str]]) -> float:
    """The share of full lines among those that do not end a sentence."""
    left = min(row[0].left for _, row, _ in column)
    width = max(row[-1].right for _, row, _ in column) - left
    full = [row[-1].right - left >= _FULL * width for _, row, text in column[:-1] if not ended(text)]
    return sum(full) / len(full) if full else 0.0


def _is_cut(above: str, below: str) -> bool:
    """Whether two lines look like parts of a longer sentence."""
    return len(above.split()) >= 5 and not ended(above) and below[:1].isalnum()


def _goes_on(above: str, below: str) -> bool:
    return above.endswith(("-", "\u00ad", "\u2010")) or (not ended(above) and starts_low(below))


def _runs_past(grid: Grid, prose: list[int]) -> bool:
    """Whether sentences go on where another column has an entry.

    That is a note in the margin, or a list beside text.
    """
    for number in prose:
        column = grid.column(number)
        left = min(row[0].left for _, row, _ in column)
        width = max(row[-1].right for _, row, _ in column) - left
        pairs = past = full = 0
        for (_, row, above), (at, _, below) in pairwise(column):
            if _goes_on(above, below):
                beside = any(text for other, text in enumerate(grid.texts[at]) if other != number)
                pairs, past = pairs + 1, past + beside
                full += beside and row[-1].right - left >= 0.85 * width
        sparse = all(len(grid.column(other)) <= len(column) / 2 for other in range(grid.width) if other != number)
        long = len(column) >= 8 and _averages(column)[0] >= 5 and _filled(column) >= 0.85
        if (sparse and full) or (long and past >= max(3, 0.5 * pairs)):
            return True
    return False


def _drawn_in_columns(columns: list[list[tuple[int, Row, str]]]) -> bool:
    """Whether several columns of some words a line are drawn one after the other."""
    long = [column for column in columns if len(column) >= 4]
    if len(long) < 2 or len(long) < len(columns):
        return False
    if any(sum(len(row) for _, row, _ in column) < 2.5 * len(column) for column in long):
        return False
    orders = [[word.order for _, row, _ in column for word in row] for column in long]
    return all(max(one) < min(other) for one, other in pairwise(sorted(orders, key=min)))


def table(grid: Grid, rules: Sequence[Rule]) -> Block:
    """The rows of a table; lines into which a cell wraps are joined."""
    inner = inner_rules(grid, rules)
    ruled = len(inner) >= 2 and len(inner) >= len(grid.lines) / 4
    least = least_distance(grid)
    far = [below - above > _ROW_BREAK * least for above, below in pairwise(grid.bases)]
    spaced = 0.25 * len(far) <= sum(far) < len(far)
    rows: list[list[str]] = []
    for number, texts in enumerate(grid.texts):
        if rows and not _begins_row(grid, number, inner, ruled, spaced, far[number - 1]):
            rows[-1] = [f"{cell} {text}".strip() for cell, text in zip(rows[-1], texts, strict=True)]
        else:
            rows.append(list(texts))
    cells = tuple(tuple(row) for row in rows)
    bold = [all(word.bold for cell in line for word in cell) for line in grid.lines]
    return Block(rows=cells, header=has_header(cells, bold), base=grid.bases[0])


def _begins_row(grid: Grid, number: int, inner: list[float], ruled: bool, spaced: bool, far: bool) -> bool:
    """Whether a line begins a row.

    All rows are divided by drawn lines (`ruled`), or they stand apart (`spaced`).
    """
    if bisect_left(inner, grid.bases[number - 1]) < bisect_right(inner, grid.bases[number]) or ruled or far:
        return not ruled or bisect_left(inner, grid.bases[number - 1]) < bisect_right(inner, grid.bases[number])
    if grid.bases[number] - grid.bases[number - 1] < _BESIDE * max(
        word.size for cell in grid.lines[number] for word in cell
    ):
        return False  # A cell in the middle of its row's height.
    texts, before = grid.texts[number], grid.texts[number - 1]
    filled = [text for text in texts if text]
    if len(filled) == grid.width or any(not before[at] for at, text in enumerate(texts) if text):
        return True
    if spaced and not texts[0]:
        return False
    if all(starts_low(text) for text in filled):
        return False
    return bool(texts[0]) or not all(any(map(str.isalpha, text)) for text in filled) or len(filled) > 1
