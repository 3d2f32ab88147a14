"""Names, tokens, turns and ratings -> what the store's rows hold, and back."""

import hashlib
import json
import logging
from dataclasses import replace
from typing import TypeVar

from pydantic import TypeAdapter

from rag.bounds import QUESTION
from rag.documents.text import replace_surrogates
from rag.server.ratings import Rating
from rag.server.turns import Turn, end

TITLE = 80
"""Characters of a conversation's title."""
_TURN = TypeAdapter(Turn)
_RATING = TypeAdapter(Rating)
_Item = TypeVar("_Item")


def key_of(name: str) -> bytes:
    """A name from outside, which may hold what is no text for SQLite."""
    return name.encode("utf-8", "surrogatepass")


def name_of(key: bytes) -> str:
    """The name again."""
    return key.decode("utf-8", "surrogatepass")


def hashed(token: str) -> bytes:
    """The SHA-256 of a token: it tells the token again and does not give it away."""
    return hashlib.sha256(key_of(token)).digest()


def title_of(question: str) -> str:
    """The question in one line, shortened."""
    line = " ".join(replace_surrogates(question[:QUESTION]).split())
    return line if len(line) <= TITLE else f"{line[:TITLE].rstrip()} …"


def raw(item: Turn | Rating) -> bytes:
    """`item` as JSON, letter for letter."""
    # Pydantic's own JSON refuses a lone surrogate, and ASCII makes one letter of two of them.
    fields = _TURN.dump_python(item) if isinstance(item, Turn) else _RATING.dump_python(item)
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")


def read_turn(kept: bytes) -> Turn | None:
    """The turn of a row, None where it cannot be read. One that was left while it ran broke off."""
    turn = _read(_TURN, kept, "turn")
    return end(replace(turn, ahead=0), stopped=False) if turn and turn.state == "running" else turn


def read_rating(kept: bytes) -> Rating | None:
    """The rating of a row, None where it cannot be read."""
    return _read(_RATING, kept, "rating")


def _read(adapter: TypeAdapter[_Item], kept: bytes, what: str) -> _Item | None:
    """What `raw` wrote; None, with a warning, where another version of the program wrote it."""
    try:
        return adapter.validate_python(json.loads(name_of(kept)))
    except ValueError as error:
        # Its text would hold what was asked.
        logging.getLogger(__name__).warning("A %s in the store cannot be read (%s).", what, type(error).__name__)
        return None
