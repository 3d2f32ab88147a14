"""One question over its context -> a draft: checked, written in a stream, cited, checked again."""

import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig

from rag.answer.answer_type import AnswerType, circular
from rag.answer.citations import Numbers, cite, contradicts, quotes, settle
from rag.answer.condense import Wording
from rag.answer.confidence import (
    PASSAGES,
    UNHELD,
    WHOLE,
    Confidence,
    declines,
    known_before,
    known_written,
    log_odds,
    token_chances,
    yes_probability,
)
from rag.answer.context import EXCERPTS, Context
from rag.answer.evidence import content_words
from rag.answer.links import prose, without_links
from rag.answer.prompts import ANSWER, CHECK, GROUND, PART_ABSTENTION, VERDICT
from rag.bounds import ANSWER as LONGEST_ANSWER
from rag.models.chat_model import LENGTH, LOGPROBS, explained, finish_reason, incomplete, streamed
from rag.settings import Settings
from rag.types import Citation, Hit, Incomplete, Sentence

_SPACED_INITIALS = re.compile(r"\b([A-Z])\. (?=[A-Z]\.)")
"""The small model writes "U. S." for "U.S."."""

_ENUMERATED = re.compile(r"(?:^|(?<=[.:;]\s))(\d{1,2})\. +(?=[A-Z“\"])", re.MULTILINE)
"""Before a part of a list; on its own it would pass for a sentence."""

_SAYS = re.compile(r"^(?:(?:yes|no)\b\W+)?(?:the \w+ (?:says|states) that )?(?=\S)", re.IGNORECASE)
"""What the answer to a question of yes or no may begin with, before what the text says."""

_AFFIRMED, _DENIED = 1.75, -0.3
"""A Yes or a No is said where the log-odds of the model's Yes to the cited sentences are beyond these; it says Yes too
readily. Of 21 questions over the article the first word is then right 15 times, wrong once, and left out 5 times."""

_BULLET = re.compile(r"^[ \t]*[-*•][ \t]+(\S.*)$", re.MULTILINE)
"""Each becomes a sentence, that is checked by itself."""


@dataclass(frozen=True)
class Draft:
    """An answer before it is decided whether to give it; without sentences where none was written."""

    sentences: tuple[Sentence, ...]
    confidence: float
    signals: Mapping[str, float]
    incomplete: Incomplete = ""

    @property
    def citations(self) -> dict[int, Citation]:
        """By number."""
        return {citation.number: citation for sentence in self.sentences for citation in sentence.citations}


class Answerer:
    """Writes drafts with the model; threads may share it."""

    def __init__(self, settings: Settings, model: BaseChatModel) -> None:
        self._settings = settings
        self._model = model
        self._confidence = {whole: Confidence.shipped(WHOLE if whole else PASSAGES) for whole in (True, False)}
        weighed = {"logprobs": True} if LOGPROBS in (model.tags or []) else {}
        # An output parser behind it would read the stream to its end when it is closed.
        self._answer = {kind: prompt | model.bind(**weighed) for kind, prompt in ANSWER.items()}

    def read_ahead(self, context: Context) -> None:
        """Let the engine read what every question will begin with. Raises ModelError."""
        with explained(self._settings):
            self._model.invoke(CHECK.invoke({"text": context.text, "excerpts": "", "question": ""}), max_tokens=1)

    def draft(
        self, kind: AnswerType, wording: Wording, context: Context, hits: list[Hit], numbers: Numbers,
        wrote: Callable[[], None], config: RunnableConfig | None = None,
    ) -> Generator[str, None, Draft]:  # fmt: skip
        """Gives the pieces of the answer as they are written, and returns the draft. Raises ModelError.

        `wrote` is told of each piece; `numbers` are the citations made so far. Nothing is
        written where it is hopeless.
        """
        question = wording.searched
        read = {"text": context.text, "excerpts": context.excerpts(kind, question), "question": question}
        before: dict[str, float] = {}
        confidence = self._confidence[context.whole]
        if kind is not AnswerType.SUMMARY:
            with explained(self._settings):
                stated = yes_probability(self._model, CHECK.invoke(read), config)
            before = {WHOLE: float(context.whole)} | known_before(wording.typed, stated, hits, context)
            if confidence.hopeless(before, self._settings.abstain_below):
                return Draft((), confidence.early.probability(before), before)
        written, chances, reason = "", list[float](), None
        prompt = read | {"question": wording.asked}
        with closing(streamed(self._settings, self._answer[kind].stream(prompt, config))) as pieces:
            # A server may send more than the tokens that it was asked for, and pieces without a text for good.
            for piece in islice(pieces, LONGEST_ANSWER):
                chances += token_chances(piece)
                reason = finish_reason(piece) or reason
                if text := str(piece.text)[: LONGEST_ANSWER - len(written)]:
                    wrote()
                    written += text
                    yield text
                if max(len(written), len(chances)) >= LONGEST_ANSWER:
                    reason = LENGTH
                    break
        written = _mended(kind, wording, written.strip(), context)
        sentences = cite(written, question, context.sources, context.evidence, numbers)
        if kind is AnswerType.SUMMARY:
            draft = Draft(sentences, _supported(sentences), {})
        else:
            draft = self._weighed(confidence, wording, written, sentences, before, chances, config)
        if kind is AnswerType.POLAR and draft.citations and draft.confidence >= self._settings.abstain_below:
            draft = self._sided(wording, draft, config)
        cut = incomplete(self._model, reason)
        return _cut_short(draft, cut, context) if cut else draft

    def _weighed(
        self, confidence: Confidence, wording: Wording, written: str, sentences: tuple[Sentence, ...],
        before: dict[str, float], chances: list[float], config: RunnableConfig | None,
    ) -> Draft:  # fmt: skip
        """The draft with its confidence; while that is open, the model is asked about the cited sentences alone."""
        unheld = Draft(sentences, UNHELD * confidence.early.probability(before), before)
        # That somebody in the text "gave no details" is an answer.
        if not unheld.citations or (declines(written) and not any(map(declines, _quoted(unheld)))):
            return unheld
        signals = before | known_written(wording.typed, written, chances)
        if confidence.settled(signals, self._settings.abstain_below):
            return Draft(sentences, confidence.written.probability(signals), signals)
        cited = " ".join(_quoted(unheld))
        with explained(self._settings):
            grounded = yes_probability(
                self._model, GROUND.invoke({"cited": cited, "question": wording.searched}), config
            )
        signals |= {"grounded": log_odds(grounded)}
        return Draft(sentences, confidence.late.probability(signals), signals)

    def _sided(self, wording: Wording, draft: Draft, config: RunnableConfig | None) -> Draft:
        """The draft with a Yes or a No before it, where what it cites surely says so; else what is said must do.

        Without a Yes a sentence that only repeats the question is replaced by the first that it cites.
        """
        first, *others = draft.sentences
        if not first.supported:
            return draft
        cited = {"cited": " ".join(_quoted(draft)), "question": wording.searched}
        with explained(self._settings):
            odds = log_odds(yes_probability(self._model, VERDICT.invoke(cited), config))
        denied = odds <= _DENIED or contradicts(wording.typed, first.text)
        text = first.text
        if (denied or odds < _AFFIRMED) and content_words(text) <= content_words(wording.searched):
            text = first.citations[0].quote
        side = "No. " if denied else "Yes. " if odds >= _AFFIRMED else ""
        return replace(draft, sentences=(replace(first, text=f"{side}{text}"), *others))


