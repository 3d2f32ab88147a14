"""What a person thinks of an answer."""

import time
from dataclasses import dataclass, field

from rag.errors import RagError
from rag.server.turns import Turn

REASONS = ("wrong", "incomplete", "wrong source", "should have answered", "should not have answered", "other")
"""What can be wrong with an answer."""
LONGEST = 4000
"""Characters of a comment, and of an answer as a person types it."""


class RatingError(RagError):
    """A rating cannot be kept."""


@dataclass(frozen=True)
class Rating:
    """A thumb up (`good`) or down, with one of REASONS for a bad answer and "" for a good one.

    `comment` and `right`, the answer that would have been right, are what the person typed,
    perhaps nothing. `turn` is the turn of that `number` as it was when it was rated, and
    `history` the questions and answers before it. `at` is the time in seconds (UTC).
    """

    conversation: str
    number: int
    good: bool
    reason: str
    comment: str
    right: str
    turn: Turn
    history: tuple[tuple[str, str], ...]
    at: float = field(default_factory=time.time)


def check(rating: Rating) -> None:
    """Raises RatingError where the reason is none of the known ones, or a text is too long."""
    reasons = ("",) if rating.good else REASONS
    if rating.reason not in reasons:
        choice = "leave it out for a good answer" if rating.good else f"choose one of: {', '.join(REASONS)}"
        raise RatingError(f"A rating cannot have the reason {rating.reason[:80]!r}; {choice}.")
    for name, text in (("comment", rating.comment), ("right answer", rating.right)):
        if len(text) > LONGEST:
            raise RatingError(f"The {name} has {len(text):,} characters; shorten it to {LONGEST:,}.")
