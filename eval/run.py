"""One chain over the questions -> Records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from tqdm import tqdm

from eval.dataset import Question
from eval.metrics import Evidence, Place, correct, locate, token_f1
from rag.errors import RagError
from rag.types import Answer, Citation, Document, Hit, Sentence


class Chain(Protocol):
    """What can be measured: `rag.Chatbot`, and the baseline."""

    def stream(self, question: str, history: list[tuple[str, str]]) -> Iterator[list[Hit] | str | Answer]:
        """First the hits, then pieces of the answer's text, last the Answer. Raises RagError."""


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
    verdict of the judge, None where there is none. Where the question failed, `error`
    is the message and the record counts as a wrong answer.
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


def run(
    chain: Chain, questions: Sequence[Question], documents: Mapping[str, Document], name: str = "chat"
) -> list[Record]:
    """A Record for every question, in order; a progress bar called `name` goes to stderr."""
    return [ask(chain, question, documents) for question in tqdm(questions, desc=name, unit="question")]


def ask(chain: Chain, question: Question, documents: Mapping[str, Document]) -> Record:
    """Put one question. A RagError ends up in the record; every other exception is a fault of the program."""
    evidence = locate(question, documents)
    started = perf_counter()
    try:
        answer, times = _follow(chain, question, started)
    except RagError as error:
        times = Times(None, None, perf_counter() - started)
        return _failed(question, evidence, times, error)
    return Record(
        question=question,
        searched=answer.question,
        text=answer.text,
        abstained=answer.abstained,
        confidence=answer.confidence,
        hits=tuple(Place(hit.chunk.doc_id, hit.chunk.start, hit.chunk.end) for hit in answer.hits),
        citations=answer.citations,
        sentences=answer.sentences,
        evidence=evidence,
        times=times,
        correct=correct(question, answer.text, answer.abstained),
        f1=_f1(question, answer),
    )


def _follow(chain: Chain, question: Question, started: float) -> tuple[Answer, Times]:
    answer: Answer | None = None
    passages = first_token = None
    for event in chain.stream(question.question, history=list(question.history)):
        if isinstance(event, Answer):
            answer = event
        elif isinstance(event, list):
            passages = perf_counter() - started
        elif event and first_token is None:
            first_token = perf_counter() - started
    if answer is None:
        raise RuntimeError(f"The stream of {question.id!r} ended without an Answer.")
    return answer, Times(passages, first_token, perf_counter() - started)


def _f1(question: Question, answer: Answer) -> float | None:
    if not question.answerable:
        return None
    return 0.0 if answer.abstained else token_f1(answer.text, question.answers)


def _failed(question: Question, evidence: tuple[Evidence, ...], times: Times, error: RagError) -> Record:
    return Record(
        question=question,
        searched=question.question,
        text="",
        abstained=False,
        confidence=0.0,
        hits=(),
        citations=(),
        sentences=(),
        evidence=evidence,
        times=times,
        correct=False,
        f1=0.0 if question.answerable else None,
        error=str(error),
        error_kind=type(error).__name__,
    )
