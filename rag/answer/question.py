"""A question as typed -> what it stands for by itself; the kinds of questions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from rag.bounds import QUESTION
from rag.documents.splitter import sentence_spans
from rag.documents.text import clean
from rag.replies import ABSTENTIONS, NEAREST_REPLIES

# What it leans on

_POINTS = re.compile(
    r"\b(?:(he|him|his|she|her|hers|it|its|they|them|their|theirs)|this|these|those|former|latter|else)\b|\bthat\W*$",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"^\W*+(and|but|so|or|then|also|what about|how about)\b", re.IGNORECASE)
_SAYS_THE_TEXT = re.compile(
    r"\b(this|the) (article|document|text|page|book|report|story|paper|passage)s?\b", re.IGNORECASE
)
_NAME = re.compile(r"(?<!^)(?<![.!?]\s)\b[A-Z][\w'-]+")
_WORD = re.compile(r"[\w']+")
SAYS_NOTHING = frozenset(
    """a an the who whom whose what when where why how which since until is are was were be been do does did done has
    have had will would can could should may might not so too much many more long often old far big again ever then
    there here and or of in on at to for by with from if i you we me us my your our any some yes no please tell say
    says said really exactly happened happens""".split()  # noqa: SIM905
)
"""Words of which a question may be made without naming anything."""
_GREETS = frozenset(
    "hello hallo hi hey howdy greetings morning afternoon evening bye goodbye thanks thank thx cheers ok okay".split()  # noqa: SIM905
)
_WITH_GREETINGS = frozenset("good again there all everyone you very so much a lot great nice cool bot chatbot".split())  # noqa: SIM905
_LONGEST_ANSWER = 300
"""Characters of the earlier answer's first sentence."""
_READ = 1_000
"""Characters of the earlier answer that are looked through for it."""


@dataclass(frozen=True)
class Wording:
    """A question as typed, and the turn it leans on, empty if it stands alone."""

    typed: str
    earlier: str

    @property
    def searched(self) -> str:
        """The question that stands alone."""
        return f"{self.earlier} {self.typed}".strip()

    @property
    def asked(self) -> str:
        """The same for a model. Models would also answer an earlier question placed first."""
        return f"{self.typed} (This was asked after: {self.earlier})" if self.earlier else self.typed


def stand_alone(question: str, history: Sequence[tuple[str, str]]) -> tuple[Wording, str]:
    """The question's wording, and the other one to search by.

    It is searched both ways, with the turn before and without, because what it leans on
    cannot always be told from its words.
    """
    wording = Wording(question, last_turn(history) if points_back(question) else "")
    return wording, question if wording.earlier else Wording(question, last_turn(history)).searched


def points_back(question: str) -> bool:
    """Whether the question leans on what was said before, by its words alone.

    It does if it goes on with "And …", names nothing at all ("Since when?"), or has a
    pronoun that no name before it in the same question can be meant by. The text itself
    ("this article") is not something said before.
    """
    asked = _SAYS_THE_TEXT.sub(" ", question)
    if _GOES_ON.search(asked):
        return True
    name = _NAME.search(asked)
    named = name.start() + 2 if name else len(asked)
    if any(not pronoun[1] or pronoun.start() < named for pronoun in _POINTS.finditer(asked)):
        return True
    return all(word in SAYS_NOTHING for word in _WORD.findall(asked.lower()))


def last_turn(history: Sequence[tuple[str, str]]) -> str:
    """The last question that was answered and its answer's first sentence, or nothing."""
    for question, answer in reversed(history):
        asked, said = clean(question[:QUESTION]).strip(), clean(answer[:_READ]).strip()
        if said in ABSTENTIONS or is_greeting(asked):
            continue
        said = next((said.removeprefix(one) for one in NEAREST_REPLIES if said.startswith(one)), said)
        first = next((said[span.start : span.end] for span in sentence_spans(said)), "").strip(" “”")
        return f"{asked} {first if len(first) <= _LONGEST_ANSWER else ''}".strip()
    return ""


def is_greeting(question: str) -> bool:
    """Whether it is nothing but English words of greeting, thanks or parting."""
    words = set(_WORD.findall(question.lower()))
    return bool(words & _GREETS) and words <= _GREETS | _WITH_GREETINGS


# Its kind


class Kind(Enum):
    """What a right answer is made of."""

    FACT = "fact"
    YES_NO = "yes or no"
    LIST = "list"
    COMPARISON = "comparison"
    QUOTATION = "quotation"
    SUMMARY = "summary"
    SEVERAL = "several"
    """Several questions at once."""


def is_choice(question: str) -> bool:
    """Whether it names what to choose from."""
    return "or" in _WORD.findall(question.lower())
