"""Tables of a PDF whose cells are drawn: told by the lines around them alone."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rag.documents.pdf.hyphen import join_lines
from rag.documents.pdf.rows import Block, Rule, has_header, row_text, rows_of
from rag.documents.pdf.words import Word

_NEAR = 2.5
"""Points between lines that meet, or are one line drawn twice."""
_MOST = 1_000
"""Lines across and down; a page with more holds a drawing."""
_FEW = 50
"""Tables on a page."""
_LONGEST = 2_000
"""Letters in a cell; a frame around more holds a page."""
_PLACE = re.compile("\ue000(\\d{1,6})\ue001")
"""What stands for a table while its page is put in order."""


class Lattice(NamedTuple):
    """The places of the lines that make a table's cells."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]


def lattices(across: Sequence[Rule], down: Sequence[Rule]) -> list[Lattice]:
    """The lattices that lines make.

    Of those `down`, `y` is the place and `left` and `right` are top and bottom.
    """
    across, down = _merged(across), _merged(down)
    if not across or not down or len(across) > _MOST or len(down) > _MOST:
        return []
    group = list(range(len(across) + len(down)))

    def first(number: int) -> int:
        while group[number] != number:
            group[number] = group[group[number]]
            number = group[number]
        return number

    for number, line in enumerate(down, len(across)):
        for other in range(bisect_right(across, (line.left - _NEAR,)), bisect_right(across, (line.right + _NEAR,))):
            if across[other].left - _NEAR <= line.y <= across[other].right + _NEAR:
                group[first(number)] = first(other)
    held: dict[int, tuple[list[float], list[float]]] = {}
    for number, line in enumerate([*across, *down]):
        held.setdefault(first(number), ([], []))[number < len(across)].append(line.y)
    found = [Lattice(_places(xs), _places(ys)) for xs, ys in held.values()]
    return [one for one in found if len(one.xs) > 2 and len(one.ys) > 2]


def _merged(lines: Sequence[Rule]) -> list[Rule]:
    """The lines without those that continue another or are the same once more."""
    merged: list[Rule] = []
    for line in sorted(lines):
        last = merged[-1] if merged else None
        if (
            last
            and line.y - last.y <= _NEAR / 2
            and line.left <= last.right + _NEAR
            and line.right >= last.left - _NEAR
        ):
            merged[-1] = Rule(last.y, min(last.left, line.left), max(last.right, line.right))
        else:
            merged.append(line)
    return merged


def _places(places: list[float]) -> tuple[float, ...]:
    """The different ones, in order."""
    kept: list[float] = []
    for place in sorted(places):
        if not kept or place - kept[-1] > _NEAR:
            kept.append(place)
    return tuple(kept)


def without_tables(words: Sequence[Word], found: Sequence[Lattice]) -> tuple[list[Word], list[Block]]:
    """The words outside of tables, and the tables.

    One word stands in the place of each table.
    """
    rest, tables = list(words), list[Block]()
    by_area = sorted(found[:_FEW], key=lambda one: (one.xs[-1] - one.xs[0]) * (one.ys[-1] - one.ys[0]))
    for lattice in by_area:
        inside = [word for word in rest if _cell(word, lattice)]
        table = _table(inside, lattice)
        if table is None:
            continue
        gone = set(map(id, inside))
        size = sorted(word.size for word in inside)[len(inside) // 2]
        first = min(inside, key=lambda word: word.order)
        place = f"\ue000{len(tables)}\ue001"
        rest = [word for word in rest if id(word) not in gone]
        rest.append(Word(place, lattice.xs[0], lattice.xs[-1], lattice.ys[0] + size, size, order=first.order))
        tables.append(table)
    return rest, tables


def _cell(word: Word, lattice: Lattice) -> tuple[int, int] | None:
    """The row and column in which the middle of a word lies."""
    x, y = (word.left + word.right) / 2, word.base - 0.3 * word.size
    if not (lattice.xs[0] <= x <= lattice.xs[-1] and lattice.ys[0] <= y <= lattice.ys[-1]):
        return None
    return min(bisect_right(lattice.ys, y), len(lattice.ys) - 1) - 1, min(
        bisect_right(lattice.xs, x), len(lattice.xs) - 1
    ) - 1


def _table(words: Sequence[Word], lattice: Lattice) -> Block | None:
    """The table of a lattice; None if it only frames text or a drawing."""
    cells: dict[tuple[int, int], list[Word]] = {}
    for word in words:
        if cell := _cell(word, lattice):
            cells.setdefault(cell, []).append(word)
    rows = sorted({row for row, _ in cells})
    columns = sorted({column for _, column in cells})
    several = sum(len({column for row, column in cells if row == one}) > 1 for one in rows)
    if len(rows) < 2 or len(columns) < 2 or several < len(rows) / 2 or len(cells) < 0.4 * len(rows) * len(columns):
        return None
    texts = {
        cell: join_lines([text for row in rows_of(held) if (text := row_text(row))], Counter())
        for cell, held in cells.items()
    }
    if max(map(len, texts.values())) > _LONGEST:
        return None
    grid = tuple(tuple(texts.get((row, column), "") for column in columns) for row in rows)
    bold = [all(word.bold for column in columns for word in cells.get((row, column), ())) for row in rows]
    return Block(rows=grid, header=has_header(grid, bold), base=min(word.base for word in words))


def with_tables(block: Block, tables: Sequence[Block]) -> Iterator[Block]:
    """The block with the tables in their places."""
    if not tables:
        yield block
        return
    if block.rows:
        inside = [number for row in block.rows for cell in row for number in _PLACE.findall(cell)]
        rows = tuple(tuple(_PLACE.sub("", cell).strip() for cell in row) for row in block.rows)
        yield Block(rows=tuple(row for row in rows if any(row)), header=block.header, base=block.base)
        yield from (tables[int(number)] for number in inside if int(number) < len(tables))
        return
    start = 0
    for at, line in enumerate(block.lines):
        if numbers := _PLACE.findall(line.text):
            text = " ".join(_PLACE.sub(" ", line.text).split())
            lines = (*block.lines[start:at], *([line._replace(text=text)] if text else []))
            if lines:
                yield Block(lines=lines)
            yield from (tables[int(number)] for number in numbers if int(number) < len(tables))
            start = at + 1
    if block.lines[start:]:
        yield Block(lines=block.lines[start:])
