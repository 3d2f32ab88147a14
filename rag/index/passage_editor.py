"""Passages of a new snapshot: those of the one before, with documents added, removed, renamed."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rag.documents.headings import described
from rag.documents.splitter import cut
from rag.index.passages import COMMON, FIRST_SOURCE, Passages, searched_text, term
from rag.index.tokenizer import tokenize
from rag.types import Loaded, Passage

_PRAGMAS = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON; PRAGMA cache_size = -16000;
"""
"""The cache has 16 MB."""
_SCHEMA = """
CREATE TABLE files (file BLOB PRIMARY KEY, digest TEXT NOT NULL, problems TEXT NOT NULL);
CREATE TABLE sources (
    file BLOB NOT NULL, source TEXT NOT NULL, title TEXT NOT NULL, titled INTEGER NOT NULL, doc_id TEXT NOT NULL,
    left_out TEXT NOT NULL
);
CREATE INDEX sources_by_file ON sources (file);
CREATE INDEX sources_by_document ON sources (doc_id, source);
CREATE TABLE documents (
    doc_id TEXT PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL, pages TEXT NOT NULL, titled INTEGER NOT NULL,
    language TEXT NOT NULL
);
CREATE INDEX documents_by_language ON documents (language);
CREATE TABLE embedded (vector_id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE);
CREATE TABLE passages (
    passage_id INTEGER PRIMARY KEY AUTOINCREMENT, doc_id TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    text TEXT NOT NULL, page INTEGER, page_breaks TEXT NOT NULL, headings TEXT NOT NULL, vector_id INTEGER NOT NULL,
    words INTEGER NOT NULL
);
CREATE INDEX passages_by_document ON passages (doc_id, words);
CREATE INDEX passages_by_vector ON passages (vector_id);
CREATE VIRTUAL TABLE words USING fts5 (stems, tokenize = "ascii");
CREATE TABLE common (term TEXT PRIMARY KEY, passages INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE statistics (passages INTEGER NOT NULL, terms INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class Pending:
    """A text that awaits its vector; equal passages share it."""

    vector_id: int
    hash: bytes
    text: str


def embedded_text(title: str, titled: int, headings: Sequence[str], text: str) -> str:
    """What is embedded: the passage behind its title and headings.

    A title that is only the name of the file is left out: it may change from day to day, and must not cost a new
    vector.
    """
    return "\n".join([*([title] if titled else []), *([described(headings)] if headings else []), text])


class PassageEditor(Passages):
    """Passages in a file that nobody reads yet."""

    @classmethod
    def edit(cls, path: Path) -> Self:
        """Open or make a file that nobody reads yet; `close` keeps what was written."""
        new = not path.exists()
        database = sqlite3.connect(path)
        # A crash throws the whole unpublished snapshot away, so there is nothing to journal.
        database.executescript(_PRAGMAS)
        if new:
            database.executescript(_SCHEMA)
        return cls(path, database)

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """What a query gives.

        Raises sqlite3.Error: a file that nobody reads yet is not damaged, but cannot be written.
        """
        return self.database.execute(query, values).fetchall()

    def close(self) -> None:
        """Keep what was written, and close the file."""
        self.database.commit()
        self.database.close()

    def pending(self, after: int, size: int) -> Iterator[list[Pending]]:
        """What is embedded for the vectors with a number above `after`, `size` at a time."""
        # The vectors are chosen first: otherwise SQLite joins and sorts all that are left for each part.
        query = (
            "WITH next AS (SELECT vector_id, hash FROM embedded WHERE vector_id > ? ORDER BY vector_id LIMIT ?) "
            "SELECT next.vector_id, hash, title, titled, headings, passages.text FROM next JOIN passages "
            "ON passage_id = (SELECT min(passage_id) FROM passages WHERE vector_id = next.vector_id) "
            "JOIN documents USING (doc_id) ORDER BY next.vector_id"
        )
        while rows := self.rows(query, [after, size]):
            yield [
                Pending(vector_id, hashed, embedded_text(title, titled, json.loads(headings), text))
                for vector_id, hashed, title, titled, headings, text in rows
            ]
            after = rows[-1][0]

    def count_after(self, vector_id: int) -> int:
        """How many vectors have a higher number."""
        return int(self.column("SELECT count(*) FROM embedded WHERE vector_id > ?", [vector_id])[0])

    def last_vector(self) -> int:
        """The highest number a vector ever had, or 0: numbers are not used again."""
        return max(self.column("SELECT seq FROM sqlite_sequence WHERE name = 'embedded'"), default=0)

    def add(self, file: str, digest: str, documents: Iterable[Loaded], problems: Sequence[str] = ()) -> None:
        """Take in the documents of a file; if there are any, remember its `problems`.

        The problems may be added while the documents are read. The passages of a known text stay.
        """
        raw, empty = os.fsencode(file), True
        for loaded in documents:
            document = loaded.document
            left_out = json.dumps(loaded.left_out)
            values = [raw, document.source, document.title, document.titled, document.doc_id, left_out]
            self.database.execute("INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?)", values)
            if document.doc_id not in self:
                self._add(loaded)
            empty = False
        if not empty:
            self.database.execute("INSERT INTO files VALUES (?, ?, ?)", [raw, digest, json.dumps(list(problems))])

    def _add(self, loaded: Loaded) -> None:
        document = loaded.document
        self.database.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)",
            [
                document.doc_id,
                document.title,
                document.text,
                json.dumps(document.pages),
                document.titled,
                document.language,
            ],
        )
        for passage in cut(document, loaded.spans):
            embedded = embedded_text(document.title, document.titled, passage.headings, passage.text)
            vector_id = self._vector_id(hashlib.sha256(embedded.encode()).digest())
            row = self.database.execute(
                "INSERT INTO passages (doc_id, start, end, text, page, page_breaks, headings, vector_id, words) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    passage.doc_id, passage.start, passage.end, passage.text, passage.page,
                    json.dumps(passage.page_breaks), json.dumps(passage.headings), vector_id, len(passage.text.split()),
                ],
            )  # fmt: skip
            self._add_words(row.lastrowid, passage)

    def _vector_id(self, hashed: bytes) -> int | None:
        """The number of the vector for this hash, a new one if need be."""
        for vector_id in self.column("SELECT vector_id FROM embedded WHERE hash = ?", [hashed]):
            return int(vector_id)
        return self.database.execute("INSERT INTO embedded (hash) VALUES (?)", [hashed]).lastrowid

    def _add_words(self, passage_id: int | None, passage: Passage) -> None:
        terms = " ".join(map(term, tokenize(searched_text(passage), passage.language)))
        self.database.execute("INSERT INTO words (rowid, stems) VALUES (?, ?)", [passage_id, terms])

    def remove(self, file: str) -> None:
        """Forget a file. Its documents go with `tidy`, unless another file holds them too."""
        for table in ("files", "sources"):
            self.database.execute(f"DELETE FROM {table} WHERE file = ?", [os.fsencode(file)])

    def tidy(self) -> list[int]:
        """Drop the documents that no file holds, follow new titles, leave no old text behind.

        Returns the numbers of the vectors that are not needed any more.
        """
        self._drop("doc_id NOT IN (SELECT doc_id FROM sources)")
        for doc_id, source, title, titled in self._retitled():
            if titled or self[doc_id].titled:
                loaded = self.loaded(doc_id, source, title, titled)
                self._drop("doc_id = ?", doc_id)
                self._add(loaded)
            else:  # The title is in the words alone, so the vectors stay.
                self.database.execute("UPDATE documents SET title = ? WHERE doc_id = ?", [title, doc_id])
                for passage in self.passages(self.passage_ids(doc_id)):
                    self.database.execute("DELETE FROM words WHERE rowid = ?", [passage.passage_id])
                    self._add_words(passage.passage_id, passage)
        unused = "vector_id NOT IN (SELECT vector_id FROM passages)"
        gone = self.column(f"SELECT vector_id FROM embedded WHERE {unused}")
        self.database.execute(f"DELETE FROM embedded WHERE {unused}")
        self.database.execute("INSERT INTO words (words) VALUES ('optimize')")
        self._count_terms()
        self.database.commit()
        self.database.execute("VACUUM")
        return gone

    def _count_terms(self) -> None:
        """Note how many passages and terms there are, and which terms are common."""
        self.database.executescript("DELETE FROM common; DELETE FROM statistics;")
        self.database.execute("CREATE VIRTUAL TABLE temp.counted USING fts5vocab (main, words, row)")
        self.database.execute("INSERT INTO common SELECT term, doc FROM counted WHERE doc > ?", [COMMON])
        self.database.execute(
            "INSERT INTO statistics VALUES ((SELECT count(*) FROM passages), (SELECT total(cnt) FROM counted))"
        )
        self.database.execute("DROP TABLE temp.counted")

    def _drop(self, where: str, *values: str) -> None:
        words = f"DELETE FROM words WHERE rowid IN (SELECT passage_id FROM passages WHERE {where})"
        for delete in (words, f"DELETE FROM passages WHERE {where}", f"DELETE FROM documents WHERE {where}"):
            self.database.execute(delete, values)

    def _retitled(self) -> list[tuple[str, str, str, int]]:
        """Id, source, title and `titled` of documents whose first source has another title."""
        names = ("source", "title", "titled")
        source, title, titled = (FIRST_SOURCE.format(column=f"sources.{name}") for name in names)
        changed = f"title != {title} OR titled != {titled}"
        return self.rows(f"SELECT doc_id, {source}, {title}, {titled} FROM documents WHERE {changed}")
