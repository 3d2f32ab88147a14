"""Passages -> their vectors in Chroma, from the cache or, where it lacks them, from the embedder."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings

from rag.index.cache import EmbeddingCache, Vector
from rag.index.editor import Editor, Pending
from rag.index.vectors import Vectors
from rag.models.progress import Progress

BATCH = 512
"""Passages embedded and stored at once."""


def store_vectors(
    folder: Path,
    passages: Editor,
    cache: EmbeddingCache,
    load_embedder: Callable[[], Embeddings],
    after: int,
    removed: Sequence[int],
    progress: Progress,
) -> int:
    """Drop the vectors with the numbers `removed` and store those with numbers above `after`.

    Chroma stores a batch while the next one is embedded. Returns how many had to be
    embedded; the embedder is loaded when there is the first of them.
    """
    total, done, embedded = passages.count_after(after), 0, 0
    embedder: Embeddings | None = None
    with ExitStack() as stack:
        vectors = Vectors.edit(folder)
        stack.callback(vectors.close)
        side = stack.enter_context(ThreadPoolExecutor(1))
        vectors.remove(removed)
        storing: Future[None] | None = None
        progress("Embedding passages", done, total)
        for batch in passages.pending(after, BATCH):
            found = cache.get([text.hash for text in batch])
            if missing := {text.hash: text.text for text in batch if text.hash not in found}:
                embedder = embedder or load_embedder()
                made = _embedded(embedder, missing)
                cache.put(made)
                found |= made
                embedded += len(made)
            if storing:
                storing.result()
            storing = side.submit(_store, vectors, batch, found)
            done += len(batch)
            progress("Embedding passages", done, total)
        if storing:
            storing.result()
    return embedded


def _embedded(embedder: Embeddings, texts: dict[bytes, str]) -> dict[bytes, Vector]:
    rows = np.asarray(embedder.embed_documents(list(texts.values())), dtype=np.float32)
    return dict(zip(texts, rows, strict=True))


def _store(vectors: Vectors, batch: Sequence[Pending], found: dict[bytes, Vector]) -> None:
    vectors.add([text.vector_id for text in batch], np.stack([found[text.hash] for text in batch]))
