"""What the model wrote -> plain sentences, without links, list numbers and false Yes."""

import re

from rag.answer.citations import SENTENCES, likeness
from rag.answer.context import Context
from rag.answer.evidence import content_words
from rag.answer.links import prose, without_links
from rag.answer.prompts import NOT_STATED
from rag.answer.question import Kind, Wording, is_choice
from rag.answer.support import OPENING, adds_nothing, contradicts, denies, quotes, source_language
from rag.documents.splitter import sentence_spans

_SPACED_INITIALS = re.compile(r"\b([A-Z])\. (?=[A-Z]\.)")
"""The small model writes "U. S." for "U.S."."""
_ENUMERATED = re.compile(r"(?:^|(?<=[.:;]\s))(\d{1,2})\. +(?=[A-Z“\"])", re.MULTILINE)
"""Before a part of a list; on its own it would pass for a sentence."""
_REFUSED = re.compile(rf"(?:^|(?<=\s)){re.escape(NOT_STATED)}")
"""The refusal of a part; by itself it is no sentence about the text."""
_BULLET = re.compile(r"^[ \t]*[-*•][ \t]+(\S.*)$", re.MULTILINE)
"""Each becomes a sentence, that is checked by itself."""

_NEAR = 4
"""Of the likeliest sentences, those among which a quotation is looked for."""


def cleaned(written: str, kind: Kind, wording: Wording, context: Context) -> str:
    """What the model wrote as plain sentences.

    The nearest sentence of the text stands in for an answer that only repeats the question, and one with a
    quotation if the exact words were asked for and none are given.
    """
    plain = without_links(prose(_SPACED_INITIALS.sub(r"\1.", written)), context.text)
    plain = _REFUSED.sub("", plain).strip()
    plain = _BULLET.sub(_sentence, plain)
    if [found[1] for found in _ENUMERATED.finditer(plain)][:2] == ["1", "2"]:
        plain = _ENUMERATED.sub("", plain)
    held = without_denied(plain, context)
    near: list[str] = []
    if kind is Kind.QUOTATION and not quotes(held):
        near = [one.text for one in context.nearest(_NEAR) if quotes(one.text)]
    elif (opened := OPENING.match(held)) and opened.end() == len(held):
        # What is no question of yes or no is not answered by one.
        return " ".join([held, *(one.text for one in context.nearest(1))]) if kind is Kind.YES_NO else ""
    elif kind is not Kind.YES_NO and not is_choice(wording.typed) and adds_nothing(held, wording.typed):
        near = [one.text for one in context.nearest(1)]
    return near[0] if near else held


def without_denied(answer: str, context: Context) -> str:
    """`answer` with the source itself for each sentence that affirms what its source negates.

    A Yes before a sentence that says no is dropped.
    """
    language = source_language(context.sources)
    spans = sentence_spans(answer, language)[:SENTENCES]
    texts = [answer[span.start : span.end] for span in spans]
    if not texts or not context.sources:
        return answer
    if not any(map(OPENING.match, texts)) and not any(denies(source.text) for source in context.sources):
        return answer
    kept, ended = "", 0
    held = context.sentences.vectors([source.text for source in context.sources])
    for span, text, vector in zip(spans, texts, context.sentences.vectors(texts), strict=True):
        best = context.sources[int(likeness(content_words(text, language), vector, context.sources, held).argmax())]
        opened = OPENING.match(text)
        rest = text[opened.end() :] if opened else text
        kept += answer[ended : span.start]
        if contradicts(rest, best.text):
            kept += best.text
        elif opened and opened[1].lower() == "yes" and denies(rest):
            kept += rest[:1].upper() + rest[1:]
        else:
            kept += text
        ended = span.end
    return kept.strip()


def _sentence(bullet: re.Match[str]) -> str:
    """What the bullet stands before, as a sentence."""
    text = bullet[1].rstrip(" \t")
    return text if text[-1] in ".!?:" else f"{text.rstrip(',;')}."
