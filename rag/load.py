"""Path -> Document: text and Markdown files, alone or in folders."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from rag.errors import DocumentError
from rag.types import Document

SUFFIXES = {".txt", ".text", ".md", ".markdown"}


def find_files(paths: list[Path]) -> list[Path]:
    """The text and Markdown files of `paths` (files or folders, searched recursively), sorted.

    Hidden files and folders are left out. Raises DocumentError when a path does not
    exist, or when there is no such file at all.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not os.path.exists(path):
            raise DocumentError(f"There is no file or folder {str(path)!r}; name one that exists.")
        for file in [path] if path.is_file() else _walk(path):
            found[file] = None
    if not found:
        names = ", ".join(repr(str(path)) for path in paths)
        raise DocumentError(f"No document was found in {names}; put text (.txt) or Markdown (.md) files there.")
    return list(found)


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and path.suffix.lower() in SUFFIXES and not hidden:
            yield path


def load(path: Path) -> Document:
    """Read one UTF-8 file; line ends stay as they are, so that offsets are those of the file (after a byte order mark).

    The title is the first Markdown heading, else the file's name in words.
    Raises DocumentError when it cannot be read, is not UTF-8 text, or is blank.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DocumentError(f"{str(path)!r} cannot be read ({error.strerror}); check its permissions.") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"{str(path)!r} is not UTF-8 text (byte {error.start} is 0x{raw[error.start]:02x}); save it as UTF-8."
        ) from error
    if "\0" in text:
        raise DocumentError(f"{str(path)!r} holds NUL characters, so it is not a text; leave it out or convert it.")
    if not text.strip():
        raise DocumentError(f"{str(path)!r} is empty; put text in it or leave it out.")
    doc_id = hashlib.sha256(path.as_posix().encode("utf-8", "surrogateescape")).hexdigest()[:16]
    source = replace_surrogates(path.as_posix())
    return Document(doc_id=doc_id, source=source, title=replace_surrogates(_title(path, text)), text=text)


def replace_surrogates(text: str) -> str:
    """`text` with U+FFFD for what no file could hold: the undecodable bytes of a name or an argument."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _title(path: Path, text: str) -> str:
    if path.suffix.lower() in {".md", ".markdown"}:
        for line in text.splitlines():
            if line.startswith("#") and line.strip("# \t"):
                return line.strip("# \t")
    return path.stem.replace("_", " ").replace("-", " ").strip().capitalize() or path.name
