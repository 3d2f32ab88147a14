"""What makes a sentence of an answer unsupported: its names, numbers, quotations, negations and speakers."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from rag.answer.evidence import TYPOGRAPHY, SourceSentence, content_words
from rag.answer.links import addresses
from rag.documents.splitter import sentence_spans

_COVERED = 0.5
"""Share of the sentence's content words that its sources (or the question) must hold."""
_ALIKE = 0.65
"""Cosine of the sentence and its best source, and the share of its content words there, added: at least this."""
_NAME = re.compile(r"^[A-Z][\w'-]+(?= [A-Z])|(?<![a-z]{3}[.!?]\s)(?<!^)(?<![\"“”'‘’(])\b[A-Z][\w’'-]+")
"""Not where a sentence begins, but after "Mr." and an initial."""
_OPENERS = frozenset(
    """both while although though despite since when after before because as if whether only even also still then
    who whom whose what which where why how do does did can could will would shall should may might must
    is are was were has have had""".split()  # noqa: SIM905
)
"""No names where a sentence begins with them, though "Will" and "May" are elsewhere."""
_ENDINGS = frozenset(
    """s e es a as i is y ies n ns an ans ian ians ia ias ese ish ic ics al als ial ity er ers or ors ry ary ies
    ed d ing ment ments ion ions ist ists ism""".split()  # noqa: SIM905
) | {""}
_LONGEST_ENDING = max(map(len, _ENDINGS))
_STEM = 5
"""Letters that two words have in common at least if only their endings differ."""
_WORD = re.compile(r"[\w'-]+")
_PART = re.compile(r"\w+")
"""Of a word with hyphens, or in the possessive."""
_ABBREVIATED = re.compile(r"\b(?:[a-z]\.){2,}")
_NUMBER = re.compile(r"(?<!\w)(?:\d[\d.,]*\d|\d)")
"""Not a part of a name, such as O2 or D20."""
_NEGATED = re.compile(r"\b(?:not|cannot|no|never|neither|nor|without|nobody|none|nothing|nowhere)\b|n't\b")
_DENIES = re.compile(r"\b(?:dismiss|reject|refus|den[yi]|rul\w+ out|fail|lack)")
_REACH = 8
"""Words after a negation that it is taken to negate."""
_FAR = 200
"""Characters in which they are looked for."""
OPENING = re.compile(r"^(yes|no)\b(?:[.,:;!–—]+|\s+[-–—]+|$)\s*", re.IGNORECASE)
"""A Yes or a No, only with a mark after it: "No one came" begins with neither."""
_LONGER_BEFORE = re.compile(r"[\w.,]")
_LONGER_AFTER = re.compile(r"\w|[.,]\d")
_QUOTED = re.compile(r"[“\"]([^“”\"]{3,})[”\"]")
_MANY = 200
"""Quotations and addresses that are looked for in a text; further ones are taken for unfounded."""
_NAMED = 5
"""Words that a reason names."""


def why_unsupported(
    text: str, question: str, sources: Sequence[SourceSentence], alike: float, strange: Sequence[str], read: str = ""
) -> str:
    """Why `sources` do not say the sentence `text` of an answer; empty if they do.

    `alike` is the cosine of the sentence and its best source plus the share of its content words there (0..2);
    `strange` are the names, numbers and quotations of the question that nothing of what was read holds; `read` are
    the passages of all that was read.
    """
    words, asked = content_words(text), content_words(question)
    held = frozenset[str]().union(*(source.words for source in sources))
    if not sources or alike < _ALIKE:
        return "No sentence of the documents is like it."
    # What only repeats the question, a Yes for instance, must be in the sources itself.
    stated = OPENING.sub("", text)
    own = content_words(stated)
    missing = words - held - asked if own - asked else own - held
    if len(missing) > (1 - _COVERED) * len(own):
        lacking = [word for word in _WORD.findall(text) if content_words(word) & missing]
        return f"Its sources lack {_listed(lacking)}."
    # A name of the question, or of what stands before, may stand for the source's "he", but the question's not be put
    # into a text that lacks it. A number may not: it can be the year of something else, or of the answer before.
    said, plain = " ".join(source.text for source in sources), _plain(text)
    earlier = " ".join([*(source.before for source in sources), said])
    unknown = unfounded(text, " ".join([earlier, *_whole_names(read, earlier), question])) or sorted(
        _numbers(plain) - _numbers(_plain(said))
    )
    if unknown := unknown or [one for one in strange if _occurs(one, plain)]:
        return f"The documents lack {_listed(unknown)}."
    if any(contradicts(stated, source.text) or contradicts(source.text, stated) for source in sources):
        return "A source says the opposite."
    if misattributed(text, [(source.text, source.before) for source in sources]):
        return "A source lets somebody else say it."
    return ""


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"“{word}”" for word in list(words)[:_NAMED])


