"""Numbers and units among the tokens of a text, by what they mean."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from rag.quantities.tokens import Token, word_at
from rag.quantities.units import (
    AMBIGUOUS,
    CURRENCY_SIGNS,
    GLUED,
    POWERS,
    SCALES,
    SHARES,
    SPEEDS,
    TIME_KINDS,
    UNITS,
    VAGUE,
)  # fmt: skip

Unit = tuple[str, Fraction]
"""A kind, and how much of the kind's own unit it is."""
_GROUPS = re.compile(r"\d{1,3}(?:([,.'])\d{3})(?:\1\d{3})*(?:[.,]\d+)?")
_MINUS = re.compile(r"[\s(]-$")
_SIGNS = f"%‰{CURRENCY_SIGNS}"
_SQUARED = re.compile(r"(mm|cm|m|km)([23])")
_ORDINAL = frozenset({"st", "nd", "rd", "th"})
ARTICLES = frozenset({"a", "an"})
_EACH = frozenset({"a", "an", "each", "every"})
_TIMES = frozenset({"×", "x", "*", "·"})

_MOST_GROUPS = 4
_SCALES = 3
"""Words that can multiply one number: a hundred thousand million."""
_LARGEST_POWER = 60


@dataclass(frozen=True)
class Number:
    """What a number may mean, the token after it, and how it is `written`."""

    amounts: tuple[Fraction, ...]
    end: int
    written: str
    ordinal: bool = False
    scaled: tuple[Fraction, ...] = ()
    """What it means as well if a letter behind it is a scale and no unit."""


# Numbers


def _value(literal: str, decimal: bool) -> tuple[Fraction, ...]:
    """What digits with points and commas mean.

    Before three digits a point is `decimal` and a comma is not; elsewhere than in English each may be both.
    """
    grouped = _GROUPS.fullmatch(literal)
    is_open = not decimal and literal.count(".") + literal.count(",") == 1
    if grouped and not is_open and (grouped[1] != "." or literal.count(".") > 1 or "," in literal):
        whole, _, part = literal.replace(grouped[1], "").replace(",", ".").partition(".")
        return (Fraction(f"{whole}.{part or 0}"),)
    value = Fraction(literal.replace(",", "."))
    return (value, Fraction(literal.replace(grouped[1], ""))) if grouped and is_open else (value,)


def number_at(those: Sequence[Token], at: int) -> Number | None:
    """The number there, with its scale: 2 million, a dozen, one and a half."""
    token = those[at]
    is_article = token.lower in ARTICLES and token.kind == "word"
    if is_article and _scale(those, at + 1):
        number = Number((Fraction(1),), at + 1, "1")
    elif word_at(those, at, near=False) == "dozen":
        number = Number((Fraction(12),), at + 1, "12")
    elif token.kind == "number":
        number = _plain_number(those, at)
    elif token.kind == "fraction":
        over, under = map(int, token.text.split("/"))
        if not under or over >= under:
            return None
        number = Number((Fraction(over, under),), at + 1, token.text)
    else:
        return None
    for _ in range(0 if number.ordinal else _SCALES):  # The first hundred are not the hundredth.
        if not (scale := _scale(those, number.end)):
            break
        scaled = tuple(amount * scale for amount in number.amounts)
        if those[number.end].text in UNITS:  # 5m
            return replace(number, scaled=scaled)
        number = replace(number, amounts=scaled, end=number.end + 1)
    return number


def _plain_number(those: Sequence[Token], at: int) -> Number:
    token = those[at]
    amounts = _value(token.literal, token.decimal)
    end = at + 1
    ordinal = token.ordinal
    if word_at(those, end) in _ORDINAL and not those[end].before:
        ordinal, end = True, end + 1
    elif further := _groups(those, at):
        amounts, end = (Fraction(token.literal + further),), end + len(further) // 3
    after = those[end] if end < len(those) else None
    if after and after.kind == "number" and token.worded and after.worded and _is_year(token, after):
        amounts, end = (100 * amounts[0] + Fraction(after.literal),), end + 1
    elif after and after.kind == "fraction" and after.before == " " and token.literal.isdecimal():
        over, under = map(int, after.text.split("/"))
        amounts, end = (amounts[0] + (Fraction(over, under) if 0 < over < under else 0),), end + 1
    if word_at(those, end) == "and":
        start = end + 1 + (word_at(those, end + 1) in ARTICLES)
        if part := part_at(those, start):
            amounts, end = (amounts[0] + part, *amounts[1:]), start + 1
    if (power := _power(those, end)) is not None and (amounts[0] or power > 0):
        amounts, end = (amounts[0] ** power,), end + 1
    elif (power := _of_ten(those, end)) is not None:
        amounts, end = (amounts[0] * Fraction(10) ** power,), end + 2
    if _MINUS.search(token.before) or (not at and token.before == "-") or word_at(those, at - 1, near=False) == "minus":
        amounts = tuple(-amount for amount in amounts)
    return Number(amounts, end, token.literal, ordinal)


def _groups(those: Sequence[Token], at: int) -> str:
    """The further digits, three by three, of the number there: 10 000."""
    digits = ""
    is_first = len(those[at].text) <= 3 and those[at].text.isdecimal() and those[at].text[0] != "0"
    for one in those[at + 1 : at + 1 + _MOST_GROUPS] if is_first else ():
        if one.before != " " or len(one.text) != 3 or not one.text.isdecimal():
            break
        digits += one.text
    return digits


