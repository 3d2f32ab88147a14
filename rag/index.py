"""Build, check, publish and open the index: Chroma vectors, BM25 words, the documents, a manifest.

An index is published, never edited: `build` writes a new generation beside the current
one, checks it, and renames the file CURRENT over the old one. Readers open what is current.
"""

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import bm25s
import Stemmer
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError
from langchain_chroma import Chroma
from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import Embeddings

from rag.errors import StoreError
from rag.split import split
from rag.types import Chunk, Document

FORMAT = 1
BATCH = 256
"""Passages embedded and stored at once; Chroma takes at most 5,461."""
KEEP = 2
"""Generations kept: the current one and the one before."""
_COLLECTION = "passages"
_NO_WORD = ""
"""Stands for the words of a passage that has none, which BM25 cannot count."""
_REBUILD = "build it anew with: python ingest.py --rebuild, and the same paths as before"
_ABANDONED = 24 * 3600
"""Seconds after which a build that did not end is taken for dead, and removed."""


@dataclass(frozen=True)
class Manifest:
    """What a generation holds: `key` tells whether documents or settings changed."""

    format: int
    created: str
    embedder: str
    chunk_words: int
    documents: int
    chunks: int
    words: int
    key: str


@dataclass(frozen=True)
class Index:
    """An open generation. `documents` by id; passages are found in `vectors` and `words` by chunk id."""

    manifest: Manifest
    documents: Mapping[str, Document]
    vectors: Chroma
    words: bm25s.BM25

    def chunks(self, chunk_ids: Sequence[int]) -> list[Chunk]:
        """The chunks with these ids, in this order."""
        rows = self.vectors.get_by_ids([str(chunk_id) for chunk_id in chunk_ids]) if chunk_ids else []
        found = {chunk.chunk_id: chunk for chunk in map(to_chunk, rows)}
        return [found[chunk_id] for chunk_id in chunk_ids]

    def all_chunks(self) -> list[Chunk]:
        """Every chunk, in the order of the documents: for small indexes only."""
        return self.chunks(range(self.manifest.chunks))


def tokenize(texts: list[str]) -> list[list[str]]:
    """Lower-cased, stemmed words without English stop words, as BM25 counts them."""
    tokens: list[list[str]] = bm25s.tokenize(
        texts, stopwords="en", stemmer=Stemmer.Stemmer("english"), return_ids=False, show_progress=False
    )
    return tokens


def passage_text(chunk: Chunk) -> str:
    """What is embedded and counted: the title before the passage."""
    return f"{chunk.title}\n{chunk.text}"


def to_chunk(found: LangChainDocument) -> Chunk:
    """The chunk that a Chroma row holds."""
    meta = found.metadata
    return Chunk(text=found.page_content[len(meta["title"]) + 1 :], **meta)


