"""The store: each owner's conversations and ratings, and who is signed in."""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Table,
    and_,
    case,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from rag.bounds import QUESTION
from rag.documents.text import replace_surrogates
from rag.server.cluster import Cluster
from rag.server.database import Database, PostgreSQL, SQLiteFile
from rag.server.records import Rating, Turn, read_rating, read_turn, to_bytes
from rag.server.schema import CONVERSATIONS, RATINGS, SESSIONS, TURNS, key_of, name_of
from rag.settings import ServerSettings

FILE = "page.sqlite"
"""The name of the file in the folder that RAG_STORE names."""
MOST_CONVERSATIONS = 500
"""Of an owner; those that were changed least recently are deleted."""
MOST_TURNS = 200
"""Of a conversation; the oldest are deleted."""
TITLE = 80
"""Characters of a conversation's title."""
_PAGE = 100


@dataclass(frozen=True)
class ConversationSummary:
    """A conversation in a list, titled by its first question unless renamed; `updated` is UTC."""

    id: str
    title: str
    updated: float
    turns: int


class Store:
    """An open store: a file of SQLite, or a PostgreSQL database. Thread-safe.

    Other processes may open it, too. Callers say for which owner; what belongs to others is as if it were not there.
    Every method may raise StoreError if the store is damaged, locked, down or cannot be written. Reading does not wait
    for writing.
    """

    def __init__(self, place: Path | str, clock: Callable[[], float] = time.time) -> None:
        """Open the file (made if needed) or the database; `clock` gives seconds (UTC)."""
        self.path = place if isinstance(place, Path) else None
        self._clock = clock
        self._writing: Database = SQLiteFile(place) if isinstance(place, Path) else PostgreSQL(place)
        self._reading: Database = SQLiteFile(place) if isinstance(place, Path) else self._writing
        self.cluster = None if isinstance(place, Path) else Cluster(self._writing)
        """What this copy of the server shares with others; None for a file."""
        self._insert = sqlite.insert if isinstance(place, Path) else postgresql.insert

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it."""
        if self.cluster:
            self.cluster.close()
        self._reading.close()
        self._writing.close()

    def conversations(self, owner: str) -> list[ConversationSummary]:
        """The owner's conversations, the one that was changed last first."""
        each = CONVERSATIONS.c
        turns = select(func.count()).where(TURNS.c.owner == each.owner, TURNS.c.conversation == each.conversation)
        query = select(each.conversation, each.title, each.updated, turns.scalar_subquery())
        rows = self._rows(query.where(each.owner == key_of(owner)).order_by(*_LATEST_FIRST))
        return [ConversationSummary(name_of(key), title, updated, turns) for key, title, updated, turns in rows]

    def read(self, owner: str, conversation: str) -> tuple[Turn, ...] | None:
        """The turns that can be read; None if the owner has no such conversation."""
        if not self._rows(select(CONVERSATIONS.c.owner).where(_of(CONVERSATIONS, owner, conversation))):
            return None
        rows = self._rows(select(TURNS.c.turn).where(_of(TURNS, owner, conversation)).order_by(TURNS.c.number))
        return tuple(turn for (kept,) in rows if (turn := read_turn(kept)))

    def write(self, owner: str, conversation: str, turns: Sequence[Turn]) -> None:
        """Keep the turns as the whole conversation; without any it is deleted."""
        if not turns:
            self.delete(owner, conversation)
            return
        key = {"owner": key_of(owner), "conversation": key_of(conversation)}
        kept = turns[-MOST_TURNS:]
        own = _of(TURNS, owner, conversation)
        with self._writing.begin() as database:
            first = database.scalar(select(TURNS.c.turn).where(own).order_by(TURNS.c.number).limit(1))
            before = read_turn(first) if first else None
            untitled = _title_of(before.question) if before else None
            named = self._insert(CONVERSATIONS).values(**key, title=_title_of(kept[0].question), updated=self._clock())
            title = case((CONVERSATIONS.c.title == untitled, named.excluded.title), else_=CONVERSATIONS.c.title)
            database.execute(  # A title that was given stays.
                named.on_conflict_do_update(
                    index_elements=[*key], set_={"updated": named.excluded.updated, "title": title}
                )
            )
            database.execute(delete(TURNS).where(own, TURNS.c.number.not_in([turn.number for turn in kept])))
            grown = self._insert(TURNS)
            grown = grown.on_conflict_do_update(
                index_elements=[*key, "number"],
                set_={"turn": grown.excluded.turn},
                where=TURNS.c.turn != grown.excluded.turn,
            )
            database.execute(grown, [{**key, "number": turn.number, "turn": to_bytes(turn)} for turn in kept])
            self._delete_oldest(database, owner, conversation)

    def _delete_oldest(self, database: Connection, owner: str, written: str) -> None:
        # The one just written stays, also if the clock was set back.
        each = CONVERSATIONS.c
        others = select(each.conversation).where(each.owner == key_of(owner), each.conversation != key_of(written))
        old = others.order_by(*_LATEST_FIRST).offset(MOST_CONVERSATIONS - 1)
        database.execute(delete(CONVERSATIONS).where(each.owner == key_of(owner), each.conversation.in_(old)))

    def rename(self, owner: str, conversation: str, title: str) -> None:
        """Give the conversation another title, unless it is blank; nothing happens if there is none."""
        if title := _title_of(title):
            with self._writing.begin() as database:
                own = _of(CONVERSATIONS, owner, conversation)
                database.execute(update(CONVERSATIONS).where(own).values(title=title))

    def delete(self, owner: str, conversation: str) -> None:
        """Delete the conversation, and the ratings given in it; nothing happens if there is none."""
        with self._writing.begin() as database:
            for table in (CONVERSATIONS, RATINGS):
                database.execute(delete(table).where(_of(table, owner, conversation)))

    def rate(self, owner: str, rating: Rating) -> None:
        """Keep the rating in place of an earlier one."""
        given = self._insert(RATINGS).values(
            owner=key_of(owner), conversation=key_of(rating.conversation), number=rating.number, rating=to_bytes(rating)
        )
        with self._writing.begin() as database:
            database.execute(
                given.on_conflict_do_update(
                    index_elements=["owner", "conversation", "number"], set_={"rating": given.excluded.rating}
                )
            )

    def unrate(self, owner: str, conversation: str, number: int) -> None:
        """Take the rating of a turn back; nothing happens if there is none."""
        with self._writing.begin() as database:
            own = _of(RATINGS, owner, conversation)
            database.execute(delete(RATINGS).where(own, RATINGS.c.number == number))

    def ratings_of(self, owner: str, conversation: str) -> tuple[Rating, ...]:
        """The ratings given in a conversation."""
        own = _of(RATINGS, owner, conversation)
        rows = self._rows(select(RATINGS.c.rating).where(own).order_by(RATINGS.c.number))
        return tuple(rating for (kept,) in rows if (rating := read_rating(kept)))

    def ratings(self) -> Iterator[tuple[int, Rating]]:
        """Every rating that can be read, with a number that stays its own."""
        query = select(RATINGS.c.id, RATINGS.c.rating).order_by(RATINGS.c.id).limit(_PAGE)
        after = 0
        while rows := self._rows(query.where(RATINGS.c.id > after)):
            for after, kept in rows:
                if rating := read_rating(kept):
                    yield after, rating

    def start_session(self, user: str, seconds: float) -> str:
        """Sign a user in; returns the token, of which only the hash is kept."""
        token = secrets.token_urlsafe(32)
        with self._writing.begin() as database:
            now = self._clock()
            database.execute(delete(SESSIONS).where(SESSIONS.c.expires <= now))
            started = insert(SESSIONS).values(token=_hashed(token), user=key_of(user), expires=now + seconds)
            database.execute(started)
        return token

    def session_user(self, token: str) -> str | None:
        """The user of this token; None if unknown, ended or over its time."""
        known = SESSIONS.c.token == _hashed(token), SESSIONS.c.expires > self._clock()
        rows = self._rows(select(SESSIONS.c.user).where(*known))
        return next((name_of(user) for (user,) in rows), None)

    def end_session(self, token: str) -> None:
        """Sign out; nothing happens if the token is not known."""
        with self._writing.begin() as database:
            database.execute(delete(SESSIONS).where(SESSIONS.c.token == _hashed(token)))

    def _rows(self, query: Executable) -> Sequence[Any]:
        with self._reading.use() as database:
            return database.execute(query).all()


def open_store(settings: ServerSettings) -> Store:
    """The store that the settings name. Raises StoreError, and SettingsError for a wrong RAG_DATABASE."""
    return Store(settings.database.get_secret_value() or settings.store / FILE)


_LATEST_FIRST = CONVERSATIONS.c.updated.desc(), CONVERSATIONS.c.conversation.desc()


def _of(table: Table, owner: str, conversation: str) -> ColumnElement[bool]:
    """The rows of one conversation."""
    return and_(table.c.owner == key_of(owner), table.c.conversation == key_of(conversation))


def _hashed(token: str) -> bytes:
    """The SHA-256 of a token, which does not give it away."""
    return hashlib.sha256(key_of(token)).digest()


def _title_of(question: str) -> str:
    """The question in one line, shortened."""
    line = " ".join(replace_surrogates(question[:QUESTION]).replace("\0", "\ufffd").split())  # No NUL for PostgreSQL.
    return line if len(line) <= TITLE else f"{line[:TITLE].rstrip()} …"
