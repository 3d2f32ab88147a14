"""Runs of signs in a text that are data: pictures and keys in base64."""

import re
from collections.abc import Iterator
from itertools import pairwise

from rag.types import Span

_DATA_URI = re.compile(r"data:[a-zA-Z0-9.+/-]{0,80}(?:;[a-zA-Z0-9=_.-]{1,80}){0,4},[^\s\"'<>)\]]{100,}")
_RUN = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/=_-]{500,}")
"""Longer without a blank than a word, a path or an identifier."""
_LINE = re.compile(r"(?<![^\n\r])[ \t>]{0,20}([A-Za-z0-9+/]{48,100}={0,2})[ \t]{0,20}(?![^\n\r])")
_LAST_LINE = re.compile(r"(?:\r\n|\r|\n)[ \t>]{0,20}[A-Za-z0-9+/]{1,100}={1,2}[ \t]{0,20}(?![^\n\r])")
_BREAKS = ("\n", "\r\n", "\r")
_LINES = 8
"""Lines of one length, one after the other, that are base64 divided into lines."""
_CHANGES = 0.25
"""How often a sign is followed by one of another kind (capital, small, digit): in base64 at .6 of the places."""
_DIGITS = 0.3
"""Share of digits that words never have."""
_SEEN = 10_000
"""Signs of a run that are looked at."""


def without_data(text: str) -> tuple[str, tuple[str, ...]]:
    """`text` without its data, and how much that was, in words."""
    kept: list[str] = []
    at = count = 0
    for span in sorted(_data(text), key=lambda span: span.start):
        if span.start >= at:
            kept.append(text[at : span.start])
            at, count = span.end, count + 1
    if not count:
        return text, ()
    shorter = "".join([*kept, text[at:]])
    parts = "1 part that is no text" if count == 1 else f"{count:,} parts that are no text"
    return shorter, (f"{parts} ({_size(len(text) - len(shorter))})",)


def _data(text: str) -> Iterator[Span]:
    yield from (Span(*match.span()) for match in _DATA_URI.finditer(text))
    yield from (Span(*match.span()) for match in _RUN.finditer(text) if _is_data(match[0]))
    block: list[re.Match[str]] = []
    for match in _LINE.finditer(text):
        if block and not (text[block[-1].end() : match.start()] in _BREAKS and len(match[1]) == len(block[0][1])):
            yield from _lines(text, block)
            block = []
        block.append(match)
    yield from _lines(text, block)


def _lines(text: str, block: list[re.Match[str]]) -> Iterator[Span]:
    """The lines, with a shorter one that ends them, if they are data."""
    if len(block) >= _LINES and _is_data("".join(match[1] for match in block)):
        last = _LAST_LINE.match(text, block[-1].end())
        yield Span(block[0].start(), last.end() if last else block[-1].end())


def _is_data(run: str) -> bool:
    run = run[:_SEEN]
    kinds = [_kind(sign) for sign in run]
    changes = sum(one != other and "" not in (one, other) for one, other in pairwise(kinds))
    return changes >= _CHANGES * len(run) or kinds.count("0") >= _DIGITS * len(run)


def _kind(sign: str) -> str:
    return "A" if sign.isupper() else "a" if sign.islower() else "0" if sign.isdigit() else ""


def _size(length: int) -> str:
    if length < 1_000:
        return f"{length} bytes"
    return f"{length / 1_000:,.0f} kB" if length < 999_500 else f"{length / 1e6:,.1f} MB"
