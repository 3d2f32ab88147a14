"""The texts of a generation in one SQLite file: documents, the files they came from, passages and their words."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from rag.split import split
from rag.types import Chunk, Document
from rag.words import tokenize

_SCHEMA = """
CREATE TABLE files (file BLOB PRIMARY KEY, digest TEXT NOT NULL, problems TEXT NOT NULL);
CREATE TABLE sources (file BLOB NOT NULL, source TEXT NOT NULL, title TEXT NOT NULL, doc_id TEXT NOT NULL);
CREATE INDEX sources_by_file ON sources (file);
CREATE INDEX sources_by_document ON sources (doc_id, source);
CREATE TABLE documents (doc_id TEXT PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL, pages TEXT NOT NULL);
CREATE TABLE chunks (
    chunk_id INTEGER PRIMARY KEY AUTOINCREMENT, doc_id TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    text TEXT NOT NULL, page INTEGER, page_breaks TEXT NOT NULL, hash BLOB NOT NULL, words INTEGER NOT NULL
);
CREATE INDEX chunks_by_document ON chunks (doc_id);
CREATE VIRTUAL TABLE words USING fts5 (stems, tokenize = "unicode61 remove_diacritics 0");
"""
_FIRST_SOURCE = "(SELECT {column} FROM sources WHERE doc_id = documents.doc_id ORDER BY source LIMIT 1)"
_CHUNK = f"""
SELECT chunk_id, chunks.doc_id, {_FIRST_SOURCE.format(column="source")}, title, start, end, chunks.text,
    page, page_breaks
