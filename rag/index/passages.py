"""The texts of a snapshot in one SQLite file: documents, passages and their words."""

import json
import os
import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import log
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from rag.errors import DamagedError
from rag.index.snapshot import REPAIR
from rag.index.tokenizer import tokenize
from rag.types import Document, Documents, Listed, Loaded, Passage, Span

FIRST_SOURCE = "(SELECT {column} FROM sources WHERE doc_id = documents.doc_id ORDER BY source LIMIT 1)"
_PASSAGE = f"""
SELECT passage_id, passages.doc_id, {FIRST_SOURCE.format(column="source")}, title, start, end, passages.text,
    page, page_breaks, headings, language
FROM passages JOIN documents ON documents.doc_id = passages.doc_id
"""

_LANGUAGES = """
WITH RECURSIVE next (language) AS (
    SELECT min(language) FROM documents
    UNION ALL SELECT (SELECT min(language) FROM documents WHERE language > next.language)
        FROM next WHERE next.language NOT NULL
)
SELECT language FROM next WHERE language NOT NULL
"""
"""Each language once, without looking at every document."""
COMMON = 1000
"""A term in more passages than this is counted when the file is written; others are rare."""
_MOST_MATCHES = 5_000
"""In so many passages the terms of a question are looked up at most, the rarest first (docs/results.md)."""
_CANDIDATES = 8
"""How many times more passages are scored then than are wanted."""
_K1, _B = 1.2, 0.75
"""BM25's parameters in SQLite."""
_VALUES = "(SELECT value FROM json_each(?))"
"""A `_list` of any length in a query; SQLite takes at most 32,766 values."""


@dataclass(frozen=True)
class Counts:
    """How many documents, passages and words there are."""

    documents: int
    passages: int
    words: int


def term(stem: str) -> str:
    """`stem` in letters that SQLite takes for one word too."""
    return stem if stem.isascii() and stem.isalnum() else f"u{stem.encode().hex()}"


def _passage(*row: Any) -> Passage:
    *plain, page, page_breaks, headings, language = row
    return replace(
        Passage(*plain),
        page=page,
        page_breaks=tuple(json.loads(page_breaks)),
        headings=tuple(json.loads(headings)),
        language=language,
    )


def searched_text(passage: Passage) -> str:
    """What a passage is found by: its words, its headings, its title."""
    return "\n".join([passage.title, *passage.headings, passage.text])


def _list(values: Sequence[object]) -> str:
    return json.dumps(list(values))


