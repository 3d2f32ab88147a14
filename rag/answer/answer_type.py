"""What a question asks for, as far as its words tell: the expected answer type (Li and Roth 2002)."""

import re
from enum import Enum
from itertools import pairwise

from rag.answer.evidence import content_words

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
_ASKS = r"(?:who|whom|whose|what|when|where|why|how|which|(?:in|to|with|by|from|for|at) (?:whom|which|what))"
_AUXILIARY = (
    r"(?:(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|should|may|might|must)(?:n?['’]t)?"
    r"|won['’]t)"
)
_DOES = rf"(?:{_AUXILIARY}|\w{{3,}}(?:ed|s))"
_SEVERAL = re.compile(rf"(?:,|(?<!\s))\s+and\s+(?={_ASKS}\b)|(?<=[?])\s+(?=\S)", re.IGNORECASE)
_MOST = 10
"""Questions that are answered one by one; of more at once, they are answered as one."""
_THANKS = re.compile(r"^\W*+(?:thanks|thank you|cheers)\b[^?]*$", re.IGNORECASE)
_WHO = re.compile(r"(?:who|whom|whose|which)\b", re.IGNORECASE)
_RELATIVE = re.compile(rf"\b(?!(?:in|to|with|by|from|for|at|of|on)\b)[\w'-]{{1,40}}+ {_WHO.pattern}", re.IGNORECASE)
_PUTS = re.compile(
    rf"^\W*+(?:(?:and|but|so)\s+)?(?:who\s+\w+\s.|(?:when|where|why)\s+{_DOES}\b.|{_DOES}\s+\S+\s+\S"
    rf"|(?!(?:who|when|where|why)\b){_ASKS}\s+(?:\S+\s+)*?{_DOES}\b.)",
    re.IGNORECASE,
)
_NO_SUMMARY = re.compile(r"^\W*+(?:who|when|where|why|how (?:many|much|long))\b", re.IGNORECASE)

_POLAR = re.compile(
    rf"^\W*+(?:(?:and|but|so|then)\s+)?(?!have\s+an?\b|may\s+\d|do\s+(?:not|please|tell|list|name|give|explain|describe)\b)"
    rf"{_AUXILIARY}\s"
    r"(?!you\s+(?:please\s+)?(?:tell|explain|list|give|name|say|summari[sz]e|describe|know|show|find|help|compare)\b"
    r"|I\s+(?:ask|know)\b)",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"\bor\b", re.IGNORECASE)

_ASKS_AMOUNT = re.compile(
    r"\b(how (many|much|old|long|far|often|big|tall|large)|(what|which) (year|date|age|number))\b|^when\b"
)
_AMOUNT = re.compile(
    r"\d|\b(zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\w+)?|dozens?|hundreds?|thousands?|all|both|most|"
    r"millions?|billions?|first|second|third|fourth|fifth|half|once|twice|none|no|several|many|few|century|decades?|"
    r"hours?|minutes?|seconds?|hourly|daily|weekly|monthly|yearly|annually|morning|noon|evening|night|midnight|ago|"
    r"since|years?|months?|weeks?|days?|today|yesterday|tomorrow|(mon|tues|wednes|thurs|fri|satur|sun)day|january|february|"
    r"march|april|may|june|july|august|september|october|november|december|spring|summer|autumn|winter|before|after|"
    r"during|eve)\b"
)
_ASKS_NAME = re.compile(r"\bnames? of\b|\bwhat (is|was) .{1,40} (named|called)\b")
_NAMED = re.compile(r"(?<=\w\s)[A-Z]\w+|[“\"]")
_ASKED_WORD = re.compile(r"[\w']+")
_ANSWER_WORD = re.compile(r"[\w'.“\"-]+")


class AnswerType(Enum):
    """What a right answer is made of."""

    FACT = "fact"
    POLAR = "yes or no"
    LIST = "list"
    COMPARISON = "comparison"
    QUOTATION = "quotation"
    SUMMARY = "summary"


def answer_type(question: str) -> AnswerType:
    """The type that the words of `question` ask for; a fact where nothing else is told.

    A summary is one of the text as a whole; "the main elements of the plan" is a list.
    """
    asked = _HOW_LONG.sub("", question)
    found = list(_SUMMARY.finditer(asked))[-1:]
    if found and not _NO_SUMMARY.match(question):
        rest = asked[found[0].end() :]
        about = _ABOUT_SOMETHING.search(rest)
        of = about[1] if about else rest if _SUMMARISE.fullmatch(found[0][0]) else ""
        return AnswerType.SUMMARY if not of.strip(" .?!") or _THE_TEXT.match(of) else AnswerType.LIST
    if _COMPARISON.search(question):
        return AnswerType.COMPARISON
    if polar(question):
        return AnswerType.POLAR
    if _QUOTATION.search(question) and _SAYS.search(question.lower()):
        return AnswerType.QUOTATION
    return AnswerType.LIST if _LIST.search(question) else AnswerType.FACT


def parts(question: str) -> list[str]:
    """The questions that `question` puts at once, each as it stands; itself where it is one, or not surely more."""
    cut = [part.strip(" ,;") for part in _SEVERAL.split(question) if part.strip(" ,;") and not _THANKS.match(part)]
    whole = all(_PUTS.match(part) for part in cut) and not any(_goes_on(*two) for two in pairwise(cut))
    if not whole or not 2 <= len(cut) <= _MOST:
        return [question]
    return [f"{part[0].upper()}{part[1:].rstrip(' ?')}?" for part in cut]


def _goes_on(first: str, then: str) -> bool:
    """Whether `then` is a part of what `first` compares, or says more of "the man who founded it"."""
    return bool(_COMPARISON.search(first) or (_RELATIVE.search(first) and _WHO.match(then)))


def mistyped(question: str, answer: str) -> bool:
    """Whether `question` asks for an amount, a time or a name, and `answer` adds none to the question's words."""
    asked = question.lower().replace("’", "'").strip('"“ ')
    known = set(_ASKED_WORD.findall(asked))
    words = _ANSWER_WORD.findall(answer.replace("’", "'"))
    fresh = " ".join(word for word in words if word.lower().strip(".") not in known)
    if _ASKS_AMOUNT.search(asked):
        return not _AMOUNT.search(fresh.lower())
    return bool(_ASKS_NAME.search(asked)) and not _NAMED.search(fresh)


def polar(question: str) -> bool:
    """Whether it is to be answered with Yes or No; neither a polite wish to be told something nor a choice is."""
    return bool(_POLAR.match(question)) and not _CHOICE.search(question)


def circular(question: str, answer: str) -> bool:
    """Whether `answer` has no word of meaning that `question` lacks, though more than a yes or no, or a choice, is
    asked for."""
    said = content_words(answer)
    given = polar(question) or _CHOICE.search(question)
    return bool(said) and not given and said <= content_words(question)