def kept(answered: Sequence[tuple[Wording, Draft]], settings: Settings) -> tuple[Sentence, ...]:
    """The sentences to give, their citations numbered from 1; none where nothing is believed or supported.

    Where some of several questions are not answered, a sentence says so in the place of their answers. Of an answer
    that was cut short what there is of it is given, though nobody vouches for it.
    """
    dropped = settings.unsupported == "drop"
    given: list[Sentence] = []
    cut = False
    for wording, draft in answered:
        believed = draft.confidence >= settings.abstain_below
        own = [one for one in draft.sentences if believed and (one.supported or not dropped)]
        cut = cut or bool(own and draft.incomplete)
        given += own or [Sentence(PART_ABSTENTION.format(question=wording.typed), (), supported=False)]
    if not cut and not any(sentence.supported for sentence in given):
        return ()
    numbers = {old: new for new, old in enumerate(dict.fromkeys(c.number for one in given for c in one.citations), 1)}
    return tuple(
        replace(one, citations=tuple(replace(c, number=numbers[c.number]) for c in one.citations)) for one in given
    )


def _cut_short(draft: Draft, cut: Incomplete, context: Context) -> Draft:
    """The draft of a stream that ended too early: its last sentence is not vouched for, unless the text has it."""
    *whole, last = draft.sentences or (None,)
    if last is None or last.text in {source.text for source in context.sources}:
        return replace(draft, incomplete=cut)
    return replace(draft, sentences=(*whole, replace(last, citations=(), supported=False)), incomplete=cut)


def citations_of(sentences: Iterable[Sentence]) -> tuple[Citation, ...]:
    """Each once, by number."""
    return tuple({c.number: c for sentence in sentences for c in sentence.citations}.values())


def holds(hit: Hit, citations: Iterable[Citation]) -> bool:
    """Whether one of the citations is inside the passage."""
    passage = hit.passage
    return any(c.doc_id == passage.doc_id and passage.start <= c.start and c.end <= passage.end for c in citations)


def _mended(kind: AnswerType, wording: Wording, written: str, context: Context) -> str:
    """What was written, as prose without links, numbers of a list and false agreement.

    The nearest sentence of the text stands in for an answer that only repeats the
    question, and one with a quotation where the exact words were asked for and none are given.
    """
    plain = without_links(prose(_SPACED_INITIALS.sub(r"\1.", written)), context.text)
    if kind is AnswerType.POLAR:
        plain = _SAYS.sub("", plain)
        plain = plain[:1].upper() + plain[1:]
    plain = _BULLET.sub(_ended, plain)
    if [found[1] for found in _ENUMERATED.finditer(plain)][:2] == ["1", "2"]:
        plain = _ENUMERATED.sub("", plain)
    settled = settle(plain, context.sources, context.evidence)
    if kind is AnswerType.QUOTATION and not quotes(settled):
        near = [one.text for one in context.nearest(wording.searched, EXCERPTS) if quotes(one.text)]
    else:
        near = [one.text for one in context.nearest(wording.searched, 1)] if circular(wording.typed, settled) else []
    return near[0] if near else settled


def _ended(bullet: re.Match[str]) -> str:
    """What the bullet stands before, as a sentence."""
    text = bullet[1].rstrip(" \t")
    return text if text[-1] in ".!?:" else f"{text.rstrip(',;')}."


def _quoted(draft: Draft) -> list[str]:
    return [citation.quote for citation in draft.citations.values()]


def _supported(sentences: tuple[Sentence, ...]) -> float:
    return sum(sentence.supported for sentence in sentences) / max(1, len(sentences))