FROM chunks JOIN documents ON documents.doc_id = chunks.doc_id
"""


@dataclass(frozen=True)
class Listed:
    """A document as `--list` shows it: where it came from, its title, its number of passages."""

    source: str
    title: str
    passages: int


@dataclass(frozen=True)
class Counts:
    """How many documents, passages and words there are."""

    documents: int
    chunks: int
    words: int


@dataclass(frozen=True)
class Pending:
    """A passage that awaits its vector: its id, the hash of what is embedded, and that text."""

    chunk_id: int
    hash: bytes
    text: str


def passage_text(title: str, text: str) -> str:
    """What is embedded and counted: the title before the passage."""
    return f"{title}\n{text}"


class Passages(Mapping[str, Document]):
    """The documents by id, read when asked for; the passages are found by `chunks` and `by_words`.

    Every method may raise sqlite3.Error, where the file is damaged.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open a published file, which never changes; threads may share it."""
        return cls(sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True, check_same_thread=False))

    @classmethod
    def edit(cls, path: Path) -> Self:
        """Open or make a file that nobody reads yet. `close` it to have it all on the disk."""
        new = not path.exists()
        database = sqlite3.connect(path)
        # A crash throws the whole unpublished generation away, so there is nothing to journal.
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON;")
        if new:
            database.executescript(_SCHEMA)
        return cls(database)

    def close(self) -> None:
        """Keep what was written, and close the file."""
        self._database.commit()
        self._database.close()

    def __getitem__(self, doc_id: str) -> Document:
        query = f"SELECT {_FIRST_SOURCE.format(column='source')}, title, text, pages FROM documents WHERE doc_id = ?"
        for source, title, text, pages in self._rows(query, [doc_id]):
            return Document(doc_id, source, title, text, tuple(json.loads(pages)))
        raise KeyError(doc_id)

    def __contains__(self, doc_id: object) -> bool:
        return bool(self._rows("SELECT 1 FROM documents WHERE doc_id = ?", [doc_id]))

    def __iter__(self) -> Iterator[str]:
        return (doc_id for (doc_id,) in self._rows("SELECT doc_id FROM documents ORDER BY rowid"))

    def __len__(self) -> int:
        return self.counts().documents

    def counts(self) -> Counts:
        """How much there is."""
        ((documents,),) = self._rows("SELECT count(*) FROM documents")
        ((chunks, words),) = self._rows("SELECT count(*), coalesce(sum(words), 0) FROM chunks")
        return Counts(documents, chunks, words)

    def listed(self) -> list[Listed]:
        """Every source with its document, by name."""
        count = "(SELECT count(*) FROM chunks WHERE doc_id = sources.doc_id)"
        return [Listed(*row) for row in self._rows(f"SELECT source, title, {count} FROM sources ORDER BY source")]

    def chunks(self, chunk_ids: Sequence[int]) -> list[Chunk]:
        """The passages with these ids, in this order. Raises KeyError for an id that is not there."""
        marks = ",".join("?" * len(chunk_ids))
        rows = self._rows(f"{_CHUNK} WHERE chunk_id IN ({marks})", chunk_ids)
        found = {row[0]: _chunk(*row) for row in rows}
        return [found[chunk_id] for chunk_id in chunk_ids]

    def chunk_ids(self) -> list[int]:
        """The id of every passage; those of a document follow each other in its order."""
        return [chunk_id for (chunk_id,) in self._rows("SELECT chunk_id FROM chunks ORDER BY chunk_id")]

    def by_words(self, question: str, k: int) -> list[int]:
        """Ids of at most `k` passages that share a word with the question, the best by BM25 first (SQLite FTS5)."""
        query = " OR ".join(f'"{stem}"' for stem in dict.fromkeys(tokenize(question)))
        found = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words), rowid LIMIT ?"
        return [chunk_id for (chunk_id,) in self._rows(found, [query, k])] if query else []

    def has_words(self, chunk_id: int, text: str) -> bool:
        """Whether the longest words of `text` find this passage."""
        stems = sorted(dict.fromkeys(tokenize(text)), key=len)[-8:]
        query = " AND ".join(f'"{stem}"' for stem in stems)
        return not stems or bool(self._rows("SELECT 1 FROM words WHERE rowid = ? AND words MATCH ?", [chunk_id, query]))

    def hashes(self, chunk_ids: Sequence[int]) -> list[bytes]:
        """The hash of what was embedded for each of these passages."""
        marks = ",".join("?" * len(chunk_ids))
        found = dict(self._rows(f"SELECT chunk_id, hash FROM chunks WHERE chunk_id IN ({marks})", chunk_ids))
        return [found[chunk_id] for chunk_id in chunk_ids]

    def problems(self) -> Iterator[str]:
        """What is wrong with the file, found by reading all of it."""
        for (message,) in self._rows("PRAGMA integrity_check"):
            if message != "ok":
                yield str(message)
        for doc_id, document in self.items():
            places = self._rows("SELECT start, end, text FROM chunks WHERE doc_id = ?", [doc_id])
            wrong = sum(document.text[start:end] != text for start, end, text in places)
            if wrong:
                yield f"{wrong} passages are not what {document.source!r} holds at their place"
        ((count,),) = self._rows("SELECT count(*) FROM chunks WHERE chunk_id NOT IN (SELECT rowid FROM words)")
        if count:
            yield f"{count} passages have no words"

    def files(self) -> dict[str, str]:
        """The digest of every file that was read, by its path."""
        return {os.fsdecode(file): digest for file, digest in self._rows("SELECT file, digest FROM files")}

    def complaints(self) -> dict[str, list[str]]:
        """What could not be read in the files of which the rest was."""
        rows = self._rows("SELECT file, problems FROM files WHERE problems != '[]'")
        return {os.fsdecode(file): json.loads(problems) for file, problems in rows}

    def count_after(self, chunk_id: int) -> int:
        """How many passages have a higher id."""
        ((count,),) = self._rows("SELECT count(*) FROM chunks WHERE chunk_id > ?", [chunk_id])
        return int(count)

    def all_hashes(self) -> Iterator[bytes]:
        """The hash of what was embedded for each passage, one by one."""
        return (hashed for (hashed,) in self._database.execute("SELECT hash FROM chunks"))

    def pending(self, after: int, size: int) -> Iterator[list[Pending]]:
        """The passages with an id above `after`, `size` at a time."""
        query = (
            "SELECT chunk_id, hash, title, chunks.text FROM chunks JOIN documents USING (doc_id) "
            "WHERE chunk_id > ? ORDER BY chunk_id LIMIT ?"
        )
        while rows := self._rows(query, [after, size]):
            yield [Pending(chunk_id, hashed, passage_text(title, text)) for chunk_id, hashed, title, text in rows]
            after = rows[-1][0]

    def last_id(self) -> int:
        """The highest id that was ever given, 0 where there was none: ids are not used again."""
        rows = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'")
        return int(rows[0][0]) if rows else 0

    def add(self, file: str, digest: str, documents: Iterable[Document], chunk_words: int) -> int:
        """Take in the documents of a file; one whose text is known already is not split again. Returns how many."""
        raw, count = os.fsencode(file), 0
        for document in documents:
            self._database.execute(
                "INSERT INTO sources VALUES (?, ?, ?, ?)", [raw, document.source, document.title, document.doc_id]
            )
            if document.doc_id not in self:
                self._add(document, chunk_words)
            count += 1
        if count:
            self._database.execute("INSERT INTO files VALUES (?, ?, '[]')", [raw, digest])
        return count

    def _add(self, document: Document, chunk_words: int) -> None:
        self._database.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?)",
            [document.doc_id, document.title, document.text, json.dumps(document.pages)],
        )
        for chunk in split(document, chunk_words):
            embedded = passage_text(document.title, chunk.text)
            row = self._database.execute(
                "INSERT INTO chunks (doc_id, start, end, text, page, page_breaks, hash, words) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    chunk.doc_id, chunk.start, chunk.end, chunk.text, chunk.page, json.dumps(chunk.page_breaks),
                    hashlib.sha256(embedded.encode()).digest(), len(chunk.text.split()),
                ],
            )  # fmt: skip
            self._add_words(row.lastrowid, embedded)

    def _add_words(self, chunk_id: int | None, text: str) -> None:
        self._database.execute("INSERT INTO words (rowid, stems) VALUES (?, ?)", [chunk_id, " ".join(tokenize(text))])

    def complain(self, file: str, problems: Sequence[str]) -> None:
        """Remember what could not be read in a file of which the rest was."""
        self._database.execute(
            "UPDATE files SET problems = ? WHERE file = ?", [json.dumps(list(problems)), os.fsencode(file)]
        )

    def drop(self, sources: Sequence[str]) -> None:
        """Forget these sources, whatever file they came from."""
        self._database.executemany("DELETE FROM sources WHERE source = ?", [(source,) for source in sources])

    def remove(self, file: str) -> None:
        """Forget a file. Its documents go with `tidy`, unless another file holds them too."""
        for table in ("files", "sources"):
            self._database.execute(f"DELETE FROM {table} WHERE file = ?", [os.fsencode(file)])

    def tidy(self) -> list[int]:
        """Drop the documents that no file holds, follow new names, leave no old text behind.

        Returns the ids of the passages that are gone.
        """
        orphans = "doc_id NOT IN (SELECT doc_id FROM sources)"
        gone = [chunk_id for (chunk_id,) in self._rows(f"SELECT chunk_id FROM chunks WHERE {orphans}")]
        self._database.executemany("DELETE FROM words WHERE rowid = ?", [(chunk_id,) for chunk_id in gone])
        self._database.execute(f"DELETE FROM chunks WHERE {orphans}")
        self._database.execute(f"DELETE FROM documents WHERE {orphans}")
        title = _FIRST_SOURCE.format(column="sources.title")
        for doc_id, renamed in self._rows(f"SELECT doc_id, {title} AS named FROM documents WHERE named != title"):
            self._database.execute("UPDATE documents SET title = ? WHERE doc_id = ?", [renamed, doc_id])
            for chunk_id, text in self._rows("SELECT chunk_id, text FROM chunks WHERE doc_id = ?", [doc_id]):
                self._database.execute("DELETE FROM words WHERE rowid = ?", [chunk_id])
                self._add_words(chunk_id, passage_text(renamed, text))
        self._database.execute("INSERT INTO words (words) VALUES ('optimize')")
        self._database.commit()
        self._database.execute("VACUUM")
        return gone

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        return self._database.execute(query, values).fetchall()


def _chunk(
    chunk_id: int, doc_id: str, source: str, title: str, start: int, end: int, text: str, page: int | None, breaks: str
) -> Chunk:
    return Chunk(chunk_id, doc_id, source, title, start, end, text, page, tuple(json.loads(breaks)))
