"""DOCX -> Markdown text."""

from typing import IO

from rag.documents.archive import opened, xml
from rag.documents.html import markdown, soup
from rag.documents.parsed import Parsed, first_heading


def read_docx(file: IO[bytes], _: str | None) -> Parsed:
    """By mammoth, whose XML parser expands entities: a strict one reads each part first."""
    import mammoth

    with opened(file) as archive:
        for name in archive.namelist():
            if name.endswith((".xml", ".rels")):
                xml(archive, name)
        core = xml(archive, "docProps/core.xml")
    title = core.findtext("{http://purl.org/dc/elements/1.1/}title") if core is not None else None
    style = "p[style-name='Title'] => h1:fresh"
    text = markdown(soup(mammoth.convert_to_html(file, style_map=style, convert_image=lambda _: []).value))
    return Parsed((title or "").strip() or first_heading(text), text)
