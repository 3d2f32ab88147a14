"""Snapshots in a place that machines share: a folder, or an object store by fsspec.

It is laid out like the index folder. Builders put a snapshot there and name it in CURRENT; each reader
fetches it once into its own index folder, and opens that.
"""

import logging
import os
import shutil
import threading
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import fsspec
from fsspec.implementations.local import LocalFileSystem

from rag.errors import DamagedError, RagError, SettingsError, StoreError, UnreachableError
from rag.index.chroma_server import ChromaServer
from rag.index.manifest import MANIFEST, Corpus, Manifest, check_files, read_manifest, seal_copy
from rag.index.snapshot import (
    CURRENT,
    PATIENCE,
    building,
    current_name,
    current_text,
    is_snapshot,
    make_current,
    parsed_current,
    published_name,
    remove_others,
    remove_unfinished,
    roll_back,
    snapshots,
    unfinished,
    unwritable,
    write_lock,
)
from rag.settings import Settings

EVERY = 2.0
"""Seconds after which it is looked whether something was published."""
_FIRST = 600.0
"""Seconds for which one waits for another process that fetches the first snapshot into the same folder."""


@dataclass(frozen=True)
class Shared:
    """A place of snapshots. The methods raise UnreachableError if it cannot be read or written."""

    files: Any
    root: str

    @classmethod
    def at(cls, address: str) -> Self:
        """That at a path or an address. Raises SettingsError if fsspec does not know it."""
        try:
            files, root = fsspec.url_to_fs(address)
        except (ValueError, ImportError) as error:
            raise SettingsError(f"RAG_SHARED cannot be {address!r} ({error}).") from error
        return cls(LocalFileSystem(auto_mkdir=True) if isinstance(files, LocalFileSystem) else files, root)

    @property
    def folder(self) -> Path | None:
        """The place as a folder, if it is one."""
        return Path(self.root) if isinstance(self.files, LocalFileSystem) else None

    def lock(self) -> AbstractContextManager[None]:
        """Held by who publishes. Raises StoreError if another one holds it.

        An object store has no locks: there, `push` refuses what was not made of the current snapshot.
        """
        return write_lock(self.folder) if self.folder else nullcontext()

    def current(self) -> tuple[str, Corpus] | None:
        """The current snapshot's name, and what it is made of; None without one."""
        with self._reached():
            try:
                return parsed_current(self.files.cat_file(self._path(CURRENT)).decode("utf-8"))
            except FileNotFoundError:
                return None

    def current_name(self) -> str | None:
        """The name of the current snapshot."""
        current = self.current()
        return current and current[0]

    def bring(self, folder: Path, repair: bool = False) -> None:
        """Have the current snapshot in `folder`, and current there; fetched anew to `repair` it.

        Who finds no index there waits for another process that is fetching it. Raises StoreError if the folder
        cannot be written, or is being written.
        """
        if repair or self.current_name() not in {None, current_name(folder)}:
            with write_lock(folder, PATIENCE if snapshots(folder) else _FIRST):
                self.fetch(folder, repair)

    def fetch(self, folder: Path, repair: bool = False) -> None:
        """The same, by the holder of the folder's lock."""
        before, current = current_name(folder), self.current()
        if current is None or (current[0] == before and not repair):
            return
        name, corpus = current
        try:
            remove_unfinished(folder)
            if repair or not (folder / name).is_dir():
                self._download(name, folder)
            make_current(folder / name, corpus)
        except OSError as error:
            raise unwritable(folder, error) from error
        remove_others(folder, {name, *([before] if before else [])})

    def push(self, snapshot: Path, corpus: Corpus, base: str | None) -> None:
        """Publish a sealed snapshot that was made when `base` was current.

        Raises StoreError if another one was published meanwhile.
        """
        self._upload(snapshot)
        if self.current_name() != base:
            raise StoreError("Another machine has published meanwhile; do it again, to build upon that.")
        self.make_current(published_name(snapshot), corpus)

    def go_back(self, folder: Path) -> Manifest:
        """Go back to the snapshot before, here and for all. Raises StoreError like `roll_back`."""
        with self.lock():
            names = self.names()
            with write_lock(folder):
                self.fetch(folder)
                for name in names:
                    if not (folder / name).is_dir():
                        self._download(name, folder)
            manifest = roll_back(folder)
            name = str(current_name(folder))
            if name not in names:
                self._upload(folder / name)
            self.make_current(name, manifest.corpus)
        return manifest

    def remove_others(self, keep: Collection[str]) -> list[str]:
        """Remove all snapshots but these; their names."""
        gone = [name for name in self.names() if name not in keep]
        for name in gone:
            with self._reached():
                self.files.rm(self._path(name), recursive=True)
        return gone

    def make_current(self, name: str, corpus: Corpus) -> None:
        """Let readers have this snapshot from now on."""
        with self._reached():
            if self.folder:
                make_current(self.folder / name, corpus)
            else:  # What stores objects replaces one at once.
                self.files.pipe_file(self._path(CURRENT), current_text(name, corpus).encode("utf-8"))

    def names(self) -> list[str]:
        with self._reached():
            self.files.invalidate_cache()
            try:
                paths = self.files.ls(self.root, detail=False)
            except FileNotFoundError:
                return []
        names = [str(path).rstrip("/").rpartition("/")[2] for path in paths]
        return [name for name in names if is_snapshot(name)]

    def _upload(self, snapshot: Path) -> None:
        manifest, name = read_manifest(snapshot), published_name(snapshot)
        with self._reached():
            for file in [*manifest.files, MANIFEST]:
                self.files.put_file(str(snapshot / file), self._path(name, file))

    def _download(self, name: str, folder: Path) -> None:
        """Fetch a snapshot into `folder`, where nothing of it is seen before all is there."""
        fresh = building(folder, name)
        fresh.mkdir()
        self._get(name, MANIFEST, fresh)
        try:
            for file in read_manifest(fresh).files:
                self._get(name, file, fresh)
            check_files(fresh, full=True)
        except DamagedError as error:
            raise UnreachableError(
                f"The snapshot {name} was not fetched as it was published ({error}); it is tried again."
            ) from error
        seal_copy(fresh)
        shutil.rmtree(folder / name, ignore_errors=True)
        os.replace(fresh, folder / name)

    def _get(self, name: str, file: str, fresh: Path) -> None:
        target = fresh / file
        if not target.resolve().is_relative_to(fresh.resolve()):
            raise DamagedError(f"{file!r} is not inside the snapshot")
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._reached():
            self.files.get_file(self._path(name, file), str(target))

    def _path(self, *parts: str) -> str:
        return "/".join([self.root.rstrip("/"), *parts])

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except RagError:
            raise
        except Exception as error:  # Each kind of store has errors of its own.
            raise UnreachableError(
                "The place of RAG_SHARED cannot be read or written; see that it can be reached, and try again.",
                type(error).__name__,
            ) from error


