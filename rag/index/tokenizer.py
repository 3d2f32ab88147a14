"""A text -> the stems by which it is found, without English stop words."""

import re

import Stemmer

_WORD = re.compile(r"[^\W_]{2,}")
_STOP_WORDS = frozenset(
    """a an and are as at be but by for if in into is it no not of on or such that the their then there these
    they this to was will with""".split()  # noqa: SIM905
)
"""Lucene's list for English."""


def tokenize(text: str) -> list[str]:
    """The stems of the words of two or more letters, in order (Snowball's English)."""
    words = [word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS]
    stems: list[str] = Stemmer.Stemmer("english").stemWords(words)  # A stemmer cannot be shared between threads.
    return stems
