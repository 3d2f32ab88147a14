"""The store: each owner's conversations and ratings, and who is signed in, in SQLite."""

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rag.bounds import QUESTION
from rag.documents.text import replace_surrogates
from rag.server.database import Database
from rag.server.records import Rating, Turn, read_rating, read_turn, to_bytes

FILE = "page.sqlite"
"""The name of the file in the folder that RAG_STORE names."""
MOST_CONVERSATIONS = 500
"""Of an owner; those that were changed least recently are deleted."""
MOST_TURNS = 200
"""Of a conversation; the oldest are deleted."""
TITLE = 80
"""Characters of a conversation's title."""
_PAGE = 100
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA foreign_keys = ON;
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS conversations (
    owner BLOB NOT NULL, conversation BLOB NOT NULL, title TEXT NOT NULL, updated REAL NOT NULL,
    PRIMARY KEY (owner, conversation)
);
CREATE TABLE IF NOT EXISTS turns (
    owner BLOB NOT NULL, conversation BLOB NOT NULL, number INTEGER NOT NULL, turn BLOB NOT NULL,
    PRIMARY KEY (owner, conversation, number),
    FOREIGN KEY (owner, conversation) REFERENCES conversations ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS ratings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner BLOB NOT NULL, conversation BLOB NOT NULL, number INTEGER NOT NULL, rating BLOB NOT NULL,
    UNIQUE (owner, conversation, number)
);
CREATE TABLE IF NOT EXISTS sessions (token BLOB PRIMARY KEY, user BLOB NOT NULL, expires REAL NOT NULL);
"""


@dataclass(frozen=True)
class ConversationSummary:
    """A conversation in a list, titled by its first question unless renamed; `updated` is UTC."""

    id: str
    title: str
    updated: float
    turns: int


class Store:
    """An open file. Thread-safe; other processes may open it, too.

    Callers say for which owner; what belongs to others is as if it were not there. Every method may raise
    StoreError if the file is damaged, locked or cannot be written. Reading does not wait for writing.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Open the file, or make it with its folder; `clock` gives seconds (UTC)."""
        self.path = path
        self._clock = clock
        self._writing = Database(path, _SCHEMA)
        self._reading = Database(path, _SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._reading.close()
        self._writing.close()

    def conversations(self, owner: str) -> list[ConversationSummary]:
        """The owner's conversations, the one that was changed last first."""
        count = "(SELECT count(*) FROM turns WHERE owner = each.owner AND conversation = each.conversation)"
        rows = self._rows(
            f"SELECT conversation, title, updated, {count} FROM conversations AS each WHERE owner = ? "
            "ORDER BY updated DESC, rowid DESC",
            [key_of(owner)],
        )
        return [ConversationSummary(_name_of(key), title, updated, turns) for key, title, updated, turns in rows]

    def read(self, owner: str, conversation: str) -> tuple[Turn, ...] | None:
        """The turns that can be read; None if the owner has no such conversation."""
        key = (key_of(owner), key_of(conversation))
        if not self._rows("SELECT 1 FROM conversations WHERE owner = ? AND conversation = ?", key):
            return None
        rows = self._rows("SELECT turn FROM turns WHERE owner = ? AND conversation = ? ORDER BY number", key)
        return tuple(turn for (kept,) in rows if (turn := read_turn(kept)))

    def write(self, owner: str, conversation: str, turns: Sequence[Turn]) -> None:
        """Keep the turns as the whole conversation; without any it is deleted."""
        if not turns:
            self.delete(owner, conversation)
            return
        key = (key_of(owner), key_of(conversation))
        kept = turns[-MOST_TURNS:]
        rows = [(*key, turn.number, to_bytes(turn)) for turn in kept]
        numbers = json.dumps([turn.number for turn in kept])
        with self._transaction() as database:
            first = "SELECT turn FROM turns WHERE owner = ? AND conversation = ? ORDER BY number LIMIT 1"
            before = [read_turn(stored) for (stored,) in database.execute(first, key)]
            untitled = _title_of(before[0].question) if before and before[0] else None
            database.execute(
                "INSERT INTO conversations VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET updated = excluded.updated, "
                "title = CASE title WHEN ? THEN excluded.title ELSE title END",  # One that was given stays.
                [*key, _title_of(kept[0].question), self._clock(), untitled],
            )
            database.execute(
                "DELETE FROM turns WHERE owner = ? AND conversation = ? "
                "AND number NOT IN (SELECT value FROM json_each(?))",
                [*key, numbers],
            )
            database.executemany(
                "INSERT INTO turns VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET turn = excluded.turn WHERE turn != excluded.turn",
                rows,
            )
            # The one just written stays, also if the clock was set back.
            database.execute(
                "DELETE FROM conversations WHERE rowid IN (SELECT rowid FROM conversations "
                "WHERE owner = ? AND conversation != ? ORDER BY updated DESC, rowid DESC LIMIT -1 OFFSET ?)",
                [*key, MOST_CONVERSATIONS - 1],
            )

    def rename(self, owner: str, conversation: str, title: str) -> None:
        """Give the conversation another title, unless it is blank; nothing happens if there is none."""
        if title := _title_of(title):
            with self._transaction() as database:
                query = "UPDATE conversations SET title = ? WHERE owner = ? AND conversation = ?"
                database.execute(query, [title, key_of(owner), key_of(conversation)])

    def delete(self, owner: str, conversation: str) -> None:
        """Delete the conversation, and the ratings given in it; nothing happens if there is none."""
        with self._transaction() as database:
            for table in ("conversations", "ratings"):
                key = [key_of(owner), key_of(conversation)]
                database.execute(f"DELETE FROM {table} WHERE owner = ? AND conversation = ?", key)

    def rate(self, owner: str, rating: Rating) -> None:
        """Keep the rating in place of an earlier one."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO ratings (owner, conversation, number, rating) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET rating = excluded.rating",
                [key_of(owner), key_of(rating.conversation), rating.number, to_bytes(rating)],
            )

    def unrate(self, owner: str, conversation: str, number: int) -> None:
        """Take the rating of a turn back; nothing happens if there is none."""
        with self._transaction() as database:
            query = "DELETE FROM ratings WHERE owner = ? AND conversation = ? AND number = ?"
            database.execute(query, [key_of(owner), key_of(conversation), number])

    def ratings_of(self, owner: str, conversation: str) -> tuple[Rating, ...]:
        """The ratings given in a conversation."""
        query = "SELECT rating FROM ratings WHERE owner = ? AND conversation = ? ORDER BY number"
        rows = self._rows(query, [key_of(owner), key_of(conversation)])
        return tuple(rating for (kept,) in rows if (rating := read_rating(kept)))

    def ratings(self) -> Iterator[tuple[int, Rating]]:
        """Every rating that can be read, with a number that stays its own."""
        after = 0
        while rows := self._rows("SELECT id, rating FROM ratings WHERE id > ? ORDER BY id LIMIT ?", [after, _PAGE]):
            for after, kept in rows:
                if rating := read_rating(kept):
                    yield after, rating

    def start_session(self, user: str, seconds: float) -> str:
        """Sign a user in; returns the token, of which only the hash is kept."""
        token = secrets.token_urlsafe(32)
        now = self._clock()
        with self._transaction() as database:
            database.execute("DELETE FROM sessions WHERE expires <= ?", [now])
            database.execute("INSERT INTO sessions VALUES (?, ?, ?)", [_hashed(token), key_of(user), now + seconds])
        return token

    def session_user(self, token: str) -> str | None:
        """The user of this token; None if unknown, ended or over its time."""
        query = "SELECT user FROM sessions WHERE token = ? AND expires > ?"
        return next((_name_of(user) for (user,) in self._rows(query, [_hashed(token), self._clock()])), None)

    def end_session(self, token: str) -> None:
        """Sign out; nothing happens if the token is not known."""
        with self._transaction() as database:
            database.execute("DELETE FROM sessions WHERE token = ?", [_hashed(token)])

    def _rows(self, query: str, values: Sequence[object]) -> list[Any]:
        with self._reading.use() as database:
            return database.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing.use() as database:
            with database:
                yield database
            self._writing.settle()


def key_of(name: str) -> bytes:
    """A name from outside, which may hold what is no text for SQLite."""
    return name.encode("utf-8", "surrogatepass")


def _name_of(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")


def _hashed(token: str) -> bytes:
    """The SHA-256 of a token, which does not give it away."""
    return hashlib.sha256(key_of(token)).digest()


def _title_of(question: str) -> str:
    """The question in one line, shortened."""
    line = " ".join(replace_surrogates(question[:QUESTION]).split())
    return line if len(line) <= TITLE else f"{line[:TITLE].rstrip()} …"
