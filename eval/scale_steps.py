"""What `python -m eval bench --scale` does in processes of their own: build, search."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import numpy as np
from langchain_core.embeddings import Embeddings

from eval.scale_corpus import PASSAGE_WORDS, MixingEmbedder
from rag.documents.loader import Loader
from rag.index.builder import BuildOptions, update
from rag.index.index import Index, open_files, open_index
from rag.index.manifest import Corpus
from rag.index.retriever import POOL, HybridRetriever
from rag.index.snapshot import newest_sound
from rag.index.vectors import Floats, Vectors

CORPUS, SENTENCES, QUESTIONS = "corpus", "sentences.npy", "questions.json"
"""What the steps find in their folder: documents, the vectors of their sentences, questions with their vectors."""
EMBEDDER = "made"
_WARM_UP = 10
"""Questions that are put before the times count."""
_NEAREST = 10
_ROWS = 5000
"""Vectors that are compared at once."""


def build(folder: Path, index: Path) -> dict[str, object]:
    """Build the index of a made corpus; returns its figures."""
    stages: dict[str, list[float]] = {}

    def progress(what: str, _done: int, _total: int) -> None:
        stages.setdefault(what, []).append(perf_counter())
        del stages[what][1:-1]

    began = perf_counter()
    options = BuildOptions(PASSAGE_WORDS, EMBEDDER, lambda: MixingEmbedder(np.load(folder / SENTENCES)))
    with Loader(False) as loader:
        outcome = update(index, Corpus(paths=(str(folder / CORPUS),)), options, loader, progress=progress)
    seconds = perf_counter() - began
    size = sum(size for size, _ in newest_sound(index).manifest.files.values())
    return {
        "passages": outcome.manifest.passages,
        "build_s": seconds,
        "index_mb": size / 1e6,
        "stages_s": {what: times[-1] - times[0] for what, times in stages.items()},
    }


def search(folder: Path, index: Path) -> dict[str, object]:
    """Open the index and put the questions to it; returns its figures: milliseconds, MB, recall."""
    asked: dict[str, list[float]] = json.loads((folder / QUESTIONS).read_text(encoding="utf-8"))
    before, began = _anonymous_mb(), perf_counter()
    opened = open_index(index, EMBEDDER)
    seconds = perf_counter() - began
    reader = _anonymous_mb() - before
    snapshot = opened.path
    del opened
    documents, vectors = open_files(snapshot)
    again = Index(snapshot, None, newest_sound(index).manifest, None, documents, vectors)
    retriever = HybridRetriever(index=again, embedder=_Known(asked))
    ways: dict[str, Callable[[str], object]] = {
        "chroma": lambda question: vectors.nearest(asked[question], POOL),
        "meaning": lambda question: again.by_meaning(asked[question], POOL),
        "words": lambda question: again.by_words(question, POOL),
        "fused": retriever.search,
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number, question in enumerate([*list(asked)[:_WARM_UP], *asked]):
        for way, ask in ways.items():
            began = perf_counter()
            ask(question)
            if number >= _WARM_UP:
                times[way].append((perf_counter() - began) * 1000)
    queries = np.asarray(list(asked.values()), dtype=np.float32)
    ids = documents.column("SELECT vector_id FROM embedded ORDER BY vector_id")
    return {"open_s": seconds, "reader_mb": reader, "times_ms": times, "recall": _recall(vectors, queries, ids)}


class _Known(Embeddings):
    """Gives the vectors of the questions without making them."""

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        self._vectors = vectors

    def embed_query(self, text: str) -> list[float]:
        return self._vectors[text]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._vectors[text] for text in texts]


def _recall(vectors: Vectors, queries: Floats, ids: Sequence[int]) -> float:
    """The share of the ten nearest, found by comparing all, that the search finds."""
    near_ids = np.zeros((len(queries), 0), dtype=np.int64)
    cosines = np.zeros((len(queries), 0), dtype=np.float32)
    for first in range(0, len(ids), _ROWS):
        part = vectors.get(ids[first : first + _ROWS])
        rows = np.stack(list(part.values()))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        cosines = np.hstack([cosines, queries @ rows.T])
        near_ids = np.hstack([near_ids, np.tile(np.asarray(list(part)), (len(queries), 1))])
        best = np.argsort(-cosines, axis=1)[:, :_NEAREST]
        cosines, near_ids = np.take_along_axis(cosines, best, 1), np.take_along_axis(near_ids, best, 1)
    found = [{i for i, _ in vectors.nearest(query, POOL)[:_NEAREST]} for query in queries]
    return float(np.mean([len(one & set(exact)) / len(exact) for one, exact in zip(found, near_ids, strict=True)]))


def _anonymous_mb() -> float:
    """The memory of this process beyond mapped files, in MB; 0 where unknown."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
