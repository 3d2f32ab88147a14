"""The zip archives that DOCX and EPUB files are: bounded, and with XML that expands no entities."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast
from xml.etree.ElementTree import Element

from rag.documents.parsed import FormatError

UNPACKED_LIMIT = 500_000_000
"""Bytes that an archive may unpack to."""


@contextmanager
def opened(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """Raises FormatError if it unpacks to too much, or has a password."""
    with zipfile.ZipFile(file) as archive:
        if sum(info.file_size for info in archive.infolist()) > UNPACKED_LIMIT:
            raise FormatError(f"unpacks to more than {UNPACKED_LIMIT // 1_000_000} MB; leave it out")
        if any(info.flag_bits & 1 for info in archive.infolist()):
            raise FormatError("is protected by a password; save it without one or leave it out")
        yield archive


def xml(archive: zipfile.ZipFile, name: str) -> Element | None:
    """The parsed member, None if there is none; entities are refused."""
    from defusedxml.ElementTree import fromstring

    return cast(Element, fromstring(archive.read(name))) if name in archive.namelist() else None
