"""What the model reads: the sentences that may answer, with their neighbours."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from langchain_core.retrievers import BaseRetriever

from rag.answer.evidence import Scored, SourceSentence, SourceSentences
from rag.answer.length import length_asked
from rag.answer.question import Kind, Wording
from rag.answer.summary import key_sentences
from rag.bounds import TITLE
from rag.documents.headings import is_row, is_rule
from rag.documents.text import without
from rag.index.index import Index
from rag.settings import Settings
from rag.types import Hit, Passage

PASSAGES_FACTOR = 2
"""So many times the passages of the settings are looked through."""
_SURE, _WORDS_IF_SURE, _WORDS = 0.9, 60, 130
"""Words that are read for a question of one answer: fewer if one sentence has this share of the odds of all."""
_WORDS_OF_MANY = 280
"""The same where several sentences answer, or none is likely to."""
_UNLIKELY = -2.0
"""Log-odds of the likeliest sentence."""
_TO_SUMMARISE = 12
"""Sentences that are read for a summary, and at least twice as many as it is to have."""
_DOCUMENTS = 4
"""Documents that one summary is of, at most."""
_REST = 1200
"""Tokens kept free for the instructions and the question."""
_CHEAP = re.compile(r"[A-Za-z]|\s(?!\d)", re.ASCII)
"""Signs of which several make a token."""
_MARK = re.compile(r"</?text>\Z", re.IGNORECASE)
"""It closes the text in a prompt."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What questions are answered from: an index or another retriever, and its sentences.

    Of a choice of documents `retriever` finds in these alone. `index` is None where the retriever is another's.
    """

    index: Index | None
    retriever: BaseRetriever
    sentences: SourceSentences


@dataclass(frozen=True, eq=False)
class Context:
    """What is read, as one text and as its sentences, and all that was ranked.

    `extract` is the summary that is made of sentences alone, for a question that asks for one.
    """

    text: str
    sources: list[SourceSentence]
    ranked: list[Scored]
    sentences: SourceSentences
    extract: tuple[SourceSentence, ...] = ()

    def nearest(self, count: int) -> list[SourceSentence]:
        """The `count` sentences that most likely answer, the likeliest first."""
        return [one.sentence for one in self.ranked[:count]]


def gather(kind: Kind, reading: Reading, hits: Sequence[Hit], wording: Wording, settings: Settings) -> Context:
    """The context for a question of this kind with these hits."""
    titled = reading.index is None or reading.index.manifest.documents > 1
    room = settings.context - settings.max_tokens - _REST
    if kind is Kind.SUMMARY and reading.index:
        choose = partial(key_sentences, reading.index, reading.sentences, _documents(hits), wording.searched)
        count = length_asked(wording.typed).sentences
        extract, read = choose(count), choose(max(_TO_SUMMARISE, 2 * count))
        text, sources = fitting(read, titled, room)
        return Context(text, sources, [], reading.sentences, tuple(extract))
    ranked = reading.sentences.ranked(wording.searched, [hit.passage for hit in hits], wording.typed)
    read = chosen(ranked, reading.sentences, words_to_read(kind, ranked))
    text, sources = fitting(read, titled, room)
    return Context(text, sources, ranked, reading.sentences)


def words_to_read(kind: Kind, ranked: Sequence[Scored]) -> int:
    """How many words to read: the more, the less sure it is which sentence answers."""
    if kind not in {Kind.FACT, Kind.YES_NO, Kind.QUOTATION} or (ranked and ranked[0].score < _UNLIKELY):
        return _WORDS_OF_MANY
    odds = [math.exp(one.score - ranked[0].score) for one in ranked]
    return _WORDS_IF_SURE if odds and odds[0] >= _SURE * sum(odds) else _WORDS


def _documents(hits: Sequence[Hit]) -> list[str]:
    return list(dict.fromkeys(hit.passage.doc_id for hit in hits))[:_DOCUMENTS]


def tokens(text: str) -> int:
    """A high estimate: a third of the ASCII letters and blanks, every other sign."""
    cheap = len(_CHEAP.findall(text))
    return cheap // 3 + len(text) - cheap


def chosen(ranked: Sequence[Scored], sentences: SourceSentences, words: int) -> list[SourceSentence]:
    """The likeliest sentences, each before its neighbours, of so many words."""
    taken: dict[tuple[Passage, int], SourceSentence] = {}
    for one in ranked:
        around = sentences.of(one.sentence.passage)
        place = one.sentence.place
        for near in [around[place], *around[max(0, place - 1) : place], *around[place + 1 : place + 2]]:
            if (near.passage, near.place) in taken:
                continue
            size = len(near.text.split())
            if size <= words:
                words -= size
                taken[near.passage, near.place] = near
        if not words:
            break
    return list(taken.values())


def fitting(sources: Sequence[SourceSentence], titled: bool, room: int) -> tuple[str, list[SourceSentence]]:
    """The text of as many as there is room for, and these in their order."""
    count = len(sources)
    while True:
        ordered = sorted(sources[:count], key=lambda one: (one.passage.passage_id, one.place))
        text = without(_MARK, _text(ordered, titled))
        if count < 2 or tokens(text) <= room:
            return text, ordered
        count -= 1


def _text(sources: Sequence[SourceSentence], titled: bool) -> str:
    """The sentences as they stand there, a blank line where something is left out."""
    parts = []
    for (title, _), own in groupby(sources, key=lambda one: (one.passage.title, one.passage.doc_id)):
        runs = "\n\n".join(_runs(list(own)))
        parts.append(f"{title[:TITLE]}\n{runs}" if titled and title else runs)
    return "\n\n".join(parts)


def _runs(sources: Sequence[SourceSentence]) -> Iterator[str]:
    """The text of sentences that follow each other, in one piece each, under their headings."""
    shown = ""
    for run in _following(sources):
        first, last = run[0], run[-1]
        if any(one.told != one.text for one in run):
            heads = {one.headings.rpartition("\n")[2] for one in run if is_row(one.text)}
            text = "\n".join(one.told for one in run if one.text not in heads and not is_rule(one.text))
        else:
            text = first.passage.text[first.span.start - first.passage.start : last.span.end - first.passage.start]
        over = "\n".join(first.over)
        yield f"{over}\n{text}" if over and over != shown else text
        shown = over


def _following(sources: Sequence[SourceSentence]) -> Iterator[list[SourceSentence]]:
    """The runs of sentences that follow each other in one passage."""
    run: list[SourceSentence] = []
    for one in sources:
        if run and not (one.passage == run[-1].passage and one.place == run[-1].place + 1):
            yield run
            run = []
        run.append(one)
    if run:
        yield run
