"""Raised and lowered text of a PDF's page: exponents, the numbers of notes, indices."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from rag.documents.pdf.words import Word

_SMALLER = 0.87
"""Of the letters beside it; larger text is no raised mark."""
_RAISED, _LOWERED = (0.12, 0.9), (-0.62, -0.04)
"""How far the baseline is above that of the letters beside it, in their ems."""
_BESIDE = (-0.3, 0.3)
"""The gap to the letters beside it, in their ems."""
_LONGEST = 8
"""Letters of a mark; a longer word is none."""
_LARGER = 3.0
"""Times as large as a mark the letters beside it may be."""
_INITIAL = 1.8
"""Times as large as the other letters the first of a text is that stands beside some lines."""
_FEW = 20
"""Large first letters on a page."""
_LOOKED_AT = 300
"""Words at one height that are compared; ordinary pages have some dozens."""
_SUPERSCRIPTS = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207b]+")
_DIGITS = str.maketrans("\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b", "0123456789-")
_ORDINAL = re.compile(r"(?:st|nd|rd|th|er|ère|re|e|ème|o|a|os|as|º|ª)\b", re.IGNORECASE)
_SIGN = re.compile(r"[^\w+\-−–,;]+|TM|SM|\(R\)|\(C\)", re.IGNORECASE)
_MARK = re.compile(r"\d{1,3}(?:[,;–\-]\d{1,3})*[,;]?|[a-z](?:,[a-z])*|[ivx]{1,4}")
_POWER = re.compile(r"[+\-−–]?\d{1,4}|\d?[+\-−–]|[+\-−–]?\d*[a-z]|[a-z][+\-−–]\d")
_TEN = re.compile(r"(?:\A|[^\d.,])10\Z")
_SMALL_NUMBER = re.compile(r"(?:\A|[(=×*·+−])\d{1,2}\Z")
_UNIT = re.compile(r"(?:\A|[\d/·*\s(µ])(?:[munpkcd]?m|µm|mm|s|ft|in|yd|mi|kg)\Z")
_VARIABLE = re.compile(r"(?:\A|[^\w'’])[^\W\d_]\d?\)?\Z")
_OF_LETTERS = re.compile(
    r"\A(?!(?:of|in|to|is|as|on|at|by|it|we|he|or|an|up|so|no|us|me|my|do|go|if|am|be)\Z)[a-z]{2}\Z"
)
_ELEMENT = re.compile(r"[A-Z][a-z]?\d*[\])]?\Z")


def join_raised(words: Sequence[Word]) -> list[Word]:
    """`words` with each raised or lowered mark joined to the word it stands beside.

    An exponent becomes "10^6", a note's number "48,250[2]", an index "H2O".
    """
    words = [word if word.text.isascii() else word._replace(text=with_marks(word.text)) for word in words]
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


def join_initials(words: Sequence[Word]) -> list[Word]:
    """`words` with each large first letter joined to the word that it begins.

    Such a letter is as tall as some lines.
    """
    if not words:
        return []
    usual = sorted(word.size for word in words)[len(words) // 2]
    initials = [word for word in words if len(word.text) == 1 and word.text.isalpha() and word.size > _INITIAL * usual]
    kept = list(words)
    for initial in initials[:_FEW]:
        top = initial.base - 0.8 * initial.size
        beside = [
            word
            for word in words
            if word.size < initial.size / 1.5
            and top < word.base < initial.base - 0.3 * initial.size
            and -0.2 < (word.left - initial.right) / word.size < 1
        ]
        if beside:
            first = min(beside, key=lambda word: (word.base, word.left))
            whole = initial.text + (first.text if first.text[0].islower() else f" {first.text}")
            kept[kept.index(first)] = first._replace(text=whole)
            kept.remove(initial)
    return kept


def with_marks(text: str) -> str:
    """A word whose raised digits are letters of their own, with "^" or brackets."""
    if not (found := _SUPERSCRIPTS.search(text)):
        return text
    before, mark = text[: found.start()], found[0].translate(_DIGITS)
    return (raised(before, mark) or before + found[0] if before else f"[{mark}]") + text[found.end() :]


class _Joining:
    """The words from top to bottom, so that a mark finds its neighbours at once."""

    def __init__(self, words: Sequence[Word]) -> None:
        self.words: list[Word | None] = list(words)
        self.down = sorted(range(len(words)), key=lambda number: words[number].base)
        self.bases = [words[number].base for number in self.down]
        self.by_order = {word.order: number for number, word in enumerate(words)}

    def joined(self, marks: Sequence[int]) -> list[Word]:
        from_left = sorted((word.left, number) for number in marks if (word := self.words[number]))
        for _, number in from_left:
            self._join(number)
        return [word for word in self.words if word is not None]

    def _join(self, number: int) -> None:
        mark = self.words[number]
        assert mark is not None
        if found := self._beside(mark, number, before=True):
            at, word = found
            text = self._text(word, mark)
            if text is not None:
                self.words[number] = None
                self.words[at] = word._replace(text=text, right=max(word.right, mark.right))
        elif mark.text.isdigit() and (found := self._beside(mark, number, before=False)):
            at, word = found
            if _rise(word, mark) > 0:
                self.words[number] = mark._replace(text=f"[{mark.text}]", base=word.base, size=word.size)
                self.words[at] = word._replace(spaced=True)

    def _text(self, word: Word, mark: Word) -> str | None:
        if _rise(word, mark) < 0:
            return word.text + mark.text
        following = self.by_order.get(mark.order + 1)
        after = self.words[following] if following is not None else None
        if after is not None and after.text[0] in "/⁄" and abs(after.left - mark.right) < mark.size / 2:
            return f"{word.text} {mark.text}" if mark.text.isdigit() else None  # The upper part of a fraction.
        return raised(word.text, mark.text)

    def _beside(self, mark: Word, number: int, before: bool) -> tuple[int, Word] | None:
        """The nearest larger word that ends where `mark` begins, or begins where it ends."""
        first = bisect_left(self.bases, mark.base + _LOWERED[0] * _LARGER * mark.size)
        last = bisect_right(self.bases, mark.base + _RAISED[1] * _LARGER * mark.size)
        best: tuple[float, int, Word] | None = None
        for at in self.down[first : min(last, first + _LOOKED_AT)]:
            word = self.words[at]
            if word is None or at == number or mark.size >= word.size * _SMALLER:
                continue
            gap = mark.left - word.right if before else word.left - mark.right
            if not _BESIDE[0] <= gap / word.size <= _BESIDE[1]:
                continue
            rise = _rise(word, mark)
            moved = _RAISED[0] <= rise <= _RAISED[1] or _LOWERED[0] <= rise <= _LOWERED[1]
            if moved and (best is None or abs(gap) < best[0]):
                best = abs(gap), at, word
        return best[1:] if best else None


def _rise(word: Word, mark: Word) -> float:
    return (word.base - mark.base) / word.size


def raised(before: str, mark: str) -> str | None:
    """What stands for `mark` raised after `before`, None if it stands alone.

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
