"""Days and times of day among the tokens of a text, by what they mean."""

import re
from collections.abc import Sequence
from fractions import Fraction

from rag.quantities.tokens import Found, Key, Token, found, word_at
from rag.quantities.units import MONTHS

_DIGITS = re.compile(r"\d+")
_YEAR = re.compile(r"[12]\d{3}")
_HOUR = re.compile(r"(\d{1,2})(?:\.([0-5]\d))?")
_ORDINAL = frozenset({"st", "nd", "rd", "th"})
_HALVES = {"am": 0, "a.m": 0, "pm": 720, "p.m": 720}
_PARTS = {"in the morning": 0, "in the afternoon": 720, "in the evening": 720, "at night": 720}
"""Minutes at which the half of a day begins."""
_NOON = frozenset({"noon", "midday"})
_BEFORE_A_TIME = frozenset({"at", "by", "until", "till", "about", "before", "after"})
_OCLOCK = frozenset({"o'clock", "uhr"})
_MINUTES = frozenset({"5", "10", "20", "25"})


# Days


def day_at(those: Sequence[Token], at: int) -> Found | None:
    """The day, or the month of a year, that begins there."""
    token = those[at]
    if token.kind == "day":
        return _numeric_day(token, at)
    if day := _day_number(token):
        end = at + 1 + (word_at(those, at + 1) in _ORDINAL)
        is_of = word_at(those, end) == "of"
        end += is_of
        is_near = end < len(those) and not those[end].before.strip("- .")
        if is_near and (month := _month(those, end)) and (is_of or not token.worded):
            year = _year(those, end + 1)
            return _dated(at, end + 1 + bool(year), year, month, day)
    if month := _month(those, at):
        if year := _year(those, at + 1):
            return _dated(at, at + 2, year, month, 0)
        after = those[at + 1] if at + 1 < len(those) else None
        if after and not after.before.strip(". ") and (day := _day_number(after)):
            end = at + 2 + (word_at(those, at + 2) in _ORDINAL)
            year = _year(those, end)
            return _dated(at, end + bool(year), year, month, day)
    return None


def _day_number(token: Token) -> int:
    is_number = token.kind == "number" and token.literal.isdecimal() and len(token.literal) <= 2
    return int(token.literal) if is_number and 1 <= int(token.literal) <= 31 else 0


def _month(those: Sequence[Token], at: int) -> int:
    return MONTHS.get(those[at].text, 0) if at < len(those) and those[at].kind == "word" else 0


def _year(those: Sequence[Token], at: int) -> int:
    is_there = at < len(those) and those[at].kind == "number" and not those[at].before.strip(" .,")
    return int(those[at].literal) if is_there and _YEAR.fullmatch(those[at].literal) else 0


def _numeric_day(token: Token, at: int) -> Found:
    first, second, third = map(int, _DIGITS.findall(token.text))
    if token.text[:4].isdecimal():
        return _dated(at, at + 1, first, second, third)
    if second > 12:
        first, second = second, first
    elif "." not in token.text and first <= 12 and first != second:  # Nobody knows which of them is the month.
        key: Key = ("day or month", (first, second, third))
        return found(at, at + 1, [{key}], {key, ("any", Fraction(third))})
    return _dated(at, at + 1, third, second, first)


def _dated(first: int, end: int, year: int, month: int, day: int) -> Found:
    """A day, or a month of a year; 0 is none.

    What a text lacks of it may be told by another year without a day, but not by that of another day.
    """
    claims: list[set[Key]] = [{("day", (year, month, day))}]
    gives: set[Key] = {("day", (y, month, d)) for y in {year, 0} for d in {day, 0}}
    if day:
        gives.add(("ordinal", Fraction(day)))
    if year:
        gives.add(("any", Fraction(year)))
        claims.append({("day of some year", (month, day)), ("number", Fraction(year))})
    else:
        gives.add(("day of some year", (month, day)))
    return found(first, end, claims, gives)


# Times of day


