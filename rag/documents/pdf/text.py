"""The paragraphs of a PDF's pages -> its text and where each page starts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rag.documents.html.reader import tidy
from rag.documents.pdf.hyphen import join, join_lines, words_of
from rag.documents.pdf.prose import Paragraph, goes_on, mark_of
from rag.documents.pdf.rows import Block, starts_low

_LARGER = 1.15
"""Of the text's size: a heading is larger."""
_SMALLER = 0.92
"""Of the text's size: a footnote is smaller."""
_LONGEST = 150
"""Letters of a heading."""
_LEVELS = 4
_FEW_ROWS = 3
"""A table of fewer rows is given as lines."""
_FEW_LINES = 3
"""A longer paragraph is no heading."""
_BETWEEN = 4
"""Blocks that may stand between two parts of a sentence."""
_SHORT = 40
"""Letters; the splitter takes a shorter line for a line of its own."""


@dataclass(frozen=True)
class PageText:
    """The paragraphs of a page, and what repeats on pages, where it comes first."""

    paragraphs: tuple[Paragraph, ...]
    head: tuple[str, ...] = ()
    foot: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Piece:
    """A text and what parts it from the one before."""

    text: str
    before: str = "\n\n"


def text_of(pages: Sequence[PageText]) -> tuple[str, tuple[int, ...]]:
    """The whole text, and where each page starts in it."""
    style = _Style(pages)
    bodies = [_joined(page.paragraphs) for page in pages]
    tails = [style.tail(body) for body in bodies]
    runs_on = [
        bool(len(above) > tail and below) and goes_on(above[-1 - tail], below[0])
        for (above, tail), below in zip(zip(bodies, tails, strict=True), bodies[1:], strict=False)
    ]
    text = _Text(style.known)
    for number, (page, body, tail) in enumerate(zip(pages, bodies, tails, strict=True)):
        continued = number > 0 and runs_on[number - 1]
        text.begin_page(continued)
        for piece in _pieces(page, body, tail, continued, number < len(runs_on) and runs_on[number], style):
            text.add(piece)
    return text.whole(), tuple(text.starts)


def first_line(pages: Sequence[PageText]) -> str:
    """The first paragraph's text, if it is short.

    Else it is the first that repeats at the top of pages.
    """
    first = next((paragraph for page in pages for paragraph in page.paragraphs if paragraph.lines), None)
    if first and len(first.lines) <= _FEW_LINES:
        return tidy(join_lines([line.text for line in first.lines], Counter()))
    return next((text.split("  ")[0] for page in pages for text in page.head), "")