@dataclass(frozen=True)
class Remote:
    """What of an index is not in its folder alone: its vectors, its publication."""

    chroma: ChromaServer | None = None
    shared: Shared | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """That of the settings. Raises SettingsError."""
        shared = Shared.at(settings.shared) if settings.shared else None
        if shared and shared.folder and shared.folder.resolve() == settings.index.resolve():
            raise SettingsError("RAG_SHARED and RAG_INDEX cannot be the same folder; choose another RAG_INDEX.")
        return cls(ChromaServer.of(settings), shared)

    def lock(self) -> AbstractContextManager[None]:
        """Held by who publishes. Raises StoreError if another one holds it."""
        return self.shared.lock() if self.shared else nullcontext()

    def fetch(self, folder: Path) -> str | None:
        """Have in `folder` what is shared, to build upon that; its name.

        For the holder of both locks. The collections that interrupted builds left are dropped, but not one that
        was already shared.
        """
        names = self.shared.names() if self.shared else []
        self.drop([name for name in map(published_name, unfinished(folder)) if name not in names])
        if not self.shared:
            return None
        self.shared.fetch(folder)
        return self.shared.current_name()

    def remove_others(self, folder: Path, keep: Collection[Path], shared: str | None = None) -> None:
        """Remove all snapshots but these, with their collections; with `shared`, the one before, there too.

        A reader whose collection is gone opens the current one: that is one who missed two publications.
        """
        names = {path.name for path in keep}
        if self.shared and shared:
            self.drop(self.shared.remove_others({*names, shared}))
        self.drop([path.name for path in snapshots(folder) if path.name not in names])
        remove_others(folder, names)

    def drop(self, names: Collection[str]) -> None:
        """Drop the collections of these snapshots, as far as there are any."""
        for name in names:
            if self.chroma:
                self.chroma.drop(name)

    @contextmanager
    def following(self, folder: Path) -> Iterator[None]:
        """Meanwhile have in `folder` what is published, seconds later."""
        if not self.shared:
            yield
            return
        ended = threading.Event()
        thread = threading.Thread(target=_follow, args=(self.shared, folder, ended), name="publications", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(EVERY)


LOCAL = Remote()
"""An index that is in its folder alone."""


def _follow(shared: Shared, folder: Path, ended: threading.Event) -> None:
    told = ""
    while not ended.wait(EVERY):
        try:
            shared.bring(folder)
            told = ""
        except StoreError as error:
            if str(error) != told:
                logging.getLogger(__name__).warning("The index stays as it is here: %s", error)
            told = str(error)
