"""The words of a PDF's page as PDFium gives them, with their places and sizes."""

import ctypes
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

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
_ALIKE = 0.08
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


class _Style(NamedTuple):
    """What the letters of a text object have in common.

    `angle` is in degrees; from left to right is 0.
    """

    size: float
    angle: int
    bold: bool
    fixed: bool
    drop: float
    """From the bottom of the font's box to the baseline."""
    unpainted: bool
    white: bool


@dataclass
class PageWords:
    """The words of a page for each angle, turned upright.

    Those that may not be seen are apart.
    """

    by_angle: dict[int, list[Word]] = field(default_factory=lambda: defaultdict(list))
    white: list[tuple[int, Word]] = field(default_factory=list)
    unpainted: list[tuple[int, Word]] = field(default_factory=list)
    unseen: int = 0
    """Words that lie beyond the page or are too small to be seen."""


def upright(x: float, y: float, angle: int) -> tuple[float, float]:
    """A point as text at `angle` sees it; the second number grows down."""
    if angle == 0:
        return x, -y
    turn = math.radians(angle)
    return x * math.cos(turn) + y * math.sin(turn), x * math.sin(turn) - y * math.cos(turn)


def address(handle: Any) -> int:
    """The address of an object of PDFium's; 0 if there is none."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


@cache
def call(name: str, *arguments: Any, gives: Any = ctypes.c_int) -> Callable[..., Any]:
    """A function of PDFium's that takes and gives addresses.

    The bindings make a pointer object for each result, which takes seven times as long.
    """
    import pypdfium2.raw

    function: Callable[..., Any] = ctypes.PYFUNCTYPE(gives, *arguments)(address(getattr(pypdfium2.raw, name)))
    return function


def page_words(page: "PdfPage", box: tuple[float, float, float, float]) -> PageWords:
    """The words within `box`, in the order in which they are drawn."""
    text_page = page.get_textpage()
    try:
        return _Reader(text_page.raw, box).read()
    finally:
        text_page.close()


class _Reader:
    """Reads the words of a page.

    Calls of PDFium cost most, so a word whose ends are alike is not looked at letter by letter.
    """

    def __init__(self, raw: Any, box: tuple[float, float, float, float]) -> None:
        import pypdfium2.raw as api

        pointer, number = ctypes.c_void_p, ctypes.c_int
        self.api, self.page, self.raw, self.edges = api, raw, address(raw), box
        self.text_object = call("FPDFText_GetTextObject", pointer, number, gives=pointer)
        self.get_box = call("FPDFText_GetLooseCharBox", pointer, number, pointer)
        self.get_origin = call("FPDFText_GetCharOrigin", pointer, number, pointer, pointer)
        self.get_matrix = call("FPDFText_GetMatrix", pointer, number, pointer)
        self.get_size = call("FPDFText_GetFontSize", pointer, number, gives=ctypes.c_double)
        self.get_font = call("FPDFTextObj_GetFont", pointer, gives=pointer)
        self.get_mode = call("FPDFTextObj_GetTextRenderMode", pointer)
        self.get_colour = call("FPDFText_GetFillColor", pointer, number, *[pointer] * 4)
        self.box, self.origin = (ctypes.c_float * 4)(), (ctypes.c_double * 2)()
        self.matrix, self.colour = (ctypes.c_float * 6)(), (ctypes.c_uint * 4)()
        self.at_box, self.at_matrix = ctypes.addressof(self.box), ctypes.addressof(self.matrix)
        self.at_x, at_colour = ctypes.addressof(self.origin), ctypes.addressof(self.colour)
        self.at_colours = [at_colour + 4 * place for place in range(4)]
        self.styles: dict[int | None, _Style] = {}
        self.fonts: dict[int | None, tuple[bool, bool]] = {}
        self.found = PageWords()
        self.order = 0

    def read(self) -> PageWords:
        text = self._text()
        end = 0
        for run in _RUN.finditer(text):
            first = run.start()
            self._word(run[0], first, " " in text[end:first])
            end = run.end()
        self._drop_tiny()
        return self.found

    def _text(self) -> str:
        """A letter for each of PDFium's, so that their numbers are the same."""
        count = self.api.FPDFText_CountChars(self.page)
        if count <= 0:
            return ""
        buffer = (ctypes.c_ushort * (2 * count + 2))()
        written = self.api.FPDFText_GetText(self.page, 0, count, buffer)
        text = bytes(buffer)[: 2 * max(0, written - 1)].decode("utf-16-le", "replace")
        if len(text) != count:
            codes = (self.api.FPDFText_GetUnicode(self.page, index) for index in range(count))
            text = "".join(chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else "\ufffd" for code in codes)
        return text

    def _word(self, text: str, first: int, spaced: bool) -> None:
        style = self._style(first)
        if style.angle:
            self._add_turned(text, first, style, spaced)
            return
        last = first + len(text) - 1
        self.get_box(self.raw, last, self.at_box)
        last_left, last_top, right, last_bottom = self.box
        self.get_box(self.raw, first, self.at_box)
        left, top, first_right, bottom = self.box
        near = (top - bottom) * _ALIKE / 2
        uneven = abs(top - last_top) > near or abs(bottom - last_bottom) > near or not near
        if last > first and (uneven or _DIGIT.search(text)):
            for start, end in self._pieces(first, last + 1):
                style = self._style(start)
                self.get_box(self.raw, end - 1, self.at_box)
                last_left, _, right, _ = self.box
                self.get_box(self.raw, start, self.at_box)
                left, base = min(self.box[0], last_left), self._base(start)
                right = max(right, self.box[2])
                self._add(text[start - first : end - first], left, right, base, style, spaced)
                spaced = False
        else:
            left, right = min(left, last_left), max(right, first_right)  # Of script from the right, the last is left.
            self._add(text, left, right, style.drop - bottom, style, spaced)

    def _pieces(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of a word that have one size and one baseline."""
        start, size, base = first, self._style(first).size, self._base(first)
        for index in range(first + 1, end):
            other_size, other_base = self._style(index).size, self._base(index)
            if max(abs(other_size - size), abs(other_base - base)) > _ALIKE * max(size, other_size):
                yield start, index
                start, size, base = index, other_size, other_base
        yield start, end

    def _base(self, index: int) -> float:
        self.get_origin(self.raw, index, self.at_x, self.at_x + 8)
        return -self.origin[1]

    def _add_turned(self, text: str, first: int, style: _Style, spaced: bool) -> None:
        """Add a word that does not run from left to right.

        The boxes of its letters tell less.
        """
        self.get_origin(self.raw, first, self.at_x, self.at_x + 8)
        left, base = upright(self.origin[0], self.origin[1], style.angle)
        sides = [ctypes.c_double() for _ in range(4)]
        self.api.FPDFText_GetCharBox(self.page, first + len(text) - 1, *sides)
        west, east, south, north = (side.value for side in sides)
        right = max(upright(x, y, style.angle)[0] for x in (west, east) for y in (south, north))
        self._add(text, left, max(left, right), base, style, spaced)

    def _add(self, text: str, left: float, right: float, base: float, style: _Style, spaced: bool) -> None:
        if not text.isascii() or text[-1] == "\x02":
            text = text.translate(_LETTERS)
        word = Word(text, left, right, base, style.size, style.bold, style.fixed, self.order, spaced)
        self.order += 1
        finite = left > -_FARTHEST and right < _FARTHEST and 0 < style.size < _FARTHEST  # No NaN is.
        if not finite or not self._is_on_page(word, style.angle):
            self.found.unseen += 1
        elif style.unpainted:
            self.found.unpainted.append((style.angle, word))
        elif style.white:
            self.found.white.append((style.angle, word))
        else:
            self.found.by_angle[style.angle].append(word)

    def _is_on_page(self, word: Word, angle: int) -> bool:
        left, bottom, right, top = self.edges
        if angle:
            x, y = turned_back((word.left + word.right) / 2, word.base, angle)
            return left <= x <= right and bottom <= y <= top
        return word.right > left and word.left < right and bottom - word.size / 2 < -word.base < top

    def _drop_tiny(self) -> None:
        found = self.found
        if any(word.size >= _SMALLEST for words in found.by_angle.values() for word in words):
            for angle, words in found.by_angle.items():
                seen = [word for word in words if word.size >= _SMALLEST]
                found.unseen += len(words) - len(seen)
                found.by_angle[angle] = seen

    def _style(self, index: int) -> _Style:
        key = self.text_object(self.raw, index)
        style = self.styles.get(key)
        if style is None:
            style = self.styles[key] = self._read_style(index, key)
        return style

    def _read_style(self, index: int, key: int | None) -> _Style:
        self.get_matrix(self.raw, index, self.at_matrix)
        a, b, c, d, _, _ = self.matrix
        size = abs(self.get_size(self.raw, index)) * (abs(d) if not c else math.hypot(c, d))
        angle = 0
        if b or a < 0:
            slant = math.atan2(b, a)
            angle = round(math.degrees(slant)) % 360 if math.isfinite(slant) else 0
        self.get_box(self.raw, index, self.at_box)
        drop = self._base(index) + self.box[3]
        bold, fixed = self._font(key)
        mode = self.get_mode(key) if key else 0
        white = mode in {0, 4} and self._is_white(index)
        return _Style(size, angle, bold, fixed, drop, mode == _INVISIBLE, white)

    def _font(self, key: int | None) -> tuple[bool, bool]:
        """Whether the font of a text object is bold, and whether it is monospaced."""
        font = self.get_font(key) if key else None
        if font in self.fonts or not font:
            return self.fonts.get(font, (False, False))
        handle = ctypes.cast(font, self.api.FPDF_FONT)
        buffer = ctypes.create_string_buffer(200)
        self.api.FPDFFont_GetBaseFontName(handle, buffer, len(buffer))
        name, flags = buffer.value.decode("utf-8", "replace").lower(), self.api.FPDFFont_GetFlags(handle)
        bold = "bold" in name or "black" in name or bool(flags & 1 << 18) or self.api.FPDFFont_GetWeight(handle) >= 600
        self.fonts[font] = bold, "courier" in name or "mono" in name or bool(flags & 1)
        return self.fonts[font]

    def _is_white(self, index: int) -> bool:
        if not self.get_colour(self.raw, index, *self.at_colours):
            return False
        red, green, blue, alpha = self.colour
        return min(red, green, blue) >= _WHITE or alpha == 0


def turned_back(x: float, y: float, angle: int) -> tuple[float, float]:
    """The point of the page that `upright` has turned."""
    turn = math.radians(angle)
    return x * math.cos(turn) + y * math.sin(turn), x * math.sin(turn) - y * math.cos(turn)
