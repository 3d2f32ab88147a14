"""What the model reads for a question: passages, and the nearest of their sentences once more."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from rag.answer.answer_type import AnswerType
from rag.answer.citations import quotes
from rag.answer.evidence import Evidence, SourceSentence, rank_sentences
from rag.answer.reading import AGAIN, MOST, Reading, fitting, tokens
from rag.bounds import TITLE
from rag.documents.text import without
from rag.settings import Settings
from rag.types import Hit, Passage

EXCERPTS = 4
"""Sentences repeated right before the question, where a small model reads best."""
_MARK = re.compile(r"</?text>\Z", re.IGNORECASE)
"""It closes the text in a prompt."""


@dataclass(frozen=True, eq=False)
class Context:
    """What is read, as one text and as sentences in the order of the documents; `whole` tells whether that is all."""

    text: str
    whole: bool
    sources: list[SourceSentence]
    evidence: Evidence

    def nearest(self, question: str, count: int, quoting: bool = False) -> list[SourceSentence]:
        """The `count` sentences that are most related to the question, the nearest first.

        With `quoting` only those with a quotation, where there are any.
        """
        among = [one for one in self.sources if quoting and quotes(one.text)] or self.sources
        order = rank_sentences(question, self.evidence.vectors([question])[0], among)
        return [among[i] for i in order[:count]]

    def excerpts(self, kind: AnswerType, question: str) -> str:
        """The sentences that are repeated for `question`, as a part of a prompt, as far as there is room.

        Of 31 answerable SQuAD questions 22 were answered rightly with them, 18 without.
        """
        if kind is AnswerType.SUMMARY and not self.whole:
            return ""
        near = self.nearest(question, EXCERPTS, kind is AnswerType.QUOTATION)
        sizes = accumulate(tokens(one.text) for one in near)
        best = [one for one, size in zip(near, sizes, strict=True) if size <= AGAIN]
        if not best:
            return ""
        best.sort(key=lambda one: (one.passage.passage_id, one.span.start))
        return "From the text:\n" + "".join(f"- {without(_MARK, one.text)}\n" for one in best) + "\n"


def gather(kind: AnswerType, reading: Reading, ranked: Sequence[Hit], settings: Settings) -> Context:
    """The context for a question of this kind with these hits.

    A short text is read whole. Of a long one the best passages are read, the best of them
    last: as many as were found for a question, more where several answer it, and for a
    summary some from the beginning to the end of the documents in question.
    """
    several = kind in {AnswerType.LIST, AnswerType.COMPARISON}
    many = settings.passages * MOST
    if reading.whole:
        return _context(reading.whole, reading.whole, reading)
    if kind is AnswerType.SUMMARY:
        spread = fitting(_spread(reading, ranked, many), settings)
        return _context(spread, spread, reading)
    found = fitting([hit.passage for hit in ranked[: many if several else settings.passages]], settings)
    return _context(found[::-1], sorted(found, key=lambda one: one.passage_id), reading)


def _context(read: Sequence[Passage], ordered: Sequence[Passage], reading: Reading) -> Context:
    alone = len(reading.index.documents) == 1
    texts = [
        passage.text if alone or not passage.title else f"{passage.title[:TITLE]}\n{passage.text}" for passage in read
    ]
    text = without(_MARK, "\n\n".join(texts))
    return Context(text, bool(reading.whole), reading.evidence.sentences(ordered), reading.evidence)


def _spread(reading: Reading, ranked: Sequence[Hit], count: int) -> list[Passage]:
    """`count` passages, evenly from the documents of the hits: of each its first, then others down to its end."""
    doc_ids = list(dict.fromkeys(hit.passage.doc_id for hit in ranked))[:count]
    share = count // max(1, len(doc_ids))
    passage_ids: list[int] = []
    for doc_id in doc_ids:
        own = reading.index.documents.passage_ids(doc_id)
        step = max(1, len(own) / share)
        passage_ids += [own[int(i * step)] for i in range(min(share, len(own)))]
    return reading.index.passages(passage_ids)
