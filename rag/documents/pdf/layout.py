"""The words of a PDF's page -> its columns and tables in order."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rag.documents.pdf.gaps import Gap, bands, extended, is_known, parts_of, without_headings
from rag.documents.pdf.grid import grid_of, is_staggered
from rag.documents.pdf.lattice import Lattice, with_tables, without_tables
from rag.documents.pdf.rows import Block, Row, Rule, cell_starts, is_right_to_left, lines_of, rows_of
from rag.documents.pdf.table import is_table, table
from rag.documents.pdf.words import Word

_DEEPEST = 12
"""Columns within columns."""
_INDENT = 2.5
"""Ems by which the lines of a column may be indented."""
_LARGER = 1.15
"""Of the size of other lines: a heading is larger."""
_FEW = 3
"""As many lines that begin elsewhere do not belong to a column."""


def blocks(words: Sequence[Word], rules: Sequence[Rule], grids: Sequence[Lattice] = ()) -> Iterator[Block]:
    """The blocks of a page in the order of reading.

    `rules` are sorted from top to bottom; `grids` are tables whose cells are drawn.
    """
    rest, tables = without_tables(words, grids)
    if rest:
        for block in _blocks(rows_of(rest), rules, 0, []):
            yield from with_tables(block, tables)


def _blocks(rows: list[Row], rules: Sequence[Rule], depth: int, known: list[float]) -> Iterator[Block]:
    """The blocks of some lines.

    `known` are the middles of gaps that divide columns elsewhere on the page; there a few lines are columns too.
    """
    found, before = [], 0
    for start, end, gap in bands(rows, known) if depth < _DEEPEST else []:
        first = extended(rows[:end], start, before, gap)
        is_one = not is_known(gap, known) and is_table(grid_of(rows[first:end]), rules)
        found.append((start if is_one else first, end, gap, is_one))
        before = end
    middles = [(gap.left + gap.right) / 2 for _, _, gap, is_one in found if not is_one]
    done = 0
    for start, end, gap, is_one in found:
        if done < start:
            yield from _blocks(rows[done:start], rules, depth + 1, middles)
        parts = _parts(rows[start:end], gap, is_one, rules)
        if len(parts) > 1:
            for part, is_usual in parts:
                yield from _blocks(part, rules, depth + 1, [(gap.left + gap.right) / 2] if is_usual else [])
        elif is_one:
            yield table(grid_of(rows[start:end]), rules)
        else:
            yield from _columns(rows[start:end], (gap.left + gap.right) / 2, rules, depth)
        done = end
    if done < len(rows):
        yield from (
            _blocks(rows[done:], rules, depth + 1, middles) if found else [Block(lines=tuple(lines_of(rows[done:])))]
        )


def _parts(rows: list[Row], gap: Gap, is_one: bool, rules: Sequence[Rule]) -> list[tuple[list[Row], bool]]:
    """The lines parted where a table among columns begins or ends.

    It leaves the same gap free as what stands above or below it.
    Each part with whether it is like most of the lines, in columns.
    """
    parts = parts_of(rows)
    if len(parts) > 1 and (is_one or any(len(part) > 2 and is_table(grid_of(part), rules) for part in parts)):
        return [(part, False) for part in parts]
    size = sorted(row[0].size for row in rows)[len(rows) // 2]
    sections = without_headings(rows, gap)
    if len(sections) > 1 and (
        not is_one
        or any(len(part) > 2 and not is_table(grid_of(part), rules) for part in sections)
        or any(len(part) == 1 and part[0][0].size > _LARGER * size for part in sections)
    ):
        return [(section, not is_one) for section in sections]
    if is_one or is_staggered(rows):
        return [(rows, True)]
    starts = [cell_starts(row) for row in rows]
    usual = [min(row[0].left for row in rows), *(right for _, right in grid_of(rows).gaps)]

    def strange(row: list[float]) -> int:
        return sum(not any(-1.2 * size <= x - start <= _INDENT * size for start in usual) for x in row)

    foreign = [len(row) > 1 and strange(row) >= (1 if len(row) > len(usual) else 2) for row in starts]
    for is_foreign, numbers in groupby(range(len(rows)), key=lambda number: foreign[number]):
        group = list(numbers)
        foreign[group[0] : group[-1] + 1] = [is_foreign and len(group) >= _FEW] * len(group)
    grouped = groupby(range(len(rows)), key=lambda number: foreign[number])
    return [([rows[number] for number in numbers], not is_foreign) for is_foreign, numbers in grouped]


def _columns(rows: list[Row], middle: float, rules: Sequence[Rule], depth: int) -> Iterator[Block]:
    words = [word for row in rows for word in row]
    sides = [
        [word for word in words if (word.left + word.right) / 2 < middle],
        [word for word in words if (word.left + word.right) / 2 >= middle],
    ]
    for side in reversed(sides) if is_right_to_left(words) else sides:
        if side:
            yield from _blocks(rows_of(side), rules, depth + 1, [])
