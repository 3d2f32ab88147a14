"""The chain: is it stated? the answer, cleaned and cited."""

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
        self._confidence = Confidence.shipped()
        weighed: dict[str, Any] = {"logprobs": True, "top_logprobs": 10} if LOGPROBS in (model.tags or []) else {}
        prompts = {kind: SUMMARY if kind is Kind.SUMMARY else ANSWER for kind in Kind}
        self._read = {kind: _named("read ahead", one | model.bind(max_tokens=1)) for kind, one in prompts.items()}
        # An output parser behind it would read the stream to its end when it is closed.
        self._answer = {
            kind: _named(f"answer {kind.value}", one | model.bind(**weighed)) for kind, one in prompts.items()
        }

    def read_ahead(self, kind: Kind, wording: Wording, context: Context) -> None:
        """Let the engine read what an answer would begin with. Raises ModelError."""
        with explained(self._settings):
            self._read[kind].invoke(_values(wording, context))

    def draft(
        self, kind: Kind, wording: Wording, context: Context, config: RunnableConfig | None = None
    ) -> Generator[str, None, Draft]:
        """Gives the pieces of the answer as they are written, and returns the draft.

        Nothing is written if there is nothing to read, or if the model begins to say that the text does not
        answer. Raises ModelError.
        """
        if not context.text:
            return Draft((), 0.0, {})
        is_summary, sure, signals = kind is Kind.SUMMARY, 1.0, dict[str, float]()
        with closing(streamed(self._settings, self._answer[kind].stream(_values(wording, context), config))) as pieces:
            begun, stated = opening(pieces)
            if not is_summary:
                signals = {"evidence": evidence_of(context), "stated": log_odds(stated)}
                sure = self._confidence.probability(signals)
                if refuses(begun) or sure < self._settings.abstain_below:
                    return Draft((), sure, signals)
            written, reason = yield from _written(chain(begun, pieces))
        text = cleaned(written.strip(), kind, wording, context)
        draft = Draft(cite(text, wording.searched, context.sources, context.sentences), sure, signals)
        cut = incomplete(self._model, reason)
        if is_summary:
            return _summary(_cut_short(draft, cut, context), wording, context)
        # That somebody in the text "gave no details" is an answer.
        if not draft.citations or (declines(text) and not any(declines(c.quote) for c in draft.citations)):
            draft = replace(draft, confidence=UNHELD * sure)
        return _cut_short(draft, cut, context)


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


def _named(name: str, chain: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """The chain under a name by which a trace shows it."""
    return chain.with_config(run_name=name)


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
