"""PDF -> text with its pages.

PDFium gives the words; the modules pdf_* put them in order and make paragraphs and headings of them.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from rag.documents.html.reader import tidy
from rag.documents.parsed import FormatError, Parsed, own_title
from rag.documents.pdf.drawn import Box, drawn_on, large_pictures, take_seen, without_struck
from rag.documents.pdf.form import filled_in
from rag.documents.pdf.lattice import lattices
from rag.documents.pdf.layout import blocks
from rag.documents.pdf.prose import paragraphs
from rag.documents.pdf.raised import join_initials, join_raised
from rag.documents.pdf.running import Page, without_running
from rag.documents.pdf.text import PageText, first_line, text_of
from rag.documents.pdf.words import page_words

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

_LETTER = re.compile(r"[^\W\d_]")
_TITLE_LENGTH = 3, 150


@dataclass
class _LeftOut:
    """What a document holds that is not in its text."""

    pictures: Counter[tuple[int, ...]] = field(default_factory=Counter)
    """By their place, so that one on every page counts once."""
    pages: int = 0
    unseen: int = 0
    struck: int = 0
    comments: int = 0

    def told(self) -> tuple[str, ...]:
        pictures = len(self.pictures)
        counts = [
            (self.pages, "page that is a picture only", "pages that are pictures only"),
            (pictures, "picture", "pictures"),
            (self.unseen, "word that is not visible", "words that are not visible"),
            (self.struck, "struck-out part", "struck-out parts"),
            (self.comments, "comment", "comments"),
        ]
        return tuple(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)


def read_pdf(file: IO[bytes], _: str | None) -> Parsed:
    """The text of a PDF in the order of reading. Raises FormatError."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise FormatError("is protected by a password; save it without one or leave it out") from error
        raise
    left_out = _LeftOut()
    with document:
        document.init_forms()
        pages = list(_page_texts(without_running(_pages(document, left_out))))
        title = tidy(str(document.get_metadata_value("Title"))).strip()
    text, starts = text_of(pages)
    if not text.strip():
        raise FormatError("holds no text, probably only images of pages; run OCR on it first")
    if own_title(title) is None:
        title = first_line(pages)
    fits = _TITLE_LENGTH[0] <= len(title) <= _TITLE_LENGTH[1]
    return Parsed(title if fits else None, text, starts, left_out.told())


def _pages(document: "PdfDocument", left_out: _LeftOut) -> Iterator[Page]:
    for page in document:
        yield _page(document, page, left_out)
        page.close()


def _page(document: "PdfDocument", page: "PdfPage", left_out: _LeftOut) -> Page:
    """The words of a page that a reader sees, marks joined to them."""
    box = page.get_bbox()
    found, drawn = page_words(page, box), drawn_on(page)
    left_out.unseen += take_seen(page, found, drawn)
    turned_by = page.get_rotation() % 360
    letters = {angle: sum(len(word.text) for word in words) for angle, words in found.by_angle.items()}
    usual = max(letters, key=lambda angle: (letters[angle], angle == turned_by), default=turned_by)
    words = found.by_angle.pop(usual, [])
    filled = filled_in(document, page, usual, words)
    words += [word._replace(order=len(words) + 100_000 + number) for number, word in enumerate(filled.words)]
    words = without_struck(join_raised(join_initials(words)), drawn.strokes(usual))
    left_out.struck += sum(not word.text for word in words)
    left_out.comments += filled.comments
    _count_pictures(large_pictures(drawn, box), bool(words), bool(found.unpainted), left_out)
    turned = [join_raised(others) for _, others in sorted(found.by_angle.items()) if others]
    rules = drawn.rules(usual)
    return Page(words, rules, lattices(rules, drawn.verticals(usual)), turned)


def _count_pictures(pictures: list[Box], has_text: bool, is_read: bool, left_out: _LeftOut) -> None:
    """Count what may hold words; a page that is read by OCR has them."""
    if pictures and not has_text:
        left_out.pages += 1
    elif not is_read:
        left_out.pictures.update({tuple(round(side) for side in box) for box in pictures})


def _page_texts(pages: Iterator[Page]) -> Iterator[PageText]:
    """The paragraphs of each page, those of text at an angle last.

    What stands on every page, as a watermark does, comes once.
    """
    told: set[str] = set()
    for page in pages:
        found = [paragraph for block in blocks(page.words, page.rules, page.grids) for paragraph in paragraphs(block)]
        for words in page.turned:
            turned = [paragraph for block in blocks(words, ()) for paragraph in paragraphs(block)]
            key = " ".join(word.text for word in words)
            if key not in told:
                found += (paragraph._replace(turned=True, opens=True) for paragraph in turned)
                told.add(key)
        yield PageText(tuple(found), page.head, page.foot)
