"""Reading and embedding by the workers of a Ray cluster; the builder publishes as ever."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.embeddings import Embeddings
from pydantic import SecretStr

from rag.documents.fetch import is_address
from rag.documents.loader import AHEAD, Loader
from rag.documents.sandbox import found_of
from rag.documents.text import quoted
from rag.documents.worker import fields_of
from rag.errors import DocumentError
from rag.index.builder import BuildOptions
from rag.index.embedding import AheadEmbedder
from rag.index.parsed import ParsedFiles, Row, file_key
from rag.index.ray_workers import connected, spread
from rag.index.vectors import Floats
from rag.models.embedder import make_embedder
from rag.settings import Settings
from rag.types import Loaded

if TYPE_CHECKING:
    from pyarrow import Table

FOLDER = "parsed"
"""In the index folder, while an update runs: what the workers have read."""
_WINDOW = 500
"""Batches of texts that are handed to the cluster at once."""
_TEXTS = 64
"""Of a batch, so many go to a worker at once, so that none is left without work long before the others."""
_PIECE = 1_000_000
"""Characters of documents that a worker hands over at once, about."""


@contextmanager
def workers(
    settings: Settings, address: str, load_embedder: Callable[[], Embeddings] | None = None
) -> Iterator[tuple[Loader, BuildOptions]]:
    """What an update needs to spread its work over the cluster at `address`.

    The workers need this program, and the documents and the embedder at the same paths as here. What they have done
    is kept until an update succeeds. Raises SettingsError as `connected` does.
    """
    own = load_embedder or partial(make_embedder, settings.model_copy(update={"api_key": SecretStr("")}))
    with connected(address):
        parsed = ParsedFiles(settings.index / FOLDER)
        with WorkersLoader(parsed, settings.online) as loader:
            yield loader, BuildOptions.of(settings, lambda: WorkersEmbedder(own))
        parsed.remove()


class WorkersLoader(Loader):
    """Has files read by the workers, web addresses here."""

    def __init__(self, parsed: ParsedFiles, online: bool = False) -> None:
        super().__init__(online)
        self._parsed = parsed
        self._keys: dict[str, str] = {}
        self._coming_rows: Iterator[Row] = iter(())
        self._awaited: set[str] = set()

    def expect(self, sources: Mapping[str, str], words: int) -> None:
        """Let the workers begin with what was not read before an interruption."""
        self._keys = {one: file_key(one, digest, words) for one, digest in sources.items() if not is_address(one)}
        rows = [
            {"key": key, "source": os.fsencode(one), "digest": sources[one]}
            for one, key in self._keys.items()
            if key not in self._parsed
        ]
        self._awaited = {str(row["key"]) for row in rows}
        self._coming_rows = self._read(rows, words) if rows else iter(())

    def _read(self, rows: Sequence[Mapping[str, object]], words: int) -> Iterator[Row]:
        for table in spread(rows, _Reader, os.getcwd(), words):
            yield from self._parsed.put(table)

    def load(self, source: str, words: int, coming: Sequence[str] = ()) -> Iterator[Loaded | DocumentError]:
        """The documents of `source`, as `Loader.load` gives them."""
        key = self._keys.get(source)
        if key is None:
            yield from super().load(source, words, [one for one in coming if one not in self._keys])
        elif key in self._awaited:
            yield from self._awaited_documents(key, source)
        else:
            yield from (_document(row) for row in self._parsed.rows(key) if not row["last"])

    def _awaited_documents(self, key: str, source: str) -> Iterator[Loaded | DocumentError]:
        for row in self._coming_rows:
            if row["key"] != key:  # The rest of one that nobody loaded to its end.
                continue
            if not row["last"]:
                yield _document(row)
                continue
            self._awaited.discard(key)
            if not self._awaited:
                next(self._coming_rows, None)  # To its end, so that the workers are free.
            return
        yield DocumentError(f"{quoted(source)} was not read by the Ray cluster; run the same again.")


class WorkersEmbedder(AheadEmbedder):
    """Has batches of texts embedded by the workers, piece by piece."""

    def __init__(self, load: Callable[[], Embeddings]) -> None:
        self._load = load

    def embed_batches(self, batches: Iterable[list[str]]) -> Iterator[Floats]:
        """The vectors of each batch, in order."""
        rest = iter(batches)
        while window := list(islice(rest, _WINDOW)):
            rows = [{"texts": texts[at : at + _TEXTS]} for texts in window for at in range(0, len(texts), _TEXTS)]
            made = self._embedded(rows) if rows else iter(())
            for texts in window:
                pieces = [next(made) for _ in range(0, len(texts), _TEXTS)]
                yield np.concatenate(pieces) if pieces else np.empty((0, 0), dtype=np.float32)
            next(made, None)  # To its end, so that the workers are free.

    def _embedded(self, rows: Sequence[Mapping[str, list[str]]]) -> Iterator[Floats]:
        for table in spread(rows, _Embedder, os.getcwd(), self._load):
            for row in table.to_pylist():
                yield np.frombuffer(row["vectors"], dtype=np.float32).reshape(row["texts"], -1)


class _Reader:
    """In a worker: reads files in the bounded process that `Loader` starts."""

    def __init__(self, place: str, words: int) -> None:
        os.chdir(place)
        self._words = words
        self._loader = Loader()

    def __call__(self, files: "Table") -> Iterator["Table"]:
        from pyarrow import Table

        rows: list[Row] = []
        size = 0
        asked = files.to_pylist()
        sources = [os.fsdecode(row["source"]) for row in asked]
        for number, row in enumerate(asked):
            for one in self._rows(row, sources[number], sources[number + 1 : number + 1 + AHEAD]):
                rows.append(one)
                size += len(one["found"])
                if size > _PIECE:
                    yield Table.from_pylist(rows)
                    rows, size = [], 0
        if rows:
            yield Table.from_pylist(rows)

    def _rows(self, row: Row, source: str, coming: Sequence[str]) -> Iterator[Row]:
        key, sound = row["key"], True
        for found in self._found(source, row["digest"], coming):
            sound = sound and isinstance(found, Loaded)
            yield {"key": key, "found": json.dumps(_plain(found)), "last": False, "sound": False}
        yield {"key": key, "found": "", "last": True, "sound": sound}

    def _found(self, source: str, digest: str, coming: Sequence[str]) -> Iterator[Loaded | DocumentError]:
        try:
            if self._loader.digest(source) != digest.partition(" ")[0]:  # What follows names parts that are left out.
                yield DocumentError(f"{quoted(source)} is another file on a worker, or has just changed; run it again.")
                return
        except DocumentError as error:
            yield error
            return
        yield from self._loader.load(source, self._words, coming)


class _Embedder:
    """In a worker: embeds pieces of batches."""

    def __init__(self, place: str, load: Callable[[], Embeddings]) -> None:
        os.chdir(place)
        self._embedder = load()

    def __call__(self, batches: "Table") -> Iterator["Table"]:
        from pyarrow import Table

        for row in batches.to_pylist():
            vectors = np.asarray(self._embedder.embed_documents(row["texts"]), dtype=np.float32)
            yield Table.from_pylist([{"texts": len(vectors), "vectors": vectors.tobytes()}])


def _plain(found: Loaded | DocumentError) -> Mapping[str, Any]:
    return fields_of(found) if isinstance(found, Loaded) else {"reason": str(found), "detail": found.detail}


def _document(row: Row) -> Loaded | DocumentError:
    found = found_of(json.loads(row["found"]))
    return found if isinstance(found, Loaded) else DocumentError(found.reason, found.detail)