def _is_year(first: Token, second: Token) -> bool:
    """Nineteen eighty-four."""
    return (
        not first.ordinal
        and second.before in {" ", "-"}
        and first.literal.isdecimal()
        and second.literal.isdecimal()
        and 11 <= int(first.literal) <= 21
        and 10 <= int(second.literal) <= 99
    )


def _of_ten(those: Sequence[Token], at: int) -> int | None:
    """The exponent of "× 10^6"."""
    is_ten = at < len(those) and those[at].literal == "10" and those[at].before.strip() in _TIMES
    return _power(those, at + 1) if is_ten else None


def _power(those: Sequence[Token], at: int) -> int | None:
    """The exponent that is written there."""
    if at >= len(those) or those[at].before not in {"^", "^-", "^+"} or not those[at].literal.isdecimal():
        return None
    power = int(those[at].literal[:4])
    return (-power if those[at].before == "^-" else power) if power <= _LARGEST_POWER else None


def _scale(those: Sequence[Token], at: int) -> Fraction | None:
    """By how much the word there multiplies the number before it."""
    if at >= len(those) or those[at].before not in {"", " ", "-"}:
        return None
    token = those[at]
    if token.worded and token.literal.rstrip("0") == "1" and len(token.literal) > 2 and token.lower not in VAGUE:
        return Fraction(token.literal)
    if token.kind == "word" and token.text in SCALES and (len(token.text) > 1 or not token.before):
        return Fraction(SCALES[token.text])
    return None


def part_at(those: Sequence[Token], at: int) -> Fraction | None:
    """Half, a quarter, a third."""
    word = word_at(those, at)
    if word in SHARES:
        return Fraction(1, SHARES[word])
    if at < len(those) and those[at].worded and those[at].ordinal and those[at].literal.isdecimal():
        return Fraction(1, int(those[at].literal)) if 2 < int(those[at].literal) <= 1000 else None
    return None


# Units


def unit_at(those: Sequence[Token], at: int) -> tuple[tuple[Unit, ...], int]:
    """What the unit there may mean, and the token after it."""
    if sign := _sign(those, at):
        return (UNITS[sign],), at
    word, then = word_at(those, at), word_at(those, at + 1)
    if at < len(those) and those[at].before.strip() == "°" and those[at].lower in {"c", "f"}:
        return (UNITS[f"°{those[at].lower}"],), at + 1
    if word == "degrees" and then in {"celsius", "fahrenheit", "c", "f"}:
        return (UNITS[f"°{then[0]}"],), at + 2
    if word == "per" and then == "cent":
        return (UNITS["%"],), at + 2
    if word == "percentage" and then.startswith("point"):
        return (UNITS["pp"],), at + 2
    if word in {"us", "u.s"} and then.startswith("dollar"):
        return (UNITS["$"],), at + 2
    if word in POWERS:
        units = units_at(those, at + 1)
        return _powered(units, POWERS[word]), at + 2 if units else at
    if units := units_at(those, at):
        power = _power(those, at + 1)
        return (_powered(units, power), at + 2) if power else (units, at + 1)
    is_power = at < len(those) and those[at].kind == "name" and those[at].before in {"", " "}
    if is_power and (found := _SQUARED.fullmatch(those[at].text)):  # m2
        return _powered((UNITS[found[1]],), int(found[2])), at + 1
    return (), at


def _sign(those: Sequence[Token], at: int) -> str:
    """The percent or currency sign before the token there, unless it belongs to that."""
    before = those[at - 1].after.lstrip()[:1] if at else ""
    is_of_next = at < len(those) and those[at].kind == "number" and those[at].before.endswith(before)
    return before if before and before in _SIGNS and not is_of_next else ""


def units_at(those: Sequence[Token], at: int) -> tuple[Unit, ...]:
    if not (word := word_at(those, at)):
        return ()
    text = those[at].text
    if word in SPEEDS:
        return (UNITS[SPEEDS[word]],)
    if text in GLUED and those[at].before:
        return ()
    for name in (text, word, word.removesuffix("s"), word.removesuffix("es")):
        if name in AMBIGUOUS:
            return AMBIGUOUS[name]
        if name in UNITS and (name == text or len(name) > 2):
            return (UNITS[name],)
    return ()


def _powered(units: Iterable[Unit], power: int) -> tuple[Unit, ...]:
    """Areas and volumes of lengths."""
    kinds = {1: "length", 2: "area", 3: "volume"}
    return tuple((kinds[power], factor**power) for kind, factor in units if kind == "length" and power in kinds)


def rate_at(those: Sequence[Token], at: int) -> tuple[tuple[Unit, ...], int]:
    """The unit behind "per", and the token after it."""
    if word_at(those, at - 1) in SPEEDS:
        return (UNITS["h"],), at
    if at < len(those) and those[at].before.strip() == "/":
        units = tuple(UNITS[name] for name in (those[at].text, those[at].lower) if name in UNITS)[:1]
        return units, at + 1 if units else at
    word = word_at(those, at)
    units = units_at(those, at + 1) if word == "per" or word in _EACH else ()
    if units and (word == "per" or units[0][0] in TIME_KINDS):
        return units, at + 2
    return (), at
