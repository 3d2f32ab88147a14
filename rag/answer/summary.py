"""Summaries by extraction: sentences that cover whole documents, chosen by their words, without a model."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np

from rag.answer.evidence import SourceSentence, SourceSentences, Vector, content_words
from rag.answer.sections import Section, by_section, dividing, is_heading, outline, part_of, stretches
from rag.index.index import Index
from rag.types import Passage

_READ = 2_000
"""Passages that are looked at to choose from; of more than these, evenly so many."""
_READ_WHOLE = 300
"""Of these the most whose sentences are looked at."""
_FEWEST_WORDS, _MOST_WORDS = 8, 50
"""Of a sentence that is chosen: shorter ones are fragments, longer ones lists and tables."""
_LONG = 200
"""Sentences; of a longer text every sentence is chosen from a stretch of its own."""
_DOUBLE = 0.7
"""Two sentences say the same if they share so many of the words of the shorter one."""
_CAPTION = re.compile(r"(?:figure|fig|table|chart|plate|photo)\.? {0,3}\d", re.IGNORECASE)
_ABOUT = re.compile(r"\b(?:about|on|regarding|concerning)\b", re.IGNORECASE)
_LEANS = frozenset(
    """he she it they this that these those his her its their him them and but so or then however therefore thus
    moreover furthermore also there here such both instead otherwise nonetheless nevertheless yet still i you your we
    my our do""".split()  # noqa: SIM905
)
"""With such a word at its beginning a sentence leans on the one before it, or speaks to somebody."""
_FULL = 8
"""Words that carry meaning; a sentence with fewer says less."""
_EARLY, _LEAD, _OPENS, _LEANING, _QUOTED, _REPEATING = 1.0, 0.5, 0.5, 1.0, 1.0, 1.5
"""Beside the frequency of its words, in standard deviations of that (docs/experiments.md): that it stands early, begins
a paragraph, begins a section, leans on the one before, begins as a quotation, and has no word that was not said
before."""
_ASKS = """summarise summarize summary sum up outline overview synopsis abstract gist recap digest condense shorten
boil down rundown takeaways takeaway highlights headlines main key central essential important points point ideas idea
message messages facts themes topics topic bottom line short brief briefly quick quickly shortly detail detailed depth
nutshell overall whole general tell give explain describe say says said state states cover covers covered deal deals
happen happens happened read write what how which who does do did can could would please me us you my your our i the
article text document page pages report story paper book file content contents letter author chapter section part
appendix unit lesson paragraph paragraphs sentence sentences lines word words bullet bullets list one two three four
five six seven eight nine ten few couple several about all need know english plain simple terms picture last first"""


def key_sentences(
    index: Index, sentences_of: SourceSentences, doc_ids: Sequence[str], question: str, count: int
) -> list[SourceSentence]:
    """At most `count` sentences that summarise the documents, or what is asked about in them.

    Nothing is embedded; see `extract` for how they are chosen.
    """
    looked_at = _look(index, doc_ids, question)
    chosen = looked_at.passages if len(looked_at.passages) <= _READ_WHOLE else _central(index, looked_at, _READ_WHOLE)
    sentences = [one for passage in chosen for one in sentences_of.of(passage)]
    if part := looked_at.part:
        sentences = [one for one in sentences if part.holds(one.passage.doc_id, one.span.start)]
    near = [one for one in sentences if one.words & looked_at.topic]
    return extract(near if len(near) >= count else sentences, count, looked_at.sections)


def extract(
    sentences: Sequence[SourceSentence],
    count: int,
    sections: Sequence[Section] | None = None,
) -> list[SourceSentence]:
    """At most `count` sentences that together say what matters most, in the documents' order.

    The text is divided into stretches along its sections, and each gives the sentence whose words are the
    most frequent (Nenkova and Vanderwende 2005, SumBasic), early and at the lead of a paragraph rather than
    within (Edmundson 1969), and unlike those chosen before (Carbonell and Goldstein 1998, maximal marginal
    relevance). Of a short text with few sections the rest is chosen from everywhere. `sections` are those of the
    documents, if `sentences` are not all of them.
    """
    ordered = sorted(sentences, key=lambda one: (one.passage.passage_id, one.span.start))
    if sections is None:
        sections = outline(list({one.passage.passage_id: one.passage for one in ordered}.values()))
    first: dict[str, SourceSentence] = {}
    for one in [one for one in ordered if _tells(one)] or ordered:
        first.setdefault(one.text, one)
    among = list(first.values())
    if not among or count < 1:
        return []
    places = [(one.passage.doc_id, one.span.start) for one in among]
    starts = dividing(places, sections, count)
    own = len(by_section(places, starts))
    divided = stretches(places, starts, count if own > count or len(among) > _LONG else max(own, (count + 1) // 2))
    return [among[i] for i in sorted(_chosen(among, _scores(among, sections), divided, count))]


def topic_of(question: str) -> frozenset[str]:
    """What a question names, beside the words that ask for a summary."""
    return frozenset(word for word in content_words(question) - _asking() if not word.isdigit())


@cache
def _asking() -> frozenset[str]:
    return content_words(_ASKS)


# Which passages


@dataclass(frozen=True)
class _LookedAt:
    """The passages that a question is about, all sections, the part or topic it names."""

    passages: list[Passage]
    sections: list[Section]
    part: Section | None
    topic: frozenset[str]


def _look(index: Index, doc_ids: Sequence[str], question: str) -> _LookedAt:
    """The passages of the section that the question names, of its topic, or all."""
    ids = index.documents.passage_ids(*doc_ids)
    most = min(_READ, len(ids))
    read = index.passages([ids[i * len(ids) // most] for i in range(most)])
    sections = outline(read)
    after = _ABOUT.split(question)[1:]
    topic = topic_of(after[-1]) if after else frozenset()
    if part := part_of(question, sections, topic) or part_of(question, sections, topic_of(question)):
        own = [one for one in read if one.doc_id == part.doc_id and one.start < part.end and part.start < one.end]
        return _LookedAt(own, sections, part, frozenset())
    held = [len(topic & content_words(one.text)) for one in read] if topic else []
    shared = max(held, default=0)
    if 2 * shared <= len(topic):
        return _LookedAt(read, sections, None, frozenset())
    return _LookedAt([one for one, own in zip(read, held, strict=True) if own == shared], sections, None, topic)


def _central(index: Index, looked_at: _LookedAt, count: int) -> list[Passage]:
    """Of each of `count` stretches the most central passage.

    That is the nearest to the mean of the stretch and of all, by the vectors that the index has (Radev et al.
    2004, centroids). One that reaches over into another section stands behind those that do not.
    """
    among = looked_at.passages
    vectors = index.vectors([one.passage_id for one in among])
    places = [(one.doc_id, (one.start + one.end) // 2) for one in among]
    starts = dividing(places, looked_at.sections, count)
    whole = vectors.mean(axis=0)
    chosen = []
    for stretch in stretches(places, starts, count):
        near = vectors[stretch] @ (whole + vectors[stretch].mean(axis=0))
        begins = [bisect_right(starts[among[i].doc_id], among[i].start) for i in stretch]
        ends = [bisect_right(starts[among[i].doc_id], among[i].end - 1) for i in stretch]
        near -= 2 * (np.asarray(begins) != np.asarray(ends))
        chosen.append(among[stretch[int(np.argmax(near))]])
    return chosen


# Which sentences


def _chosen(among: Sequence[SourceSentence], scores: Vector, divided: list[list[int]], count: int) -> list[int]:
    """The best of each stretch, then of all; no two say the same."""
    holders: dict[str, list[int]] = {}
    for i, one in enumerate(among):
        for word in one.words:
            holders.setdefault(word, []).append(i)
    sizes = np.asarray([max(1, len(one.words)) for one in among])
    said = np.zeros(len(among))
    """The greatest share of words that a sentence has together with a chosen one: of those of the shorter."""
    chosen: list[int] = []
    rest = [list(range(len(among)))] * count
    for stretch in [*divided, *rest]:
        best = stretch[int(np.argmax((scores - _REPEATING * said - 1e6 * (said >= _DOUBLE))[stretch]))]
        if said[best] >= _DOUBLE or len(chosen) == count:
            continue
        chosen.append(best)
        shared = np.zeros(len(among))
        for word in among[best].words:
            shared[holders[word]] += 1
        said = np.maximum(said, shared / np.minimum(sizes, sizes[best]))
        said[best] = 1.0
    return chosen


def _scores(among: Sequence[SourceSentence], sections: Sequence[Section]) -> Vector:
    """How much each sentence matters, in standard deviations of how frequent its words are."""
    counts = Counter(word for one in among for word in one.words)
    often = [sum(counts[word] for word in one.words if counts[word] > 1) / max(_FULL, len(one.words)) for one in among]
    scores = _standard(np.asarray(often))
    starts = {doc_id: [one.start for one in run] for doc_id, run in groupby(sections, key=lambda one: one.doc_id)}
    scores += _EARLY * (1 - np.arange(len(among)) / len(among)) ** 4
    opened = set()
    for i, one in enumerate(among):
        opens = (one.passage.doc_id, bisect_right(starts.get(one.passage.doc_id, []), one.span.start))
        scores[i] += _OPENS * (opens not in opened)
        opened.add(opens)
        scores[i] += _LEAD * one.before.rstrip(" ").endswith("\n")
        scores[i] -= _LEANING * (one.text.split(maxsplit=1)[0].lower().strip("\"“‘',") in _LEANS)
        scores[i] -= _QUOTED * one.text.startswith(('"', "“", "«", "‘"))
    return scores


def _standard(values: Vector) -> Vector:
    """In standard deviations from their mean."""
    scores: Vector = (values - values.mean()) / max(float(values.std()), 1e-6)
    return scores


def _tells(one: SourceSentence) -> bool:
    """Whether it is no heading, fragment, question, caption, nor row of a table."""
    text = one.text.strip()
    first = one.before.rfind("\n") + 1
    line = one.passage.text[first:].partition("\n")[0]
    plain = text.lstrip("-*+• \"'“‘(")
    listed = text.startswith(("- ", "* ", "+ ", "•"))
    return (
        _FEWEST_WORDS <= len(text.split()) <= _MOST_WORDS
        and (listed or text.rstrip("\"'”’»)]*_ ").endswith((".", "!", "…", "。", "！")))
        and not plain[:1].islower()
        and not text.startswith(("#", "|", ">"))
        and not _CAPTION.match(plain)
        and not ("\n" not in text and is_heading(line))
    )
