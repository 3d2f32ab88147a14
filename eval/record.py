"""A question put to one chain -> a Record of what came of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

from eval.dataset import Evidence, Place, Question, locate
from eval.metrics import correct, covered, gist, is_long, opposed, rouge_l, token_f1
from rag.errors import RagError, with_detail
from rag.types import Answer, Citation, Document, Event, Sentence, Timings


@dataclass(frozen=True)
class Times:
    """Seconds from putting the question until the passages, the first text and the end; None: never came."""

    passages: float | None
    first_token: float | None
    total: float


@dataclass(frozen=True)
class Record:
    """A question and what one chain made of it.

    `searched` is the question after any rewriting, `evidence` the places of the evidence
    spans that are in the documents, `f1` None for an unanswerable question, `judged` the
    verdict of the judge, if there is one. `rouge_l` and `gist` are None except for a
    question whose references are all long. `signals` are what the confidence is made of,
    by name; empty for a chain that has none. If the question failed, `error` is the
    message and the record counts as a wrong answer. `near` is what was quoted in the place
    of an answer.
    """

    question: Question
    searched: str
    text: str
    abstained: bool
    confidence: float
    hits: tuple[Place, ...]
    citations: tuple[Citation, ...]
    sentences: tuple[Sentence, ...]
    evidence: tuple[Evidence, ...]
    times: Times
    correct: bool
    f1: float | None
    error: str | None = None
    error_kind: str | None = None
    judged: bool | None = None
    rouge_l: float | None = None
    gist: bool | None = None
    signals: Mapping[str, float] = field(default_factory=dict)
    near: tuple[Citation, ...] = ()

    @property
    def right(self) -> bool:
        """The verdict that fits the question: whether a long reference's gist is there, else `correct`."""
        return self.correct if self.gist is None else self.gist

    @property
    def quoted(self) -> bool:
        """Whether it quoted, in the place of an answer, some of the evidence."""
        return any(covered([Place(one.doc_id, one.start, one.end) for one in self.near], self.evidence))


class Chain(Protocol):
    """What can be measured: `rag.Chatbot`, and the baseline."""

    def stream(self, question: str, history: list[tuple[str, str]]) -> Iterator[Event]:
        """First the hits, perhaps the Evidence, then pieces of a draft, last the Answer. Raises RagError."""


def ask(chain: Chain, question: Question, documents: Mapping[str, Document]) -> Record:
    """Put one question. A RagError ends up in the record; other exceptions are faults."""
    evidence = locate(question, documents)
    error: RagError | None = None
    started = perf_counter()
    try:
        answer, times = _follow(chain, question, started)
    except RagError as failure:
        error, times = failure, Times(None, None, perf_counter() - started)
        answer = Answer(question.question, "", (), (), (), False, 0.0, Timings(0.0, 0.0, None, 0.0))
    text, references = answer.text, question.answers
    given, long = not (answer.abstained or error), is_long(question)
    return Record(
        question=question,
        searched=answer.question,
        text=text,
        abstained=answer.abstained,
        confidence=answer.confidence,
        hits=tuple(Place(hit.passage.doc_id, hit.passage.start, hit.passage.end) for hit in answer.hits),
        citations=answer.citations,
        sentences=answer.sentences,
        evidence=evidence,
        times=times,
        correct=error is None and correct(question, text, answer.abstained),
        f1=(token_f1(text, references) if given else 0.0) if question.answerable else None,
        error=with_detail(error) if error else None,
        error_kind=type(error).__name__ if error else None,
        rouge_l=(rouge_l(text, references) if given else 0.0) if long else None,
        gist=given and not opposed(text, references) and gist(text, references) if long else None,
        signals=answer.signals,
        near=answer.near,
    )


def _follow(chain: Chain, question: Question, started: float) -> tuple[Answer, Times]:
    answer: Answer | None = None
    passages = first_token = None
    for event in chain.stream(question.question, history=list(question.history)):
        if isinstance(event, Answer):
            answer = event
        elif isinstance(event, list):
            passages = perf_counter() - started
        elif isinstance(event, str) and event and first_token is None:
            first_token = perf_counter() - started
    if answer is None:
        raise RuntimeError(f"The stream of {question.id!r} ended without an Answer.")
    return answer, Times(passages, first_token, perf_counter() - started)
