"""A question as typed -> what it stands for by itself, and its kind."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from rag.bounds import QUESTION
from rag.documents.splitter import sentence_spans
from rag.documents.text import clean
from rag.types import ABSTENTION

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
_SAYS_NOTHING = frozenset(
    """a an the who whom whose what when where why how which since until is are was were be been do does did done has
    have had will would can could should may might not so too much many more long often old far big again ever then
    there here and or of in on at to for by with from if i you we me us my your our any some yes no please tell say
    says said really exactly happened happens""".split()  # noqa: SIM905
)
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
    return all(word in _SAYS_NOTHING for word in _WORD.findall(asked.lower()))


def last_turn(history: Sequence[tuple[str, str]]) -> str:
    """The question before and the first sentence of its answer; empty without a history."""
    if not history:
        return ""
    asked, said = (text.strip() for text in history[-1])
    said = clean(said[:_READ])
    first = next((said[span.start : span.end] for span in sentence_spans(said)), "")
    answered = first if first != ABSTENTION and len(first) <= _LONGEST_ANSWER else ""
    return f"{clean(asked[:QUESTION]).strip()} {answered}".strip()


# Its kind

_SUMMARY = re.compile(
    r"\b(summari[sz]e[ds]?|(?:a|the|short|brief) summary(?! \w+ment\b)|summary of|overview|gist|tl;?dr|in a nutshell"
    r"|takeaways?)\b"
    r"|^\W*+summary\W*$"
    r"|\b(main|key|central|essential) (points?|ideas?|messages?|elements?|facts|arguments?|themes?|topics?)\b"
    r"|\bwhat (is|are|was|were) (it|this|that|these|they|(the|this|these|that|your) (article|text|document|page|report"
    r"|story|paper|book|file)s?) (all )?about\b",
    re.IGNORECASE,
)
_ABOUT_SOMETHING = re.compile(r"\b(?:of|in|on|about|from|for|behind)\s+(.+)", re.IGNORECASE | re.DOTALL)
_SUMMARISE = re.compile(r"summari[sz]e", re.IGNORECASE)
_HOW_LONG = re.compile(
    r"(?:(?:,|(?<!\s))\s+(?:(?:in|for|within|using|with|as)\s+(?:me|us|general|short|brief"
    r"|(?:(?:about|just|only|at most)\s+)?(?:\d+|an?|one|two|three|four|five|six|ten|a few|few|some|simple|plain)"
    r"\s+(?:\w{1,40}\s+)?\w{1,40})|briefly|shortly|quickly|please)){1,3}\W*$",
    re.IGNORECASE,
)
"""At most three, because "in 5 words briefly" can be read as one and as two, and so can each further one."""
_THE_TEXT = re.compile(
    r"^\W*+(?:(?:it|this|that|them|these|all|everything|here)\b|(?:the|this|these|that|your|my)\s+(?:\w+\s+)?"
    r"(?:article|text|document|page|report|story|paper|book|file|passage|content|thing)s?\b)\W*$",
    re.IGNORECASE,
)
_QUOTATION = re.compile(
    r"\b(?:exact(?:ly)?|literally|verbatim|word for word|quote[ds]?|(?:exact|own|very) words|wording)\b.*"
    r"|\bhow (?:exactly )?(?:did|does) .{1,60} (?:put|phrase|word) it\b",
    re.IGNORECASE,
)
_SAYS = re.compile(
    r"\b(?:sa(?:y|id|ys)|stated?|words?|put|phrase[ds]?|wording|quot\w+|told|call(?:ed)? (?:it|him|her|them|the))\b"
)
_LIST = re.compile(
    r"\b(?:list|name|enumerate|give) (?:me )?(?:all|every|each|the|some|\w+ (?:of|examples))\b"
    r"|\b(?:what|which) (?:\w+ ){0,3}?(?:are|were) (?:all )?(?:the|its|his|her|their|some) (?:\w+ ){0,3}?\w+s\b"
    r"|\b(?:what|which) (?!is\b|was\b|does\b|has\b)(?:\w+ ){0,2}?\w+[^s\W]s "
    r"(?:are|were|did|do|have|had|can|could|will)\b",
    re.IGNORECASE,
)
_COMPARISON = re.compile(
    r"^(?>.*?\bhow ).*\bdiffer(?:s|ed)?\b"
    r"|\b(?:differences?|compar(?:e|es|ed|isons?)|versus|vs|in common|alike|similarities|contrast)\b",
    re.IGNORECASE | re.MULTILINE,
)
_AUXILIARY = (
    r"(?:(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|should|may|might|must)(?:n?['’]t)?"
    r"|won['’]t)"
)
_NO_SUMMARY = re.compile(r"^\W*+(?:who|when|where|why|how (?:many|much|long))\b", re.IGNORECASE)

_YES_NO = re.compile(
    rf"^\W*+(?:(?:and|but|so|then)\s+)?(?!have\s+an?\b|may\s+\d|do\s+(?:not|please|tell|list|name|give|explain|describe)\b)"
    rf"{_AUXILIARY}\s"
    r"(?!you\s+(?:please\s+)?(?:tell|explain|list|give|name|say|summari[sz]e|describe|know|show|find|help|compare)\b"
    r"|I\s+(?:ask|know)\b)",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"\bor\b", re.IGNORECASE)


class Kind(Enum):
    """What a right answer is made of."""

    FACT = "fact"
    YES_NO = "yes or no"
    LIST = "list"
    COMPARISON = "comparison"
    QUOTATION = "quotation"
    SUMMARY = "summary"


def kind_of(question: str) -> Kind:
    """The kind that `question` asks for by its words; a fact if nothing tells.

    A summary is one of the text as a whole; "the main elements of the plan" is a list.
    """
    asked = _HOW_LONG.sub("", question)
    found = list(_SUMMARY.finditer(asked))[-1:]
    if found and not _NO_SUMMARY.match(question):
        rest = asked[found[0].end() :]
        about = _ABOUT_SOMETHING.search(rest)
        of = about[1] if about else rest if _SUMMARISE.fullmatch(found[0][0]) else ""
        return Kind.SUMMARY if not of.strip(" .?!") or _THE_TEXT.match(of) else Kind.LIST
    if _COMPARISON.search(question):
        return Kind.COMPARISON
    if is_yes_no(question):
        return Kind.YES_NO
    if _QUOTATION.search(question) and _SAYS.search(question.lower()):
        return Kind.QUOTATION
    return Kind.LIST if _LIST.search(question) else Kind.FACT


def is_yes_no(question: str) -> bool:
    """Whether Yes or No answers it; neither a choice nor a polite request counts."""
    return bool(_YES_NO.match(question)) and not is_choice(question)


def is_choice(question: str) -> bool:
    """Whether it names what to choose from."""
    return bool(_CHOICE.search(question))