class Passages(Documents):
    """The documents by id, read when asked for, and their passages.

    Every method may raise DamagedError.
    """

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path = path
        self.database = database

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open a published file, which never changes; threads may share it."""
        address = f"file:{quote(str(path))}?mode=ro&immutable=1"
        return cls(path, sqlite3.connect(address, uri=True, check_same_thread=False))

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def __getitem__(self, doc_id: str) -> Document:
        source = FIRST_SOURCE.format(column="source")
        query = f"SELECT {source}, title, text, pages, titled, language FROM documents WHERE doc_id = ?"
        for source, title, text, pages, titled, language in self.rows(query, [doc_id]):
            return Document(doc_id, source, title, text, tuple(json.loads(pages)), bool(titled), language)
        raise KeyError(doc_id)

    def __contains__(self, doc_id: object) -> bool:
        return bool(self.rows("SELECT 1 FROM documents WHERE doc_id = ?", [doc_id]))

    def __iter__(self) -> Iterator[str]:
        return iter(self.column("SELECT doc_id FROM documents ORDER BY rowid"))

    def __len__(self) -> int:
        return int(self.column("SELECT count(*) FROM documents")[0])

    def held(self, doc_ids: Sequence[str]) -> list[str]:
        """Those of the ids that have a document, in the order of the documents."""
        query = f"SELECT doc_id FROM documents WHERE doc_id IN {_VALUES} ORDER BY rowid"
        return self.column(query, [_list(doc_ids)])

    def counts(self) -> Counts:
        """How much there is."""
        ((passages, words),) = self.rows("SELECT count(*), coalesce(sum(words), 0) FROM passages")
        return Counts(len(self), passages, words)

    def listed(self) -> list[Listed]:
        """Every source with its document, by name."""
        sizes = "SELECT doc_id, count(*) AS passages, sum(words) AS words FROM passages GROUP BY doc_id"
        pages = "(SELECT json_array_length(pages) FROM documents WHERE doc_id = sources.doc_id)"
        query = f"""SELECT source, title, passages, doc_id, left_out, words, {pages}
            FROM sources LEFT JOIN ({sizes}) USING (doc_id) ORDER BY source"""
        return [
            Listed(source, title, passages or 0, doc_id, tuple(json.loads(left_out)), words or 0, pages or 0)
            for source, title, passages, doc_id, left_out, words, pages in self.rows(query)
        ]

    def left_out(self) -> list[str]:
        """What was left out of documents, a line for each: "lease.docx: 2 pictures"."""
        rows = self.rows("SELECT source, left_out FROM sources WHERE left_out != '[]' ORDER BY source")
        return [f"{' '.join(source.split())}: {', '.join(json.loads(left_out))}" for source, left_out in rows]

    def passages(self, passage_ids: Sequence[int]) -> list[Passage]:
        """The passages with these ids, in this order. Raises KeyError for an unknown id."""
        rows = self.rows(f"{_PASSAGE} WHERE passage_id IN {_VALUES}", [_list(passage_ids)])
        found = {row[0]: _passage(*row) for row in rows}
        return [found[passage_id] for passage_id in passage_ids]

    def passage_ids(self, *doc_ids: str) -> list[int]:
        """The ids of the passages of these documents, or of all, in their order."""
        where, values = (f"WHERE doc_id IN {_VALUES}", [_list(doc_ids)]) if doc_ids else ("", [])
        return self.column(f"SELECT passage_id FROM passages {where} ORDER BY passage_id", values)

    def by_words(self, question: str, k: int, doc_ids: Sequence[str] = ()) -> dict[int, float]:
        """At most `k` passages that share a word with the question, by BM25 (above 0).

        The best is first. Of equal passages there is only the best, or they would leave no room for others. With
        `doc_ids` only passages of these documents are looked at; word rarity is taken over all passages.
        """
        terms = list(dict.fromkeys(map(term, tokenize(question, *self.languages()))))
        limit = k
        while terms:
            scores = self._best(terms, limit, doc_ids)
            vector_of = self.vector_ids(list(scores))
            first = {vector_of[passage_id]: passage_id for passage_id in reversed(scores)}
            best = [passage_id for passage_id in scores if first[vector_of[passage_id]] == passage_id]
            if len(best) >= k or len(scores) < limit:
                return {passage_id: scores[passage_id] for passage_id in best[:k]}
            limit *= 10
        return {}

    def _best(self, terms: Sequence[str], limit: int, doc_ids: Sequence[str]) -> dict[int, float]:
        """The best passages by BM25.

        If together the terms stand in very many passages, only those that share one of the rarest are looked at.
        """
        passages = dict(self.rows(f"SELECT term, passages FROM common WHERE term IN {_VALUES}", [_list(terms)]))
        rarest = sorted(terms, key=lambda one: passages.get(one, 0))
        together = list(accumulate(passages.get(one, 0) for one in rarest))
        looked_up = rarest[: max(1, bisect_right(together, _MOST_MATCHES))]
        rest = rarest[len(looked_up) :]
        # The plus keeps SQLite from searching the words once for each passage of the documents.
        among = f"AND +rowid IN (SELECT passage_id FROM passages WHERE doc_id IN {_VALUES})" if doc_ids else ""
        found = f"SELECT rowid, -bm25(words) FROM words WHERE words MATCH ? {among} ORDER BY bm25(words), rowid LIMIT ?"
        query = " OR ".join(f'"{one}"' for one in looked_up)
        values = [query, *([_list(doc_ids)] if doc_ids else []), _CANDIDATES * limit if rest else limit]
        scores: dict[int, float] = dict(self.rows(found, values))
        return self._scored_further(scores, rest, limit) if rest else scores

    def _scored_further(self, scores: Mapping[int, float], terms: Sequence[str], limit: int) -> dict[int, float]:
        """The best of some passages when the BM25 for further, common terms is added.

        It is that which SQLite computes.
        """
        ((total, length),) = self.rows("SELECT passages, terms FROM statistics")
        common = self.rows(f"SELECT term, passages FROM common WHERE term IN {_VALUES}", [_list(terms)])
        weight = {one: max(log((total - held + 0.5) / (held + 0.5)), 1e-6) * (_K1 + 1) for one, held in common}
        further = dict(scores)
        rows = self.rows(f"SELECT rowid, stems FROM words WHERE rowid IN {_VALUES}", [_list(list(scores))])
        for passage_id, stems in rows:
            held = stems.split()
            norm = _K1 * (1 - _B + _B * len(held) * total / length)
            for one, factor in weight.items():
                if count := held.count(one):
                    further[passage_id] += factor * count / (count + norm)
        return dict(sorted(further.items(), key=lambda one: (-one[1], one[0]))[:limit])

    def vector_ids(self, passage_ids: Sequence[int]) -> dict[int, int]:
        """The number of the vector of each of these passages; equal ones have it together."""
        query = f"SELECT passage_id, vector_id FROM passages WHERE passage_id IN {_VALUES}"
        return dict(self.rows(query, [_list(passage_ids)]))

    def vector_count(self) -> int:
        """How many vectors there are."""
        return int(self.column("SELECT count(*) FROM embedded")[0])

    def vectors_of(self, doc_ids: Sequence[str]) -> list[int]:
        """The numbers of the vectors of the passages of these documents."""
        query = f"SELECT DISTINCT vector_id FROM passages WHERE doc_id IN {_VALUES} ORDER BY vector_id"
        return self.column(query, [_list(doc_ids)])

    def by_vectors(
        self, vector_ids: Sequence[int], doc_ids: Sequence[str] = (), preferred: Sequence[int] = ()
    ) -> dict[int, int]:
        """A passage for each vector, of all or these documents: a `preferred` or the first."""
        among = f"AND doc_id IN {_VALUES}" if doc_ids else ""
        query = (
            f"SELECT vector_id, coalesce(min(iif(passage_id IN {_VALUES}, passage_id, NULL)), min(passage_id)) "
            f"FROM passages WHERE vector_id IN {_VALUES} {among} GROUP BY vector_id"
        )
        lists = [preferred, vector_ids, *([doc_ids] if doc_ids else [])]
        return dict(self.rows(query, [_list(values) for values in lists]))

    def languages(self) -> list[str]:
        """The languages of the documents."""
        return self.column(_LANGUAGES)

    def has_words(self, passage_id: int, text: str, language: str = "en") -> bool:
        """Whether the longest words of `text` find this passage."""
        stems = sorted(dict.fromkeys(tokenize(text, language)), key=len)[-8:]
        query = " AND ".join(f'"{term(stem)}"' for stem in stems)
        return not stems or bool(
            self.rows("SELECT 1 FROM words WHERE rowid = ? AND words MATCH ?", [passage_id, query])
        )

    def problems(self) -> Iterator[str]:
        """What is wrong with the file, found by reading all of it."""
        yield from (message for message in self.column("PRAGMA integrity_check") if message != "ok")
        for doc_id, document in self.items():
            places = self.rows("SELECT start, end, text FROM passages WHERE doc_id = ?", [doc_id])
            if wrong := sum(document.text[start:end] != text for start, end, text in places):
                yield f"{wrong} passages are not what {document.source!r} holds at their place"
        without = {
            "words": "passage_id NOT IN (SELECT rowid FROM words)",
            "vector": "vector_id NOT IN (SELECT vector_id FROM embedded)",
        }
        for what, where in without.items():
            if count := self.column(f"SELECT count(*) FROM passages WHERE {where}")[0]:
                yield f"{count} passages have no {what}"

    def files(self) -> dict[str, str]:
        """The digest of every file that was read, by its path."""
        return {os.fsdecode(file): digest for file, digest in self.rows("SELECT file, digest FROM files")}

    def of_file(self, file: str) -> list[Loaded]:
        """The documents that came from a file, with the passages that they have here."""
        query = "SELECT doc_id, source, title, titled, left_out FROM sources WHERE file = ? ORDER BY rowid"
        rows = self.rows(query, [os.fsencode(file)])
        return [replace(self.loaded(*row), left_out=tuple(json.loads(left_out))) for *row, left_out in rows]

    def loaded(self, doc_id: str, source: str, title: str, titled: int) -> Loaded:
        """A document by this source and title, with its passages."""
        document = replace(self[doc_id], source=source, title=title, titled=bool(titled))
        places = self.rows("SELECT start, end FROM passages WHERE doc_id = ? ORDER BY passage_id", [doc_id])
        return Loaded(document, tuple(Span(start, end) for start, end in places))

    def problems_by_file(self) -> dict[str, list[str]]:
        """What could not be read in the files of which the rest was."""
        rows = self.rows("SELECT file, problems FROM files WHERE problems != '[]'")
        return {os.fsdecode(file): json.loads(problems) for file, problems in rows}

    def all_hashes(self) -> Iterator[bytes]:
        """The hash of each text that was embedded, one by one."""
        return (hashed for (hashed,) in self.database.execute("SELECT hash FROM embedded"))

    def column(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """The only column of what a query gives."""
        return [value for (value,) in self.rows(query, values)]

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """What a query gives."""
        try:
            return self.database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise DamagedError(f"The index file {str(self.path)!r} cannot be read ({error}); {REPAIR}") from error
