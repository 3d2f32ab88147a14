"""EPUB -> the Markdown text of its chapters."""

import posixpath
import zipfile
from typing import IO
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from rag.documents.archive import opened, xml
from rag.documents.html import markdown, soup
from rag.documents.parsed import FormatError, Parsed, first_heading


def read_epub(file: IO[bytes], _: str | None) -> Parsed:
    """The chapters in the order of the spine."""
    with opened(file) as archive:
        package, chapters = _chapters(archive)
    text = "\n\n".join(chapter for chapter in chapters if chapter)
    title = package.findtext("{*}metadata/{http://purl.org/dc/elements/1.1/}title")
    return Parsed((title or "").strip() or first_heading(text), text)


def _chapters(archive: zipfile.ZipFile) -> tuple[Element, list[str]]:
    """The package's own description, and the text of each chapter."""
    container = xml(archive, "META-INF/container.xml")
    root = container.find(".//{*}rootfile") if container is not None else None
    path = root.get("full-path", "") if root is not None else ""
    package = xml(archive, path)
    if package is None:
        raise FormatError("names no list of its chapters, so it is damaged; convert it anew or leave it out")
    items = {item.get("id"): unquote(item.get("href", "")) for item in package.iterfind("{*}manifest/{*}item")}
    spine = [items.get(item.get("idref")) for item in package.iterfind("{*}spine/{*}itemref")]
    names = [posixpath.normpath(posixpath.join(posixpath.dirname(path), href)) for href in spine if href]
    if _encrypted(archive) & set(names):
        raise FormatError("is protected against copying (DRM); leave it out")
    present = set(archive.namelist())
    return package, [markdown(soup(archive.read(name))) for name in names if name in present]


def _encrypted(archive: zipfile.ZipFile) -> set[str]:
    listed = xml(archive, "META-INF/encryption.xml")
    references = listed.iterfind(".//{*}CipherReference") if listed is not None else ()
    return {unquote(reference.get("URI", "")) for reference in references}
