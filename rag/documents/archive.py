"""The zip archives that DOCX and EPUB files are, with XML that expands no entities."""

import posixpath
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, cast
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from rag.documents.parsed import FormatError

UNPACKED_LIMIT = 500_000_000
"""Bytes that an archive may unpack to."""
DEEPEST = 1_000
"""Elements inside each other that a part may have; programs that write such files stay below a hundred."""


@dataclass(frozen=True)
class Archive:
    """The members of an open archive, found by names that may be spelt otherwise."""

    file: zipfile.ZipFile
    names: Mapping[str, str]

    def find(self, name: str) -> str | None:
        """The member of that name, or of one in other case, escapes or Unicode form."""
        return self.names.get(name) or self.names.get(_folded(name))

    def bytes(self, name: str) -> bytes | None:
        """The content of a member, None if there is none."""
        found = self.find(name)
        return None if found is None else self.file.read(found)

    def xml(self, name: str) -> Element | None:
        """The parsed member, None if there is none. Raises FormatError; entities are refused."""
        content = self.bytes(name)
        return None if content is None else parsed_xml(content)


@contextmanager
def opened(file: IO[bytes]) -> Iterator[Archive]:
    """Raises FormatError if it unpacks to too much, or has a password."""
    with zipfile.ZipFile(file) as archive:
        if sum(info.file_size for info in archive.infolist()) > UNPACKED_LIMIT:
            raise FormatError(f"unpacks to more than {UNPACKED_LIMIT // 1_000_000} MB; leave it out")
        if any(info.flag_bits & 1 for info in archive.infolist()):
            raise FormatError("is protected by a password; save it without one or leave it out")
        names = [info.filename for info in archive.infolist()]
        yield Archive(archive, {_folded(name): name for name in reversed(names)} | {name: name for name in names})


def parsed_xml(content: bytes) -> Element:
    """The root of an XML text, entities refused. Raises FormatError if it nests too deeply."""
    from defusedxml.ElementTree import fromstring

    root = cast(Element, fromstring(content))
    level, depth = [root], 0
    while level:
        depth += 1
        level = [child for element in level for child in element]
    if depth > DEEPEST:
        raise FormatError(f"has {depth:,} elements inside each other, so it is damaged; save it anew or leave it out")
    return root


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFC", unquote(name)).replace("\\", "/").casefold()
    return posixpath.normpath(plain.lstrip("/"))
