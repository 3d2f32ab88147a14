"""Pictures and lines on a PDF's page, and words hidden or struck out."""

import ctypes
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rag.documents.pdf.rows import Rule
from rag.documents.pdf.words import PageWords, Word, address, call, turned_back, upright

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

Box = tuple[float, float, float, float]
_LOOKED_AT = 20_000
"""Objects of a page; maps and drawings have more."""
_THIN = 2.0
"""Points; a thinner shape is a line."""
_SHORTEST = 6.0
"""Points of a line that means something."""
_FEW = 8
"""Parts of a shape that is a line or a box, not a drawing."""
_PICTURE = 50.0
"""Points in width and height; smaller ones are ornaments."""
_PIXELS = 1_500_000
"""Of a page that is painted to see its words."""
_CONTRAST = 16
"""Of 255: a smaller difference is not seen."""
_STRUCK = (0.12, 0.5)
"""How far above the baseline a line strikes letters out, in ems."""
_COVERED = 0.8
"""Of its width: a line so long strikes a word out."""


@dataclass
class Drawn:
    """What stands on a page beside text."""

    pictures: list[Box] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    painted: bool = False
    """Whether anything but text and thin lines is painted."""

    def rules(self, angle: int) -> list[Rule]:
        """The horizontal lines, also those of boxes, from top to bottom."""
        return sorted(rule for box in self.boxes for rule in _edges(_upright(box, angle)))

    def verticals(self, angle: int) -> list[Rule]:
        """The vertical lines, also those of boxes, as if the page lay on its side."""
        turned = ((box[1], box[0], box[3], box[2]) for box in (_upright(box, angle) for box in self.boxes))
        return sorted(rule for box in turned for rule in _edges(box))

    def strokes(self, angle: int) -> list[Rule]:
        """The thin horizontal lines alone, from top to bottom."""
        thin = [box for box in self.boxes if min(box[2] - box[0], box[3] - box[1]) <= _THIN]
        return Drawn(boxes=thin).rules(angle)


def _upright(box: Box, angle: int) -> Box:
    corners = [upright(x, y, angle) for x in (box[0], box[2]) for y in (box[1], box[3])]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def _edges(box: Box) -> list[Rule]:
    """The upper and lower edge of an upright box.

    They are one if it is a line, none if it is too short.
    """
    left, top, right, bottom = box
    if right - left < _SHORTEST:
        return []
    if bottom - top <= _THIN:
        return [Rule((top + bottom) / 2, left, right)]
    return [Rule(top, left, right), Rule(bottom, left, right)]


def drawn_on(page: "PdfPage") -> Drawn:
    """The pictures, lines and boxes of a page."""
    import pypdfium2.raw as api

    pointer = ctypes.c_void_p
    get_object = call("FPDFPage_GetObject", pointer, ctypes.c_int, gives=pointer)
    get_type = call("FPDFPageObj_GetType", pointer)
    found, raw, text = Drawn(), address(page.raw), api.FPDF_PAGEOBJ_TEXT
    sides = [ctypes.c_float() for _ in range(4)]
    for index in range(min(api.FPDFPage_CountObjects(page.raw), _LOOKED_AT)):
        at = get_object(raw, index)
        kind = get_type(at)
        if kind == text:
            continue
        drawn = ctypes.cast(at, api.FPDF_PAGEOBJECT)
        if not api.FPDFPageObj_GetBounds(drawn, *sides):
            continue
        left, bottom, right, top = box = tuple(side.value for side in sides)
        if not all(map(math.isfinite, box)):
            continue
        if kind == api.FPDF_PAGEOBJ_PATH:
            found.painted = found.painted or min(right - left, top - bottom) > _THIN
            if max(right - left, top - bottom) >= _SHORTEST and api.FPDFPath_CountSegments(drawn) <= _FEW:
                found.boxes.append((left, bottom, right, top))
        else:
            found.painted = True
            if kind == api.FPDF_PAGEOBJ_IMAGE or (kind == api.FPDF_PAGEOBJ_FORM and _holds_picture(drawn)):
                found.pictures.append((left, bottom, right, top))
    return found


