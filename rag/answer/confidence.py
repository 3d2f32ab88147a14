"""The probability that the documents answer: signals, and the fitted model that combines them."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from typing import Self

from langchain_core.messages import BaseMessage

from rag.answer.context import Context
from rag.answer.prompts import NOT_STATED

SIGNALS = ("evidence", "stated")
"""What the confidence is made of: the log-odds that the likeliest sentence answers, as the reranker sees it, and those
that the text does, by the first word of the chat model."""
_LEAST, _MOST = -3.0, 4.0
"""Beyond these the reranker's log-odds say nothing more: it misses what is worded in another way."""
UNHELD = 0.5
"""What is left of the confidence if the answer that was written does not hold, or declines."""
NEAR = 0.4
"""Below this share of the threshold the documents do not answer; above it, the nearest sentences may."""
_TYPICAL = 0.9
"""The probability that the text answers, from a model that gives none."""
_AROUND = " \n\t\"'“”‘’*_#`>"
"""Signs that a model may put before its first word."""
_LOOKED_AT = 200
"""Characters of a reply, and of each of its pieces, in which its first word is looked for."""
_PIECES = 50
"""Of a stream that says nothing, so many pieces are waited for."""
_LONGEST_TOKEN = 100
"""Characters."""

_REFUSAL = NOT_STATED.rstrip(".").lower()
_FIRST_WORD = _REFUSAL.split()[0]

# An answer declines if it says one of these:
#   it does not know; it cannot answer or determine it; the context (text, article, passage ...) does not mention
#   it; it is not mentioned (in the context, or at the end of a sentence); there is no information about it; it is
#   unclear. That somebody in the text gave no details is an answer.
_TEXTS = r"(?:context|text|article|passage|document|information|excerpt)s?"
_TELL = (
    r"(?:mention|provide|specif(?:y|ied)|contain|state|say|include|give|given|indicate|address|discuss|disclose)"
    r"(?:e?d)?"
)
_ADVERB = r"(?:\w+ly )?"
_DECLINES = re.compile(
    rf"\b(?:do not|don't) {_ADVERB}(?:know\b|have (?:\w+ ){{0,6}}(?:information|context|details)\b)"
    rf"|\b(?:cannot|can't|can not|unable to|not able to|impossible to) (?:be )?{_ADVERB}(?:answer|determine)"
    rf"|\b{_TEXTS}\b(?: \w+){{0,3}} (?:does not|doesn't|do not|don't) {_ADVERB}{_TELL}\b"
    rf"|\b(?:is|are) not {_ADVERB}{_TELL}(?: (?:in|by|within) (?:the |this )?(?:\w+ ){{0,2}}{_TEXTS}\b|\s*(?:[.;]|$))"
    rf"|(?:^|[.;:] |\bthere (?:is|are) |\b{_TEXTS}\b(?: \w+){{0,3}} )"
    rf"no {_ADVERB}(?:specific |explicit |direct )?(?:information|mention|details?)\b"
    rf"|(?:^|[.!?] ){_REFUSAL}\b"
    r"|\bi(?:'m| am) not sure\b|\bit(?:'s| is) (?:unclear|not clear)\b"
)


@dataclass(frozen=True)
class Confidence:
    """A logistic model: a bias, and a weight for each signal, in log-odds."""

    bias: float
    weights: Mapping[str, float]

    @classmethod
    def shipped(cls) -> Self:
        """The model fitted by `python -m eval fit`.

        It is kept in rag/answer/confidence.json, with the sets it was fitted to and how good it is on questions
        that it had not seen.
        """
        values = json.loads(files("rag.answer").joinpath("confidence.json").read_text(encoding="utf-8"))
        return cls(values["bias"], values["weights"])

    def probability(self, signals: Mapping[str, float]) -> float:
        """The probability (0..1) that the documents answer; `signals` may hold others as well."""
        return _logistic(self.bias + sum(weight * signals[name] for name, weight in self.weights.items()))


def declines(answer: str) -> bool:
    """Whether the model itself says that the text does not answer."""
    return bool(_DECLINES.search(answer.replace("’", "'").lower()))


def opening(pieces: Iterator[BaseMessage]) -> tuple[list[BaseMessage], float]:
    """The first pieces of a stream, and the probability that the text answers.

    It is the probability that the model does not begin with NOT_STATED; a typical one if it gives none.
    """
    read: list[BaseMessage] = []
    said = ""
    stated = None
    for piece in islice(pieces, _PIECES):
        read.append(piece)
        said += str(piece.text)[:_LOOKED_AT]
        begun = _begun(said)
        if begun and stated is None:
            stated = _stated(piece)
        if (begun and not _REFUSAL.startswith(begun)) or len(said) >= _LOOKED_AT:
            break
    if refuses(read):
        return read, min(1 - _TYPICAL, 1.0 if stated is None else stated)
    return read, _TYPICAL if stated is None else stated


def refuses(read: Sequence[BaseMessage]) -> bool:
    """Whether what was said begins with NOT_STATED."""
    return _begun("".join(str(piece.text)[:_LOOKED_AT] for piece in read)).startswith(_REFUSAL)


def _begun(said: str) -> str:
    return said.strip(_AROUND).lower()


def _stated(piece: BaseMessage) -> float | None:
    """How probable it is that this first word does not refuse, if that is told."""
    match piece.response_metadata:
        case {"logprobs": {"content": [{"top_logprobs": list(likely)}, *_]}} if known := list(_scored(likely)):
            first = (math.exp(chance) for token, chance in known if token.strip().lower() == _FIRST_WORD)
            return 1 - min(1.0, sum(first))
    return None


def _scored(tokens: Sequence[object]) -> Iterator[tuple[str, float]]:
    """The tokens with their log-probabilities, as far as they are given as OpenAI does."""
    for token in tokens:
        match token:
            case {"token": str(text), "logprob": int() | float() as chance} if math.isfinite(chance):
                yield text[:_LONGEST_TOKEN], min(0.0, chance)


def evidence_of(context: Context) -> float:
    """The signal "evidence"."""
    best = context.ranked[0].score if context.ranked else _LEAST
    return max(_LEAST, min(_MOST, best))


def log_odds(probability: float) -> float:
    """Of a probability (0..1), kept within ±7."""
    return math.log((probability + 0.001) / (1.001 - probability))


def _logistic(score: float) -> float:
    return 1.0 / (1.0 + math.exp(-score)) if score >= 0 else 1.0 - _logistic(-score)
