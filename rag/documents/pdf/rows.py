"""The words of a PDF's page -> its lines."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from rag.documents.pdf.words import Word

WIDE = 1.5
"""Ems; as wide a gap in a line divides what does not belong together."""
SAME_LINE = 0.3
"""Baselines of a line differ by less, in ems."""
_JUSTIFIED = 4
"""Lines of a column of which half end at one place, so that their blanks are as wide as need be."""
_BLANK = 0.15
"""Ems between two words of which PDFium tells no blank."""
LIST_MARK = re.compile(
    r"[-*–—•◦▪■□▫●○‣⁃➢➤✓✔→·o]|[\uf000-\uf0ff]|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)]|\(\w{1,4}\)|§|\d{1,2}(?:\.\d{1,3})+\.?"
    r"|\[[ xX\d]{1,3}\]"
)
"""A word that is the mark of a list's item or the number of a clause."""
_LONGEST_MARK = 12
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_LEADERS = re.compile(r"(?:\.[ ]?){5}|(?:_[ ]?){3}|…{2}")
_ENDED = re.compile(r"[.!?:;…。！？؟۔][\"'”’»)\]]{0,3}\Z")
_OPENERS = "\"'“‘«(„"


class Line(NamedTuple):
    """Words on one baseline.

    `start` and `edge` are where the lines of its column begin and end.
    """

    text: str
    left: float
    right: float
    base: float
    size: float
    bold: bool
    fixed: bool
    first_width: float
    divided: bool
    """Whether wide gaps or leaders divide it, as the entries of a table of contents."""
    start: float
    edge: float


@dataclass(frozen=True)
class Block:
    """Lines that follow each other in a column, or the rows of a table."""

    lines: tuple[Line, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    header: bool = False
    base: float = 0.0


class Rule(NamedTuple):
    """A drawn horizontal line."""

    y: float
    left: float
    right: float


Row = list[Word]


def ended(text: str) -> bool:
    """Whether a sentence ends with `text`."""
    return bool(_ENDED.search(text))


def starts_low(text: str) -> bool:
    """Whether the first letter is a small one, as in the middle of a sentence."""
    first = text.lstrip(_OPENERS)[:1]
    return first.islower()


def is_right_to_left(words: Sequence[Word]) -> bool:
    """Whether most words are of a script that runs from right to left."""
    return 2 * sum(bool(_RIGHT_TO_LEFT.search(word.text)) for word in words) > len(words)


def rows_of(words: Sequence[Word]) -> list[Row]:
    """The words of each line across the page, from top to bottom.

    Those of a line are in the order from left to right.
    """
    rows: list[Row] = []
    base = size = 0.0
    for word in sorted(words, key=lambda word: (word.base, word.left)):
        if rows and word.base - base <= SAME_LINE * min(size, word.size):
            rows[-1].append(word)
        else:
            rows.append([word])
            base, size = word.base, word.size
    return [_without_doubles(sorted(row, key=lambda word: (word.left, word.order))) for row in rows]


def _without_doubles(row: Row) -> Row:
    """Letters are drawn twice, a little moved, to look bold or to throw a shadow."""
    return [
        word
        for number, word in enumerate(row)
        if not number or word.text != row[number - 1].text or word.left - row[number - 1].left >= word.size * 0.15
    ]


def is_mark(row: Row, number: int) -> bool:
    """Whether a word is the mark of a list's item.

    It is the first of its line, or stands behind a wide gap.
    """
    word = row[number]
    if len(word.text) > _LONGEST_MARK or (number and word.left - row[number - 1].right < WIDE * word.size):
        return False
    return bool(LIST_MARK.fullmatch(word.text))


def row_text(row: Row, justified: bool = False) -> str:
    """The words of a line; wide gaps are two blanks, unless the line is `justified`."""
    whole = "".join([word.text for word in row])
    if not whole.isascii() and _RIGHT_TO_LEFT.search(whole):  # PDFium gives them in logical order.
        return " ".join(word.text for word in sorted(row, key=lambda word: word.order) if word.text)
    pieces, before = [], None
    for number, word in enumerate(row):
        if not word.text:
            before = word
            continue
        if before is not None:
            gap = (word.left - before.right) / max(word.size, 1e-6)
            if gap >= WIDE and not justified and not is_mark(row, number - 1):
                pieces.append("  ")
            elif gap > _BLANK or (word.spaced and gap > -WIDE):
                pieces.append(" ")
        pieces.append(word.text)
        before = word
    return "".join(pieces)


def cell_starts(row: Row) -> list[float]:
    """Where the parts of a line begin that wide gaps divide."""
    return [row[0].left] + [
        word.left
        for number, (before, word) in enumerate(pairwise(row))
        if word.left - before.right >= WIDE * word.size and not is_mark(row, number)
    ]


def has_header(rows: Sequence[Sequence[str]], bold: Sequence[bool]) -> bool:
    """Whether the first row alone is in bold, or alone has no numbers."""
    if len(rows) < 2 or not all(rows[0][1:]) or sum(row[0].endswith(":") for row in rows) > len(rows) / 2:
        return False
    if bold[0] and sum(bold) <= len(bold) / 2:
        return True
    for column in range(1, len(rows[0])):
        numbers = [any(map(str.isdigit, row[column])) for row in rows]
        if len(rows) > 2 and not numbers[0] and sum(numbers) >= 2 / 3 * (len(rows) - 1):
            return True
    return False


def lines_of(rows: list[Row]) -> Iterator[Line]:
    """The lines of a column."""
    start = min(row[0].left for row in rows)
    edge = max(row[-1].right for row in rows)
    ends = Counter(round(row[-1].right) for row in rows)
    for row in rows:
        end = round(row[-1].right)
        justified = len(rows) >= _JUSTIFIED and ends[end - 1] + ends[end] + ends[end + 1] >= len(rows) / 2
        letters = sum(len(word.text) for word in row)
        text = row_text(row, justified)
        if not text:
            continue
        yield Line(
            text,
            row[0].left,
            max(word.right for word in row),
            row[0].base,
            max(row, key=lambda word: len(word.text)).size,
            sum(len(word.text) for word in row if word.bold) > 0.8 * letters,
            sum(len(word.text) for word in row if word.fixed) > 0.8 * letters,
            row[0].right - row[0].left,
            "  " in text or bool(_LEADERS.search(text)),
            start,
            edge,
        )
