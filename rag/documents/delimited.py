"""CSV and TSV -> a table of Markdown, headed by its first row."""

import csv
from collections import Counter
from io import StringIO
from itertools import islice
from typing import IO

from rag.documents.encoding import decode
from rag.documents.html.tables import Cell, table_lines
from rag.documents.parsed import FormatError, Parsed

_DELIMITERS = ",;\t|"
_TRIED = 100
"""Rows that tell the delimiter."""


def read_delimited(file: IO[bytes], charset: str | None) -> Parsed:
    """The table; a file of one column is a plain text. Raises FormatError."""
    decoded = decode(file.read(), charset)
    delimiter = max(_DELIMITERS, key=lambda one: _agreement(decoded.text, one))
    try:
        rows = [_cells(row) for row in csv.reader(StringIO(decoded.text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise FormatError(f"is no table of values with delimiters ({error}); correct it or save it as .txt") from error
    if max(map(len, rows), default=0) < 2:
        return Parsed(None, decoded.text, left_out=decoded.left_out())
    made = [[Cell(cell, 1, 1, heads=number == 0) for cell in row] for number, row in enumerate(rows)]
    title, lines = table_lines("", made)
    return Parsed(title or None, "\n".join([title, ""] * bool(title) + lines), left_out=decoded.left_out())


def _cells(row: list[str]) -> list[str]:
    return [" ".join(cell.split()).replace("|", r"\|") for cell in row]


def _agreement(text: str, delimiter: str) -> tuple[int, int]:
    """How many of the first rows have equally many columns, and how many."""
    try:
        widths = Counter(map(len, islice(csv.reader(StringIO(text, newline=""), delimiter=delimiter), _TRIED)))
    except csv.Error:
        return 0, 0
    return max(((rows, width) for width, rows in widths.items() if width > 1), default=(0, 0))
