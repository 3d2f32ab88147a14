"""The blocks of a Word document -> Markdown: paragraphs, items, headings, tables."""

from dataclasses import dataclass
from itertools import takewhile

_ENDS = (".", "!", "?", ":", ";", ",", "。", "！", "？", "：", "；", "，", "؟")
_LONGEST_NAME = 60
"""Characters of the name of several columns."""
Row = list[str | None]
"""The texts of a table's row by columns, None where the cell before goes on."""


@dataclass(frozen=True)
class Block:
    """A paragraph with its marks and number, or the rows of a table."""

    text: str
    marks: str = ""
    label: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


def in_a_line(blocks: list[Block]) -> str:
    """`blocks` as the content of a table's cell."""
    text = ""
    for block in blocks:
        rows = [", ".join(filter(None, row)) for row in block.rows]
        for line in rows or _labelled(block).split("\n"):
            text += (" " if text.endswith(_ENDS) or not text else "; ") + line
    return text.strip()


def markdown_of(blocks: list[Block]) -> str:
    """`blocks` as Markdown."""
    text: list[str] = []
    was_item = False
    for block in blocks:
        is_item = block.marks.endswith("- ")
        text.append("\n" if is_item and was_item else "\n\n")
        text.append(_grid(block.rows) if block.rows else block.marks + _labelled(block))
        was_item = is_item
    return "".join(text[1:])


def _labelled(block: Block) -> str:
    return f"{block.label} {block.text}" if block.label else block.text


def _grid(rows: tuple[tuple[str, ...], ...]) -> str:
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * max(map(len, rows))}", *lines[1:]])


def filled_rows(rows: list[Row]) -> tuple[tuple[str, ...], ...]:
    """The rows that hold something, without the columns in which no cell begins.

    A cell over several columns stands in each of them, unless it is long or the only one of its row.
    """
    columns = sorted({at for row in rows for at, cell in enumerate(row) if cell is not None})
    filled: list[tuple[str, ...]] = []
    for row in rows:
        texts: list[str] = []
        names = sum(cell is not None for cell in row) > 1
        for at in takewhile(len(row).__gt__, columns):
            cell = row[at]
            repeated = texts[-1] if names and texts and len(texts[-1]) <= _LONGEST_NAME else ""
            texts.append(cell if cell is not None else repeated)
        if any(texts):
            filled.append(tuple(texts))
    return tuple(filled)
