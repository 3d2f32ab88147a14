"""The chain: is it stated? the answer, cleaned and cited."""

from collections import deque
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig

from rag.answer.citations import cite
from rag.answer.cleanup import cleaned
from rag.answer.confidence import NEAR, UNHELD, Confidence, declines, evidence_of, log_odds, opening, refuses
from rag.answer.context import Context
from rag.answer.evidence import citation
from rag.answer.length import length_asked
from rag.answer.prompts import ANSWER, SUMMARY
from rag.answer.question import Kind, Wording
from rag.answer.summary import topic_of
from rag.bounds import ANSWER as LONGEST_ANSWER
from rag.models.chat_model import LENGTH, LOGPROBS, explained, finish_reason, incomplete, streamed
from rag.models.thoughts import CLOSING, Thoughts
from rag.settings import Settings
from rag.types import Citation, Evidence, Incomplete, Sentence

_HOLDING = 0.6
"""The share of a summary's sentences that must hold; else the extract is given."""
_SHOWN = 2
"""Sentences that are shown as evidence."""
_MAY = -5.0
"""Log-odds that a sentence answers, below which it is not shown."""
_BEHIND = 4.0
"""So much less likely than the first a further one may be."""


@dataclass(frozen=True)
class Draft:
    """An answer before it is decided whether to give it; perhaps without sentences."""

    sentences: tuple[Sentence, ...]
    confidence: float
    signals: Mapping[str, float]
    incomplete: Incomplete = ""

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Each once, in the order of their numbers."""
        return tuple({c.number: c for sentence in self.sentences for c in sentence.citations}.values())


class Writer:
    """Writes drafts with the model; threads may share it."""

    def __init__(self, settings: Settings, model: BaseChatModel) -> None:
        self._settings = settings
        self._model = model
        self._thoughts = Thoughts(model)
        self._confidence = Confidence.shipped()
        self._weighed: dict[str, Any] = {"logprobs": True, "top_logprobs": 10} if LOGPROBS in (model.tags or []) else {}

    def read_ahead(self, kind: Kind, wording: Wording, context: Context) -> None:
        """Let the engine read what an answer would begin with. Raises ModelError."""
        with explained(self._settings):
            _told(kind, self._model.bind(max_tokens=1), "read ahead").invoke(_values(wording, context))

    def draft(
        self, kind: Kind, wording: Wording, context: Context, config: RunnableConfig | None = None
    ) -> Generator[str, None, Draft]:
        """Gives the pieces of the answer as they are written, and returns the draft.

        Nothing is given if there is nothing to read, if the model begins to say that the text does not answer, or
        if its first word makes an answer too improbable. Raises ModelError.
        """
        if not context.text:
            return Draft((), 0.0, {})
        is_summary = kind is Kind.SUMMARY
        # An output parser behind the model would read its stream to the end when that is closed.
        told = _told(kind, self._model.bind(**self._weighed), f"answer {kind.value}")
        with closing(streamed(self._settings, told.stream(_values(wording, context), config))) as stream:
            pieces = self._thoughts.without(stream)
            begun, stated = opening(pieces)
            signals = {} if is_summary else {"evidence": evidence_of(context), "stated": log_odds(stated)}
            sure = 1.0 if is_summary else self._confidence.probability(signals)
            if is_refused := refuses(begun):
                deque(islice(pieces, LONGEST_ANSWER), maxlen=0)  # A stream that is not read to its end is an error.
            if is_refused or sure < self._settings.abstain_below:
                nothing = Draft((), sure, signals)
                return _summary(nothing, wording, context) if is_summary else nothing
            written, reason = yield from _written(chain(begun, pieces))
        text = cleaned(written.rpartition(CLOSING)[2].strip(), kind, wording, context)
        sentences = _excused(cite(text, wording.searched, context.sources, context.sentences))
        draft = Draft(sentences, sure, signals)
        cut = incomplete(self._model, reason)
        if is_summary:
            return _summary(_cut_short(draft, cut, context), wording, context)
        if not draft.citations or _declined(sentences[0]):
            draft = replace(draft, confidence=UNHELD * sure)
        return _cut_short(draft, cut, context)


def _declined(sentence: Sentence) -> bool:
    """Whether it says that the text does not answer.

    That somebody in the text "gave no details" is an answer.
    """
    return declines(sentence.text) and not any(declines(one.quote) for one in sentence.citations)


def _excused(sentences: tuple[Sentence, ...]) -> tuple[Sentence, ...]:
    """The sentences; what is said to be lacking after an answer needs no source."""
    if not sentences or not sentences[0].supported:
        return sentences
    first, *others = sentences
    return first, *(replace(one, supported=True, why="") if _declined(one) else one for one in others)


def given(draft: Draft, settings: Settings) -> tuple[Sentence, ...]:
    """The sentences to give; none if they are not believed or none is supported.

    Of an answer that was cut short what there is of it is given, though nobody vouches for it.
    """
    if draft.confidence < settings.abstain_below:
        return ()
    sentences = tuple(one for one in draft.sentences if one.supported or settings.unsupported == "mark")
    return sentences if draft.incomplete or any(one.supported for one in sentences) else ()


def _summary(draft: Draft, wording: Wording, context: Context) -> Draft:
    """The summary, with the share of its sentences that hold; the extract if few do.

    An extract is no answer to a question that names what is not in it.
    """
    supported = sum(sentence.supported for sentence in draft.sentences)
    share = supported / max(1, len(draft.sentences))
    said = frozenset[str]().union(*(one.words for one in context.extract))
    if share >= _HOLDING or not topic_of(wording.typed) <= said or not said:
        return replace(draft, confidence=share)
    sentences = tuple(
        Sentence(one.text, (citation(number, one),), True) for number, one in enumerate(context.extract, 1)
    )
    return Draft(sentences, 1.0, draft.signals)


def likeliest(context: Context) -> Evidence:
    """The sentences to show before the model says a word, if any may answer."""
    if context.extract:
        return Evidence(tuple(citation(number, one) for number, one in enumerate(context.extract, 1)))
    best = [one for one in context.ranked[:_SHOWN] if one.score >= max(_MAY, context.ranked[0].score - _BEHIND)]
    return Evidence(tuple(citation(number, one.sentence) for number, one in enumerate(best, 1)))


def nearest(draft: Draft, evidence: Evidence, settings: Settings) -> tuple[Citation, ...]:
    """The sentences to quote in place of an answer, if that is not too improbable."""
    return evidence.citations if draft.confidence >= NEAR * settings.abstain_below else ()


def _values(wording: Wording, context: Context) -> dict[str, str]:
    """What every prompt over the text is filled with."""
    return {"text": context.text, "question": wording.asked, "length": length_asked(wording.typed).wording}


def _told(kind: Kind, model: Runnable[Any, BaseMessage], name: str) -> Runnable[Any, BaseMessage]:
    """The model behind its prompt, under a name by which a trace shows it."""
    return ((SUMMARY if kind is Kind.SUMMARY else ANSWER) | model).with_config(run_name=name)


def _written(pieces: Iterable[BaseMessage]) -> Generator[str, None, tuple[str, str | None]]:
    """Gives the texts of the pieces; returns them as one, and why the model stopped."""
    written, reason = "", None
    # A server may send more than the tokens that it was asked for, and pieces without a text for good.
    for piece in islice(pieces, LONGEST_ANSWER):
        reason = finish_reason(piece) or reason
        if text := str(piece.text)[: LONGEST_ANSWER - len(written)]:
            written += text
            yield text
        if len(written) >= LONGEST_ANSWER:
            return written, LENGTH
    return written, reason


def _cut_short(draft: Draft, cut: Incomplete, context: Context) -> Draft:
    """The draft, and of a stream that ended too early what there is of it.

    Its last sentence is then not vouched for, unless the text has it.
    """
    if not cut:
        return draft
    *whole, last = draft.sentences or (None,)
    if last is None or last.text in {source.text for source in context.sources}:
        return replace(draft, incomplete=cut)
    last = replace(last, citations=(), supported=False, why="The answer was cut off here.")
    return replace(draft, sentences=(*whole, last), incomplete=cut)
