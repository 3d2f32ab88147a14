"""The words of a PDF's page as PDFium gives them: where each stands, how large it is, whether a reader sees it."""

import ctypes
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

_RUN = re.compile(r"[^\s\x02\ufffe]+[\x02\ufffe]?|[\x02\ufffe]")
"""A word as PDFium divides them; U+0002 or U+FFFE is the hyphen of a word divided at a line's end."""
_DIGIT = re.compile(r"\d")
_LETTERS = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\x02": "-", "\ufffe": "-"}
)
_FARTHEST = 100_000.0
"""Points from the origin; ISO 32000 allows pages of 14,400. What lies beyond, or is no number, nobody sees."""
_SMALLEST = 1.0
"""Points; smaller letters are not seen, unless the page's other letters are as small."""
_WHITE = 250
"""Of 255, in each colour."""
_INVISIBLE = 3
"""The render mode of text that is not painted, as that which OCR lays below a picture."""
_ALIKE = 0.04
"""Sizes and baselines that differ by less, in ems, are the same."""


class Word(NamedTuple):
    """Letters without a blank between them, in points; `base`, their baseline, grows down the page."""

    text: str
    left: float
    right: float
    base: float
    size: float
    bold: bool = False
    fixed: bool = False
    order: int = 0
    """Its place among the words as they are drawn."""
    spaced: bool = True
    """Whether a blank is drawn before it."""


class Style(NamedTuple):
    """What the letters of a text object have in common; `angle` is in degrees, from left to right is 0."""

    size: float
    angle: int
    bold: bool
    fixed: bool
    mode: int
    white: bool


@dataclass
class PageWords:
    """The words of a page for each angle, turned upright, with those that may not be seen."""

    by_angle: dict[int, list[Word]] = field(default_factory=lambda: defaultdict(list))
    white: list[tuple[int, Word]] = field(default_factory=list)
    unpainted: list[tuple[int, Word]] = field(default_factory=list)
    unseen: int = 0
    """Words that lie beyond the page or are too small to be seen."""


def upright(x: float, y: float, angle: int) -> tuple[float, float]:
    """A point of the page in the co-ordinates of text at `angle`, the second growing down."""
    if angle == 0:
        return x, -y
    turn = math.radians(angle)
    return x * math.cos(turn) + y * math.sin(turn), x * math.sin(turn) - y * math.cos(turn)


def page_words(page: "PdfPage", box: tuple[float, float, float, float]) -> PageWords:
    """The words within `box`, in the order in which they are drawn."""
    text_page = page.get_textpage()
    try:
        return _Reader(text_page.raw, box).read()
    finally:
        text_page.close()


