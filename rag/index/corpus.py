"""Which documents the index is made of: named now, named last, or by the settings."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from rag.documents.fetch import is_address
from rag.documents.sources import file_of
from rag.errors import DamagedError, DocumentError
from rag.index.index import list_documents
from rag.index.manifest import Corpus
from rag.index.snapshot import last_corpus
from rag.settings import Settings


def next_corpus(
    settings: Settings,
    *,
    paths: Sequence[str] = (),
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    include: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
) -> Corpus:
    """Exactly `paths`, or else what was named last, or else RAG_DATA.

    With `add`, and without `remove`. What was removed earlier stays out until it is named. Patterns go
    with the paths that they were given for. Raises DocumentError if a source to remove is not there, or
    if what was named last is not to be found from here; DamagedError if that is lost.
    """
    try:
        last = last_corpus(settings.index) or Corpus()
    except DamagedError:
        if not paths:
            raise
        last = Corpus()
    remembered = last if last.named and last.paths and not paths else Corpus()
    named = [*paths, *add]
    wanted = dict.fromkeys([*(paths or remembered.paths or [settings.data.as_posix()]), *add])
    removed = [source for source in last.removed if not _is_named(source, named)]
    held = [one.source for one in list_documents(settings.index)] if remove else []
    for source in remove:
        removed += _sources(held, source, wanted)
    left = tuple(path for path in wanted if not _is_named(path, remove))
    _check_paths([path for path in remembered.paths if path in left and not is_address(path)], remembered.place)
    return Corpus(
        paths=left,
        include=tuple(remembered.include if include is None else include),
        exclude=tuple(remembered.exclude if exclude is None else exclude),
        removed=tuple(dict.fromkeys(removed)),
        named=bool(remembered.paths or named),
        place=os.getcwd() if named else last.place,
    )


def _is_named(source: str, named: Iterable[str]) -> bool:
    """Whether `source`, or the file it is a part of, is `named`, in any spelling."""
    if is_address(source):
        return source in named
    own = {os.path.abspath(source), os.path.abspath(file_of(source))}
    return any(os.path.abspath(path) in own for path in named)


def _sources(held: Sequence[str], wanted: str, paths: Iterable[str]) -> list[str]:
    """Those of the sources `held` that `wanted` names.

    It may name a document, a part of a file, a file with its parts, or a folder with all in it.
    None if it only names one of `paths`.
    """
    path = Path(os.path.abspath(wanted))
    found = [
        source
        for source in held
        if _is_named(source, [wanted]) or (not is_address(source) and path in Path(os.path.abspath(source)).parents)
    ]
    if not found and not _is_named(wanted, paths):
        raise DocumentError(f"There is no document {wanted!r} in the index; see the names with --list.")
    return found if file_of(wanted) != wanted else [file_of(source) for source in found]


def _check_paths(paths: Sequence[str], place: str) -> None:
    """Raises DocumentError if paths named in the folder `place` are not found from here."""
    if place not in {"", os.getcwd()} and any(not os.path.isabs(path) for path in paths):
        raise DocumentError(f"The documents were named in {place!r}; go there, or name them again.")
    for path in paths:
        if not os.path.exists(path):
            raise DocumentError(f"{path!r} is no longer there; bring it back, or take it out with --remove.")