def _holds_picture(form: object) -> bool:
    import pypdfium2.raw as api

    count = min(api.FPDFFormObj_CountObjects(form), 100)
    kinds = (api.FPDFPageObj_GetType(api.FPDFFormObj_GetObject(form, index)) for index in range(count))
    return any(kind == api.FPDF_PAGEOBJ_IMAGE for kind in kinds)


def large_pictures(drawn: Drawn, page: Box) -> list[Box]:
    """The pictures that may hold words, as far as they lie on the page."""
    found = []
    for left, bottom, right, top in drawn.pictures:
        box = max(left, page[0]), max(bottom, page[1]), min(right, page[2]), min(top, page[3])
        if box[2] - box[0] >= _PICTURE and box[3] - box[1] >= _PICTURE:
            found.append(box)
    return found


def take_seen(page: "PdfPage", found: PageWords, drawn: Drawn) -> int:
    """Add to `found` the doubtful words that a reader sees.

    Words that are not painted count if a picture lies over them, as OCR puts them.
    Returns how many are left out.
    """
    unseen = found.unseen
    for angle, word in found.unpainted:
        if any(_holds(box, word, angle) for box in drawn.pictures[:100]):
            found.by_angle[angle].append(word)
        else:
            unseen += 1
    if found.white:
        seen = _contrasting(page, found.white) if drawn.painted else []
        for angle, word in seen:
            found.by_angle[angle].append(word)
        unseen += len(found.white) - len(seen)
    return unseen


def _holds(box: Box, word: Word, angle: int) -> bool:
    corners = [upright(x, y, angle) for x in (box[0], box[2]) for y in (box[1], box[3])]
    middle = (word.left + word.right) / 2
    return min(x for x, _ in corners) <= middle <= max(x for x, _ in corners) and (
        min(y for _, y in corners) <= word.base - word.size * 0.3 <= max(y for _, y in corners)
    )


def _contrasting(page: "PdfPage", words: Sequence[tuple[int, Word]]) -> list[tuple[int, Word]]:
    """The words that differ from what is painted around them."""
    width, height = page.get_size()
    scale = min(1.0, math.sqrt(_PIXELS / max(1.0, width * height)))
    bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=False)
    place = bitmap.get_posconv(page)
    pixels, stride = bytes(bitmap.buffer), bitmap.stride
    seen = []
    for angle, word in words:
        corners = [
            place.to_bitmap(*turned_back(x, y, angle))
            for x in (word.left, word.right)
            for y in (word.base - word.size * 0.7, word.base)
        ]
        left, right = sorted((max(0, min(x for x, _ in corners)), min(bitmap.width, max(x for x, _ in corners) + 1)))
        top, bottom = sorted((max(0, min(y for _, y in corners)), min(bitmap.height, max(y for _, y in corners) + 1)))
        parts = [pixels[y * stride + left : y * stride + right] for y in range(top, bottom)]
        parts = [part for part in parts if part]
        if parts and max(map(max, parts)) - min(map(min, parts)) >= _CONTRAST:
            seen.append((angle, word))
    return seen


def without_struck(words: Sequence[Word], strokes: Sequence[Rule]) -> list[Word]:
    """The words, those that a line strikes out without text.

    `strokes` are sorted from top to bottom.
    """
    if not strokes:
        return list(words)
    return [word._replace(text="") if _is_struck(word, strokes) else word for word in words]


def _is_struck(word: Word, strokes: Sequence[Rule]) -> bool:
    at = bisect_left(strokes, (word.base - _STRUCK[1] * word.size, -math.inf, -math.inf))
    lowest, width = word.base - _STRUCK[0] * word.size, word.right - word.left
    for stroke in strokes[at : at + 50]:
        if stroke.y > lowest:
            return False
        if min(word.right, stroke.right) - max(word.left, stroke.left) >= _COVERED * max(width, 0.1):
            return True
    return False
