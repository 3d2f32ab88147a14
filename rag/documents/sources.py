"""Which files and web addresses a list of paths stands for."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

from rag.documents.fetch import is_address
from rag.documents.parsers import SUFFIXES
from rag.documents.text import quoted
from rag.errors import DocumentError

_LINE = re.compile(r"(?<=\.jsonl)#\d+\Z", re.IGNORECASE)


def file_of(source: str) -> str:
    """The file that `source` is a line of (`PATH.jsonl#LINE`), or else `source` itself."""
    return source if is_address(source) else _LINE.sub("", source)


def find_sources(paths: Sequence[str], include: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[str]:
    """The documents of `paths`, which are files, folders and web addresses; sorted, each once.

    In folders only files with a known suffix count, and hidden ones and links to folders are
    left out. `include` and `exclude` are patterns as in .gitignore, relative to the folder; with
    `include` only what matches is taken. A file that is named itself is compared with them by
    its path and by its name. What cannot be looked at is returned like a document, so that
    loading reports it. Raises DocumentError if a path does not exist or nothing is found.
    """
    included, excluded = _patterns(include), _patterns(exclude)

    def wanted(*names: str) -> bool:
        return (not include or any(map(included.match_file, names))) and not any(map(excluded.match_file, names))

    addresses = {path for path in paths if is_address(path)}
    files: dict[str, str] = {}
    for path in dict.fromkeys(path for path in paths if path not in addresses):
        if not os.path.exists(path):
            raise DocumentError(f"There is no file or folder {quoted(path)}; name one that exists.")
        folder = Path(path)
        if folder.is_dir():
            closed: list[Path] = []
            found = [folder / name for name in _walk(folder, excluded, closed) if wanted(name)] + closed
        else:
            found = [folder] if wanted(folder.as_posix(), folder.name) else []
        for file in found:
            files.setdefault(os.path.abspath(file), file.as_posix())
    if not files and not addresses:
        names = ", ".join(quoted(path) for path in paths)
        hint = "change the patterns or " if include or exclude else ""
        raise DocumentError(f"No document was found in {names}; {hint}put files there ({', '.join(SUFFIXES)}).")
    return sorted(files.values()) + sorted(addresses)


def _patterns(patterns: Sequence[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise DocumentError(f"A pattern of {', '.join(patterns)!r} cannot be used ({error}); correct it.") from error


def _walk(folder: Path, excluded: GitIgnoreSpec, closed: list[Path]) -> Iterator[str]:
    """The documents in `folder`, relative to it; adds what cannot be looked at to `closed`."""
    for where, folders, names in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        below = Path(where).relative_to(folder)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and not excluded.match_file(f"{(below / name).as_posix()}/")
        ]
        for name in names:
            path = Path(where, name)
            if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            try:
                if path.is_file():
                    yield (below / name).as_posix()
            except OSError:
                closed.append(path)
