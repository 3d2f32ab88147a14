"""Answers under way, as all the copies of a server see them in their database."""

import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.dialects import postgresql

from rag.errors import StoreError
from rag.server.cluster import Cluster
from rag.server.records import Progress, Turn, read_turn, to_bytes
from rag.server.schema import ANSWERS, key_of
from rag.server.store import Store

LOOK = 1.0
"""Seconds between two looks at an answer in another copy."""


class Elsewhere:
    """An answer under way in another copy of the server, which may be followed."""

    def __init__(self, answers: "SharedAnswers", store: Store, owner: str, conversation: str, turn: Turn) -> None:
        self._answers = answers
        self._store = store
        self._place = owner, conversation
        self._turn = turn

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Those of the conversation as they are now. Raises StoreError."""
        kept = self._store.read(*self._place) or ()
        return *(turn for turn in kept if turn.number < self._turn.number), self._turn

    def follow(self) -> Iterator[Progress]:
        """How far it is every LOOK seconds, to its end, also if its copy dies."""
        seen = Progress((self._turn,))
        while not seen.is_over:
            with suppress(StoreError):  # It is logged; the database may come back.
                turn = self._answers.find(*self._place)
                self._turn = turn or self._turn
                now = Progress(self.turns) if turn else Progress(self._store.read(*self._place) or (), is_over=True)
                seen = seen if now == seen else now
            yield seen
            if not seen.is_over:
                time.sleep(LOOK)


class SharedAnswers:
    """The answers under way in all copies. Thread-safe; its methods raise StoreError."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def begin(self, owner: str, conversation: str, turn: Turn) -> bytes | None:
        """A token for this copy's answer; None while another is under way there."""
        token = secrets.token_bytes(16)
        with self._cluster.database.begin() as connection:
            now, dead = self._cluster.times(connection)
            connection.execute(delete(ANSWERS).where(ANSWERS.c.seen < dead))
            new = postgresql.insert(ANSWERS).values(
                owner=key_of(owner), conversation=key_of(conversation), token=token, turn=to_bytes(turn), stopped=False,
                seen=now,
            )  # fmt: skip
            taken = connection.execute(new.on_conflict_do_nothing().returning(ANSWERS.c.token)).all()
        return token if taken else None

    def show(self, owner: str, conversation: str, token: bytes, turn: Turn) -> Literal["goes on", "stopped", "lost"]:
        """Say how far the answer is; gives what others have made of it."""
        own = and_(_of(owner, conversation), ANSWERS.c.token == token)
        with self._cluster.database.begin() as connection:
            shown = update(ANSWERS).where(own).values(turn=to_bytes(turn), seen=self._cluster.now(connection))
            row = connection.execute(shown.returning(ANSWERS.c.stopped)).one_or_none()
        return "lost" if row is None else "stopped" if row.stopped else "goes on"

    def end(self, owner: str, conversation: str, token: bytes) -> None:
        """The answer of this copy is over, and kept."""
        with self._cluster.database.begin() as connection:
            connection.execute(delete(ANSWERS).where(_of(owner, conversation), ANSWERS.c.token == token))

    def find(self, owner: str, conversation: str) -> Turn | None:
        """The turn of the answer under way, in whichever copy."""
        with self._cluster.database.use() as connection:
            _, dead = self._cluster.times(connection)
            query = select(ANSWERS.c.turn).where(_of(owner, conversation), ANSWERS.c.seen >= dead)
            kept = connection.scalar(query)
        return read_turn(kept, is_under_way=True) if kept else None

    def stop(self, owner: str, conversation: str) -> None:
        """Ask the copy that answers to stop, which it does at its next heartbeat."""
        with self._cluster.database.begin() as connection:
            connection.execute(update(ANSWERS).where(_of(owner, conversation)).values(stopped=True))


def _of(owner: str, conversation: str) -> ColumnElement[bool]:
    return and_(ANSWERS.c.owner == key_of(owner), ANSWERS.c.conversation == key_of(conversation))