def time_at(those: Sequence[Token], at: int) -> Found | None:
    """The time of day that begins there."""
    word = word_at(those, at, near=False)
    if word in _NOON:
        return _timed(at, at + 1, 720, True, 720)
    if word == "midnight":
        return found(at, at + 1, [{("clock", 0)}, {("clock", 1440)}], {("clock", 0), ("clock", 1440)})
    if told := _told(those, at):
        return told
    minutes = _minutes(those, at)
    if minutes is None:
        return None
    is_dotted = those[at].kind == "number" and "." in those[at].literal
    end = at + 1 + (word_at(those, at + 1) in (_OCLOCK | {"hrs", "h"} if is_dotted else _OCLOCK))
    half, stop = _half(those, end)
    may_be_marked = 60 <= minutes < 780
    if half is None and may_be_marked:
        half = _half_of_range(those, at, minutes)
    if half is not None and may_be_marked:
        return _timed(at, stop, minutes % 720 + half, True, minutes)
    return _timed(at, end, minutes, False, minutes) if those[at].kind == "clock" or end > at + 1 else None


def _minutes(those: Sequence[Token], at: int) -> int | None:
    """Minutes after midnight by the number there, which may be a time."""
    if at >= len(those) or those[at].ordinal or those[at].kind not in {"clock", "number"}:
        return None
    if those[at].kind == "clock":
        hour, minute, *_ = map(int, _DIGITS.findall(those[at].text))
    elif told := _HOUR.fullmatch(those[at].literal):
        hour, minute = int(told[1]), int(told[2] or 0)
    else:
        return None
    return 60 * hour + minute if hour <= 24 else None


def _half(those: Sequence[Token], at: int) -> tuple[int | None, int]:
    """When the half of the day that is told there begins, and where that ends."""
    word = word_at(those, at)
    if word in _HALVES:
        return _HALVES[word], at + 1
    for count in (3, 2):
        said = " ".join(word_at(those, at + i) for i in range(count))
        if said in _PARTS:
            return _PARTS[said], at + count
    return None, at


def _half_of_range(those: Sequence[Token], at: int, minutes: int) -> int | None:
    """In which half of the day "9 to 11 a.m." begins."""
    later = at + 1 + (word_at(those, at + 1) in {"to", "until", "till", "and"})
    ends = _minutes(those, later)
    if ends is None or (later == at + 1 and those[later].before.strip() != "-"):
        return None
    half, _ = _half(those, later + 1)
    return half if half is None or minutes % 720 < ends % 720 else 720 - half


def _told(those: Sequence[Token], at: int) -> Found | None:
    """A time in words: "half past eight", "ten minutes to one"."""
    token, word = those[at], word_at(those, at, near=False)
    is_minutes = token.worded and not token.ordinal and token.literal in _MINUTES
    minute = {"half": 30, "quarter": 15}.get(word, int(token.literal) if is_minutes else 0)
    end = at + 1 + (word_at(those, at + 1) == "minutes")
    hour = _minutes(those, end + 1)
    if not minute or hour is None or hour % 60 or not 60 <= hour <= 720:
        return None
    side = word_at(those, end)
    if side == "to" and (word == "quarter" or word_at(those, at - 1, near=False) in _BEFORE_A_TIME):
        minute = -minute
    elif side != "past":
        return None
    half, stop = _half(those, end + 2)
    written = hour + minute if hour + minute >= 60 else hour + minute + 720
    return _timed(at, stop, written if half is None else written % 720 + half, half is not None, written)


def _timed(first: int, end: int, minutes: int, marked: bool, written: int) -> Found:
    """A time, and as it is `written` without the half of the day, where `marked`."""
    claims: list[set[Key]] = [{("clock", minutes)}]
    gives: set[Key] = {("clock", minutes)}
    if marked:
        gives.add(("unmarked clock", written))
    else:
        claims.append({("unmarked clock", minutes)})
    if written % 60 == 0:
        gives.add(("any", Fraction(written // 60)))
        claims += [] if marked else [{("number", Fraction(written // 60))}]
    return found(first, end, claims, gives)
