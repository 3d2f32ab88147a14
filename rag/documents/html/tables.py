"""Tables: which only lay a page out, and the lines of those that hold data."""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_COPIES = 10
"""Places of a table for each of its cells, at most, so that merged cells cannot make an endless one."""
_LAID_OUT = ["h1", "h2", "h3", "h4", "pre", "article", "section", "form"]
"""What no cell of data holds; heads of columns may be headings."""
_PARTS = ["thead", "tbody", "tfoot", "tr", "td", "th", "caption"]


@dataclass
class Cell:
    """A cell's text, how many columns and rows it covers, and whether it heads them."""

    text: str
    across: int
    down: int
    heads: bool


def open_layout_tables(page: "BeautifulSoup") -> None:
    """Make plain parts of the tables that only lay a page out."""
    for table in reversed(page.find_all("table")):
        if _lays_out(table):
            for part in [table, *(part for part in table.find_all(_PARTS) if part.find_parent("table") is table)]:
                part.name = "div"


def _lays_out(table: "Tag") -> bool:
    """Whether it says so, has a single column, or holds headings, or mostly other tables."""
    if table.get("role") in {"presentation", "none"}:
        return True
    rows = [row for row in table.find_all("tr") if row.find_parent("table") is table]
    if all(len(row.find_all(["td", "th"], recursive=False)) < 2 for row in rows):
        return True
    if any(found.find_parent("th") is None for found in table.find_all(_LAID_OUT)):
        return True
    inner = table.find_all("table")
    letters = len(table.get_text(strip=True))
    return bool(inner) and sum(len(one.get_text(strip=True)) for one in inner) * 2 > letters


def table_lines(caption: str, rows: list[list[Cell]]) -> tuple[str, list[str]]:
    """The caption and lines of a table, its rows of heads joined to one."""
    if len(rows) > 1 and len(rows[0]) == 1 < len(max(rows, key=len)) and rows[0][0].heads and rows[0][0].down == 1:
        caption = "\n\n".join(filter(None, [caption, rows.pop(0)[0].text]))  # A title over all columns.
    heads = 0
    while heads < len(rows) and all(cell.heads for cell in rows[heads]):
        heads += 1
    grid = _grid(rows)
    if not any(cell for row in grid for cell in row):
        return caption, []
    if 1 < heads < len(grid):
        columns = [[row[at] for row in grid[:heads] if at < len(row)] for at in range(max(map(len, grid[:heads])))]
        grid[:heads] = [[" ".join(dict.fromkeys(filter(None, column))) for column in columns]]
    lines = ["|" + "".join(f" {cell} |" if cell else " |" for cell in row) for row in grid if any(row)]
    width = len(grid[0]) if grid else 0
    return caption, [lines[0], f"|{' --- |' * max(1, width)}", *lines[1:]]


def _grid(rows: list[list[Cell]]) -> list[list[str]]:
    """The texts by row and column; a merged cell is repeated where it covers.

    No row gets wider than the number of cells asks for, so a colspan of 1,000 costs nothing.
    """
    width = _width(rows)
    left = _COPIES * sum(map(len, rows)) + 100
    waiting: dict[int, tuple[int, str]] = {}
    grid = []
    for cells in rows:
        row: dict[int, str] = {}
        covered: dict[int, tuple[int, str]] = {}
        for at, (down, text) in waiting.items():
            row[at] = text
            if down > 1:
                covered[at] = (down - 1, text)
        free = width - len(row)
        at = 0
        whole = len(cells) == 1 and not row
        for number, cell in enumerate(cells):
            across = max(1, min(cell.across, free - (len(cells) - number - 1)))
            for copy in range(across):
                while at in row:
                    at += 1
                row[at] = "" if copy and whole else cell.text
                if cell.down > 1 and left > 0:
                    covered[at] = (cell.down - 1, cell.text)
            free -= across
        left -= len(row)
        waiting = covered if left > 0 else {}
        grid.append([row.get(at, "") for at in range(max(row, default=-1) + 1)])
    return grid


def _width(rows: list[list[Cell]]) -> int:
    """The most columns of a row, with the cells that reach down into it."""
    ends: dict[int, int] = defaultdict(int)
    reaching, widest = 0, 0
    for at, cells in enumerate(rows):
        reaching -= ends.pop(at, 0)
        widest = max(widest, reaching + len(cells))
        for cell in cells:
            if cell.down > 1:
                reaching += 1
                ends[at + cell.down] += 1
    return widest
