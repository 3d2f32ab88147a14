"""What the index is to be made of, by what is named now, what was named last, and the settings."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from rag.errors import DamagedError, DocumentError
from rag.index.index import PASSAGES
from rag.index.manifest import Corpus
from rag.index.passages import Passages
from rag.index.snapshot import last_corpus, soundest
from rag.settings import Settings
from rag.types import Listed


def next_corpus(
    settings: Settings,
    *,
    paths: Sequence[str] = (),
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    include: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
) -> Corpus:
    """Exactly `paths`, or without them what was named last, or else RAG_DATA; with `add`, and without `remove`.

    What was removed earlier stays out until it is named. Patterns go with the paths that
    they were given for. Raises DocumentError when a source to remove is not there, or
    what was named last is not to be found from here; DamagedError when that is lost.
    """
    try:
        last = last_corpus(settings.index) or Corpus()
    except DamagedError:
        if not paths:
            raise
        last = Corpus()
    remembered = last.paths if last.named and not paths else ()
    named = [*paths, *add]
    wanted = dict.fromkeys([*(paths or remembered or [settings.data.as_posix()]), *add])
    removed = [source for source in last.removed if not _among(source, named)]
    for source in remove:
        removed += _matching(settings.index, source, wanted)
    left = tuple(path for path in wanted if not _among(path, remove))
    _check_remembered([path for path in remembered if path in left], last)
    return Corpus(
        paths=left,
        include=_patterns(include, last.include if remembered else ()),
        exclude=_patterns(exclude, last.exclude if remembered else ()),
        removed=tuple(dict.fromkeys(removed)),
        named=bool(remembered or named),
        place=os.getcwd() if named else last.place,
    )


def listed(folder: Path) -> list[Listed]:
    """The documents of the index in `folder`. Raises StoreError when there is none that is sound."""
    return Passages.read(soundest(folder).path / PASSAGES).listed()


def _among(source: str, named: Iterable[str]) -> bool:
    """Whether `source`, or the file that it is a part of, is among `named`, however they are spelled."""
    file = source.partition("#")[0]
    if "://" in file:
        return file in named
    return any(path in {source, file} or os.path.abspath(path) == os.path.abspath(file) for path in named)


def _matching(folder: Path, wanted: str, paths: Iterable[str]) -> list[str]:
    """The sources that `wanted` names: a document, a part of a file, a file with its parts, a folder with all in it.

    None where it only names one of `paths`.
    """
    place = Path(os.path.abspath(wanted))
    found = [
        one.source
        for one in listed(folder)
        if _among(one.source, [wanted])
        or ("://" not in one.source and place in Path(os.path.abspath(one.source)).parents)
    ]
    if not found and not _among(wanted, paths):
        raise DocumentError(f"There is no document {wanted!r} in the index; see the names with --list.")
    files = dict.fromkeys(source.partition("#")[0] for source in found)
    return found if "#" in wanted else list(files)


def _check_remembered(paths: Sequence[str], last: Corpus) -> None:
    local = [path for path in paths if "://" not in path]
    if last.place not in {"", os.getcwd()} and any(not os.path.isabs(path) for path in local):
        raise DocumentError(f"The documents were named in {last.place!r}; go there, or name them again.")
    for path in local:
        if not os.path.exists(path):
            raise DocumentError(f"{path!r} is no longer there; bring it back, or take it out with --remove.")


def _patterns(given: Sequence[str] | None, last: Sequence[str]) -> tuple[str, ...]:
    return tuple(last if given is None else given)
