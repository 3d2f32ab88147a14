"""Labels, identifiers and telephone numbers among the tokens of a text."""

import re
from collections.abc import Sequence

from rag.quantities.tokens import Found, Key, Token, found, word_at
from rag.quantities.units import LABELS, PLAIN_LABELS

_JOINED = re.compile(r"(?<=[a-z])[-./](?=[a-z\d])|(?<=\d)[-./](?=[a-z])")
_VERSION = re.compile(r"v(?=\d)")
_DIGITS = re.compile(r"\d+(?:-\d+)*")
_BETWEEN_DIGITS = frozenset({" ", "-", ") ", " (", ")", "/", " / ", "."})
_DIALLED, _MOST_DIALLED = 7, 40
"""Digits of a telephone number."""


def label_before(those: Sequence[Token], at: int) -> tuple[int, str]:
    """Where the label of what stands there begins, and the label; it may have none."""
    if those[at].before.strip() == "§":
        return at, LABELS["§"]
    start = at
    while start and at - start < 2 and word_at(those, start - 1, near=False) in PLAIN_LABELS and _next(those, start):
        start -= 1
    word = word_at(those, start - 1, near=False)
    label = LABELS.get(word) or LABELS.get(word.removesuffix("s"))
    return (start - 1, label) if label and _next(those, start) else (start, "")


def _next(those: Sequence[Token], at: int) -> bool:
    return those[at].before in {"", " ", "-", ". "}


def named(those: Sequence[Token], at: int, literal: str) -> list[Key]:
    """The number as a part of a name, with the word before it: Falcon 200."""
    word = word_at(those, at - 1, near=False)
    return [("name", f"{word}{literal}")] if word and those[at].before in {" ", "-"} else []


def name_at(those: Sequence[Token], at: int) -> Found | None:
    """An identifier with digits, such as E-4012 or v3.2.1, or what else is no number."""
    token = those[at]
    if token.kind == "word":
        return None
    key = _JOINED.sub("", token.lower)
    start, label = label_before(those, at)
    keys: list[Key] = [("name", key), *named(those, at, key)]
    if _VERSION.match(key):
        keys += [("name", key[1:]), (LABELS["version"], key[1:])]
    if label:
        keys.append((label, key))
    return found(start, at + 1, [[one] for one in keys], keys)


def telephone_at(those: Sequence[Token], at: int) -> Found | None:
    """A number of groups of digits that somebody can dial."""
    first = those[at]
    digits, end = "", at
    while end < len(those) and (end == at or those[end].before in _BETWEEN_DIGITS) and len(digits) < _MOST_DIALLED:
        if those[end].kind not in {"number", "name"} or those[end].worded or not _DIGITS.fullmatch(those[end].text):
            break
        digits += those[end].text.replace("-", "")
        end += 1
    is_dialled = first.before.endswith(("+", "(", "+ ")) or digits.startswith("0") or first.kind == "name"
    if not is_dialled or len(digits) < _DIALLED or (end == at + 1 and "-" not in first.text and digits[0] != "0"):
        return None
    return found(at, end, [[("telephone", digits)]], [("telephone", digits)])
