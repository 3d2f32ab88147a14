"""Path -> Document: text and Markdown files, alone or in folders."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.errors import DocumentError
from rag.types import Document

SUFFIXES = {".txt", ".text", ".md", ".markdown"}


@dataclass(frozen=True)
class Skipped:
    """A file that was found but not read, with the reason as a sentence."""

    source: str
    reason: str


def find_files(paths: list[Path]) -> list[Path]:
    """The text and Markdown files of `paths` (files or folders, searched recursively), sorted.

    Hidden files and folders are left out. Raises DocumentError when a path does not
    exist, or when there is no such file at all.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
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
    """Read one UTF-8 file; line ends stay as they are, so that offsets are those of the file.

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
    source = path.as_posix()
    doc_id = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return Document(doc_id=doc_id, source=source, title=_title(path, text), text=text)


def _title(path: Path, text: str) -> str:
    if path.suffix.lower() in {".md", ".markdown"}:
        for line in text.splitlines():
            if line.startswith("#") and line.strip("# \t"):
                return line.strip("# \t")
    return path.stem.replace("_", " ").replace("-", " ").strip().capitalize() or path.name
