"""Document -> Chunks that end at sentence ends and know their offsets."""

import re
from collections.abc import Iterator, Sequence

import sentencex

from rag.types import Chunk, Document, Span

_HEADING = re.compile(r"^#{1,6}[ \t]+\S", re.MULTILINE)
_LINE = re.compile(r"[^\n\r]+")
_WORD = re.compile(r"\S+")
_ENDS_SENTENCE = re.compile(r"[.!?:;…。！？][\"'”’»)\]]*\s*$")
_OPENS_BLOCK = re.compile(r"\s*(#{1,6}\s|[-*+•]\s|\d+[.)]\s|>|\|)")
_WRAPPED_LINE = 40
"""Characters; a shorter line without a full stop is a title, not the first part of a wrapped sentence."""
_LONGEST_SENTENCE = 60
"""Words; a longer "sentence" (a table, a list without full stops) is cut between words."""


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """The sentences of `text[start:end]` as spans of `text`, without the white space around them.

    A sentence runs over a line end only where the line looks wrapped.
    The segmenter is sentencex (Wikimedia), which keeps "U.S. Ambassador" and quotations whole.
    """
    spans: list[Span] = []
    for block in _blocks(text, start, len(text) if end is None else end):
        at = block.start
        unwrapped = re.sub(r"[\n\r]", " ", text[block.start : block.end])
        for piece in sentencex.segment("en", unwrapped):
            spans.extend(_short(text, at, at + len(piece)))
            at += len(piece)
    return spans


def split(document: Document, words: int = 110, first_id: int = 0) -> list[Chunk]:
    """Chunks of whole sentences, about `words` words each, numbered from `first_id`.

    A chunk never holds sentences of two sections (Markdown headings divide sections).
    The sentences of a section are spread evenly, so that no chunk is a mere rest.
    """
    chunks: list[Chunk] = []
    for section in _sections(document.text):
        for group in _groups(document.text, sentence_spans(document.text, section.start, section.end), words):
            start, end = group[0].start, group[-1].end
            chunks.append(
                Chunk(
                    chunk_id=first_id + len(chunks),
                    doc_id=document.doc_id,
                    source=document.source,
                    title=document.title,
                    start=start,
                    end=end,
                    text=document.text[start:end],
                    page=document.page(start),
                    page_breaks=tuple(at for at in document.pages if start < at < end),
                )
            )
    return chunks


def _sections(text: str) -> list[Span]:
    starts = sorted({0, *(match.start() for match in _HEADING.finditer(text))})
    return [Span(start, end) for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _blocks(text: str, start: int, end: int) -> Iterator[Span]:
    """Lines, where a wrapped line is joined with the next."""
    lines = [Span(match.start(), match.end()) for match in _LINE.finditer(text, start, end)]
    first = 0
    for number, line in enumerate(lines):
        if number + 1 == len(lines) or not _wrapped(text, line, lines[number + 1]):
            yield Span(lines[first].start, line.end)
            first = number + 1


def _wrapped(text: str, line: Span, following: Span) -> bool:
    content = text[line.start : line.end]
    return (
        text[line.end : following.start] in {"\n", "\r\n", "\r"}
        and len(content.strip()) >= _WRAPPED_LINE
        and bool(text[following.start : following.end].strip())
        and not _ENDS_SENTENCE.search(content)
        and not _HEADING.match(content)
        and not _OPENS_BLOCK.match(text, following.start, following.end)
    )


def _short(text: str, start: int, end: int) -> Iterator[Span]:
    """The words of `text[start:end]` as one span, or as several of at most _LONGEST_SENTENCE words."""
    words = list(_WORD.finditer(text, start, end))
    for first in range(0, len(words), _LONGEST_SENTENCE):
        piece = words[first : first + _LONGEST_SENTENCE]
        yield Span(piece[0].start(), piece[-1].end())


def _groups(text: str, spans: Sequence[Span], words: int) -> Iterator[list[Span]]:
    lengths = [len(text[span.start : span.end].split()) for span in spans]
    left = sum(lengths)
    group: list[Span] = []
    size = 0
    for span, length in zip(spans, lengths, strict=True):
        target = (size + left) / max(1, round((size + left) / words))
        if group and size + length / 2 > target:
            yield group
            group, size = [], 0
        group.append(span)
        size += length
        left -= length
    if group:
        yield group
