"""Answer -> sentences, each with the source sentences that say it as numbered citations."""

from collections.abc import Sequence

import numpy as np

from rag.answer.evidence import SourceSentence, SourceSentences, Vector, content_words, likeness
from rag.answer.support import unfounded, why_unsupported
from rag.documents.splitter import sentence_spans
from rag.types import Citation, Sentence

SOURCES = 3
"""Source sentences that one sentence of an answer may cite."""
SENTENCES = 300
"""Sentences that are taken of an answer, about as many as 4,096 tokens make."""
_NEW = 2
"""Content words that a further source must add."""


def cite(
    answer: str, question: str, sources: Sequence[SourceSentence], evidence: SourceSentences
) -> tuple[Sentence, ...]:
    """Split `answer` into sentences and align each with the source sentences that say it.

    Citations are numbered from 1 in the order of the answer; the same span keeps its number. A sentence
    that its sources do not say (rag/answer/support.py) has none.
    """
    texts = split_answer(answer)
    if not texts:
        return ()
    alone = evidence.vectors(texts)
    asked = evidence.vectors([f"{question} {text}" for text in texts])
    strange = unfounded(question, " ".join([*(one.text for one in sources), *{one.passage.title for one in sources}]))
    citations: dict[tuple[str, int], Citation] = {}
    sentences = []
    for text, *vectors in zip(texts, alone, asked, strict=True):
        aligned, alike = align(text, question, vectors, sources)
        why = why_unsupported(text, question, aligned, alike, strange)
        cited = () if why else tuple(_citation(source, citations) for source in aligned)
        sentences.append(Sentence(text, cited, not why, why))
    return tuple(sentences)


def split_answer(answer: str) -> list[str]:
    """The sentences of an answer."""
    return [answer[span.start : span.end] for span in sentence_spans(answer)[:SENTENCES]]


def align(
    text: str, question: str, vectors: Sequence[Vector], sources: Sequence[SourceSentence]
) -> tuple[list[SourceSentence], float]:
    """The sources nearest to `text`, in the documents' order, and the best one's likeness.

    Each of `vectors` stands for the text. Further sources are taken as far as they hold words that those before lack.
    """
    words = content_words(text)
    if not sources or not words:
        return [], 0.0
    alike = np.array([max(likeness(words, vector, source) for vector in vectors) for source in sources])
    best, *others = (int(i) for i in np.argsort(-alike, kind="stable"))
    chosen = [best]
    left = words - sources[best].words - content_words(question)
    for i in others:
        gain = len(left & sources[i].words)
        if len(chosen) < SOURCES and gain >= _NEW and gain >= len(words) / 6:
            chosen.append(i)
            left -= sources[i].words
    return [sources[i] for i in sorted(chosen)], float(alike[best])


def _citation(source: SourceSentence, citations: dict[tuple[str, int], Citation]) -> Citation:
    passage, span = source.passage, source.span
    if (known := citations.get((passage.doc_id, span.start))) is not None:
        return known
    made = Citation(
        len(citations) + 1, passage.doc_id, passage.source, passage.title, span.start, span.end, source.text,
        passage.page_at(span.start),
    )  # fmt: skip
    citations[passage.doc_id, span.start] = made
    return made