class _Reader:
    """Calls of PDFium cost most, so a word whose ends are alike is not looked at letter by letter."""

    def __init__(self, raw: object, box: tuple[float, float, float, float]) -> None:
        import pypdfium2.raw

        self.api, self.raw, self.box = pypdfium2.raw, raw, box
        self.styles: dict[int | None, Style] = {}
        self.rectangle = pypdfium2.raw.FS_RECTF()
        self.x, self.y = ctypes.c_double(), ctypes.c_double()
        self.found = PageWords()
        self.order = 0

    def read(self) -> PageWords:
        text = self._text()
        end = 0
        for run in _RUN.finditer(text):
            self._word(run[0], run.start(), " " in text[end : run.start()])
            end = run.end()
        self._drop_tiny()
        return self.found

    def _text(self) -> str:
        """A letter for each of PDFium's, so that their numbers are the same."""
        count = self.api.FPDFText_CountChars(self.raw)
        if count <= 0:
            return ""
        buffer = (ctypes.c_ushort * (2 * count + 2))()
        written = self.api.FPDFText_GetText(self.raw, 0, count, buffer)
        text = bytes(buffer)[: 2 * max(0, written - 1)].decode("utf-16-le", "replace")
        if len(text) != count:
            codes = (self.api.FPDFText_GetUnicode(self.raw, index) for index in range(count))
            text = "".join(chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd" for code in codes)
        return text

    def _word(self, text: str, first: int, spaced: bool) -> None:
        style = self._style(first)
        if style.angle == 0 and len(text) > 1 and (_DIGIT.search(text) or not self._even(first, first + len(text) - 1)):
            for start, end in self._pieces(first, first + len(text)):
                self._add(text[start - first : end - first], start, end - 1, self._style(start), spaced)
                spaced = False
        else:
            self._add(text, first, first + len(text) - 1, style, spaced)

    def _even(self, first: int, last: int) -> bool:
        """Whether the boxes of both letters have one height, as all of a font have."""
        _, bottom, _, top = self._box(first)
        _, other_bottom, _, other_top = self._box(last)
        near = (top - bottom) * _ALIKE
        return abs(top - other_top) <= near and abs(bottom - other_bottom) <= near

    def _pieces(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of a word that have one size and one baseline."""
        start, before = first, (self._style(first).size, self._origin(first)[1])
        for index in range(first + 1, end):
            size, base = self._style(index).size, self._origin(index)[1]
            if max(abs(size - before[0]), abs(base - before[1])) > 2 * _ALIKE * max(size, before[0]):
                yield start, index
                start, before = index, (size, base)
        yield start, end

    def _add(self, text: str, first: int, last: int, style: Style, spaced: bool) -> None:
        x, y = self._origin(first)
        left, base = upright(x, y, style.angle)
        if style.angle == 0:
            left, right = min(left, self._box(first)[0]), self._box(last)[2]
        else:
            right = max(upright(x, y, style.angle)[0] for x, y in self._corners(last))
        word = Word(
            text.translate(_LETTERS), left, max(left, right), base, style.size, style.bold, style.fixed, self.order, spaced
        )
        self.order += 1
        if not self._on_page(word, x, y):
            self.found.unseen += 1
        elif style.mode == _INVISIBLE:
            self.found.unpainted.append((style.angle, word))
        elif style.white:
            self.found.white.append((style.angle, word))
        else:
            self.found.by_angle[style.angle].append(word)

    def _on_page(self, word: Word, x: float, y: float) -> bool:
        left, bottom, right, top = self.box
        width = word.right - word.left
        return (
            max(abs(word.left), abs(word.right), abs(word.base), word.size) < _FARTHEST
            and left - width <= x <= right
            and bottom - word.size / 2 <= y <= top
            and (x + width > left)
        )

    def _drop_tiny(self) -> None:
        found = self.found
        if any(word.size >= _SMALLEST for words in found.by_angle.values() for word in words):
            for angle, words in found.by_angle.items():
                seen = [word for word in words if word.size >= _SMALLEST]
                found.unseen += len(words) - len(seen)
                found.by_angle[angle] = seen

    def _box(self, index: int) -> tuple[float, float, float, float]:
        self.api.FPDFText_GetLooseCharBox(self.raw, index, self.rectangle)
        box = self.rectangle
        return box.left, box.bottom, box.right, box.top

    def _corners(self, index: int) -> Iterator[tuple[float, float]]:
        sides = [ctypes.c_double() for _ in range(4)]
        self.api.FPDFText_GetCharBox(self.raw, index, *sides)
        left, right, bottom, top = (side.value for side in sides)
        yield from ((x, y) for x in (left, right) for y in (bottom, top))

    def _origin(self, index: int) -> tuple[float, float]:
        self.api.FPDFText_GetCharOrigin(self.raw, index, self.x, self.y)
        return self.x.value, self.y.value

    def _style(self, index: int) -> Style:
        held = self.api.FPDFText_GetTextObject(self.raw, index)
        key = ctypes.cast(held, ctypes.c_void_p).value
        style = self.styles.get(key)
        if style is None:
            style = self.styles[key] = self._read_style(index, held)
        return style

    def _read_style(self, index: int, held: object) -> Style:
        matrix = self.api.FS_MATRIX()
        self.api.FPDFText_GetMatrix(self.raw, index, matrix)
        size = self.api.FPDFText_GetFontSize(self.raw, index) * math.hypot(matrix.c, matrix.d)
        slant = math.atan2(matrix.b, matrix.a)
        angle = round(math.degrees(slant)) % 360 if math.isfinite(slant) else 0
        name, flags = self._font(index)
        mode = self.api.FPDFTextObj_GetTextRenderMode(held) if held else 0
        return Style(
            abs(size) if math.isfinite(size) else 0.0,
            angle,
            bool(flags & 1 << 18) or "bold" in name or "black" in name or self._weight(index) >= 600,
            bool(flags & 1) or "courier" in name or "mono" in name,
            mode,
            self._is_white(index, mode),
        )

    def _font(self, index: int) -> tuple[str, int]:
        buffer, flags = ctypes.create_string_buffer(200), ctypes.c_int()
        self.api.FPDFText_GetFontInfo(self.raw, index, buffer, len(buffer), flags)
        return buffer.value.decode("utf-8", "replace").lower(), flags.value

    def _weight(self, index: int) -> int:
        return int(self.api.FPDFText_GetFontWeight(self.raw, index))

    def _is_white(self, index: int, mode: int) -> bool:
        """Of text that is filled, the others are outlines."""
        if mode not in {0, 4}:
            return False
        colours = [ctypes.c_uint() for _ in range(4)]
        if not self.api.FPDFText_GetFillColor(self.raw, index, *colours):
            return False
        red, green, blue, alpha = (colour.value for colour in colours)
        return min(red, green, blue) >= _WHITE or alpha == 0
