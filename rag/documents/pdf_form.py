"""What is filled into the fields of a PDF's form, or written on its pages as a note, as words in their places."""

import ctypes
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rag.documents.pdf_words import Word, upright

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

_LOOKED_AT = 5_000
"""Annotations of a page."""
_LONGEST = 50_000
"""Letters of a field."""
_UNSEEN = 1 << 1 | 1 << 5
"""The flags of annotations that are hidden or not shown on a screen."""
_LETTER = 0.5
"""Ems, about the width of one."""
_LARGEST = 12.0
"""Points of the letters in a field beside which no text stands."""


@dataclass
class Filled:
    """The words of a page's fields and notes, and how many comments it has."""

    words: list[Word] = field(default_factory=list)
    comments: int = 0
    struck: list[tuple[float, float, float, float]] = field(default_factory=list)


def filled_in(document: "PdfDocument", page: "PdfPage", angle: int, words: Sequence[Word]) -> Filled:
    """What stands in the fields of a page, upright at `angle` like its `words`; not what is already among them."""
    import pypdfium2.raw as api

    found = Filled()
    beside = sorted(words, key=lambda word: word.base)
    for index in range(min(api.FPDFPage_GetAnnotCount(page.raw), _LOOKED_AT)):
        annotation = api.FPDFPage_GetAnnot(page.raw, index)
        if not annotation:
            continue
        try:
            _read(_Annotation(api, document.formenv.raw if document.formenv else None, annotation, angle), found, beside)
        finally:
            api.FPDFPage_CloseAnnot(annotation)
    return found


@dataclass(frozen=True)
class _Annotation:
    api: Any
    form: Any
    raw: Any
    angle: int

    def box(self) -> tuple[float, float, float, float] | None:
        """Left, top, right and bottom of the upright page, None if that is no box."""
        rectangle = self.api.FS_RECTF()
        if not self.api.FPDFAnnot_GetRect(self.raw, rectangle):
            return None
        sides = rectangle.left, rectangle.right, rectangle.bottom, rectangle.top
        if not all(math.isfinite(side) and abs(side) < 100_000 for side in sides):
            return None
        corners = [upright(x, y, self.angle) for x in sides[:2] for y in sides[2:]]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        return min(xs), min(ys), max(xs), max(ys)

    def contents(self) -> str:
        return self._string(self.api.FPDFAnnot_GetStringValue, self.raw, b"Contents")

    def field_value(self) -> str:
        """The choices that are taken, or the text."""
        count = min(max(0, self.api.FPDFAnnot_GetOptionCount(self.form, self.raw)), 1_000)
        taken = [
            self._string(self.api.FPDFAnnot_GetOptionLabel, self.form, self.raw, option)
            for option in range(count)
            if self.api.FPDFAnnot_IsOptionSelected(self.form, self.raw, option)
        ]
        return ", ".join(taken) or self._string(self.api.FPDFAnnot_GetFormFieldValue, self.form, self.raw)

    @staticmethod
    def _string(read: Any, *arguments: Any) -> str:
        size = min(read(*arguments, None, 0), 2 * _LONGEST)
        if size <= 2:
            return ""
        buffer = (ctypes.c_ushort * (size // 2 + 1))()
        read(*arguments, buffer, size)
        return bytes(buffer)[:size].decode("utf-16-le", "replace").split("\0", 1)[0].strip()


def _read(annotation: _Annotation, found: Filled, beside: Sequence[Word]) -> None:
    api, box = annotation.api, annotation.box()
    kind = api.FPDFAnnot_GetSubtype(annotation.raw)
    if box is None or api.FPDFAnnot_GetFlags(annotation.raw) & _UNSEEN:
        return
    if kind == api.FPDF_ANNOT_FREETEXT:
        found.words += _placed(annotation.contents(), box, beside)
    elif kind == api.FPDF_ANNOT_STRIKEOUT:
        found.struck.append(box)
    elif kind == api.FPDF_ANNOT_WIDGET and annotation.form:
        found.words += _field(annotation, box, beside)
    elif kind not in {api.FPDF_ANNOT_LINK, api.FPDF_ANNOT_POPUP, api.FPDF_ANNOT_WIDGET} and annotation.contents():
        found.comments += 1


def _field(annotation: _Annotation, box: tuple[float, float, float, float], beside: Sequence[Word]) -> Iterator[Word]:
    api = annotation.api
    kind = api.FPDFAnnot_GetFormFieldType(annotation.form, annotation.raw)
    if kind in {api.FPDF_FORMFIELD_CHECKBOX, api.FPDF_FORMFIELD_RADIOBUTTON}:
        ticked = api.FPDFAnnot_IsChecked(annotation.form, annotation.raw)
        base, size = _line_at(box, beside)
        yield Word("[x]" if ticked else "[ ]", box[0], box[2], base, size)
    elif kind in {api.FPDF_FORMFIELD_TEXTFIELD, api.FPDF_FORMFIELD_COMBOBOX, api.FPDF_FORMFIELD_LISTBOX}:
        secret = api.FPDFAnnot_GetFormFieldFlags(annotation.form, annotation.raw) & api.FPDF_FORMFLAG_TEXT_PASSWORD
        if kind != api.FPDF_FORMFIELD_TEXTFIELD or not secret:
            yield from _placed(annotation.field_value(), box, beside)


def _placed(text: str, box: tuple[float, float, float, float], beside: Sequence[Word]) -> Iterator[Word]:
    """`text` as words in `box`, a word for each line, unless it stands there already."""
    left, top, right, bottom = box
    if not text or "".join(text.split()) in _drawn_in(box, beside):
        return
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    base, size = _line_at(box, beside, len(lines))
    for number, line in enumerate(lines):
        width = min(max(right - left, size), len(line) * _LETTER * size)
        yield Word(" ".join(line.split()), left, left + width, base + number * size * 1.2, size)


def _drawn_in(box: tuple[float, float, float, float], beside: Sequence[Word]) -> str:
    left, top, right, bottom = box
    first = bisect_left(beside, top, key=lambda word: word.base)
    last = bisect_left(beside, bottom + 1, key=lambda word: word.base)
    inside = [word for word in beside[first:last][:500] if left - 1 <= (word.left + word.right) / 2 <= right + 1]
    return "".join("".join(word.text.split()) for word in sorted(inside, key=lambda word: word.order))


def _line_at(box: tuple[float, float, float, float], beside: Sequence[Word], lines: int = 1) -> tuple[float, float]:
    """The baseline and the size of letters in a field: those of the text beside it, if there is any."""
    _, top, _, bottom = box
    size = min(_LARGEST, max(1.0, (bottom - top) * 0.7 / lines))
    expected = bottom - 0.25 * (bottom - top) if bottom - top < 2.5 * size and lines == 1 else top + size
    first = bisect_left(beside, top - 1, key=lambda word: word.base)
    last = bisect_left(beside, bottom + 2, key=lambda word: word.base)
    near = beside[first:last][:500]
    word = min(near, key=lambda word: (round(abs(word.base - expected)), abs(word.right - box[0])), default=None)
    if word is None or abs(word.base - expected) > size:
        return expected, size
    return word.base, word.size
