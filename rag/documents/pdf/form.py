"""The fields of a PDF's form and its notes, as words in their places."""

import ctypes
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rag.documents.pdf.words import Word, upright

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
TICKED, UNTICKED = "[x]", "[ ]"
_LARGEST = 12.0
"""Points of the letters in a field beside which no text stands."""


Box = tuple[float, float, float, float]


@dataclass
class Filled:
    """The words of a page's fields and notes, and how many comments it has."""

    words: list[Word] = field(default_factory=list)
    comments: int = 0
    fields: list[tuple[Box, str]] = field(default_factory=list)
    """The places of the fields and what stands in them."""


def filled_in(document: "PdfDocument", page: "PdfPage", angle: int, words: Sequence[Word]) -> Filled:
    """What stands in the fields of a page and is not among its `words`.

    Both are upright at `angle`.
    """
    import pypdfium2.raw as api

    found = Filled()
    beside = sorted(words, key=lambda word: word.base)
    form = document.formenv.raw if document.formenv else None
    for index in range(min(api.FPDFPage_GetAnnotCount(page.raw), _LOOKED_AT)):
        annotation = api.FPDFPage_GetAnnot(page.raw, index)
        if annotation:
            try:
                _read(_Annotation(api, form, annotation, angle), found)
            finally:
                api.FPDFPage_CloseAnnot(annotation)
    moved = _labels_in_order(found.fields, beside)
    for box, text in found.fields:
        found.words += _placed(text, box, beside, moved.get(box))
    return found


def _labels_in_order(fields: Sequence[tuple[Box, str]], beside: Sequence[Word]) -> dict[Box, float]:
    """The baselines of labels, where heights alone do not tell one for each field.

    Fields that are as many as the labels beside them belong to these in their order.
    """
    moved: dict[Box, float] = {}
    columns: dict[int, list[Box]] = defaultdict(list)
    for box, _ in fields:
        columns[round(box[0] / 3)].append(box)
    for column in columns.values():
        boxes = sorted(column, key=lambda box: box[1])
        if len(boxes) < 2 or any(box[3] - box[1] > 2.5 * _LARGEST for box in boxes):
            continue
        near = [_line_at(box, beside)[0] for box in boxes]
        first = bisect_left(beside, boxes[0][1] - 2, key=lambda word: word.base)
        last = bisect_left(beside, boxes[-1][3] + 2, key=lambda word: word.base)
        labels = sorted({round(word.base, 1) for word in beside[first:last] if word.right <= boxes[0][0] + 1})
        one_each = len(set(near)) == len(boxes) and {round(base, 1) for base in near} <= set(labels)
        if not one_each and len(labels) == len(boxes):
            moved |= dict(zip(boxes, labels, strict=True))
    return moved


@dataclass(frozen=True)
class _Annotation:
    api: Any
    form: Any
    raw: Any
    angle: int

    def box(self) -> Box | None:
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


def _read(annotation: _Annotation, found: Filled) -> None:
    api, box = annotation.api, annotation.box()
    kind = api.FPDFAnnot_GetSubtype(annotation.raw)
    if box is None or api.FPDFAnnot_GetFlags(annotation.raw) & _UNSEEN:
        return
    if kind == api.FPDF_ANNOT_FREETEXT:
        found.fields.append((box, annotation.contents()))
    elif kind == api.FPDF_ANNOT_WIDGET:
        if annotation.form and (text := _field_text(annotation)) is not None:
            found.fields.append((box, text))
    elif kind not in {api.FPDF_ANNOT_LINK, api.FPDF_ANNOT_POPUP} and annotation.contents():
        found.comments += 1


def _field_text(annotation: _Annotation) -> str | None:
    """What stands in a field, which may be nothing; None if it holds no text."""
    api = annotation.api
    kind = api.FPDFAnnot_GetFormFieldType(annotation.form, annotation.raw)
    if kind in {api.FPDF_FORMFIELD_CHECKBOX, api.FPDF_FORMFIELD_RADIOBUTTON}:
        return TICKED if api.FPDFAnnot_IsChecked(annotation.form, annotation.raw) else UNTICKED
    if kind == api.FPDF_FORMFIELD_TEXTFIELD:
        secret = api.FPDFAnnot_GetFormFieldFlags(annotation.form, annotation.raw) & api.FPDF_FORMFLAG_TEXT_PASSWORD
        return "" if secret else annotation.field_value()
    if kind in {api.FPDF_FORMFIELD_COMBOBOX, api.FPDF_FORMFIELD_LISTBOX}:
        return annotation.field_value()
    return None


def _placed(text: str, box: Box, beside: Sequence[Word], moved: float | None) -> Iterator[Word]:
    """`text` as words in `box`, a word for each line, unless it stands there already."""
    left, _, right, _ = box
    if not text or "".join(text.split()) in _drawn_in(box, beside):
        return
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    base, size = _line_at(box, beside, len(lines))
    base = base if moved is None else moved
    for number, line in enumerate(lines):
        width = right - left if text in {TICKED, UNTICKED} else min(max(right - left, size), len(line) * _LETTER * size)
        yield Word(" ".join(line.split()), left, left + width, base + number * size * 1.2, size)


def _drawn_in(box: Box, beside: Sequence[Word]) -> str:
    left, top, right, bottom = box
    first = bisect_left(beside, top, key=lambda word: word.base)
    last = bisect_left(beside, bottom + 1, key=lambda word: word.base)
    inside = [word for word in beside[first:last][:500] if left - 1 <= (word.left + word.right) / 2 <= right + 1]
    return "".join("".join(word.text.split()) for word in sorted(inside, key=lambda word: word.order))


def _line_at(box: Box, beside: Sequence[Word], lines: int = 1) -> tuple[float, float]:
    """The baseline and the size of letters in a field.

    They are those of the text beside it, if there is any.
    """
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
