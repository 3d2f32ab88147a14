"""How long a summary is to be, by the question's words."""

import re
from dataclasses import dataclass

from rag.answer.sections import COUNTED

_UNITS = r"(?P<sentences>sentence|line)|(?P<points>(?:bullet[ -]?)?point|bullet|item|takeaway)|(?P<words>word)"
_ASKED = re.compile(
    rf"(?<![\w.,])(?P<number>\d{{1,4}}|an?|a few|few|some|a couple of|several|{'|'.join(COUNTED)})[ -]{{1,3}}"
    rf"(?:(?:short|brief|complete|full|simple|main|key|bullet|most important|more|or so)[ -]{{1,3}}){{0,2}}"
    rf"(?:{_UNITS}|(?P<paragraphs>paragraph))s?\b",
    re.IGNORECASE,
)
_POINTS = re.compile(r"\bbullet(?:s|[ -]points?)?\b", re.IGNORECASE)
_SHORT = re.compile(
    r"\b(?:brief(?:ly)?|short(?! stor)(?:ly)?|concise(?:ly)?|quick(?:ly)?|nutshell|tl;?dr|gist|bottom line)\b",
    re.IGNORECASE,
)
_LONG = re.compile(
    r"\b(?:detail(?:s|ed)?|depth|thorough(?:ly)?|comprehensive(?:ly)?|at length|extensive(?:ly)?)\b", re.IGNORECASE
)
_VAGUE = {"a": 1, "an": 1, "a few": 3, "few": 3, "some": 4, "a couple of": 2, "several": 5}
_USUAL, _MANY = 5, 12
_IN_A_PARAGRAPH = 4
_WORDS_OF_A_SENTENCE = 20
_MOST = 40
"""Sentences; no more are chosen, whatever is asked for."""


@dataclass(frozen=True)
class Length:
    """The sentences to choose, and how a model is told: "Answer …".

    `words` is the most that is asked for, None if the question counts something else or nothing.
    """

    sentences: int
    words: int | None
    wording: str


_SHORTLY = Length(2, None, "in one or two complete sentences")


def length_asked(question: str) -> Length:
    """The length that a question asks for, three to five sentences if none."""
    found = _ASKED.search(question)
    number = max(1, _number(found["number"])) if found else 0
    if not found:
        return _told(question)
    if found["words"] and found["number"].lower() in _VAGUE:
        return _SHORTLY
    if found["words"]:
        return Length(_at_most(round(number / _WORDS_OF_A_SENTENCE)), number, f"in at most {number} words")
    if found["paragraphs"]:
        each = f"of about four complete sentences{' each' if number > 1 else ''}"
        return Length(_at_most(number * _IN_A_PARAGRAPH), None, f"in {_so_many(number, 'paragraph')} {each}")
    if found["points"]:
        return _points(number)
    return Length(_at_most(number), None, f"in {_so_many(number, 'complete sentence')}")


def _told(question: str) -> Length:
    if _POINTS.search(question):
        return _points(_USUAL)
    if _LONG.search(question):
        return Length(_MANY, None, "in ten to twelve complete sentences")
    if _SHORT.search(question):
        return _SHORTLY
    return Length(_USUAL, None, "in three to five complete sentences")


def _points(number: int) -> Length:
    what = _so_many(number, "bullet point")
    return Length(_at_most(number), None, f"in {what}, each a complete sentence on a line of its own")


def _number(named: str) -> int:
    low = " ".join(named.lower().split())
    if low in COUNTED:
        return COUNTED.index(low) + 1
    return int(low) if low.isdigit() else _VAGUE[low]


def _so_many(number: int, what: str) -> str:
    name = COUNTED[number - 1] if number <= len(COUNTED) else str(number)
    return f"{name} {what}{'s' if number > 1 else ''}"


def _at_most(sentences: int) -> int:
    return min(max(1, sentences), _MOST)
