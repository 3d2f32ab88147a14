"""The numbers, quantities, times, dates and identifiers of a text, by what they mean."""

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from rag.answer.evidence import TYPOGRAPHY
from rag.answer.measures import measured_at, multiple_at, name_at, share_at, telephone_at
from rag.answer.moments import day_at, time_at
from rag.answer.numerals import UNLESS, Key, tokens

_ENGLISH = frozenset(
    """the a an of and to in is are was were has have had be been for on at by with from as that this these it its
    he she they his her their not or but who which will can may more than there""".split()  # noqa: SIM905
)
_ENOUGH = 8
"""Words of which in English one is among these."""
_LETTERS = re.compile(r"[^\W\d_]+")
_READERS = (day_at, time_at, share_at, multiple_at, telephone_at, measured_at, name_at)


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


_RAISED = re.compile(r"(?<=[^\W_])[⁻⁺]?[²³¹⁰⁴-⁹]+")
_VULGAR = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")
_SIGNS = TYPOGRAPHY | str.maketrans("−⁄‒", "-/-")


def plain(text: str) -> str:
    """`text` with plain quotation marks, dashes and spaces, and without accents, as people type."""
    plainer = text
    if not plainer.isascii():
        plainer = _VULGAR.sub(" ", _RAISED.sub(r"^\g<0>", plainer))
        plainer = _unaccented(unicodedata.normalize("NFKD", _unaccented(plainer))).translate(_SIGNS)
    return " ".join(plainer.split())


def _unaccented(text: str) -> str:
    """Without combining characters; to sort a run of them takes the square of its length."""
    return "".join(letter for letter in text if not unicodedata.combining(letter))


@lru_cache(4096)
def quantities(text: str, english: bool = True) -> tuple[Quantity, ...]:
    """Those of `text`, in order; without numbers in words if it is not `english`."""
    those = tokens(text, english)
    made: list[Quantity] = []
    last: Fraction | None = None
    at = 0
    while at < len(those):
        found = next((one for read in _READERS if (one := read(those, at))), None)
        if not found:
            at += 1
            continue
        start, end = those[found.first].start, those[found.end - 1].end
        claims, gives = found.claims, found.gives
        if last is not None and found.number is not None:
            pairs = _pairs(last, found.number)
            gives |= pairs
            if those[found.first].before in {"-", ":"}:  # A range or a score: its order counts.
                claims = tuple(claim | {pair} for claim in claims for pair in pairs)
        made.append(Quantity(start, end, text[start:end], claims, gives))
        last = found.number
        at = found.end
    return tuple(made)


def _pairs(first: Fraction, second: Fraction) -> frozenset[Key]:
    pairs: set[Key] = {("pair", (first, second))}
    if 1000 <= first < 2100 and 10 <= second < 100:  # 1939-45
        pairs.add(("pair", (first, first // 100 * 100 + second)))
    return frozenset(pairs)


@lru_cache(4096)
def given(text: str, english: bool = True) -> frozenset[Key]:
    """What the quantities of the text, which need not be plain, give."""
    return frozenset[Key]().union(*(one.gives for one in quantities(plain(text), english)))


def is_english(text: str) -> bool:
    """Whether the words of `text`, if there are enough to tell, are English."""
    words = _LETTERS.findall(text.lower())
    common = sum(word in _ENGLISH for word in words)
    return common > len(words) / _ENOUGH or (len(words) < _ENOUGH and text.isascii())
