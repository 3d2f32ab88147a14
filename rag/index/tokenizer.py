"""A text -> the terms by which it is found: stems, numbers, identifiers."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import Stemmer

STEMMERS = {
    "ar": "arabic", "hy": "armenian", "eu": "basque", "ca": "catalan", "da": "danish", "nl": "dutch", "en": "english",
    "eo": "esperanto", "et": "estonian", "fi": "finnish", "fr": "french", "de": "german", "el": "greek", "hi": "hindi",
    "hu": "hungarian", "id": "indonesian", "ga": "irish", "it": "italian", "lt": "lithuanian", "ne": "nepali",
    "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "es": "spanish", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
"""The Snowball stemmer for each language that has one; words of others stay as they are."""
_STOP_WORDS = frozenset(
    """a an and are as at be but by for if in into is it no not of on or such that the their then there these
    they this to was will with""".split()  # noqa: SIM905
)
"""Lucene's list for English."""
_PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "‐": "-", "‑": "-", "–": "-", "−": "-", "\xa0": "\u202f", "\u2009": "\u202f"}
)
"""One sign for all that look like it; before NFKC, which makes blanks of those that divide numbers."""
_GROUPED = re.compile(r"(?<=\d)[\u202f'](?=\d{3}(?!\d))")
_UNDIVIDED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003134f"
)
"""Thai, Lao, Burmese, Khmer, Kana, Han and Hangul, whose words are not (or not enough) divided by blanks."""
_TOKEN = re.compile(rf"[{_UNDIVIDED}]+|[^\W_{_UNDIVIDED}]+(?:[-._:/@&',][^\W_{_UNDIVIDED}]+)*(?:\+\+|#)?")
_NOT_DIVIDED = re.compile(f"[{_UNDIVIDED}]")
_PART = re.compile(r"[^\W_]+")
_RUN = re.compile(r"\d{2,}|[^\W\d_]{2,}")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_BY_COMMAS = re.compile(r"\A\d{1,3}(?:,\d{3})+(?:\.\d+)?\Z")
_BY_POINTS = re.compile(r"\A\d{1,3}(?:\.\d{3})+(?:,\d+)?\Z")
_ACCENT = re.compile(r"[\u0300-\u036f]")
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u06d6-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\ufe20-\ufe2f"
)
_TOO_MANY_MARKS = re.compile(f"([{_MARKS}]{{8}})[{_MARKS}]+")
"""To sort a run of them takes the square of its length."""
_LONGEST = 64
"""Characters of an identifier that is found as a whole."""
_REMEMBERED = 50_000
"""Words whose stems are kept in memory: most of a text are among them."""


def tokenize(text: str, *languages: str) -> list[str]:
    """The terms of `text`, in order, stemmed as in each of the languages.

    Without any it is English.

    What the eye does not tell apart is one term (NFKC, accents, typographic signs). Numbers are
    spelt by their value ("1,850" as 1850); an identifier is found as a whole, without its
    hyphens, and by its parts ("E-4012" by e4012 and 4012); scripts without blanks are cut
    into pairs of letters, as in Lucene's CJKBigramFilter.
    """
    languages = languages or ("en",)
    plain = unicodedata.normalize("NFKC", _TOO_MANY_MARKS.sub(r"\1", _GROUPED.sub(",", text.translate(_PLAIN))))
    terms: list[str] = []
    for match in _TOKEN.finditer(plain):
        token = match[0]
        if token.isalpha() and token.isascii() and len(token) > 1:
            terms += _word(token, languages)
        elif _NUMBER.fullmatch(token):
            terms += _number(token)
        elif _NOT_DIVIDED.match(token):
            terms += _pairs(token)
        else:
            terms += _compound(token, languages, _opens(plain, match.start()))
    return terms


@lru_cache(_REMEMBERED)
def _word(word: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    """Its stems, without accents; none of a stop word, unless it is an acronym ("IT")."""
    lowered = word.casefold()
    if lowered in _STOP_WORDS:
        return (lowered,) if word.isupper() and len(word) > 1 else ()
    stems = [Stemmer.Stemmer(STEMMERS[code]).stemWord(lowered) for code in languages if code in STEMMERS] or [lowered]
    return tuple(dict.fromkeys(map(_unaccented, stems)))


def _unaccented(word: str) -> str:
    return word if word.isascii() else _ACCENT.sub("", unicodedata.normalize("NFKD", word))


def _number(number: str) -> list[str]:
    """As it is written, and by its value.

    "14.50" also as 14.5, "07" as 7, "1.850" as 1850.

    Of numbers of one value the one that is written alike shares more terms, so it is found first.
    """
    if _BY_COMMAS.match(number):
        readings = [number.replace(",", "")]
    elif _BY_POINTS.match(number):
        readings = [number.replace(".", "").replace(",", ".")]
        readings += [number] if number.count(".") == 1 and "," not in number else []
    else:
        readings = [number.replace(",", ".")]
    values = [one.rstrip("0").rstrip(".") if one.count(".") == 1 else one.lstrip("0") or "0" for one in readings]
    return [readings[-1], *values] if readings != values or "." in number else values


def _pairs(run: str) -> list[str]:
    return [run] if len(run) == 1 else [first + second for first, second in pairwise(run)]


def _compound(token: str, languages: tuple[str, ...], opens: bool) -> Iterator[str]:
    """An identifier, or several words that are joined by hyphens, or a single letter."""
    parts = _PART.findall(token)
    for part in parts:
        if len(part) > 1 and part.isalpha():
            yield from _word(part, languages)
        elif part.isdigit():
            yield from _number(part)
        elif len(part) > 1:
            yield part.casefold()
            yield from (run for run in _RUN.findall(part.casefold()) if run != part)
        elif len(parts) == 1 and not (part in "ai" or (part in "AI" and opens)):
            yield part.casefold()
    joined = "".join(parts).casefold()
    if len(parts) > 1 and "'" not in token and len(joined) <= _LONGEST:
        yield _unaccented(joined)
    if token[-1] in "+#":
        yield token.casefold()


def _opens(text: str, start: int) -> bool:
    """Whether a sentence begins at `start`: there "A" is no name."""
    return text[max(0, start - 20) : start].rstrip(" *_\"'(")[-1:] in {"", ".", "!", "?", ":", "\n"}
