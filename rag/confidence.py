"""How probable it is that the documents answer the question: signals combined into one number."""

import math
import re
from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.prompt_values import PromptValue

from rag.cite import unfounded
from rag.model import LOGPROBS
from rag.types import Sentence

# An answer declines where it says one of these:
#   it does not know; it cannot answer or determine it; the context (text, article, passage ...) does not mention
#   it; it is not mentioned (in the context, or at the end of a sentence); there is no information about it.
_TEXTS = r"(?:context|text|article|passage|document|information|excerpt)s?"
_TELL = (
    r"(?:mention|provide|specif(?:y|ied)|contain|state|say|include|give|given|indicate|address|discuss|disclose)"
    r"(?:e?d)?"
)
_ADVERB = r"(?:\w+ly )?"
_DECLINES = re.compile(
    rf"\b(?:do not|don't) {_ADVERB}(?:know\b|have (?:\w+ )*(?:information|context|details)\b)"
    rf"|\b(?:cannot|can't|can not|unable to|not able to|impossible to) (?:be )?{_ADVERB}(?:answer|determine)"
    rf"|\b{_TEXTS}\b(?: \w+){{0,3}} (?:does not|doesn't|do not|don't) {_ADVERB}{_TELL}\b"
    rf"|\b(?:is|are) not {_ADVERB}{_TELL}(?: (?:in|by|within) (?:the |this )?(?:\w+ ){{0,2}}{_TEXTS}\b|\s*(?:[.;]|$))"
    rf"|\bno {_ADVERB}(?:specific |explicit |direct )?(?:information|mention|details?)\b",
    re.IGNORECASE,
)

_ASKS_AMOUNT = re.compile(
    r"\b(how (many|much|old|long|far|often|big|tall|large)|(what|which) (year|date|age|number))\b|^when\b"
)
_AMOUNT = re.compile(
    r"\d|\b(zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|hundreds?|thousands?|"
    r"millions?|billions?|first|second|third|fourth|fifth|half|once|twice|none|no|several|many|few|century|decades?|"
    r"years?|months?|weeks?|days?|today|yesterday|tomorrow|(mon|tues|wednes|thurs|fri|satur|sun)day|january|february|"
    r"march|april|may|june|july|august|september|october|november|december|spring|summer|autumn|winter|before|after|"
    r"during|eve)\b"
)
_ASKS_NAME = re.compile(r"\bnames? of\b|\bwhat (is|was) .{1,40} (named|called)\b")
_NAMED = re.compile(r"(?<=\w\s)[A-Z]\w+|[“\"]")

# The first three and the bias are near a logistic regression on 60 of the questions in eval/;
# the last two were set by hand, because too few of those questions show them.
_WEIGHTS = (1.0, 1.1, 0.5, 1.0, 3.0)
_BIAS = -2.5
_TYPICAL = 0.9
"""The Yes that a right answer gets after it is written."""


def declines(answer: str) -> bool:
    """Whether the model itself says that the text does not answer."""
    return bool(_DECLINES.search(answer.replace("’", "'")))


def yes_probability(model: BaseChatModel, prompt: PromptValue) -> float:
    """The probability of Yes against No as the model's next word; 1 or 0 from a model without log-probabilities."""
    options: dict[str, Any] = {"max_tokens": 1, "logprobs": True, "top_logprobs": 10}
    said = model.invoke(prompt, **(options if LOGPROBS in (model.tags or []) else {}))
    content = (said.response_metadata.get("logprobs") or {}).get("content") or []
    if not content:
        return 0.0 if str(said.text).strip().lower().startswith("no") else 1.0
    sums = {"yes": 1e-9, "no": 1e-9}
    for token in content[0]["top_logprobs"]:
        word = token["token"].strip().lower()
        if word in sums:
            sums[word] += math.exp(token["logprob"])
    if max(sums.values()) < 0.001:  # It would have said something else, a thought perhaps: no evidence either way.
        return _TYPICAL
    return sums["yes"] / (sums["yes"] + sums["no"])


def mistyped(question: str, answer: str) -> bool:
    """Whether the question asks for an amount, a time or a name, and the answer adds none to the question's words.

    The expected answer type (Li and Roth 2002), kept to what can be told from the words.
    """
    asked = question.lower().replace("’", "'").strip('"“ ')
    known = set(re.findall(r"[\w']+", asked))
    words = re.findall(r"[\w'.“\"-]+", answer.replace("’", "'"))
    fresh = " ".join(word for word in words if word.lower().strip(".") not in known)
    if _ASKS_AMOUNT.search(asked):
        return not _AMOUNT.search(fresh.lower())
    return bool(_ASKS_NAME.search(asked)) and not _NAMED.search(fresh)


def estimate(
    question: str, stated: float, confirmed: float, answer: str, sentences: Sequence[Sentence], text: str
) -> float:
    """The probability (0..1) that the documents answer `question` and that `answer` is that answer.

    A logistic model of five signals: the log-odds of the model's Yes before it
    answered (`stated`) and after (`confirmed`), the share of supported sentences, whether
    the question names what the `text` that was read does not, and whether the answer has
    the type asked for.
    """
    signals = (
        _log_odds(stated),
        _log_odds(confirmed),
        sum(sentence.supported for sentence in sentences) / max(1, len(sentences)),
        -float(bool(unfounded(question, text))),
        -float(mistyped(question, answer)),
    )
    return _logistic(sum(weight * signal for weight, signal in zip(_WEIGHTS, signals, strict=True)) + _BIAS)


def outlook(question: str, stated: float, text: str) -> float:
    """The confidence that a supported, confirmed answer would have: where it is too low, none needs to be written."""
    return estimate(question, stated, _TYPICAL, f"0 “{question}”", (Sentence("", (), supported=True),), text)


def _log_odds(probability: float) -> float:
    return math.log((probability + 0.001) / (1.001 - probability))


def _logistic(score: float) -> float:
    return 1.0 / (1.0 + math.exp(-score))
