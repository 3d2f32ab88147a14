"""Vectors in a Chroma server (`chroma run`): a collection for each snapshot, named like it."""

import base64
import ssl
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self, cast

import chromadb
import httpx
import numpy as np

from rag.errors import DamagedError, StoreError, UnreachableError
from rag.index.vectors import Floats, Vectors, search_graph
from rag.settings import Settings

_COLLECTIONS = "api/v2/tenants/default_tenant/databases/default_database/collections"
_CONNECT, _READ, _WRITE = 2.0, 10.0, 60.0
"""Seconds to wait for a connection, for what is read, and until something is written."""
_READER, _WRITER = 5.0, 20.0
"""Seconds for which a server that is out of reach is tried again, so that its restart is hardly noticed."""
_PAUSE = 0.1
_AWAY = {502, 503, 504}
"""What a proxy says while the server behind it is away."""
_REFUSED = {401, 403}
_ROWS = 1000
"""Vectors sent or read at once."""


@dataclass(frozen=True)
class ChromaServer:
    """Where a Chroma server is, and the token for it."""

    url: str
    token: str = field(default="", repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The server of RAG_CHROMA_URL, if there is one."""
        token = settings.chroma_token.get_secret_value()
        return cls(settings.chroma_url, token) if settings.chroma_url else None

    def make(self, name: str, rows: int = 0) -> "ServedVectors":
        """A new collection for about so many rows, that nobody reads yet. Raises StoreError."""
        asking = _Asking(self, _WRITE, _WRITER)
        configuration = {"hnsw": search_graph(rows)}
        made = asking.ask("POST", "", {"name": name, "get_or_create": True, "configuration": configuration})
        return ServedVectors(ServedCollection(asking, made))

    def read(self, name: str) -> "ServedVectors":
        """A published collection; threads may share it.

        Raises UnreachableError, DamagedError if it is not there, StoreError.
        """
        asking = _Asking(self, _READ, _READER)
        return ServedVectors(ServedCollection(asking, asking.ask("GET", f"/{name}")))

    def drop(self, name: str) -> None:
        """Remove a collection, if it is there. Raises StoreError."""
        try:
            _Asking(self, _WRITE, _READER).ask("DELETE", f"/{name}")
        except DamagedError:
            return


class _Asking:
    """Asks a server. Each call ends after a time."""

    def __init__(self, server: ChromaServer, timeout: float, patience: float) -> None:
        headers = {"Authorization": f"Bearer {server.token}"} if server.token else {}
        # A proxy of the environment is for the world outside: neither vectors nor token are for it.
        self._client = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=_CONNECT),
            verify=ssl.create_default_context(),
            trust_env=False,
        )
        self._url = httpx.URL(server.url)
        self._patience = patience
        self.close = self._client.close

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What the server answers.

        Raises UnreachableError while it is away, DamagedError if it has no such collection, StoreError if it refuses.
        """
        url = self._url.copy_with(path=f"{self._url.path.rstrip('/')}/{_COLLECTIONS}{path}")
        until = time.monotonic() + self._patience
        while True:
            try:
                answer = self._client.request(method, url, json=body)
                if answer.status_code not in _AWAY:
                    return self._checked(answer)
                wrong: Exception = httpx.HTTPStatusError(
                    f"status {answer.status_code}", request=answer.request, response=answer
                )
            except httpx.TransportError as error:
                wrong = error
            if time.monotonic() > until:
                raise UnreachableError(
                    "The Chroma server of RAG_CHROMA_URL cannot be reached; "
                    "see that it runs, or try again when it has started.",
                    f"{self._place}, {type(wrong).__name__}",
                ) from wrong
            time.sleep(_PAUSE)

    @property
    def _place(self) -> str:
        """The server's address without a name and password that may be in it."""
        return f"{self._url.scheme}://{self._url.netloc.decode('ascii')}"

    def _checked(self, answer: httpx.Response) -> Any:
        if answer.status_code in _REFUSED:
            raise StoreError(
                f"The Chroma server refuses the token (status {answer.status_code}); correct RAG_CHROMA_TOKEN.",
                self._place,
            )
        try:
            said = answer.json()
        except ValueError:
            said = None
        if answer.is_success and said is not None:
            return said
        if isinstance(said, dict) and said.get("error") == "NotFoundError":
            raise DamagedError(
                "The vectors of the index are not in the Chroma server; put them there with: python ingest.py",
                self._place,
            )
        raise StoreError(
            f"The Chroma server did not do what was asked (status {answer.status_code}); "
            "see that RAG_CHROMA_URL is its address, and what its log says.",
            self._place,
        )


class ServedCollection:
    """A collection in a server, with those methods of chromadb's Collection that Vectors uses."""

    def __init__(self, asking: _Asking, described: dict[str, Any]) -> None:
        """`described` is what the server says of it."""
        self._asking = asking
        self._path = f"/{described['id']}"
        self.configuration_json = described["configuration_json"]
        self.close = asking.close

    def count(self) -> int:
        """How many vectors there are."""
        return int(self._asking.ask("GET", f"{self._path}/count"))

    def add(self, ids: Sequence[str], embeddings: Floats) -> None:
        """Store vectors under these ids. To do so twice is no harm."""
        for first in range(0, len(ids), _ROWS):
            rows = [
                base64.b64encode(row.astype("<f4").tobytes()).decode("ascii")
                for row in embeddings[first : first + _ROWS]
            ]
            body = {"ids": list(ids[first : first + _ROWS]), "embeddings": rows}
            self._asking.ask("POST", f"{self._path}/add", body)

    def delete(self, ids: Sequence[str]) -> None:
        """Remove the vectors of these ids."""
        self._asking.ask("POST", f"{self._path}/delete", {"ids": list(ids)})

    def get(
        self, ids: Sequence[str] | None = None, *, include: Sequence[str], limit: int | None = None
    ) -> dict[str, Any]:
        """The vectors of these ids, as far as they are there."""
        parts = [None] if ids is None else [ids[first : first + _ROWS] for first in range(0, len(ids), _ROWS)]
        found: dict[str, Any] = {"ids": [], "embeddings": []}
        for part in parts:
            body = {"ids": part, "include": list(include), "limit": limit}
            answer = self._asking.ask("POST", f"{self._path}/get", body)
            found["ids"] += answer["ids"]
            found["embeddings"] += answer["embeddings"]
        return found

    def query(
        self, query_embeddings: Floats, n_results: int, include: Sequence[str], ids: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """The ids nearest to each of the vectors, with their distances."""
        body = {"query_embeddings": query_embeddings.tolist(), "n_results": n_results, "include": list(include)}
        found = self._asking.ask("POST", f"{self._path}/query", body | ({} if ids is None else {"ids": list(ids)}))
        # JSON has the shortest digits that tell one float32 from the next: as such they are what the server computed.
        distances = [np.asarray(row, dtype=np.float32).astype(float).tolist() for row in found["distances"]]
        return {"ids": found["ids"], "distances": distances}


class ServedVectors(Vectors):
    """The vectors of a snapshot in a server.

    The methods raise UnreachableError while it is away, DamagedError if the collection is gone, StoreError.
    """

    def __init__(self, collection: ServedCollection) -> None:
        self._rows = cast(chromadb.Collection, collection)
        self.close = weakref.finalize(self, collection.close)

    def settle(self) -> None:
        """Have the server empty its log, or else it would whenever it is started."""
        self._empty_log()
