"""Answer sentence -> the spans of the documents that say it, supported or not."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from rag.answer.attribution import misattributed
from rag.answer.evidence import TYPOGRAPHY, Evidence, SourceSentence, Vector, content_words
from rag.answer.links import addresses
from rag.documents.splitter import sentence_spans
from rag.types import Citation, Sentence, Span

MOST = 3
"""Source sentences that one sentence of an answer may cite."""
_SENTENCES = 300
"""Sentences that are taken of an answer, about as many as 4,096 tokens make."""
_COVERED = 0.5
"""Share of the sentence's content words that its sources (or the question) must hold."""
_ALIKE = 0.65
"""Cosine of the sentence and its best source, and the share of its content words there, added: at least this."""
_NEW = 2
"""Content words that a further source must add."""
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
"""Letters that two words have in common at least where only their endings differ."""
_WORD = re.compile(r"[\w'-]+")
_ABBREVIATED = re.compile(r"\b(?:[a-z]\.){2,}")
_NUMBER = re.compile(r"(?<![^\W\d_])(?:\d[\d.,]*\d|\d)")
"""Not a part of a name, such as O2."""
_NEGATED = re.compile(r"\b(?:not|cannot|no|never|neither|nor|without|nobody|none|nothing|nowhere)\b|n't\b")
_DENIES = re.compile(r"\b(?:dismiss|reject|refus|den[yi]|rul\w+ out|fail|lack)")
_REACH = 8
"""Words after a negation that it is taken to negate."""
_FAR = 200
"""Characters in which they are looked for."""
_OPENING = re.compile(r"^(yes|no)\b[,.:;]?\s*", re.IGNORECASE)
_LONGER_BEFORE = re.compile(r"[\w.,]")
_LONGER_AFTER = re.compile(r"\w|[.,]\d")
_QUOTED = re.compile(r"[“\"]([^“”\"]{3,})[”\"]")
_MANY = 200
"""Quotations and addresses that are looked for in a text; further ones are taken for unfounded."""
Numbers = dict[tuple[str, int], Citation]
"""The citations made so far, by document and start."""


def cite(
    answer: str, question: str, sources: Sequence[SourceSentence], evidence: Evidence, numbers: Numbers | None = None
) -> tuple[Sentence, ...]:
    """Split `answer` into sentences and align each with the source sentences that say it.

    Citations are numbered from 1 in the order of the answer, or go on from `numbers`,
    which is added to; the same span keeps its number. A sentence is supported when its
    best source means the same, its content words are in its sources or the question, each
    of its names, numbers and quotations is, and is in what was read, none of its sources
    negates it or is negated by it, and nobody is said to have said what another said
    (rag/answer/attribution.py).
    """
    texts = [answer[span.start : span.end] for span in _spans(answer)]
    if not texts:
        return ()
    alone = evidence.vectors(texts)
    asked = evidence.vectors([f"{question} {text}" for text in texts])
    numbers = {} if numbers is None else numbers
    read = " ".join([*(one.text for one in sources), *{one.passage.title for one in sources}])
    strange = unfounded(question, read)
    sentences = []
    for i, text in enumerate(texts):
        chosen = _align(text, question, alone[i], asked[i], sources, strange)
        supported = bool(chosen)
        citations = tuple(_citation(source, numbers) for source in chosen)
        sentences.append(Sentence(text, citations if supported else (), supported))
    return tuple(sentences)


def settle(answer: str, sources: Sequence[SourceSentence], evidence: Evidence) -> str:
    """`answer`, where a sentence that affirms what its source negates is replaced by the source itself.

    A small model often answers a question of yes or no with a Yes that the text denies;
    a Yes before a sentence that says no is dropped.
    """
    spans = _spans(answer)
    texts = [answer[span.start : span.end] for span in spans]
    if not texts or not sources:
        return answer
    settled, ended = "", 0
    for span, text, vector in zip(spans, texts, evidence.vectors(texts), strict=True):
        words = content_words(text)
        best = max(sources, key=lambda s: float(s.vector @ vector) + len(words & s.words) / max(1, len(words)))
        opened = _OPENING.match(text)
        rest = text[opened.end() :] if opened else text
        settled += answer[ended : span.start]
        if contradicts(rest, best.text):
            settled += best.text
        elif opened and opened[1].lower() == "yes" and _denies(rest):
            settled += rest[:1].upper() + rest[1:]
        else:
            settled += text
        ended = span.end
    return settled.strip()


def _spans(answer: str) -> list[Span]:
    return sentence_spans(answer)[:_SENTENCES]


