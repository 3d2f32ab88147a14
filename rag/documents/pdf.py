"""PDF -> text with its pages, by PDFium."""

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import IO, TYPE_CHECKING

from rag.documents.html import tidy
from rag.documents.parsed import FormatError, Parsed

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_LETTER = re.compile(r"[^\W\d_]")
_HYPHEN_AT_LINE_END = re.compile(r"(?<=\w)(?:[\x02\ufffe]\n?|[-\u2010\u00ad]\n)(?=(\w))")
_NO_TITLE = re.compile(
    r"\A(untitled|unknown|(document|slide|presentation)\s*\d*|microsoft (word|powerpoint) - .*"
    r"|.*\.(docx?|dvi|html?|indd|odt|pdf|pptx?|ps|qxd|rtf|tex|txt))\Z",
    re.IGNORECASE,
)


def read_pdf(file: IO[bytes], _: str | None) -> Parsed:
    """Page by page with PDFium."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise FormatError("is protected by a password; save it without one or leave it out") from error
        raise
    with document:
        texts = list(_page_texts(document))
        title = str(document.get_metadata_value("Title")).strip()
    pages = accumulate((len(text) + 2 for text in texts[:-1]), initial=0)
    whole = "\n\n".join(texts)
    if not whole.strip():
        raise FormatError("holds no text, probably only images of pages; run OCR on it first")
    if not _LETTER.search(title) or _NO_TITLE.match(title):
        title = next(line for line in whole.splitlines() if line.strip())
    return Parsed(title if 3 <= len(title) <= 150 else None, whole, tuple(min(page, len(whole)) for page in pages))


def _page_texts(document: "PdfDocument") -> Iterator[str]:
    for page in document:
        text_page = page.get_textpage()
        text = text_page.get_text_bounded().replace("\r\n", "\n").replace("\r", "\n")
        # PDFium puts U+0002 or U+FFFE where it has joined a word divided at a line's end.
        text = _HYPHEN_AT_LINE_END.sub(lambda match: "" if match[1].islower() else "-", text)
        yield tidy(text)
        text_page.close()
        page.close()