def build(
    folder: Path,
    documents: Sequence[Document],
    embedder: Embeddings,
    embedder_name: str,
    key: str,
    chunk_words: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Manifest:
    """Write a new generation of the index in `folder`, check it, make it current.

    `progress` is told how many of the passages are embedded. Nothing changes for
    readers until the end. Raises StoreError when the folder cannot be written, or
    when there is no passage to store.
    """
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}"
    partial = folder / f"{name}.building"
    try:
        partial.mkdir(parents=True)
        chunks = _split_all(documents, chunk_words)
        _write_words(partial, chunks)
        _write_documents(partial, documents)
        _write_vectors(partial, chunks, embedder, progress)
        words = sum(len(chunk.text.split()) for chunk in chunks)
        manifest = Manifest(
            FORMAT, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC", embedder_name, chunk_words,
            len(documents), len(chunks), words, key,
        )  # fmt: skip
        (partial / "manifest.json").write_text(json.dumps(asdict(manifest), indent=2), encoding="utf-8")
        _check(partial, embedder, chunks)
        os.replace(partial, folder / name)
        _publish(folder, name)
    except (OSError, ChromaError) as error:
        raise StoreError(
            f"The index cannot be written in {str(folder)!r} ({getattr(error, 'strerror', None) or error}); "
            "free space there, or set RAG_INDEX to a folder that you can write."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _remove_old(folder, name)
    return manifest


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of the current generation, None where nothing was published.

    Raises StoreError when it is damaged or of another format.
    """
    generation = _current(folder)
    return None if generation is None else _manifest(generation)


def _manifest(generation: Path) -> Manifest:
    folder = generation.parent
    try:
        manifest = Manifest(**json.loads((generation / "manifest.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"The index in {str(folder)!r} is damaged ({error}); {_REBUILD}") from error
    if manifest.format != FORMAT:
        raise StoreError(f"The index in {str(folder)!r} has format {manifest.format}, not {FORMAT}; {_REBUILD}")
    return manifest


def open_index(folder: Path, embedder: Embeddings, embedder_name: str) -> Index:
    """Open the current generation for reading.

    Raises StoreError when there is none, when another embedder built it, or when it is damaged.
    """
    generation = _current(folder)
    if generation is None:
        raise StoreError(f"There is no index in {str(folder)!r}; build it with: python ingest.py")
    manifest = _manifest(generation)
    if manifest.embedder != embedder_name:
        raise StoreError(
            f"The index in {str(folder)!r} was built with the embedder {manifest.embedder!r}, "
            f"not {embedder_name!r}; {_REBUILD}"
        )
    return _open(generation, manifest, embedder)


def _open(generation: Path, manifest: Manifest, embedder: Embeddings) -> Index:
    try:
        documents = _read_documents(generation)
        words = bm25s.BM25.load(generation / "words", mmap=True, show_progress=False)
        vectors = _chroma(generation, embedder, create=False)
    except (OSError, ValueError, KeyError, TypeError, ChromaError) as error:
        raise StoreError(f"The index in {str(generation.parent)!r} is damaged ({error}); {_REBUILD}") from error
    return Index(manifest, documents, vectors, words)


def _current(folder: Path) -> Path | None:
    try:
        name = (folder / "CURRENT").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StoreError(f"The index in {str(folder)!r} cannot be read ({error}); {_REBUILD}") from error
    return folder / name


def _publish(folder: Path, name: str) -> None:
    fresh = folder / f"CURRENT.{name}"
    with fresh.open("w", encoding="utf-8") as file:
        file.write(name)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, folder / "CURRENT")


def _remove_old(folder: Path, name: str) -> None:
    generations = sorted(path for path in folder.glob("*T*-*") if path.is_dir() and not path.suffix)
    long_ago = time.time() - _ABANDONED
    dead = [path for path in folder.glob("*.building") if path.stat().st_mtime < long_ago]
    for path in [*generations[:-KEEP], *dead]:
        if path.name != name:
            shutil.rmtree(path, ignore_errors=True)


def _split_all(documents: Sequence[Document], chunk_words: int) -> list[Chunk]:
    chunks: list[Chunk] = []
    for document in documents:
        chunks.extend(split(document, chunk_words, first_id=len(chunks)))
    if not chunks:
        raise StoreError("The documents hold no words; put text in them.")
    return chunks


def _write_words(generation: Path, chunks: Sequence[Chunk]) -> None:
    words = bm25s.BM25()
    tokens = tokenize([passage_text(chunk) for chunk in chunks])
    words.index([found or [_NO_WORD] for found in tokens], show_progress=False)
    words.save(generation / "words", show_progress=False)


def _write_documents(generation: Path, documents: Sequence[Document]) -> None:
    with (generation / "documents.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(document)) + "\n" for document in documents)


def _read_documents(generation: Path) -> dict[str, Document]:
    with (generation / "documents.jsonl").open(encoding="utf-8") as file:
        return {document.doc_id: document for document in (Document(**json.loads(line)) for line in file)}


def _write_vectors(
    generation: Path, chunks: Sequence[Chunk], embedder: Embeddings, progress: Callable[[int, int], None]
) -> None:
    vectors = _chroma(generation, embedder, create=True)
    for first in range(0, len(chunks), BATCH):
        batch = chunks[first : first + BATCH]
        vectors.add_texts(
            [passage_text(chunk) for chunk in batch],
            metadatas=[{name: value for name, value in asdict(chunk).items() if name != "text"} for chunk in batch],
            ids=[str(chunk.chunk_id) for chunk in batch],
        )
        progress(first + len(batch), len(chunks))


def _chroma(generation: Path, embedder: Embeddings, create: bool) -> Chroma:
    return Chroma(
        _COLLECTION,
        embedder,
        persist_directory=str(generation / "chroma"),
        client_settings=ChromaSettings(anonymized_telemetry=False),
        collection_configuration={"hnsw": {"space": "cosine"}} if create else None,
        create_collection_if_not_exists=create,
    )


def _check(generation: Path, embedder: Embeddings, chunks: Sequence[Chunk]) -> None:
    """Open what was written and find the first, middle and last passage by vector and by word."""
    index = _open(generation, _manifest(generation), embedder)
    for chunk in {chunks[0], chunks[len(chunks) // 2], chunks[-1]}:
        near = index.vectors.similarity_search(passage_text(chunk), k=3)
        if passage_text(chunk) not in {document.page_content for document in near}:
            raise StoreError(f"The new index does not find a passage of {chunk.source!r}; the old one stays current.")
        scores = index.words.get_scores(tokenize([passage_text(chunk)])[0] or [_NO_WORD])
        if scores[chunk.chunk_id] <= 0:
            raise StoreError(f"The new index does not find the words of {chunk.source!r}; the old one stays current.")
