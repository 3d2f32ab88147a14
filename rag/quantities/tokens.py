"""A text -> its words, numbers, days, times and identifiers, as they are written."""

import re
import unicodedata
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import islice
from typing import Literal

from text_to_num import find_numbers

from rag.quantities.plain import is_mostly_english
from rag.quantities.units import SCALES, UNITS

_LATIN = "A-Za-z0-9À-ɏµμ"
_CHUNK = re.compile(rf"[{_LATIN}]+(?:[-./:,'][{_LATIN}]+)*|[^\W\d_]+")
"""Letters of other scripts, which may stand right beside a number, are words by themselves."""
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_AMOUNT = re.compile(
    r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|\d{1,3}(?:'\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)"
    r"([^\W\d_]*)"
)
_DAY = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}([-/.])\d{1,2}\1\d{4}")
_CLOCK = re.compile(r"(\d{1,2}[:h][0-5]\d(?::[0-5]\d)?)([ap]m)?")
_FRACTION = re.compile(r"\d{1,3}/\d{1,3}")
_PARTS = re.compile(r"[^-/:]+")
_OPEN = re.compile(r"\d[.,]\d{3}(?!\d)")
_DASHED = re.compile(r"[^-]+")
_PADDED = re.compile(r"0\d")
_SUFFIXES = frozenset("st nd rd th s am pm h".split()) | SCALES.keys() | UNITS.keys()  # noqa: SIM905
_MANY = 4
"""Parts of what is divided at its hyphens; with more it is an identifier."""
_MOST = 10_000
"""Words of a text that are read, as many as the longest answer can have; what comes after says nothing."""
_LONGEST = 30
"""Characters of a number; longer ones are only compared as they are written."""
_NEAR = frozenset({"", " ", "-", ". "})
Kind = Literal["word", "number", "fraction", "day", "clock", "name"]
_Piece = tuple[Kind, int, int]


@dataclass(frozen=True)
class Token:
    """A word, or something with digits, between `before` it and the two characters `after` it.

    The `literal` of a number in words are its digits; `ordinal` is a first, a 2nd. A point before three digits is
    surely a `decimal` one in English only.
    """

    kind: Kind
    text: str
    start: int
    end: int
    before: str
    after: str
    literal: str
    decimal: bool
    ordinal: bool = False
    worded: bool = False

    @cached_property
    def lower(self) -> str:
        """The text in small letters."""
        return self.text.lower()


def tokens(text: str, english: bool) -> list[Token]:
    """The tokens of a text; numbers in words only if it is `english`."""
    made: list[Token] = []
    end = 0
    decimal = not _OPEN.search(text) or is_mostly_english(text)
    for chunk in islice(_CHUNK.finditer(_with_ascii_digits(text)), _MOST):
        for kind, start, length in _pieces(chunk[0]):
            at = chunk.start() + start
            said = chunk[0][start : start + length]
            stop = at + length
            made.append(Token(kind, said, at, stop, text[end:at], text[stop : stop + 2], said, decimal))
            end = stop
    return _with_words_as_numbers(made, text) if english else made


def _with_ascii_digits(text: str) -> str:
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)


def _pieces(chunk: str) -> Iterator[_Piece]:
    """The tokens in a run of letters and digits, with their starts and lengths."""
    if not any(map(str.isdigit, chunk)):
        if chunk.lower() in {"a.m", "p.m"}:
            yield "word", 0, len(chunk)
        else:
            yield from (("word", one.start(), len(one[0])) for one in _WORD.finditer(chunk))
        return
    chunk = chunk.removesuffix("'s")
    if _DAY.fullmatch(chunk):
        yield "day", 0, len(chunk)
    else:
        yield from _divided(chunk) or [("name", 0, len(chunk))]


def _divided(chunk: str) -> list[_Piece]:
    """The parts of "14-16", "14-day", "mid-1980s", "9:00-17:00" or "80km/h"; none of an identifier."""
    made: list[_Piece] = []
    parts = list(_DASHED.finditer(chunk))
    for dashed in parts if len(parts) <= _MANY else ():
        if found := _CLOCK.fullmatch(dashed[0]):
            pieces: list[_Piece] = [("clock", 0, len(found[1]))]
            pieces += [("word", found.start(2), 2)] if found[2] else []
        elif _FRACTION.fullmatch(dashed[0]):
            pieces = [("fraction", 0, len(dashed[0]))]
        else:
            pieces = _amounts(dashed[0])
        if not pieces:
            return []
        made += [(kind, dashed.start() + start, length) for kind, start, length in pieces]
    return made if sum(kind != "word" for kind, *_ in made) <= 2 else []


def _amounts(part: str) -> list[_Piece]:
    """A number with what is right behind it, or a word beside one."""
    made: list[_Piece] = []
    for one in _PARTS.finditer(part):
        if found := _AMOUNT.fullmatch(one[0]):
            number, unit = found.groups()
            if (unit and unit not in _SUFFIXES) or _PADDED.match(number) or len(number) > _LONGEST:
                return []
            made.append(("number", one.start(), len(number)))
            made += [("word", one.start() + len(number), len(unit))] if unit else []
        elif one[0].isalpha() and ((one[0].islower() and len(one[0]) > 1) or (made and part[one.start() - 1] == "/")):
            made.append(("word", one.start(), len(one[0])))
        else:
            return []
    return made


class _Heard:
    """A token as text2num wants it."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def text(self) -> str:
        return self._token.lower

    def nt_separated(self, _: object) -> bool:
        return self._token.before not in {" ", "-"}

    def not_a_number_part(self) -> bool:
        return self._token.kind != "word"


def _with_words_as_numbers(made: list[Token], text: str) -> list[Token]:
    kept: list[Token] = []
    done = 0
    for found in find_numbers([_Heard(token) for token in made], "en", 0):
        first, last = made[found.start], made[found.end - 1]
        digits = "".join(sign for sign in found.text if sign.isdigit() or sign == ".")
        told = replace(first, text=text[first.start : last.end], end=last.end, after=last.after, literal=digits)
        kind: Kind = "number" if len(digits) <= _LONGEST else "name"
        kept += [*made[done : found.start], replace(told, kind=kind, ordinal=found.is_ordinal, worded=True)]
        done = found.end
    return kept + made[done:]


# What tokens say

Key = tuple[str, Hashable]
"""A kind of value, and the value. "number" is one without a unit, "any" one with whatever unit."""
UNLESS = "unless"
"""The kind of a claim that nothing gives its value, a key."""


@dataclass(frozen=True)
class Found:
    """A value, and the first token of it and the one after it.

    A text says it if it gives all of one of its `claims`, which may be none: "one of them" claims nothing.
    """

    first: int
    end: int
    claims: tuple[frozenset[Key], ...] = ()
    gives: frozenset[Key] = frozenset()
    number: Fraction | None = None


def word_at(those: Sequence[Token], at: int, near: bool = True) -> str:
    """The word there, in small letters; a `near` one follows a blank or a hyphen."""
    if not 0 <= at < len(those) or those[at].kind != "word" or (near and those[at].before not in _NEAR):
        return ""
    return those[at].lower


def found(
    first: int, end: int, claims: Iterable[Iterable[Key]], gives: Iterable[Key], number: Fraction | None = None
) -> Found:
    """A value as the sets that it is made of."""
    return Found(first, end, tuple(map(frozenset, claims)), frozenset(gives), number)
