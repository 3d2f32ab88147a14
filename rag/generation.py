"""Generations of the index: complete folders that never change, one of them current.

`index/CURRENT` names the current generation. Each holds a manifest with the size and
the SHA-256 of its every file, so that whatever was cut short, overwritten or lost is
known before anything reads it.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rag.errors import DamagedError, NoIndexError, StoreError

FORMAT = 2
REPAIR = "repair it with: python ingest.py"
_CURRENT = "CURRENT"
_MANIFEST = "manifest.json"
_BUILDING = ".building"


@dataclass(frozen=True)
class Corpus:
    """What an index is made of: files, folders and web addresses, and patterns of what to take and leave there.

    `named` tells paths that were named for it from those of the settings; `removed` are
    sources that were taken out and stay out until they are named.
    """

    paths: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    named: bool = False


@dataclass(frozen=True)
class Manifest:
    """What a generation holds. `files` has the size in bytes and the SHA-256 of each by its relative path.

    `stale` counts the vectors that were removed but still take up room.
    """

    format: int
    created: str
    embedder: str
    chunk_words: int
    documents: int
    chunks: int
    words: int
    stale: int
    corpus: Corpus
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)


def new_generation(folder: Path) -> Path:
    """An empty folder to build in, named so that the newest sorts last. Raises OSError."""
    generation = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}{_BUILDING}"
    generation.mkdir()
    return generation


def remove_unfinished(folder: Path) -> None:
    """Remove what interrupted builds left. Only who holds the lock may do this."""
    for path in [*folder.glob(f"*{_BUILDING}"), *folder.glob(f"{_CURRENT}.*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def seal(generation: Path, manifest: Manifest) -> None:
    """Write the manifest with the digests of all files, and have everything on the disk. Raises OSError."""
    paths = sorted(path for path in generation.rglob("*") if path.is_file())
    files = {path.relative_to(generation).as_posix(): (path.stat().st_size, digest(path)) for path in paths}
    content = json.dumps(asdict(manifest) | {"files": files})
    checksum = hashlib.sha256(content.encode()).hexdigest()
    (generation / _MANIFEST).write_text(f"{content}\n{checksum}\n", encoding="utf-8")
    for path in [
        *paths,
        generation / _MANIFEST,
        *(path for path in generation.rglob("*") if path.is_dir()),
        generation,
    ]:
        _to_disk(path)


def publish(generation: Path) -> Path:
    """Make a sealed generation the current one, by renaming; returns where it is now. Raises OSError."""
    published = generation.with_name(generation.name.removesuffix(_BUILDING))
    os.replace(generation, published)
    make_current(published)
    return published


def make_current(generation: Path) -> None:
    """Let readers open this generation from now on. Raises OSError."""
    folder = generation.parent
    fresh = folder / f"{_CURRENT}.{secrets.token_hex(4)}"
    fresh.write_text(generation.name, encoding="utf-8")
    _to_disk(fresh)
    os.replace(fresh, folder / _CURRENT)
    _to_disk(folder)


def current_name(folder: Path) -> str | None:
    """The name of the current generation, None where CURRENT is not there or cannot be read."""
    try:
        return (folder / _CURRENT).read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):
        return None


def generations(folder: Path) -> list[Path]:
    """The published generations: the current one first, then the newest first."""
    current = current_name(folder)
    complete = [path for path in folder.glob("*T*-*") if path.is_dir() and path.suffix != _BUILDING]
    return sorted(complete, key=lambda path: (path.name == current, path.name), reverse=True)


def remove_old(folder: Path, keep: int = 2) -> None:
    """Remove all generations but the current one and the newest others, `keep` in all."""
    for path in generations(folder)[keep:]:
        shutil.rmtree(path, ignore_errors=True)


def read_manifest(generation: Path) -> Manifest:
    """The manifest of a generation. Raises DamagedError."""
    try:
        content, checksum = (generation / _MANIFEST).read_text(encoding="utf-8").splitlines()
        if hashlib.sha256(content.encode()).hexdigest() != checksum:
            raise ValueError("its checksum is wrong")
        fields = json.loads(content)
        if fields["format"] != FORMAT:
            raise DamagedError(f"it has format {fields['format']}, not {FORMAT}")
        named = bool(fields["corpus"].pop("named"))
        corpus = Corpus(**{name: tuple(values) for name, values in fields["corpus"].items()}, named=named)
        return Manifest(**fields | {"corpus": corpus, "files": {k: tuple(v) for k, v in fields["files"].items()}})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DamagedError(f"{_MANIFEST} cannot be read: {error}") from error


def check_files(generation: Path, manifest: Manifest) -> None:
    """Compare every file with the manifest. Raises DamagedError, naming the first that is not as it was written."""
    for name, (size, expected) in manifest.files.items():
        path = generation / name
        try:
            found = path.stat().st_size
            if found != size:
                raise DamagedError(f"{name} has {found:,} bytes instead of {size:,}")
            if digest(path) != expected:
                raise DamagedError(f"{name} was overwritten")
        except OSError as error:
            raise DamagedError(f"{name} cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class Sound:
    """A generation whose files are as they were written; `notice` says what was wrong with a newer one, if anything."""

    path: Path
    manifest: Manifest
    notice: str | None


def soundest(folder: Path) -> Sound:
    """The current generation, or where it is damaged the newest one that is not.

    Raises NoIndexError where nothing was published, DamagedError where nothing is sound.
    """
    wrong: list[str] = []
    found = generations(folder)
    if found and current_name(folder) != found[0].name:
        wrong.append("CURRENT does not name a generation")
    for generation in found:
        try:
            manifest = read_manifest(generation)
            check_files(generation, manifest)
        except DamagedError as error:
            wrong.append(str(error))
            continue
        return Sound(generation, manifest, _notice(folder, wrong[0], manifest) if wrong else None)
    if not found:
        raise NoIndexError(f"There is no index in {str(folder)!r}; build it with: python ingest.py")
    raise DamagedError(f"The index in {str(folder)!r} is damaged ({wrong[0]}); {REPAIR}")


def _notice(folder: Path, wrong: str, manifest: Manifest) -> str:
    return f"The index in {str(folder)!r} is damaged ({wrong}), so the one of {manifest.created} is used; {REPAIR}"


def roll_back(folder: Path) -> Manifest:
    """Make the newest sound generation that is not current the current one; returns its manifest.

    Raises StoreError when there is none.
    """
    for generation in generations(folder)[1:] if current_name(folder) else []:
        try:
            manifest = read_manifest(generation)
            check_files(generation, manifest)
        except DamagedError:
            continue
        make_current(generation)
        return manifest
    raise StoreError(f"The index in {str(folder)!r} has no other sound generation to go back to.")


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    if os.name == "nt":  # Windows cannot sync what is not open for writing.
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