def contradicts(text: str, source: str) -> bool:
    """Whether `source` negates words that `text` affirms: two or more of those right after a negation."""
    if _denies(text):
        return False
    said, plain = content_words(text), _plain(source).lower()
    afterwards = (plain[match.end() : match.end() + _FAR] for match in _NEGATED.finditer(plain))
    negated = (" ".join(words.split()[:_REACH]) for words in afterwards)
    return any(len(content_words(words) & said) >= 2 for words in negated)


def _denies(text: str) -> bool:
    plain = _plain(text).lower()
    return bool(_NEGATED.search(plain) or _DENIES.search(plain))


def _align(
    text: str,
    question: str,
    alone: Vector,
    asked: Vector,
    sources: Sequence[SourceSentence],
    strange: Sequence[str],
) -> list[SourceSentence]:
    """The sources that say `text`, in the order of the documents; none where it is not supported."""
    words = content_words(text)
    if not sources or not words:
        return []
    cosine = np.array([max(float(source.vector @ alone), float(source.vector @ asked)) for source in sources])
    shared = np.array([len(words & source.words) / len(words) for source in sources])
    score = cosine + shared
    order = [int(i) for i in np.argsort(-score, kind="stable")]
    chosen = [order[0]]
    left = words - sources[order[0]].words - content_words(question)
    for i in order[1:]:
        gain = len(left & sources[i].words)
        if len(chosen) < MOST and gain >= _NEW and gain >= len(words) / 6:
            chosen.append(i)
            left -= sources[i].words
    picked = [sources[i] for i in sorted(chosen)]
    alike = float(score[order[0]]) >= _ALIKE
    # What only repeats the question, a Yes for instance, must be in the sources itself.
    words = content_words(_OPENING.sub("", text))
    missing = left if words - content_words(question) else words - frozenset().union(*(one.words for one in picked))
    covered = len(missing) <= (1 - _COVERED) * len(words)
    said = " ".join(source.text for source in picked)
    # A name of the question may stand for the source's "he", but not be put into a text that lacks it.
    # A number of the question may not: it can be the year of something else, or of the answer before.
    plain = _plain(text)
    unknown = unfounded(text, f"{said} {question}") or _numbers(plain) - _numbers(_plain(said))
    known = not unknown and not any(_occurs(one, plain) for one in strange)
    turned = any(contradicts(text, source.text) or contradicts(source.text, text) for source in picked)
    sound = alike and covered and known and not turned
    return picked if sound and not misattributed(text, [(source.text, _before(source)) for source in picked]) else []


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text))


def _occurs(one: str, text: str) -> bool:
    """Whether it is there, as no part of a longer word or number."""
    at = text.find(one)
    while at >= 0:
        if not (at and _LONGER_BEFORE.match(text, at - 1)) and not _LONGER_AFTER.match(text, at + len(one)):
            return True
        at = text.find(one, at + 1)
    return False


def _before(source: SourceSentence) -> str:
    """What stands before it in its passage."""
    return source.passage.text[: source.span.start - source.passage.start]


def unfounded(text: str, ground: str) -> list[str]:
    """The names, numbers, quotations and addresses of `text` that do not occur in `ground`."""
    plain, held = _plain(text), _plain(ground)
    lowered = held.lower()
    words = set(_WORD.findall(lowered)) | {one.replace(".", "") for one in _ABBREVIATED.findall(lowered)}
    called = [found[0] for found in _NAME.finditer(plain) if content_words(found[0]) and not _opens(found)]
    numbers = sorted(_numbers(plain) - _numbers(held))
    said = [*_QUOTED.findall(plain), *addresses(plain)]
    missing = [one for i, one in enumerate(said) if i >= _MANY or one.strip(" .,!?").lower() not in lowered]
    return _unknown(called, words) + numbers + missing


def _opens(found: re.Match[str]) -> bool:
    """Whether it is a word that only begins a sentence."""
    before = found.string[max(0, found.start() - 2) : found.start()]
    return found[0].lower() in _OPENERS and before.rstrip()[-1:] in {"", ".", "!", "?"}


def quotes(text: str) -> bool:
    """Whether there is a quotation in it."""
    return bool(_QUOTED.search(text))


def _unknown(names: Sequence[str], words: set[str]) -> list[str]:
    """The names that are not among `words`, and have no word there that differs by its ending only.

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


def _citation(source: SourceSentence, numbers: Numbers) -> Citation:
    key = (source.passage.doc_id, source.span.start)
    if key not in numbers:
        numbers[key] = Citation(
            number=len(numbers) + 1,
            doc_id=source.passage.doc_id,
            source=source.passage.source,
            title=source.passage.title,
            start=source.span.start,
            end=source.span.end,
            quote=source.text,
            page=source.passage.page_at(source.span.start),
        )
    return numbers[key]
