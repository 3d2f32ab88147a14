"""Answer -> sentences, each with the source sentences that say it as numbered citations."""

import re
from collections.abc import Sequence

import numpy as np

from rag.answer.evidence import SourceSentence, SourceSentences, Vector, citation, content_words
from rag.answer.quantities import Quantity, given, is_english, plain, quantities
from rag.answer.support import unfounded, why_unsupported
from rag.documents.splitter import sentence_spans
from rag.types import Citation, Sentence

SOURCES = 3
"""Source sentences that one sentence of an answer may cite."""
SENTENCES = 300
"""Sentences that are taken of an answer, about as many as 4,096 tokens make."""
_HEADING = re.compile(r"#{1,6}\s")
_NEW = 2
"""Content words that a further source must add."""


def cite(
    answer: str, question: str, sources: Sequence[SourceSentence], sentences: SourceSentences
) -> tuple[Sentence, ...]:
    """Split `answer` into sentences and align each with the source sentences that say it.

    Citations are numbered from 1 in the order of the answer; the same span keeps its number. A sentence
    that its sources do not say (rag/answer/support.py) has none.
    """
    texts = split_answer(answer)
    if not texts:
        return ()
    held = sentences.vectors([one.text for one in sources]) if sources else np.zeros((0, 1), dtype=np.float32)
    alone = sentences.vectors(texts)
    asked = sentences.vectors([f"{question} {text}" for text in texts])
    passages = dict.fromkeys(one.passage for one in sources)
    read = " ".join(f"{one.title} {one.text}" for one in passages)
    strange = unfounded(question, read)
    citations: dict[tuple[str, int], Citation] = {}
    made = []
    for text, *vectors in zip(texts, alone, asked, strict=True):
        aligned, alike = align(text, question, vectors, sources, held)
        why = why_unsupported(text, question, aligned, alike, strange, read)
        cited = () if why else tuple(_numbered(source, citations) for source in aligned)
        made.append(Sentence(text, cited, not why, why))
    return tuple(made)


def split_answer(answer: str) -> list[str]:
    """The sentences of an answer."""
    return [answer[span.start : span.end] for span in sentence_spans(answer)[:SENTENCES]]


def align(
    text: str, question: str, vectors: Sequence[Vector], sources: Sequence[SourceSentence], held: Vector
) -> tuple[list[SourceSentence], float]:
    """The sources nearest to `text`, in the documents' order, and the best one's likeness.

    Each of `vectors` stands for the text, the rows of `held` for the sources. Further sources are taken as far
    as they hold words that those before lack.
    """
    words = content_words(text)
    plainly = plain(text)
    counted = [one for one in quantities(plainly, is_english(text)) if one.claims]
    usable = [i for i, one in enumerate(sources) if words <= one.words or not is_heading(one)]
    if not usable or not words:
        return [], 0.0
    alike = np.max([likeness(words, vector, sources, held) for vector in vectors], axis=0)
    alike += [len(_in_other_words(counted, one) - one.words) / len(words) for one in sources]
    best, *others = sorted(usable, key=lambda i: -alike[i])
    chosen = [best]
    left = words - sources[best].words - _in_other_words(counted, sources[best]) - content_words(question)
    open_ones = [one for one in counted if not one.is_said(given(sources[best].text))]
    for i in others:
        new = left & (sources[i].words | _in_other_words(counted, sources[i]))
        tells = len(new) >= _NEW and len(new) >= len(words) / 6
        told = [one for one in open_ones if one.is_said(given(sources[i].text))]
        settles = told and (
            new - content_words(" ".join(one.text for one in told))
            or any(len(_around(one, plainly) & sources[i].words) >= NEARW for one in told)
        )
        if len(chosen) < SOURCES and (tells or settles):
            chosen.append(i)
            left -= new
            open_ones = [one for one in open_ones if not one.is_said(given(sources[i].text))]
    return [sources[i] for i in sorted(chosen)], float(alike[best])


import os
NEARW=int(os.environ.get("NEARW","1")); NEARC=int(os.environ.get("NEARC","30"))
def _around(one, text):
    return content_words(text[max(0, one.start - NEARC) : one.start].partition(" ")[2] + " " + text[one.end : one.end + NEARC].rpartition(" ")[0])


def _in_other_words(counted: Sequence[Quantity], source: SourceSentence) -> frozenset[str]:
    """The content words of the quantities that the source says, perhaps in another form."""
    said = given(source.text)
    return content_words(" ".join(one.text for one in counted if one.is_said(said)))


def is_heading(one: SourceSentence) -> bool:
    """Whether the sentence is a heading, which proves nothing but itself."""
    return bool(_HEADING.match(one.text))


def likeness(words: frozenset[str], vector: Vector, sources: Sequence[SourceSentence], held: Vector) -> Vector:
    """Of each source the cosine, plus its share of the text's words (0..2)."""
    shared = [len(words & source.words) / max(1, len(words)) for source in sources]
    alike: Vector = held @ vector + np.array(shared, dtype=np.float32)
    return alike


def _numbered(source: SourceSentence, citations: dict[tuple[str, int], Citation]) -> Citation:
    key = source.passage.doc_id, source.span.start
    return citations.setdefault(key, citation(len(citations) + 1, source))
