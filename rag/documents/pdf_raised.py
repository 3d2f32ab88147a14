"""Raised and lowered text of a PDF's page: exponents, the numbers of notes, indices."""

import re
from collections import defaultdict
from collections.abc import Sequence

from rag.documents.pdf_words import Word

_SMALLER = 0.87
"""Of the letters beside it; larger text is no raised mark."""
_RAISED, _LOWERED = (0.12, 0.9), (-0.45, -0.04)
"""How far the baseline is above that of the letters beside it, in their ems."""
_BESIDE = (-0.3, 0.3)
"""The gap to the letters beside it, in their ems."""
_LONGEST = 8
"""Letters of a mark; a longer word is none."""
_LOOKED_AT = 20
"""Words at one place that are compared; ordinary pages have one or two."""
_ORDINAL = re.compile(r"(?:st|nd|rd|th|er|ère|re|e|ème|o|a|os|as|º|ª)\b", re.IGNORECASE)
_SIGN = re.compile(r"[^\w+\-−–,;]+|TM|SM|\(R\)|\(C\)", re.IGNORECASE)
_MARK = re.compile(r"\d{1,3}(?:[,;–\-]\d{1,3})*[,;]?|[a-z](?:,[a-z])*|[ivx]{1,4}")
_POWER = re.compile(r"[+\-−–]?\d{1,4}|\d?[+\-−–]|[+\-−–]?\d*[a-z]|[a-z][+\-−–]\d")
_TEN = re.compile(r"(?:\A|[^\d.,])10\Z")
_SMALL_NUMBER = re.compile(r"(?:\A|[^\d.,\w])\d{1,2}\Z")
_UNIT = re.compile(r"(?:\A|[\d/·*\s(µ])(?:[munpkcd]?m|µm|mm|s|ft|in|yd|mi|kg)\Z")
_VARIABLE = re.compile(r"(?:\A|[^\w'’])[^\W\d_]\)?\Z")
_OF_LETTERS = re.compile(
    r"\A(?!(?:of|in|to|is|as|on|at|by|it|we|he|or|an|up|so|no|us|me|my|do|go|if|am|be)\Z)[a-z]{2}\Z"
)
_ELEMENT = re.compile(r"[A-Z][a-z]?\d*[\])]?\Z")


def join_raised(words: Sequence[Word]) -> list[Word]:
    """`words` with each raised or lowered mark joined to the word it stands beside.

    An exponent becomes "10^6", a note's number "48,250[2]", an index "H2O".
    """
    sizes = sorted(word.size for word in words)
    if not words or sizes[0] >= sizes[-1] * _SMALLER:
        return list(words)
    usual = sizes[len(sizes) // 2]
    marks = [
        number
        for number, word in enumerate(words)
        if len(word.text) <= _LONGEST
        and word.size < _SMALLER * max(usual, words[number - 1].size, words[min(number + 1, len(words) - 1)].size)
    ]
    return _Joining(words).joined(marks) if marks else list(words)


class _Joining:
    """The words by their right and left ends, so that a mark finds its neighbours at once."""

    def __init__(self, words: Sequence[Word]) -> None:
        self.words: list[Word | None] = list(words)
        self.cell = max(1.0, sorted(word.size for word in words)[len(words) // 2])
        self.ends: dict[tuple[int, int], list[int]] = defaultdict(list)
        self.starts: dict[tuple[int, int], list[int]] = defaultdict(list)
        self.by_order = {word.order: number for number, word in enumerate(words)}
        for number, word in enumerate(words):
            self.ends[self._place(word.right, word.base)].append(number)
            self.starts[self._place(word.left, word.base)].append(number)

    def joined(self, marks: Sequence[int]) -> list[Word]:
        for number in sorted(marks, key=lambda number: (self.words[number] or self.words[0]).left):  # type: ignore[union-attr]
            self._join(number)
        return [word for word in self.words if word is not None]

    def _join(self, number: int) -> None:
        mark = self.words[number]
        assert mark is not None
        before = self._beside(mark, number, self.ends)
        if before is not None:
            word = self.words[before]
            assert word is not None
            text = self._text(word, mark, number)
            if text is not None:
                self.words[number] = None
                self.words[before] = joined = word._replace(text=text, right=max(word.right, mark.right))
                self.ends[self._place(joined.right, joined.base)].append(before)
            return
        after = self._beside(mark, number, self.starts)
        if after is not None and mark.text.isdigit():
            word = self.words[after]
            assert word is not None
            if _rise(word, mark) > 0:
                self.words[number] = mark._replace(text=f"[{mark.text}]", base=word.base, size=word.size)
                self.words[after] = word._replace(spaced=True)

    def _text(self, word: Word, mark: Word, number: int) -> str | None:
        if _rise(word, mark) < 0:
            return word.text + mark.text
        following = self.by_order.get(mark.order + 1)
        after = self.words[following] if following is not None else None
        if after is not None and after.text[0] in "/⁄" and abs(after.left - mark.right) < mark.size / 2:
            return f"{word.text} {mark.text}" if mark.text.isdigit() else None  # The upper part of a fraction.
        return raised(word.text, mark.text)

    def _beside(self, mark: Word, number: int, ends: dict[tuple[int, int], list[int]]) -> int | None:
        """The nearest larger word that ends, or starts, where `mark` stands."""
        at = mark.left if ends is self.ends else mark.right
        column, row = self._place(at, mark.base)
        best: tuple[float, int] | None = None
        for x in (column - 1, column, column + 1):
            for y in (row - 1, row, row + 1, row + 2):
                for other in ends.get((x, y), ())[-_LOOKED_AT:]:
                    word = self.words[other]
                    if word is None or other == number or mark.size >= word.size * _SMALLER:
                        continue
                    gap = mark.left - word.right if ends is self.ends else word.left - mark.right
                    rise = _rise(word, mark)
                    near = _BESIDE[0] <= gap / word.size <= _BESIDE[1]
                    moved = _RAISED[0] <= rise <= _RAISED[1] or _LOWERED[0] <= rise <= _LOWERED[1]
                    if near and moved and (best is None or abs(gap) < best[0]):
                        best = abs(gap), other
        return best[1] if best else None

    def _place(self, x: float, y: float) -> tuple[int, int]:
        return int(x // self.cell), int(y // self.cell)


def _rise(word: Word, mark: Word) -> float:
    return (word.base - mark.base) / word.size


def raised(before: str, mark: str) -> str | None:
    """What stands for `mark` raised after `before`, None if it is a word of its own.

    A number never runs into the one before it.
    """
    if _SIGN.fullmatch(mark) or (_ORDINAL.fullmatch(mark) and before[-1:].isdigit() and len(mark) > 1):
        return before + mark
    if mark[0] in "+-−–" and _POWER.fullmatch(mark):
        return f"{before}^{mark}"
    if _POWER.fullmatch(mark) and _has_power(before, mark):
        return f"{before}^{mark}"
    if _MARK.fullmatch(mark):
        return f"{before}[{mark.rstrip(',;')}]"
    return f"{before}^{mark}" if mark[:1].isdigit() else None


def _has_power(before: str, mark: str) -> bool:
    if _TEN.search(before) or _VARIABLE.search(before):
        return True
    if mark[-1] in "+-−–":
        return bool(_ELEMENT.search(before))
    if _SMALL_NUMBER.search(before):
        return True
    return mark in {"2", "3", "4"} and bool(_UNIT.search(before) or _OF_LETTERS.search(before))
