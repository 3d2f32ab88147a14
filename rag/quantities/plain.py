"""A text -> the same as people type it, and whether it is English."""

import re
import unicodedata
from collections.abc import Sequence

TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-"})
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


_ENGLISH = frozenset(
    """the a an of and to in is are was were has have had be been for on at by with from as that this these it its
    he she they his her their not or but who which will can may more than there""".split()  # noqa: SIM905
)
_ENOUGH = 8
"""Words of which in English one is among these."""
_LETTERS = re.compile(r"[^\W\d_]+")


def is_english(text: str) -> bool:
    """Whether some words of `text` may be English: no number in words is overlooked."""
    words = _LETTERS.findall(text)
    return bool(_common(words)) or (len(words) < _ENOUGH and "".join(words).isascii())


def is_mostly_english(text: str) -> bool:
    """Whether the commonest English words are as many in `text` as in English."""
    words = _LETTERS.findall(text)
    return _common(words) > len(words) / _ENOUGH


def _common(words: Sequence[str]) -> int:
    return sum(word.lower() in _ENGLISH for word in words)
