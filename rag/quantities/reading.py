"""The numbers, quantities, times, dates and identifiers of a text, by what they mean."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from rag.quantities.identifiers import name_at, telephone_at
from rag.quantities.measures import measured_at
from rag.quantities.moments import day_at, time_at
from rag.quantities.plain import plain
from rag.quantities.shares import multiple_at, share_at
from rag.quantities.tokens import UNLESS, Key, tokens

_READERS = (day_at, time_at, telephone_at, measured_at, name_at)
_ENGLISH_READERS = (day_at, time_at, share_at, multiple_at, telephone_at, measured_at, name_at)


@dataclass(frozen=True)
class Quantity:
    """A value in a text, and where it stands there.

    Another text says it too if it gives all of one of the `claims`, or if there are none.
    """

    start: int
    end: int
    text: str
    claims: tuple[frozenset[Key], ...]
    gives: frozenset[Key]

    @property
    def is_name(self) -> bool:
        """Whether it is an identifier with letters, such as E-4012."""
        return bool(self.claims) and all(kind == "name" for claim in self.claims for kind, _ in claim)

    def is_said(self, given: frozenset[Key]) -> bool:
        """Whether what is given says it."""
        return not self.claims or any(
            all((value not in given) if kind == UNLESS else (kind, value) in given for kind, value in claim)
            for claim in self.claims
        )


@lru_cache(4096)
def quantities(text: str, english: bool = True) -> tuple[Quantity, ...]:
    """Those of `text`, in order; without numbers in words if it is not `english`."""
    those = tokens(text, english)
    readers = _ENGLISH_READERS if english else _READERS
    made: list[Quantity] = []
    last: Fraction | None = None
    at = 0
    while at < len(those):
        found = next((one for read in readers if (one := read(those, at))), None)
        if not found:
            at += 1
            continue
        start, end = those[found.first].start, those[found.end - 1].end
        claims, gives = found.claims, found.gives
        if last is not None and found.number is not None:
            later = _later_years(last, found.number)
            gives |= {_pair(last, found.number), *later}
            if those[found.first].before in {"-", ":"}:  # A range or a score: its order counts.
                claims = (
                    *(claim | {_pair(last, found.number)} for claim in claims),
                    *(frozenset({pair}) for pair in later),
                )
        made.append(Quantity(start, end, text[start:end], claims, gives))
        last = found.number
        at = found.end
    return tuple(made)


def _pair(first: Fraction, second: Fraction) -> Key:
    return "pair", (first, second)


def _later_years(first: Fraction, second: Fraction) -> frozenset[Key]:
    """The years that are meant by 1939-45."""
    is_year = 1000 <= first < 2100 and 10 <= second < 100
    return frozenset({_pair(first, first // 100 * 100 + second)} if is_year else ())


@lru_cache(4096)
def given(text: str, english: bool = True) -> frozenset[Key]:
    """What the quantities of the text, which need not be plain, give."""
    return frozenset[Key]().union(*(one.gives for one in quantities(plain(text), english)))
