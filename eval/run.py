"""One chain over the questions -> Records."""

from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Protocol

from tqdm import tqdm

from eval.dataset import Question
from eval.kept import Kept
from eval.metrics import Evidence, Place, correct, gist, is_long, locate, opposed, rouge_l, token_f1
from eval.record import Record, Times
from rag.errors import RagError, whole
from rag.types import Answer, Document, Hit


class Chain(Protocol):
    """What can be measured: `rag.Chatbot`, and the baseline."""

    def stream(self, question: str, history: list[tuple[str, str]]) -> Iterator[list[Hit] | str | Answer]:
        """First the hits, then pieces of the answer's text, last the Answer. Raises RagError."""


def run(
    chain: Chain,
    questions: Sequence[Question],
    documents: Mapping[str, Document],
    name: str = "chat",
    kept: Kept | None = None,
) -> list[Record]:
    """A Record for every question, in order; a progress bar called `name`, with the time left, goes to stderr.

    Questions that `kept` has are not asked again, and it gets the others as they are answered.
    """
    known = kept.records if kept else {}
    records = []
    done = sum(question.id in known for question in questions)
    with tqdm(total=len(questions), initial=done, desc=name, unit="question") as bar:
        for question in questions:
            if question.id in known:
                records.append(known[question.id])
                continue
            records.append(ask(chain, question, documents))
            if kept:
                kept.add(records[-1])
            bar.update()
    return records


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
        hits=tuple(Place(hit.passage.doc_id, hit.passage.start, hit.passage.end) for hit in answer.hits),
        citations=answer.citations,
        sentences=answer.sentences,
        evidence=evidence,
        times=times,
        correct=correct(question, answer.text, answer.abstained),
        f1=_f1(question, answer),
        rouge_l=_rouge_l(question, answer),
        gist=_gist(question, answer),
        signals=answer.signals,
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


def _gist(question: Question, answer: Answer) -> bool | None:
    if not is_long(question):
        return None
    return not (answer.abstained or opposed(answer.text, question.answers)) and gist(answer.text, question.answers)


def _rouge_l(question: Question, answer: Answer) -> float | None:
    if not is_long(question):
        return None
    return 0.0 if answer.abstained else rouge_l(answer.text, question.answers)


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
        error=whole(error),
        error_kind=type(error).__name__,
        rouge_l=0.0 if is_long(question) else None,
        gist=False if is_long(question) else None,
    )
