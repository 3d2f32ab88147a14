"""Answer -> sentences, each with the source sentences that say it as numbered citations."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from rag.answer.evidence import SourceSentence, SourceSentences, Vector, citation, content_words
from rag.answer.support import source_language, unfounded, why_unsupported
from rag.documents.splitter import sentence_spans
from rag.quantities.plain import is_english, plain
from rag.quantities.reading import Quantity, given, quantities
from rag.types import Citation, Sentence

SOURCES = 3
"""Source sentences that one sentence of an answer may cite."""
SENTENCES = 300
"""Sentences that are taken of an answer, about as many as 4,096 tokens make."""
_NEW = 2
"""Content words that a further source must add, or share if it tells a number."""
_TELL_LANGUAGE = 3
"""Sources by which the language is told."""
_MARKED_HEADING = re.compile(r"#{1,6}\s")
_TITLE = re.compile(r"[^\W\d][^\d.!?:;|,]*")
_TITLE_WORDS = 8
_GAP = 100
"""Characters around a heading that are looked at."""


def cite(
    answer: str, question: str, sources: Sequence[SourceSentence], sentences: SourceSentences
) -> tuple[Sentence, ...]:
    """Split `answer` into sentences and align each with the source sentences that say it.

    Citations are numbered from 1 in the order of the answer; the same span keeps its number. A sentence
    that its sources do not say (rag/answer/support.py) has none.
    """
    texts = split_answer(answer, source_language(sources))
    if not texts:
        return ()
    held = sentences.vectors([one.text for one in sources]) if sources else np.zeros((0, 1), dtype=np.float32)
    alone = sentences.vectors(texts)
    asked = sentences.vectors([f"{question} {text}" for text in texts])
    passages = dict.fromkeys(one.passage for one in sources)
    read = " ".join(" ".join([one.title, *one.headings, one.text]) for one in passages)
    strange = unfounded(question, read, source_language(sources))
    citations: dict[tuple[str, int], Citation] = {}
    made = []
    for text, *vectors in zip(texts, alone, asked, strict=True):
        aligned, alike = align(text, question, vectors, sources, held)
        why = why_unsupported(text, question, aligned, alike, strange, read)
        cited = () if why else tuple(_numbered(source, citations) for source in aligned)
        made.append(Sentence(text, cited, not why, why))
    return tuple(made)


def split_answer(answer: str, language: str) -> list[str]:
    """The sentences of an answer."""
    return [answer[span.start : span.end] for span in sentence_spans(answer, language)[:SENTENCES]]


def align(
    text: str, question: str, vectors: Sequence[Vector], sources: Sequence[SourceSentence], held: Vector
) -> tuple[list[SourceSentence], float]:
    """The sources nearest to `text`, in the documents' order, and the best one's likeness.

    Each of `vectors` stands for the text, the rows of `held` for the sources. Further sources are taken as far
    as they hold words that those before lack.
    """
    language = source_language(sources)
    words = content_words(text, language)
    usable = [i for i, one in enumerate(sources) if words <= one.words or not is_heading(one)]
    if not usable or not words:
        return [], 0.0
    english = is_english(" ".join([text, *(one.text for one in sources[:_TELL_LANGUAGE])]))
    counted = [one for one in quantities(plain(text), english) if one.claims]
    told = [frozenset(one for one in counted if one.is_said(given(source.text, english))) for source in sources]
    held_words = [one.words | one.about | _words_of(said) for one, said in zip(sources, told, strict=True)]
    alike = np.max([likeness(words, vector, sources, held) for vector in vectors], axis=0)
    alike += [len(words & (more - source.words)) / len(words) for more, source in zip(held_words, sources, strict=True)]
    best, *others = sorted(usable, key=lambda i: -alike[i])
    chosen = [best]
    left = words - held_words[best] - content_words(question, language)
    open_ones = frozenset(counted) - told[best]
    for i in others:
        new = left & held_words[i]
        tells = len(new) >= _NEW and len(new) >= len(words) / 6
        if len(chosen) < SOURCES and (tells or _settles(open_ones & told[i], words, new, sources[i])):
            chosen.append(i)
            left -= new
            open_ones -= told[i]
    return [sources[i] for i in sorted(chosen)], float(alike[best])


def _settles(told: frozenset[Quantity], words: frozenset[str], new: frozenset[str], source: SourceSentence) -> bool:
    """Whether the source tells quantities of the text, not the same numbers of something else.

    It must add one of the text's other words, or share two.
    """
    numbers = _words_of(told)
    return bool(told) and (bool(new - numbers) or len((words - numbers) & source.words) >= _NEW)


def _words_of(those: Iterable[Quantity]) -> frozenset[str]:
    return content_words(" ".join(one.text for one in those))


def is_heading(one: SourceSentence) -> bool:
    """Whether the sentence is a heading, which proves nothing but itself.

    It begins as one of Markdown does, or is a line of a few words without a number or a mark, alone before a longer
    one.
    """
    if _MARKED_HEADING.match(one.text):
        return True
    if not _TITLE.fullmatch(one.text) or len(one.text.split()) > _TITLE_WORDS:
        return False
    start, end = one.span.start - one.passage.start, one.span.end - one.passage.start
    before, after = one.passage.text[max(0, start - _GAP) : start], one.passage.text[end : end + _GAP]
    behind = after.lstrip()
    is_alone = (not start or _blank_line(before[len(before.rstrip()) :])) and _blank_line(after[: -len(behind)])
    return is_alone and behind[:1].isalpha() and len(behind.partition("\n")[0]) > len(one.text)


def _blank_line(space: str) -> bool:
    return space.count("\n") > 1


def likeness(words: frozenset[str], vector: Vector, sources: Sequence[SourceSentence], held: Vector) -> Vector:
    """Of each source the cosine, plus its share of the text's words (0..2)."""
    shared = [len(words & source.words) / max(1, len(words)) for source in sources]
    alike: Vector = held @ vector + np.array(shared, dtype=np.float32)
    return alike


def _numbered(source: SourceSentence, citations: dict[tuple[str, int], Citation]) -> Citation:
    key = source.passage.doc_id, source.span.start
    return citations.setdefault(key, citation(len(citations) + 1, source))
