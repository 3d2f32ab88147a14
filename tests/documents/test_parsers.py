import random
import subprocess
import sys
from pathlib import Path

import formats
import pytest
from defusedxml import EntitiesForbidden

from rag.documents.parsed import FormatError, Parsed
from rag.documents.parsers import read


def parsed(tmp_path: Path, content: bytes, kind: str) -> Parsed:
    file = tmp_path / "file"
    file.write_bytes(content)
    return read(str(file), kind)


def test_pdf_gives_its_pages_and_joins_divided_words(tmp_path: Path) -> None:
    document = parsed(
        tmp_path, formats.pdf(["An exam-\nple of self-\nGovernment.", "", "Third page."], "Ponds and mills"), "pdf"
    )
    assert document.title == "Ponds and mills"
    assert document.text == "An example of self-Government.\n\n\n\nThird page."
    assert [document.text[start:][:5] for start in document.pages] == ["An ex", "\n\nThi", "Third"]


@pytest.mark.parametrize("title", ["", "untitled", "Microsoft Word - a.doc", "thesis_final.tex", "12-34"])
def test_a_pdf_without_a_sensible_title_takes_its_first_line(tmp_path: Path, title: str) -> None:
    assert parsed(tmp_path, formats.pdf(["", "On herons\nThey wait."], title), "pdf").title == "On herons"


def test_docx_gives_paragraphs_headings_and_tables(tmp_path: Path) -> None:
    cells = "".join(f"<w:tc>{formats.paragraph(text)}</w:tc>" for text in ("Carp", "4 €"))
    body = formats.heading("The pond") + formats.paragraph("A < b_c * d.") + f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>"
    document = parsed(tmp_path, formats.docx(body, "Of ponds"), "docx")
    assert document == Parsed("Of ponds", "# The pond\n\nA < b_c * d.\n\n| Carp | 4 € |\n| --- | --- |")
    assert parsed(tmp_path, formats.docx(body), "docx").title == "The pond"


def test_epub_gives_its_chapters_in_the_order_of_reading(tmp_path: Path) -> None:
    book = formats.epub(
        ["<h1>One</h1><p>The <i>first</i>.<br/>Line.</p>", "<h1>Two</h1><p>The&#160;second.</p>"], "Both"
    )
    assert parsed(tmp_path, book, "epub") == Parsed("Both", "# One\n\nThe first.\nLine.\n\n# Two\n\nThe second.")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("picture", "does not look like HTML"),
        ("page", "does not look like PDF"),
        ("locked", "protected by a password"),
        ("scanned", "run OCR"),
        ("paper", "does not look like DOCX"),
        ("old", "old Office file or protected by a password"),
        ("bomb", "unpacks to more than 500 MB"),
        ("no list", "names no list of its chapters"),
        ("rights", "protected against copying"),
    ],
)
def test_the_reason_for_a_refusal_is_said(tmp_path: Path, name: str, reason: str) -> None:
    suffix, make = formats.BROKEN[name]
    with pytest.raises(FormatError, match=reason):
        parsed(tmp_path, make(random.Random(1)), suffix[1:])


def test_entities_are_refused_before_they_are_expanded(tmp_path: Path) -> None:
    with pytest.raises(EntitiesForbidden):
        parsed(tmp_path, formats.BROKEN["laughs"][1](random.Random(1)), "docx")


def test_the_worker_starts_without_the_large_libraries() -> None:
    loaded = "import sys, rag.documents.sandbox; print({'torch', 'chromadb', 'langchain_core', 'numpy', 'lxml'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout == "set()\n"
    )