class _Text:
    """The text as it grows, and the offsets of its pages."""

    def __init__(self, known: Counter[str]) -> None:
        self.known, self.parts, self.length, self.starts = known, [""], 0, list[int]()
        self.opened, self.continued = True, False

    def begin_page(self, continued: bool) -> None:
        """Begin a page; if `continued`, its first piece ends a sentence of the one before."""
        if self.starts and not continued:
            self._put("\n\n")
        self.opened, self.continued = True, continued
        self.starts.append(self.length)

    def add(self, piece: _Piece) -> None:
        """Add a piece, parted from the one before."""
        if self.continued:
            between = join(self.parts[-1], piece.text, self.known)
            if between == "\b":
                self.parts[-1] = self.parts[-1][:-1]
                self.length -= 1
            else:
                self._put(between)
            self.starts[-1] = self.length
        elif not self.opened:
            self._put(piece.before)
        self.opened = self.continued = False
        self._put(piece.text)

    def _put(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def whole(self) -> str:
        """All of it."""
        return "".join(self.parts)


class _Style:
    """The size of a document's text, its headings and the words that it uses."""

    def __init__(self, pages: Sequence[PageText]) -> None:
        lines = [line for page in pages for paragraph in page.paragraphs for line in paragraph.lines]
        self.known = words_of(line.text for line in lines)
        sizes: Counter[float] = Counter()
        for line in lines:
            sizes[round(line.size * 2) / 2] += len(line.text)
        self.size = max(sizes, key=lambda size: sizes[size], default=0.0)
        letters = sum(len(line.text) for line in lines)
        self.bold_means = sum(len(line.text) for line in lines if line.bold) < 0.4 * letters
        larger = {
            _rounded(paragraph.lines[0].size)
            for page in pages
            for paragraph in page.paragraphs
            if self._is_large(paragraph)
        }
        self.levels = {size: min(level, _LEVELS) for level, size in enumerate(sorted(larger, reverse=True), 1)}

    def tail(self, body: Sequence[Paragraph]) -> int:
        """How many paragraphs at the end of a page are footnotes."""
        count = 0
        while count < len(body) and (lines := body[-1 - count].lines) and lines[0].size < _SMALLER * self.size:
            count += 1
        return count if count < len(body) else 0

    def level(self, paragraph: Paragraph, following: Paragraph | None) -> int | None:
        """The level of a heading, None if the paragraph is none."""
        if self._is_large(paragraph):
            return self.levels[_rounded(paragraph.lines[0].size)]
        if (
            self.bold_means
            and self._is_bold(paragraph)
            and following
            and following.lines
            and not following.lines[0].bold
        ):
            return min(max(self.levels.values(), default=1) + 1, _LEVELS)
        return None

    def _is_large(self, paragraph: Paragraph) -> bool:
        lines = paragraph.lines
        return _may_be_heading(paragraph) and min(line.size for line in lines) >= _LARGER * self.size

    def _is_bold(self, paragraph: Paragraph) -> bool:
        lines = paragraph.lines
        return (
            _may_be_heading(paragraph)
            and all(line.bold for line in lines)
            and lines[0].size >= 0.95 * self.size
            and (paragraph.after_gap or paragraph.opens)
            and not lines[-1].text.endswith(":")
            and (lines[0].text[0].isdigit() or not lines[0].text[0].islower())
        )


def _rounded(size: float) -> float:
    return round(size)


def _may_be_heading(paragraph: Paragraph) -> bool:
    lines = paragraph.lines
    if (
        not lines
        or paragraph.code
        or paragraph.turned
        or len(lines) > _FEW_LINES
        or any(line.divided for line in lines)
    ):
        return False
    text = " ".join(line.text for line in lines)
    letters = sum(map(str.isalpha, text))
    mark = mark_of(lines[0])
    return (
        len(text) <= _LONGEST
        and letters >= 2
        and letters >= len(text) / 3
        and not text.endswith((".", ";", ","))
        and (mark is None or any(map(str.isalnum, mark)))
    )


def _joined(paragraphs: Sequence[Paragraph]) -> list[Paragraph]:
    """The paragraphs of a page, those joined that go on in the next column.

    A box, a picture's caption or a table may stand between the two parts.
    """
    joined: list[Paragraph] = []
    ends: list[int] = []
    for paragraph in paragraphs:
        if paragraph.opens and joined:
            ends = [*ends[1 - _BETWEEN :], len(joined) - 1]
            at = next((end for end in reversed(ends) if _continues(joined, end, paragraph)), None)
            if at is not None:
                joined[at] = joined[at]._replace(lines=(*joined[at].lines, *paragraph.lines))
                continue
        joined.append(paragraph)
    return joined


def _continues(joined: Sequence[Paragraph], end: int, paragraph: Paragraph) -> bool:
    above = joined[end]
    if not above.lines or not paragraph.lines or not goes_on(above, paragraph):
        return False
    return end == len(joined) - 1 or (len(above.lines) > 1 and starts_low(paragraph.lines[0].text))


def _pieces(
    page: PageText, body: list[Paragraph], tail: int, continued: bool, runs_on: bool, style: _Style
) -> Iterator[_Piece]:
    """The texts of a page.

    What goes on at the next page is last, what goes on from the one before first.
    """
    texts = list(_body_pieces(body, style))
    head = [_Piece(text, "\n" if number else "\n\n") for number, text in enumerate(page.head)]
    foot = [_Piece(text, "\n" if number else "\n\n") for number, text in enumerate(page.foot)]
    if continued:
        yield texts.pop(0)
    yield from head
    if runs_on and texts:
        last = texts.pop(-1 - tail)
        yield from [*texts, *foot, last]
    elif runs_on:
        yield from foot
    else:
        yield from [*texts, *foot]


def _body_pieces(body: Sequence[Paragraph], style: _Style) -> Iterator[_Piece]:
    apart = True
    for number, paragraph in enumerate(body):
        following = body[number + 1] if number + 1 < len(body) else None
        if paragraph.table:
            yield _Piece(_table_text(paragraph.table))
            apart = True
            continue
        if paragraph.code:
            yield _Piece(_code_text(paragraph))
            apart = True
            continue
        text = tidy(join_lines([line.text for line in paragraph.lines], style.known))
        level = style.level(paragraph, following)
        if level is not None:
            yield _Piece(f"{'#' * level} {text}")
            apart = True
            continue
        close = not apart and not paragraph.after_gap
        yield _Piece(text, "\n" if close else "\n\n")
        follows_mark = following is not None and bool(following.lines) and mark_of(following.lines[0]) is not None
        apart = len(text) >= _SHORT and not follows_mark


def _code_text(paragraph: Paragraph) -> str:
    """Lines of letters of one width, with their indents."""
    start = min(line.left for line in paragraph.lines)
    lines = []
    for above, line in pairwise((None, *paragraph.lines)):
        assert line is not None
        if above is not None and line.base - above.base > 1.9 * line.size:
            lines.append("")
        lines.append(" " * min(80, round((line.left - start) / (0.6 * line.size))) + tidy(line.text))
    return "\n".join(lines)


def _table_text(table: Block) -> str:
    rows = [[tidy(cell).replace("\n", " ") for cell in row] for row in table.rows]
    if len(rows) < _FEW_ROWS and not table.header:
        return "\n".join("  ".join(cell for cell in row if cell) for row in rows)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if table.header:
        lines.insert(1, f"|{' --- |' * len(rows[0])}")
    return "\n".join(lines)
