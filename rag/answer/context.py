"""What the model reads: passages within a budget, and their nearest sentences once more."""

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from langchain_core.retrievers import BaseRetriever

from rag.answer.evidence import SourceSentence, SourceSentences, rank_sentences
from rag.answer.question import Kind
from rag.answer.support import quotes
from rag.bounds import TITLE
from rag.documents.text import without
from rag.index.index import Index
from rag.settings import Settings
from rag.types import Hit, Passage

PASSAGES_FACTOR = 2
"""So many times the passages of a fact are read for lists, comparisons and summaries."""
EXCERPTS = 4
"""Sentences repeated right before the question, where a small model reads best."""
EXCERPT_TOKENS = 600
"""Tokens of these sentences, at most."""
_REST = EXCERPT_TOKENS + 600
"""Tokens kept free for the instructions, these sentences and the question."""
_CHEAP = re.compile(r"[A-Za-z]|\s(?!\d)", re.ASCII)
"""Models take several letters and the blank before them for one token, but many each digit and each sign for one."""
_MARK = re.compile(r"</?text>\Z", re.IGNORECASE)
"""It closes the text in a prompt."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What questions are answered from: an open index or another retriever.

    `whole` is a text short enough to be read whole, `warmed` is set when the engine has read it. Of a choice
    of documents `retriever` and `whole` hold these alone. `index` is None where the retriever is another's.
    """

    index: Index | None
    retriever: BaseRetriever
    evidence: SourceSentences
    whole: Sequence[Passage]
    warmed: threading.Event


@dataclass(frozen=True, eq=False)
class Context:
    """What is read, as one text and as sentences; `whole` tells whether it is everything."""

    text: str
    whole: bool
    sources: list[SourceSentence]
    evidence: SourceSentences

    def nearest(self, question: str, count: int, quoting: bool = False) -> list[SourceSentence]:
        """The `count` sentences that are most related to the question, the nearest first.

        With `quoting` only those with a quotation, if there are any.
        """
        among = [one for one in self.sources if quoting and quotes(one.text)] or self.sources
        order = rank_sentences(question, self.evidence.vectors([question])[0], among)
        return [among[i] for i in order[:count]]

    def excerpts(self, kind: Kind, question: str) -> str:
        """The sentences to repeat for `question`, as a part of a prompt, within EXCERPT_TOKENS."""
        if kind is Kind.SUMMARY and not self.whole:
            return ""
        near = self.nearest(question, EXCERPTS, kind is Kind.QUOTATION)
        sizes = accumulate(tokens(one.text) for one in near)
        best = [one for one, size in zip(near, sizes, strict=True) if size <= EXCERPT_TOKENS]
        if not best:
            return ""
        best.sort(key=lambda one: (one.passage.passage_id, one.span.start))
        return "From the text:\n" + "".join(f"- {without(_MARK, one.text)}\n" for one in best) + "\n"


def gather(kind: Kind, reading: Reading, ranked: Sequence[Hit], settings: Settings) -> Context:
    """The context for a question of this kind with these hits.

    A short text is read whole. Of a long one the best passages are read, the best of them
    last: as many as were found for a question, more if several answer it, and for a
    summary some from the beginning to the end of the documents in question.
    """
    if reading.whole:
        return _context(reading.whole, reading.whole, reading)
    count = settings.passages * (1 if kind in {Kind.FACT, Kind.YES_NO, Kind.QUOTATION} else PASSAGES_FACTOR)
    if kind is Kind.SUMMARY and reading.index:
        spread = fitting(_spread(reading.index, ranked, count), settings)
        return _context(spread, spread, reading)
    found = fitting([hit.passage for hit in ranked[:count]], settings)
    return _context(found[::-1], sorted(found, key=lambda one: one.passage_id), reading)


def _context(read: Sequence[Passage], ordered: Sequence[Passage], reading: Reading) -> Context:
    alone = reading.index is not None and reading.index.manifest.documents == 1
    texts = [
        passage.text if alone or not passage.title else f"{passage.title[:TITLE]}\n{passage.text}" for passage in read
    ]
    text = without(_MARK, "\n\n".join(texts))
    return Context(text, bool(reading.whole), reading.evidence.sentences(ordered), reading.evidence)


def _spread(index: Index, ranked: Sequence[Hit], count: int) -> list[Passage]:
    """`count` passages, evenly from the documents of the hits, each from beginning to end."""
    doc_ids = list(dict.fromkeys(hit.passage.doc_id for hit in ranked))[:count]
    share = count // max(1, len(doc_ids))
    passage_ids: list[int] = []
    for doc_id in doc_ids:
        own = index.documents.passage_ids(doc_id)
        step = max(1, len(own) / share)
        passage_ids += [own[int(i * step)] for i in range(min(share, len(own)))]
    return index.passages(passage_ids)


def fitting(passages: Sequence[Passage], settings: Settings, all_or_none: bool = False) -> list[Passage]:
    """The first passages, as many as leave room for the question and the answer."""
    room = settings.context - settings.max_tokens - _REST
    taken: list[Passage] = []
    for passage in passages:
        room -= tokens(passage.text) + tokens(passage.title[:TITLE])
        if room < 0:
            return [] if all_or_none else taken or [passage]
        taken.append(passage)
    return taken


def tokens(text: str) -> int:
    """A high estimate: a third of the ASCII letters and blanks, every other sign."""
    cheap = len(_CHEAP.findall(text))
    return cheap // 3 + len(text) - cheap
