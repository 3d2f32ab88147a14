"""Raised and lowered runs of Word, with blanks, parts of fractions, signs of degrees."""

import re

from rag.documents import raised as line

_DEGREES = re.compile(r"\s?[CFK]\b")
_SLASHES = ("/", "⁄")


def raised(before: str, text: str, after: str) -> str:
    """What stands for a raised run; a number is never just joined to another."""
    mark = text.strip()
    if not mark:
        return text
    lead, trail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    before, after = before + lead, trail + after
    if mark.isdigit() and after in _SLASHES:  # Of 3 1/2, whose other part is lowered.
        given = f" {mark}" if before[-1:].isdigit() else mark
    elif mark in {"o", "O", "0", "º"} and _DEGREES.match(after) and before.rstrip()[-1:].isdigit():
        given = "°"
    else:
        given = line.raised(before, mark, after)
    blank = " " if (after[:1].isalnum() and given[-1:] == "]") or (after[:1].isdigit() and given[-1:].isdigit()) else ""
    return lead + given + blank + trail


def lowered(before: str, text: str, after: str) -> str:
    """What stands for a lowered run: H2O, but log_2 8."""
    mark = text.strip()
    if not mark or before.endswith(_SLASHES):
        return text
    trail = text[len(text.rstrip()) :]
    if mark.isdigit() and (trail + after)[:1].isdigit():
        return f"_{mark} "
    return line.lowered(before, text) + trail


def note(label: str, after: str) -> str:
    """The reference to a note, directly after its word or number."""
    return f"[{label}] " if after[:1].isalnum() else f"[{label}]"
