"""Which files and web addresses a list of paths stands for."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from rag.documents.fetch import is_address
from rag.documents.parsers import SUFFIXES
from rag.documents.text import quoted
from rag.errors import DocumentError

_HIDDEN = (".", "~$")
"""How the names of hidden files begin, and those that Office writes while a document is open."""
_SUFFIX = re.compile(r"\.[\w-]{1,10}\Z")
_KINDS = 8
"""Suffixes that are named; of others the files are counted."""
_LINE = re.compile(r"(?<=\.jsonl)#\d+\Z", re.IGNORECASE)


def file_of(source: str) -> str:
    """The file that `source` is a line of (`PATH.jsonl#LINE`), or else `source` itself."""
    return source if is_address(source) else _LINE.sub("", source)


@dataclass(frozen=True)
class Survey:
    """The `documents` that paths stand for, and what else is there."""

    documents: list[str]
    left_out: tuple[str, ...]


def find_sources(paths: Sequence[str], include: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[str]:
    """The documents that `survey` finds. Raises DocumentError as that does."""
    return survey(paths, include, exclude).documents


def survey(paths: Sequence[str], include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Survey:
    """The documents of `paths`, which are files, folders and web addresses; sorted, each once.

    In folders only files with a known suffix count, and links to folders are left out, which is told; so are
    hidden files, which is not. `include` and `exclude` are patterns as in .gitignore, relative to the folder;
    with `include` only what matches is taken. A file that is named itself is compared with them by its path
    and by its name. What cannot be looked at is returned like a document, so that loading reports it. Raises
    DocumentError if a path does not exist or nothing is found.
    """
    included, excluded = _patterns(include), _patterns(exclude)

    def wanted(*names: str) -> bool:
        return (not include or any(map(included.match_file, names))) and not any(map(excluded.match_file, names))

    addresses = {path for path in paths if is_address(path)}
    files: dict[str, str] = {}
    rest = _Rest()
    for path in dict.fromkeys(path for path in paths if path not in addresses):
        if not os.path.exists(path):
            raise DocumentError(f"There is no file or folder {quoted(path)}; name one that exists.")
        folder = Path(path)
        if folder.is_dir():
            closed: list[Path] = []
            found = [folder / name for name in _walk(folder, excluded, wanted, closed, rest)] + closed
        else:
            found = [folder] if wanted(folder.as_posix(), folder.name) else []
        for file in found:
            files.setdefault(os.path.abspath(file), file.as_posix())
    if not files and not addresses:
        names = ", ".join(quoted(path) for path in paths)
        held = f" (but {'; '.join(rest.told())})" if rest.told() else ""
        hint = "change the patterns or " if include or exclude else ""
        raise DocumentError(f"No document was found in {names}{held}; {hint}put files there ({', '.join(SUFFIXES)}).")
    return Survey(sorted(files.values()) + sorted(addresses), rest.told())


@dataclass
class _Rest:
    """What is in folders and is no document: files by their suffixes, and links."""

    kinds: Counter[str] = field(default_factory=Counter)
    folders: int = 0
    nowhere: int = 0

    def told(self) -> tuple[str, ...]:
        """A phrase each for files and links: "3 .xlsx files, whose kind is not read"."""
        named = [
            kind for kind, _ in sorted(self.kinds.items(), key=lambda one: (-one[1], one[0])) if _SUFFIX.match(kind)
        ]
        parts = [f"{self.kinds[kind]:,} {kind}" for kind in named[:_KINDS]]
        if others := self.kinds.total() - sum(self.kinds[kind] for kind in named[:_KINDS]):
            parts.append(f"{others:,} other" if parts else f"{others:,}")
        noun = "file" if self.kinds.total() == 1 else "files"
        files = (
            f"{' and '.join([', '.join(parts[:-1]), parts[-1]] if parts[1:] else parts)} {noun}, whose kind is not read"
        )
        links = [(self.folders, "to a folder", "to folders"), (self.nowhere, "to nothing", "to nothing")]
        told = [f"1 link {one}" if number == 1 else f"{number:,} links {many}" for number, one, many in links if number]
        return (*([files] if parts else []), *told)


def _patterns(patterns: Sequence[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise DocumentError(f"A pattern of {', '.join(patterns)!r} cannot be used ({error}); correct it.") from error


def _walk(
    folder: Path, excluded: GitIgnoreSpec, wanted: Callable[[str], bool], closed: list[Path], rest: _Rest
) -> Iterator[str]:
    """The documents in `folder`, relative to it.

    Adds what cannot be looked at to `closed`, and counts in `rest` what else is wanted.
    """
    for where, folders, names in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        below = Path(where).relative_to(folder)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(_HIDDEN) and not excluded.match_file(f"{(below / name).as_posix()}/")
        ]
        rest.folders += sum(os.path.islink(os.path.join(where, name)) for name in folders)
        for name in names:
            path, relative = Path(where, name), (below / name).as_posix()
            if name.startswith(_HIDDEN) or not wanted(relative):
                continue
            try:
                if path.suffix.lower() not in SUFFIXES:
                    rest.kinds[path.suffix.lower()] += 1
                elif path.is_file():
                    yield relative
                elif path.is_symlink():
                    rest.nowhere += 1
            except OSError:
                closed.append(path)
