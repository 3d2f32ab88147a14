"""What makes a sentence of an answer unsupported: its names, numbers, quotations, negations and speakers."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from rag.answer.evidence import SourceSentence, content_words
from rag.answer.links import addresses
from rag.answer.speakers import misattributed, whole_names
from rag.documents.language import DEFAULT
from rag.quantities.plain import is_english, plain
from rag.quantities.reading import Quantity, given, quantities
from rag.quantities.tokens import Key

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
_LETTERS = re.compile(r"[^\W\d_]+")
"""Of a name with digits: RFC2119."""
_ABBREVIATED = re.compile(r"\b(?:[a-z]\.){2,}")
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
    language = source_language(sources)
    words, asked = content_words(text, language), content_words(question, language)
    held = frozenset[str]().union(*(source.words | source.about for source in sources))
    if not sources or alike < _ALIKE:
        return "No sentence of the documents is like it."
    said = " ".join(source.text for source in sources)
    plainly = plain(text)
    english = is_english(f"{text} {said}")
    counted = quantities(plainly, english)
    given_there = frozenset[Key]().union(*(given(f"{one.headings}\n{one.text}", english) for one in sources))
    unsaid = [one for one in counted if not one.is_said(given_there)]
    held |= content_words(" ".join(one.text for one in counted if one not in unsaid), language)
    # What only repeats the question, a Yes for instance, must be in the sources itself.
    stated = OPENING.sub("", text)
    own = content_words(stated, language)
    missing = words - held - asked if own - asked else own - held
    if len(missing) > (1 - _COVERED) * len(own):
        lacking = [word for word in _WORD.findall(text) if content_words(word, language) & missing]
        return f"Its sources lack {_listed(lacking)}."
    # A name of the question, or of what stands before, may stand for the source's "he", but the question's not be put
    # into a text that lacks it. A number may not: it can be the year of something else, or of the answer before.
    earlier = " ".join([*(f"{source.headings} {source.before}" for source in sources), said])
    ground = " ".join([earlier, *whole_names(read, earlier), question])
    unsaid = [one for one in unsaid if not (one.is_name and one.is_said(given(ground, english)))]
    unknown = _unfounded(plainly, plain(ground), counted, language) + [one.text for one in unsaid]
    if unknown := unknown or [one for one in strange if _occurs(one, plainly)]:
        return f"The documents lack {_listed(unknown)}."
    if any(contradicts(stated, source.text) or contradicts(source.text, stated) for source in sources):
        return "A source says the opposite."
    if any(_mixes_columns(words, counted, source, english) for source in sources):
        return "A source says it of another column."
    if misattributed(text, [(source.text, source.before) for source in sources]):
        return "A source lets somebody else say it."
    return ""


def _mixes_columns(words: frozenset[str], counted: Sequence[Quantity], source: SourceSentence, english: bool) -> bool:
    """Whether a text names one column of a row and tells another's numbers."""
    columns = source.columns
    labels = [content_words(label, source.passage.language) for label, _ in columns]
    named = [
        given(cell, english)
        for at, (_, cell) in enumerate(columns)
        if (labels[at] - frozenset[str]().union(*labels[:at], *labels[at + 1 :])) & words
    ]
    told = [one for one in counted if one.claims and any(one.is_said(given(cell, english)) for _, cell in columns)]
    return any(own and told and not any(one.is_said(own) for one in told) for own in named)


def source_language(sources: Sequence[SourceSentence]) -> str:
    """The language of the sources: an answer is taken to be in it."""
    return sources[0].passage.language if sources else DEFAULT


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"“{word}”" for word in list(words)[:_NAMED])


def contradicts(text: str, source: str) -> bool:
    """Whether `source` negates half of the words that `text` affirms, at least two."""
    if denies(text):
        return False
    said, lowered = content_words(text), plain(source).lower()
    afterwards = (lowered[match.end() : match.end() + _FAR] for match in _NEGATED.finditer(lowered))
    negated = (" ".join(words.split()[:_REACH]) for words in afterwards)
    return any(len(content_words(words) & said) >= max(2, len(said) / 2) for words in negated)


def denies(text: str) -> bool:
    """Whether `text` negates, rejects or refuses something."""
    lowered = plain(text).lower()
    return bool(_NEGATED.search(lowered) or _DENIES.search(lowered))


def _occurs(one: str, text: str) -> bool:
    """Whether it is there, as no part of a longer word or number."""
    at = text.find(one)
    while at >= 0:
        if not (at and _LONGER_BEFORE.match(text, at - 1)) and not _LONGER_AFTER.match(text, at + len(one)):
            return True
        at = text.find(one, at + 1)
    return False


def unfounded(text: str, ground: str, language: str = DEFAULT) -> list[str]:
    """The names, numbers, quotations and addresses of `text` that do not occur in `ground`."""
    plainly, held = plain(text), plain(ground)
    english = is_english(text)
    counted = quantities(plainly, english)
    said = given(ground, english)
    return _unfounded(plainly, held, counted, language) + sorted(one.text for one in counted if not one.is_said(said))


def _unfounded(text: str, held: str, counted: Sequence[Quantity], language: str) -> list[str]:
    """The names outside of quantities, the quotations and addresses of one text that another lacks.

    Both are plain. In German, which writes every noun like a name, no name is told.
    """
    lowered = held.lower()
    words = (
        set(_WORD.findall(lowered))
        | set(_PART.findall(lowered))
        | set(_LETTERS.findall(lowered))
        | {one.replace(".", "") for one in _ABBREVIATED.findall(lowered)}
    )
    taken = [False] * (len(text) + 1)
    for one in counted:
        if one.claims:
            taken[one.start : one.end] = [True] * (one.end - one.start)
    called = [
        found[0]
        for found in (_NAME.finditer(text) if language != "de" else ())
        if not taken[found.start()] and content_words(found[0]) and not _opens(found)
    ]
    said = [*_QUOTED.findall(text), *addresses(text)]
    missing = [one for i, one in enumerate(said) if i >= _MANY or one.strip(" .,!?").lower() not in lowered]
    return _unknown(called, words) + missing


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
