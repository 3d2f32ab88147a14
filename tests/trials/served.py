"""The index with its vectors in a Chroma server and its snapshots in a shared folder, beside the embedded one."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from chroma import ChromaProcess
from langchain_core.embeddings import Embeddings

from rag.documents.loader import Loader
from rag.errors import UnreachableError
from rag.index.builder import BuildOptions, Outcome, update
from rag.index.chroma_server import ChromaServer
from rag.index.index import Index, Reader, open_index
from rag.index.manifest import Corpus
from rag.index.retriever import HybridRetriever
from rag.index.shared import Remote, Shared
from rag.models.embedder import make_embedder
from rag.settings import Settings
from trials.finding import Finding
from trials.library import EMBEDDER
from trials.speed import WORDS, write

_WITHIN = 10.0
"""Seconds after which a reader must have what was published."""
_AWAY = 4.0
"""Seconds that a server may be away without a question failing."""


def served(folder: Path, short: bool) -> Finding:
    """Move an index to a server and a shared folder, ask both ways by turns, publish, and restart the server."""
    count, asked = (20, 20) if short else (1500, 200)
    write(folder / "texts", count)
    embedder = make_embedder(Settings(_env_file=None, embedder=""))
    chroma = ChromaProcess(folder / "chroma")
    try:
        remote = Remote(ChromaServer(chroma.url), Shared.at(str(folder / "shared")))
        _build(folder / "here", folder / "texts", embedder, Remote())
        shutil.copytree(folder / "here", folder / "builder")
        began = time.perf_counter()
        moved = _build(folder / "builder", folder / "texts", embedder, remote)
        moving = time.perf_counter() - began
        began = time.perf_counter()
        there = open_index(folder / "reader", EMBEDDER, remote)
        opening = time.perf_counter() - began
        here = open_index(folder / "here", EMBEDDER)
        questions = [one.text[:200] for one in here.passages(here.documents.passage_ids()[:: max(1, count // asked)])]
        known = _Known(dict(zip(questions, embedder.embed_documents(questions), strict=True)))
        times, different = _by_turns(here, there, questions, known)
        seen = _publication(folder, embedder, remote, there)
        failed, away = _restart(chroma, open_index(folder / "reader", EMBEDDER, remote), questions, known)
    finally:
        chroma.kill()
    wrong = [
        *([f"{moved.embedded} texts were embedded again"] if moved.embedded else []),
        *([f"{different} of {len(questions)} questions found something else"] if different else []),
        *([f"a publication was seen after {seen:.1f} s"] if seen > _WITHIN else []),
        *([f"{failed} questions failed during a restart of {away:.1f} s"] if failed and away < _AWAY else []),
    ]
    mine, its = (f"{np.percentile(times[way], 50):.1f} ms (p95 {np.percentile(times[way], 95):.1f})" for way in (0, 1))
    return Finding(
        f"{moved.manifest.passages:,} passages moved to a server and a shared folder; {len(questions)} questions both "
        "ways by turns; a publication; the server killed and started again under 4 readers",
        f"moved in {moving:.1f} s, opened elsewhere in {opening:.1f} s; embedded {mine}, served {its}, the same hits "
        f"and scores; the publication seen after {seen:.1f} s; {failed} questions failed while the server was away {away:.1f} s",
        tuple(wrong),
    )


class _Known(Embeddings):
    """Gives the vectors of questions that were embedded before."""

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        self._vectors = vectors

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._vectors[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self._vectors[text]


def _build(index: Path, texts: Path, embedder: Embeddings, remote: Remote) -> Outcome:
    with Loader() as loader:
        return update(index, Corpus((str(texts),)), BuildOptions(WORDS, EMBEDDER, lambda: embedder, remote), loader)


def _retriever(index: Index, known: _Known) -> HybridRetriever:
    return HybridRetriever(index=index, embedder=known, k=8)


def _by_turns(here: Index, there: Index, questions: list[str], known: _Known) -> tuple[list[list[float]], int]:
    """The milliseconds of each way, and for how many questions they differ in hits or scores."""
    times: list[list[float]] = [[], []]
    different = 0
    for question in questions:
        found = []
        for way, index in enumerate((here, there)):
            began = time.perf_counter()
            found.append(_retriever(index, known).search(question))
            times[way].append(1000 * (time.perf_counter() - began))
        different += found[0] != found[1]
    return times, different


def _publication(folder: Path, embedder: Embeddings, remote: Remote, there: Index) -> float:
    """Seconds from the end of an update until an open reader on another machine has it."""
    reader = Reader(there, lambda index: index.manifest.documents)
    with remote.following(folder / "reader"):
        (folder / "texts" / "new.txt").write_text("Something new happened.", encoding="utf-8")
        documents = _build(folder / "builder", folder / "texts", embedder, remote).manifest.documents
        began = time.perf_counter()
        while reader.newest() != documents and time.perf_counter() - began < 6 * _WITHIN:
            time.sleep(0.05)
        return time.perf_counter() - began


def _restart(chroma: ChromaProcess, index: Index, questions: list[str], known: _Known) -> tuple[int, float]:
    """How many questions of 4 readers failed while the server was killed and started again, and its seconds away."""
    ended = threading.Event()
    retriever = _retriever(index, known)

    def ask() -> int:
        failed = 0
        while not ended.is_set():
            for question in questions:
                try:
                    retriever.search(question)
                except UnreachableError:
                    failed += 1
        return failed

    with ThreadPoolExecutor(4) as readers:
        asking = [readers.submit(ask) for _ in range(4)]
        began = time.perf_counter()
        chroma.kill()
        chroma.start()
        away = time.perf_counter() - began
        ended.set()
        return sum(one.result() for one in asking), away
