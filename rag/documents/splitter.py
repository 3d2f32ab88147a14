"""A document's text -> its passages, which end at sentence ends and know their offsets."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

import sentencex

from rag.documents.headings import lines_over
from rag.documents.layout import begins_entry, headings, is_entry
from rag.types import Document, Passage, Span

_HEADING = re.compile(r"^#{1,6}[ \t]+\S", re.MULTILINE)
_LINE = re.compile(r"[^\n\r]+")
_LINE_END = re.compile(r"[\n\r]")
_WORD = re.compile(r"\S{1,100}")
_PIECE = re.compile(r"[A-Za-z\u00c0-\u024f]{1,8}|\d{1,3}|[^\s]")
"""About what the tokenizer of an English model makes one token of; of other scripts it takes letter by letter."""
_PIECES = 2
"""In a word: an embedder that takes 256 tokens reads all of 110 words, be they signs, numbers or Chinese."""
_ENDS_SENTENCE = re.compile(r"[.!?:;…。！？][\"'”’»)\]]*\s*$")
_OPENS_BLOCK = re.compile(r"#{1,6}\s|[-*+•]\s|\(?(?:\d{1,9}|[a-z]|[ivx]{2,4})[.)]\s|>|\|")
_WRAPPED_LINE = 40
"""Characters; a shorter line without a full stop is a title, not the first part of a wrapped sentence."""
_LONGEST_SENTENCE = 60
"""Words; a longer "sentence" (a table, a list without full stops) is cut between words."""
_SEGMENTED = 2000
"""Characters that the segmenter sees at once: its time grows with their square (1 ms for opening quotation marks, for
16,000 of them 54)."""
_TINY = 1 / 8
"""Of a passage; a section with fewer words does not get a passage of its own."""
_Sentence = tuple[Span, int]
"""A sentence and its size: its number of words, or more if they are long or make many tokens."""


def sentence_spans(text: str, language: str = "en") -> list[Span]:
    """The sentences of `text`, without the white space around them.

    A sentence runs over a line end only if the line looks wrapped.
    The segmenter is sentencex (Wikimedia), which keeps "U.S. Ambassador" and quotations whole.
    """
    return [span for span, _ in _sentences(text, language, 0, len(text))]


def passage_spans(text: str, words: int, language: str = "en") -> list[Span]:
    """The passages of `text`: whole sentences, about `words` words in each.

    A passage holds sentences of one section (Markdown headings divide sections), spread
    evenly, so that none is a mere rest. Sections of less than an eighth of a passage (a
    heading without a body, a line) share one: as many as follow each other and have at
    most `words` words together; a heading that is left alone goes with the next section.
    """
    spans = []
    for sentences in _together(_sections(text, language), words):
        for group in _groups(sentences, words):
            spans.append(Span(group[0].start, group[-1].end))
    return spans


def cut(document: Document, spans: Sequence[Span], first_id: int = 0) -> list[Passage]:
    """The passages at `spans`, which are in order, numbered from `first_id`."""
    pages = document.pages
    over = lines_over(document.text, (span.start for span in spans), document.title)
    return [
        Passage(
            passage_id=passage_id,
            doc_id=document.doc_id,
            source=document.source,
            title=document.title,
            start=span.start,
            end=span.end,
            text=document.text[span.start : span.end],
            page=document.page(span.start),
            page_breaks=pages[bisect_right(pages, span.start) : bisect_left(pages, span.end)],
            headings=lines,
            language=document.language,
        )
        for passage_id, (span, lines) in enumerate(zip(spans, over, strict=True), first_id)
    ]


def _sections(text: str, language: str) -> Iterator[list[_Sentence]]:
    """The sentences of each section that has any."""
    starts = sorted({0, *(heading.start for heading in headings(text))})
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        if sentences := list(_sentences(text, language, start, end)):
            yield sentences


def _together(sections: Iterator[list[_Sentence]], words: int) -> Iterator[list[_Sentence]]:
    """The sentences of each section, those of tiny ones joined."""
    run: list[_Sentence] = []
    size, all_tiny = 0, True
    for section in sections:
        length = sum(length for _, length in section)
        tiny = length < words * _TINY
        if size >= words * _TINY and not (all_tiny and tiny and size + length <= words):
            yield run
            run, size, all_tiny = [], 0, True
        run += section
        size += length
        all_tiny = all_tiny and tiny
    if run:
        yield run


def _groups(sentences: Sequence[_Sentence], words: int) -> Iterator[list[Span]]:
    left = sum(length for _, length in sentences)
    group: list[Span] = []
    size = 0
    for span, length in sentences:
        target = (size + left) / max(1, round((size + left) / words))
        if group and size + length / 2 > target:
            yield group
            group, size = [], 0
        group.append(span)
        size += length
        left -= length
    if group:
        yield group


def _sentences(text: str, language: str, start: int, end: int) -> Iterator[_Sentence]:
    for block in _blocks(text, start, end):
        at = block.start
        content = _LINE_END.sub(" ", text[block.start : block.end])
        for length in [len(content)] if is_entry(content) else _segments(content, language):
            yield from _short(text, at, at + length)
            at += length


def _segments(text: str, language: str) -> Iterator[int]:
    """The lengths of the sentences of `text`, which is segmented in parts.

    The last sentence of a part may go on, so the next part begins with it.
    """
    at = 0
    while at < len(text):
        end = at + _SEGMENTED
        if end < len(text):
            blank = text.rfind(" ", at, end) + 1
            end = blank if blank > at + _SEGMENTED / 2 else end
        lengths = [len(piece) for piece in sentencex.segment(language, text[at:end])]
        if end < len(text) and lengths[-1] < _SEGMENTED / 2:
            lengths.pop()
        yield from lengths
        at += sum(lengths)


def _blocks(text: str, start: int, end: int) -> Iterator[Span]:
    """The lines of `text[start:end]`; a wrapped line is joined with the next."""
    lines = [Span(match.start(), match.end()) for match in _LINE.finditer(text, start, end)]
    first = 0
    for number, line in enumerate(lines):
        if number + 1 == len(lines) or not _wrapped(text, line, lines[number + 1]):
            yield Span(lines[first].start, line.end)
            first = number + 1


def _wrapped(text: str, line: Span, following: Span) -> bool:
    content, next_content = text[line.start : line.end], text[following.start : following.end].lstrip()
    return (
        text[line.end : following.start] in {"\n", "\r\n", "\r"}
        and len(content.strip()) >= _WRAPPED_LINE
        and bool(next_content)
        and not _ENDS_SENTENCE.search(content)
        and not _HEADING.match(content)
        and not _OPENS_BLOCK.match(next_content)
        and not begins_entry(content, next_content)
    )


def _short(text: str, start: int, end: int) -> Iterator[_Sentence]:
    """The words of `text[start:end]` as one sentence, or as several, none larger than _LONGEST_SENTENCE."""
    first, last, words, pieces = start, start, 0, 0
    for word in _WORD.finditer(text, start, end):
        own = len(_PIECE.findall(word[0]))
        if words and max(words + 1, (pieces + own) / _PIECES) > _LONGEST_SENTENCE:
            yield Span(first, last), max(words, round(pieces / _PIECES))
            words, pieces = 0, 0
        first = first if words else word.start()
        last, words, pieces = word.end(), words + 1, pieces + own
    if words:
        yield Span(first, last), max(words, round(pieces / _PIECES))
