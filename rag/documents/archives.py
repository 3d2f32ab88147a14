"""DOCX and EPUB, both ZIP files of XML -> title and text."""

import posixpath
import zipfile
from typing import IO, cast
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from rag.documents.parsers import FormatError, Parsed, first_heading, markdown, soup

UNPACKED_LIMIT = 500_000_000
"""Bytes; an archive that unpacks to more is refused as a zip bomb."""


def read_archive(file: IO[bytes], kind: str) -> Parsed:
    """Read `file` as `kind`, "docx" or "epub".

    Raises FormatError with the reason; on a broken file a parser may raise anything else.
    """
    with zipfile.ZipFile(file) as archive:
        if sum(info.file_size for info in archive.infolist()) > UNPACKED_LIMIT:
            raise FormatError(f"unpacks to more than {UNPACKED_LIMIT // 1_000_000} MB; leave it out")
        if any(info.flag_bits & 1 for info in archive.infolist()):
            raise FormatError("is protected by a password; save it without one or leave it out")
        return _read_docx(file, archive) if kind == "docx" else _read_epub(archive)


def _xml(archive: zipfile.ZipFile, name: str) -> Element | None:
    """The parsed member, None where there is none; entities are refused."""
    from defusedxml.ElementTree import fromstring

    return cast(Element, fromstring(archive.read(name))) if name in archive.namelist() else None


def _read_docx(file: IO[bytes], archive: zipfile.ZipFile) -> Parsed:
    """By mammoth, whose own XML parser expands entities: each part goes through the strict one first."""
    import mammoth

    for name in archive.namelist():
        if name.endswith((".xml", ".rels")):
            _xml(archive, name)
    core = _xml(archive, "docProps/core.xml")
    title = core.findtext("{http://purl.org/dc/elements/1.1/}title") if core is not None else None
    style = "p[style-name='Title'] => h1:fresh"
    html = mammoth.convert_to_html(file, style_map=style, convert_image=lambda _: []).value
    text = markdown(soup(html))
    return Parsed((title or "").strip() or first_heading(text), text)


def _read_epub(archive: zipfile.ZipFile) -> Parsed:
    """The chapters in the order of the spine."""
    container = _xml(archive, "META-INF/container.xml")
    root = container.find(".//{*}rootfile") if container is not None else None
    path = root.get("full-path", "") if root is not None else ""
    package = _xml(archive, path)
    if package is None:
        raise FormatError("names no list of its chapters, so it is damaged; convert it anew or leave it out")
    items = {item.get("id"): unquote(item.get("href", "")) for item in package.iterfind("{*}manifest/{*}item")}
    spine = [items.get(item.get("idref")) for item in package.iterfind("{*}spine/{*}itemref")]
    names = [posixpath.normpath(posixpath.join(posixpath.dirname(path), href)) for href in spine if href]
    if _encrypted(archive) & set(names):
        raise FormatError("is protected against copying (DRM); leave it out")
    present = set(archive.namelist())
    chapters = [markdown(soup(archive.read(name))) for name in names if name in present]
    text = "\n\n".join(chapter for chapter in chapters if chapter)
    title = package.findtext("{*}metadata/{http://purl.org/dc/elements/1.1/}title")
    return Parsed((title or "").strip() or first_heading(text), text)


def _encrypted(archive: zipfile.ZipFile) -> set[str]:
    listed = _xml(archive, "META-INF/encryption.xml")
    references = listed.iterfind(".//{*}CipherReference") if listed is not None else ()
    return {unquote(reference.get("URI", "")) for reference in references}
