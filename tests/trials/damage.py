"""Files of the index that are cut, overwritten, emptied or lost."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rag.documents.loader import Loader
from rag.errors import DamagedError
from rag.index.builder import BuildOptions, Outcome, update
from rag.index.health import verify
from rag.index.index import EMBEDDINGS_FILE, open_index
from rag.index.manifest import Corpus, check_files
from rag.index.snapshot import snapshots
from trials.finding import Finding
from trials.library import EMBEDDER, WORDS, HashEmbedder, Library, differences, make_library

_CURRENT = "CURRENT"


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _half(content: bytes) -> bytes:
    """With the beginning as it was, so that it still looks like what it is."""
    return _cut(content) + random.Random(1).randbytes(len(content) - len(content) // 2)


def _noise(content: bytes) -> bytes:
    return random.Random(2).randbytes(len(content))


_KINDS: dict[str, Callable[[bytes], bytes | None]] = {
    "cut": _cut,
    "half overwritten": _half,
    "overwritten": _noise,
    "emptied": lambda content: b"",
    "deleted": lambda content: None,
}


@dataclass(frozen=True)
class _Damage:
    """Two published snapshots in `made`, of the texts `before` and of those in the library now."""

    made: Path
    library: Library
    before: dict[str, str]

    def fresh(self, folder: Path, single: bool) -> Path:
        """A copy of the whole index, with the current snapshot only where `single`."""
        index = folder / "index"
        shutil.rmtree(index, ignore_errors=True)
        shutil.copytree(self.made, index)
        if single:
            shutil.rmtree(snapshots(index)[1])
        return index

    def update(self, index: Path) -> Outcome:
        """Update from the library as it is."""
        with Loader() as loader:
            build_options = BuildOptions(WORDS, EMBEDDER, HashEmbedder)
            return update(index, Corpus((str(self.library.folder),)), build_options, loader, verify=verify)

    def in_a_snapshot(self, index: Path, name: str, single: bool) -> list[str]:
        """What is wrong after a file of the current snapshot was damaged: with how it is said, and with the repair."""
        wrong = []
        try:
            opened = open_index(index, EMBEDDER)
            if single:
                return ["it was opened"]
            said = opened.notice or ""
            wrong += differences(opened, self.library, self.before)
        except DamagedError as error:
            said = str(error) if single else ""
        if name.rpartition("/")[2] not in said or "python ingest.py" not in said:
            wrong.append(f"it said {said!r}")
        return wrong + self.repaired(index, embedded=0)

    def in_current(self, index: Path) -> list[str]:
        """What is wrong after CURRENT was damaged."""
        opened = open_index(index, EMBEDDER)
        wrong = differences(opened, self.library, self.library.texts)
        if "CURRENT" not in (opened.notice or ""):
            wrong.append(f"it said {opened.notice!r}")
        return wrong + self.repaired(index, embedded=0)

    def in_cache(self, index: Path, snapshot_too: bool) -> list[str]:
        """What is wrong after the cache was damaged, and with it the only snapshot, or else nothing."""
        if snapshot_too:
            (snapshots(index)[0] / "passages.sqlite").write_bytes(b"")
            return self.repaired(index)
        opened = open_index(index, EMBEDDER)
        wrong = differences(opened, self.library, self.library.texts)
        name, text = min(self.library.texts.items())
        self.library.rewrite([name])
        try:
            return wrong + self.repaired(index, embedded=self.library.passages)
        finally:
            self.library.put(name, text)

    def repaired(self, index: Path, embedded: int | None = None) -> list[str]:
        """What is wrong after the update that repairs."""
        outcome = self.update(index)
        opened = open_index(index, EMBEDDER)
        wrong = differences(opened, self.library, self.library.texts)
        if opened.notice:
            wrong.append(f"after the repair it said {opened.notice!r}")
        wrong += [f"of what is left, {path.name}: {one}" for path in snapshots(index) for one in _unsound(path)]
        if not outcome.changed or (embedded is not None and outcome.embedded != embedded):
            wrong.append(f"the repair embedded {outcome.embedded} passages")
        return wrong


def damage(folder: Path, short: bool) -> Finding:
    """Damage every file of an index in every way, with another snapshot to fall back on and without."""
    library = make_library(folder / "texts", 6, 10) if short else make_library(folder / "texts", 25, 50)
    trial = _Damage(folder / "made", library, dict(library.texts))
    trial.update(trial.made)
    rewritten, removed, *_ = sorted(library.texts)
    library.rewrite([rewritten])
    library.remove(removed)
    library.add(1)
    trial.update(trial.made)
    snapshot = snapshots(trial.made)[0]
    files = [path.relative_to(trial.made).as_posix() for path in snapshot.rglob("*") if path.is_file()]
    wrong: list[str] = []
    cases = [
        (file, kind, single)
        for file in [*sorted(files), _CURRENT, EMBEDDINGS_FILE]
        for kind in _KINDS
        for single in (False, True)
    ]
    done = 0
    for number, (file, kind, single) in enumerate(cases):
        if short and number % 5:
            continue
        index = trial.fresh(folder, single)
        content = (index / file).read_bytes()
        damaged = _KINDS[kind](content)
        if damaged == content:
            continue  # A file that is empty cannot be cut.
        if damaged is None:
            (index / file).unlink()
        else:
            (index / file).write_bytes(damaged)
        done += 1
        found = _look(trial, index, file, single)
        wrong += [f"{file.rpartition('/')[2]} {kind}{', with no other snapshot' * single}: {one}" for one in found]
    return Finding(
        f"{done} times a file of the index cut, overwritten, emptied or deleted, one at a time",
        "each was noticed and said, answered from what was sound, and repaired by an update that embedded nothing "
        "the cache still had",
        tuple(wrong),
    )


def _unsound(snapshot: Path) -> list[str]:
    try:
        check_files(snapshot)
    except DamagedError as error:
        return [str(error)]
    return []


def _look(trial: _Damage, index: Path, file: str, single: bool) -> list[str]:
    try:
        if file == _CURRENT:
            return trial.in_current(index)
        if file == EMBEDDINGS_FILE:
            return trial.in_cache(index, snapshot_too=single)
        return trial.in_a_snapshot(index, file, single)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding, and the other cases go on
        return [f"{type(error).__name__}: {error}"]
