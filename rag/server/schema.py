"""The tables of the store; the migrations bring a database to them."""

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

VERSION = "0002"
"""The newest migration."""
METADATA = MetaData()
CONVERSATIONS = Table(
    "conversations", METADATA,
    Column("owner", LargeBinary, primary_key=True),
    Column("conversation", LargeBinary, primary_key=True),
    Column("title", Text, nullable=False),
    Column("updated", Double, nullable=False),
)  # fmt: skip
TURNS = Table(
    "turns", METADATA,
    Column("owner", LargeBinary, primary_key=True),
    Column("conversation", LargeBinary, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("turn", LargeBinary, nullable=False),
    ForeignKeyConstraint(
        ["owner", "conversation"], ["conversations.owner", "conversations.conversation"], ondelete="CASCADE"
    ),
)  # fmt: skip
RATINGS = Table(
    "ratings", METADATA,
    Column("id", Integer, primary_key=True),
    Column("owner", LargeBinary, nullable=False),
    Column("conversation", LargeBinary, nullable=False),
    Column("number", Integer, nullable=False),
    Column("rating", LargeBinary, nullable=False),
    UniqueConstraint("owner", "conversation", "number"),
    sqlite_autoincrement=True,  # A number is not given again.
)  # fmt: skip
SESSIONS = Table(
    "sessions", METADATA,
    Column("token", LargeBinary, primary_key=True),
    Column("user", LargeBinary, nullable=False),
    Column("expires", Double, nullable=False),
)  # fmt: skip
KEPT = (CONVERSATIONS, TURNS, RATINGS, SESSIONS)
"""What outlives a restart, in the order in which it can be copied."""

# What the copies of a server that share a database tell each other; empty where there is one alone.
COUNTED = Table(
    "counted", METADATA,
    Column("kind", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("at", Double, nullable=False),
    Index("counted_by_key", "kind", "key", "at"),
    Index("counted_by_time", "kind", "at"),
)  # fmt: skip
TICKETS = Table(
    "tickets", METADATA,
    Column("number", Integer, primary_key=True),
    Column("turn", Integer, nullable=False),
    Column("owner", LargeBinary, nullable=False),
    Column("served", Boolean, nullable=False),
    Column("seen", Double, nullable=False),
    sqlite_autoincrement=True,
)  # fmt: skip
ANSWERS = Table(
    "answers", METADATA,
    Column("owner", LargeBinary, primary_key=True),
    Column("conversation", LargeBinary, primary_key=True),
    Column("token", LargeBinary, nullable=False),
    Column("turn", LargeBinary, nullable=False),
    Column("stopped", Boolean, nullable=False),
    Column("seen", Double, nullable=False),
)  # fmt: skip


def key_of(name: str) -> bytes:
    """A name from outside, which may hold what is no text for a database."""
    return name.encode("utf-8", "surrogatepass")


def name_of(key: bytes) -> str:
    """The name of which this is the key."""
    return key.decode("utf-8", "surrogatepass")
