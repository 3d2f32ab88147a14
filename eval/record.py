"""What one chain made of one question."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from eval.dataset import Question
from eval.metrics import Evidence, Place
from rag.types import Citation, Sentence


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
    verdict of the judge, None where there is none. `rouge_l` and `gist` are None except for
    a question whose references are all long. `signals` are what the confidence is made of,
    by name; empty for a chain that has none. Where the question failed, `error` is the
    message and the record counts as a wrong answer.
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

    @property
    def right(self) -> bool:
        """The verdict that fits the question: whether a long reference's gist is there, else `correct`."""
        return self.correct if self.gist is None else self.gist