def contradicts(text: str, source: str) -> bool:
    """Whether `source` negates half of the words that `text` affirms, at least two."""
    if denies(text):
        return False
    said, plain = content_words(text), _plain(source).lower()
    afterwards = (plain[match.end() : match.end() + _FAR] for match in _NEGATED.finditer(plain))
    negated = (" ".join(words.split()[:_REACH]) for words in afterwards)
    return any(len(content_words(words) & said) >= max(2, len(said) / 2) for words in negated)


def denies(text: str) -> bool:
    """Whether `text` negates, rejects or refuses something."""
    plain = _plain(text).lower()
    return bool(_NEGATED.search(plain) or _DENIES.search(plain))


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text))


def _whole_names(read: str, earlier: str) -> list[str]:
    """The whole names in what was read of which `earlier` has one word."""
    words = _words(earlier)
    return [name for name in _RUN.findall(read.translate(TYPOGRAPHY)) if _key(name) & words]


def _occurs(one: str, text: str) -> bool:
    """Whether it is there, as no part of a longer word or number."""
    at = text.find(one)
    while at >= 0:
        if not (at and _LONGER_BEFORE.match(text, at - 1)) and not _LONGER_AFTER.match(text, at + len(one)):
            return True
        at = text.find(one, at + 1)
    return False


def unfounded(text: str, ground: str) -> list[str]:
    """The names, numbers, quotations and addresses of `text` that do not occur in `ground`."""
    plain, held = _plain(text), _plain(ground)
    lowered = held.lower()
    words = (
        set(_WORD.findall(lowered))
        | set(_PART.findall(lowered))
        | {one.replace(".", "") for one in _ABBREVIATED.findall(lowered)}
    )
    called = [found[0] for found in _NAME.finditer(plain) if content_words(found[0]) and not _opens(found)]
    numbers = sorted(_numbers(plain) - _numbers(held))
    said = [*_QUOTED.findall(plain), *addresses(plain)]
    missing = [one for i, one in enumerate(said) if i >= _MANY or one.strip(" .,!?").lower() not in lowered]
    return _unknown(called, words) + numbers + missing


def _opens(found: re.Match[str]) -> bool:
    """Whether it is a word that only begins a sentence."""
    before = found.string[max(0, found.start() - 2) : found.start()]
    return found[0].lower() in _OPENERS and before.rstrip()[-1:] in {"", ".", "!", "?"}


def adds_nothing(answer: str, question: str) -> bool:
    """Whether `answer` has no word of meaning that `question` lacks."""
    said = content_words(answer)
    return bool(said) and said <= content_words(question)


def quotes(text: str) -> bool:
    """Whether there is a quotation in it."""
    return bool(_QUOTED.search(text))


def _unknown(names: Sequence[str], words: set[str]) -> list[str]:
    """The names that are not among `words`, not even with another ending.

    Ukraine and Ukrainian differ so, Austria and Australia do not.
    """
    missing = [name for name in names if not {_bare(name), f"{_bare(name)}'s"} & words]
    endings: defaultdict[str, set[str]] = defaultdict(set)
    for word in words if missing else ():
        for stem, ending in _parted(word.removesuffix("'s")):
            endings[stem].add(ending[:1])
    # Where both endings began alike, the stem would be a longer one.
    return [n for n in missing if not any(endings.get(stem, set()) - {end[:1]} for stem, end in _parted(_bare(n)))]


def _bare(name: str) -> str:
    return name.lower().removesuffix("'s").rstrip("'")


def _parted(word: str) -> Iterator[tuple[str, str]]:
    """The word as a stem and an ending, in every way."""
    for at in range(max(_STEM, len(word) - _LONGEST_ENDING), len(word) + 1):
        if word[at:] in _ENDINGS:
            yield word[:at], word[at:]


def _plain(text: str) -> str:
    """`text` with plain quotation marks, dashes and spaces, and without accents, as people type names."""
    plain = text.translate(TYPOGRAPHY)
    if not plain.isascii():
        plain = _unaccented(unicodedata.normalize("NFKD", _unaccented(plain)))
    return " ".join(plain.split())


def _unaccented(text: str) -> str:
    """Without combining characters; to sort a run of them takes the square of its length."""
    return "".join(letter for letter in text if not unicodedata.combining(letter))


# Speakers

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


def _key(name: str) -> frozenset[str]:
    """The words that tell a person; none for a pronoun."""
    return _words(name) - _PRONOUNS - _NO_PERSON


def _words(text: str) -> frozenset[str]:
    return frozenset(_POSSESSIVE.sub("", word) for word in _WORD.findall(text.translate(TYPOGRAPHY).lower()))
