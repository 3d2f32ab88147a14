"""Who says what in a text, and whether its sources let them."""

import re
from collections.abc import Sequence

from rag.documents.splitter import sentence_spans
from rag.quantities.plain import TYPOGRAPHY

_WORD = re.compile(r"[\w'-]+")
_SAID = (
    r"(?:said|says?|stat(?:ed|es)|told|tells?|add(?:ed|s)|argue[sd]?|claim(?:ed|s)?|insist(?:ed|s)?|warn(?:ed|s)?"
    r"|call(?:ed|s) (?:for|on)|declare[sd]?|announce[sd]?|assert(?:ed|s)?|contend(?:ed|s)?|affirm(?:ed|s)?"
    r"|remark(?:ed|s)?|note[sd]?|explain(?:ed|s)?|emphasi[sz]e[sd]?|stress(?:ed|es)?|reiterate[sd]?|highlight(?:ed|s)?"
    r"|advocate[sd]?|demand(?:ed|s)?|suggest(?:ed|s)?|propose[sd]?|predict(?:ed|s)?|admit(?:ted|s)?|den(?:ied|ies)"
    r"|repl(?:ied|ies)|answer(?:ed|s)|ask(?:ed|s)|wrote|writes|believe[sd]?|complain(?:ed|s)?|conclude[sd]?"
    r"|estimate[sd]?|describe[sd]?|acknowledge[sd]?|express(?:ed|es)?|urge[sd]?|reinforce[sd]?|outline[sd]?)"
)
_CAPITALISED = r"[A-Z](?:'[A-Z])?[\w-]{0,40}+"
_WHOLE_NAME = rf"{_CAPITALISED}(?:(?: (?:of|de|van|von|al|bin|the))? {_CAPITALISED}){{0,6}}+"
_RUN = re.compile(rf"{_CAPITALISED}(?: {_CAPITALISED}){{1,3}}+")
_BETWEEN = r"(?:,(?:[^,.;]{1,60},)?)?(?: (?:\w{1,30}ly|also|has|have|had|further|then|later|again|once|and|both)){0,4}"
_BEFORE_VERB = re.compile(
    rf"(?P<head>\b[\w'-]{{1,40}}+ (?:of|at|in|from|for|with) (?:the )?)?"
    rf"(?P<name>{_WHOLE_NAME}|\b(?:[Hh]e|[Ss]he|[Tt]hey)\b){_BETWEEN} {_SAID}\b"
)
"""With what goes before the name: "researchers at Stanford" are researchers, too.

Without their bounds each beginning in a run of names would read to the end of it.
"""
_AFTER_VERB = re.compile(rf"[\"'] {_SAID} (?:[a-z]+ )?(?P<name>{_WHOLE_NAME})")
_ACCORDING = re.compile(rf"\b[Aa]ccording to (?P<name>{_WHOLE_NAME})")
_PRONOUNS = frozenset({"he", "she", "they"})
_NO_PERSON = frozenset(
    """while despite although though when after before as if but and in on at however the a an it
    this that these those there i we you mr mrs ms dr sir lord
    lady president prime minister chancellor ambassador secretary general king queen pope professor""".split()  # noqa: SIM905
)
_PREPOSITIONS = frozenset({"of", "from", "for", "with"})
_POSSESSIVE = re.compile(r"'s?$")


def speakers(text: str, heads: bool = False) -> list[frozenset[str]]:
    """The words of each speaker's name in `text`; an empty set is a pronoun.

    With `heads` also what they are, if the name only tells of whom or where.
    """
    plain = text.translate(TYPOGRAPHY)
    found = [match for pattern in (_BEFORE_VERB, _AFTER_VERB, _ACCORDING) for match in pattern.finditer(plain)]
    keys = []
    for match in sorted(found, key=lambda match: match.start()):
        key, head = _key(match["name"]), match.groupdict().get("head") or ""
        keys.append(key | _words(head) - _NO_PERSON - _PREPOSITIONS if heads and key else key)
    return keys


def misattributed(text: str, sources: Sequence[tuple[str, str]]) -> bool:
    """Whether `text` says that somebody said what its sources let another say.

    Each source is a sentence and what stands before it in its passage. A named speaker of
    the text must speak in one of them; if a source has a pronoun or no speaker at all,
    the one who spoke last before it counts, or whoever is named in it or in the sentence
    before.
    """
    names = [name for name in speakers(text) if name]
    speaking = [_speaking(*source) for source in sources] if names else []
    return any(not any(name & words for words in speaking) for name in names)


def _speaking(said: str, before: str) -> frozenset[str]:
    """The words of everybody who may be the speaker of `said`."""
    there = speakers(said, heads=True)
    if there and all(there):
        return frozenset().union(*there)
    previous = [before[span.start : span.end] for span in sentence_spans(before)[-1:]]
    earlier = [other for other in speakers(before) if other][-1:]
    return _words(" ".join([said, *previous])).union(*there, *earlier)


def whole_names(read: str, earlier: str) -> list[str]:
    """The whole names in what was read of which `earlier` has one word."""
    words = _words(earlier)
    return [name for name in _RUN.findall(read.translate(TYPOGRAPHY)) if _key(name) & words]


def _key(name: str) -> frozenset[str]:
    """The words that tell a person; none for a pronoun."""
    return _words(name) - _PRONOUNS - _NO_PERSON


def _words(text: str) -> frozenset[str]:
    return frozenset(_POSSESSIVE.sub("", word) for word in _WORD.findall(text.translate(TYPOGRAPHY).lower()))
