"""The manifest of a snapshot: what it holds, and the digest of every file."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rag.errors import DamagedError

FORMAT = 5
MANIFEST = "manifest.json"
_READ_WHOLE = 32_000_000
"""Bytes; a file up to this size is read whole whenever its snapshot is opened, in less than 0.1 s."""


@dataclass(frozen=True)
class Corpus:
    """What an index is made of: files, folders and web addresses.

    `include` and `exclude` are patterns of what to take from folders and leave there. `named` tells
    paths that were named for it from those of the settings, and `place` is where they were named.
    `removed` are sources that stay out until they are named.
    """

    paths: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    named: bool = False
    place: str = ""


@dataclass(frozen=True)
class Manifest:
    """What a snapshot holds.

    `collection` names that of the Chroma server which has the vectors; without one they are among the files.
    `files` has the size in bytes and the SHA-256 of each file by its relative path, `stamps` when it was last
    written (ns) and its inode. `stale` counts the vectors that were removed but still take up room.
    """

    format: int
    created: str
    embedder: str
    passage_words: int
    documents: int
    passages: int
    words: int
    stale: int
    corpus: Corpus
    collection: str = ""
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    stamps: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def summary(self) -> str:
        """How many documents and passages there are, in words."""
        return f"{count(self.documents, 'document')}, {count(self.passages, 'passage')}"


def count(number: int, noun: str) -> str:
    """A number with its noun, such as "1 passage" or "2,000 passages"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def seal(snapshot: Path, manifest: Manifest) -> None:
    """Write the manifest, and have every file on the disk. Raises OSError."""
    paths = sorted(path for path in snapshot.rglob("*") if path.is_file())
    files = {path.relative_to(snapshot).as_posix(): (path.stat().st_size, _digest(path)) for path in paths}
    _write(snapshot, manifest, files)


def seal_copy(snapshot: Path) -> None:
    """Write the manifest of a copy that was checked.

    Its large files need not be read again then. Raises OSError.
    """
    manifest = read_manifest(snapshot)
    _write(snapshot, manifest, manifest.files)


def _write(snapshot: Path, manifest: Manifest, files: Mapping[str, tuple[int, str]]) -> None:
    stamps = {name: _stamp((snapshot / name).stat()) for name in files}
    content = json.dumps(asdict(manifest) | {"files": files, "stamps": stamps})
    checksum = hashlib.sha256(content.encode()).hexdigest()
    (snapshot / MANIFEST).write_text(f"{content}\n{checksum}\n", encoding="utf-8")
    for path in [*snapshot.rglob("*"), snapshot]:
        to_disk(path)


def read_manifest(snapshot: Path) -> Manifest:
    """The manifest of a snapshot. Raises DamagedError."""
    try:
        content, _, checksum = (snapshot / MANIFEST).read_text(encoding="utf-8").partition("\n")
        if hashlib.sha256(content.encode()).hexdigest() != checksum.strip():
            raise ValueError("its checksum is wrong")
        fields = json.loads(content)
        if fields["format"] != FORMAT:
            raise DamagedError(f"it has format {fields['format']}, not {FORMAT}")
        files = {name: (int(size), str(digest)) for name, (size, digest) in fields["files"].items()}
        stamps = {name: (int(written), int(inode)) for name, (written, inode) in fields.get("stamps", {}).items()}
        return Manifest(**fields | {"corpus": corpus_of(fields["corpus"]), "files": files, "stamps": stamps})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedError(f"{MANIFEST} cannot be read: {error}") from error


def corpus_of(fields: dict[str, Any]) -> Corpus:
    """The corpus that `asdict` made these fields of. Raises TypeError or AttributeError for others."""
    values: Any = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return Corpus(**values)


def check_files(snapshot: Path, full: bool = False) -> Manifest:
    """Compare every file of a snapshot with its manifest, and return that.

    A large file that was not written to since is not read, unless `full`. Raises DamagedError, naming the first
    file that is not as it was written.
    """
    manifest = read_manifest(snapshot)
    for name, (size, expected) in manifest.files.items():
        path = snapshot / name
        try:
            found = path.stat()
            if found.st_size != size:
                raise DamagedError(f"{name} has {found.st_size:,} bytes instead of {size:,}")
            is_as_sealed = size > _READ_WHOLE and _stamp(found) == manifest.stamps.get(name)
            if (full or not is_as_sealed) and _digest(path) != expected:
                raise DamagedError(f"{name} was overwritten")
        except OSError as error:
            raise DamagedError(f"{name} cannot be read: {error.strerror}") from error
    return manifest


def _stamp(status: os.stat_result) -> tuple[int, int]:
    """When a file was last written, and which one it is: a copy is another."""
    return status.st_mtime_ns, status.st_ino


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_disk(path: Path) -> None:
    """Have a file or a folder on the disk for certain. Raises OSError."""
    if os.name == "nt":  # Windows cannot sync what is not open for writing.
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
