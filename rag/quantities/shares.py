"""Shares and multiples among the tokens of a text, by what they mean."""

from collections.abc import Sequence
from fractions import Fraction

from rag.quantities.amounts import ARTICLES, Number, number_at, part_at, unit_at, units_at
from rag.quantities.measures import of_decade, quantity, with_unit
from rag.quantities.moments import time_at
from rag.quantities.tokens import Found, Key, Token, found, word_at
from rag.quantities.units import DECADES, MULTIPLES, TIME_KINDS, VAGUE

_AFTER_ONCE = frozenset("in per every each during only by on at and or daily".split())  # noqa: SIM905
_OTHER_HALVES = frozenset({"other", "latter"})


def share_at(those: Sequence[Token], at: int) -> Found | None:
    """Half, two thirds, a quarter of an hour, 3/4."""
    token = those[at]
    if token.kind == "fraction":
        number = number_at(those, at)
        return _shared(those, at, at, number.end, number.amounts[0], token.text) if number else None
    article = word_at(those, at, near=False) in ARTICLES
    share = part_at(those, at + 1) if article or token.kind == "number" else None
    if share and article:
        part, behind = those[at + 1], word_at(those, at + 2)
        is_order = part.worded and part.after[:1] in {" ", "-"} and behind not in {"", "of"}  # A third try.
        is_time = behind in {"to", "past"} and time_at(those, at + 1)
        return None if is_order or is_time else _shared(those, at, at + 1, at + 2, share)
    if share and token.literal.isdecimal() and not token.ordinal:
        if token.literal == "1" or those[at + 1].lower.endswith("s"):
            return _shared(those, at, at + 1, at + 2, min(int(token.literal), 1000) * share)
        return None
    if word_at(those, at, near=False) in {"half", "halves"}:
        before = those[at - 1] if at and those[at].before in {" ", "-"} else None
        if before and (before.ordinal or before.lower in _OTHER_HALVES):
            return None
        return _shared(those, at, at, at + 1, Fraction(1, 2))
    return None


def _shared(those: Sequence[Token], first: int, at: int, end: int, share: Fraction, literal: str = "") -> Found:
    """A share, or a part of a unit or of a scale behind it."""
    of = end + (word_at(those, end) == "of")
    unit = of + (word_at(those, of) in ARTICLES)
    scale = number_at(those, of) if unit > of or (of < len(those) and those[of].lower == "dozen") else None
    if scale and unit > of:
        number = Number((share * scale.amounts[0],), scale.end, "")
        return quantity(those, first, at, number)
    units, stop = unit_at(those, unit) if unit > of or of == end else ((), end)
    if units and units[0][0] != "percent":
        return with_unit(first, stop, [share], units, (), ())
    keys: list[Key] = [("share", share), ("number", share)]
    names: list[Key] = [("name", literal)] if literal else []
    return found(first, end, [[key] for key in [*keys, *names]], [*keys, *names, ("any", share)])


def multiple_at(those: Sequence[Token], at: int) -> Found | None:
    """Twice, doubled, thousands of."""
    token, word = those[at], word_at(those, at, near=False)
    if (size := VAGUE.get(token.lower)) and token.text.isalpha():
        return found(at, at + 1, [[("some", size)]], [("some", size)])
    if word in DECADES:
        return of_decade(at, at + 1, DECADES[word])
    if word not in MULTIPLES:
        return None
    key: Key = ("times", Fraction(MULTIPLES[word]))
    after = those[at + 1] if at + 1 < len(those) else None
    if word == "once" and after and after.before == " " and after.lower not in _AFTER_ONCE:
        units = units_at(those, at + 2)
        if after.lower not in ARTICLES or not units or units[0][0] not in TIME_KINDS:
            return found(at, at + 1, (), [key])
    return found(at, at + 1, [[key]], [key])
