"""A question set: one JSON object a line -> Questions."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from rag.errors import RagError


class DatasetError(RagError):
    """A question set cannot be read, or a line of it is not a question."""


@dataclass(frozen=True)
class Question:
    """A question with what a right answer to it says.

    `answers` are reference answers; none means that the documents do not answer, so that
    abstaining is right. `must` holds groups of alternatives, of which a right answer has
    one of every group. `polarity` is the right answer to a yes-or-no question. `evidence`
    are verbatim substrings of the documents (of those in `doc_ids`, where the index knows
    them). `near_doc_ids` are documents that only seem to answer. `history` are the earlier
    turns, each a question and its answer.

    So in MTRAG a `partial` question is answerable, and an `underspecified` or a
    `conversational` one, which have no answers, are right when the chatbot abstains: it
    does not ask back, and saying nothing is the nearest that it can do.
    """

    id: str
    kind: str
    question: str
    answers: tuple[str, ...]
    history: tuple[tuple[str, str], ...] = ()
    must: tuple[tuple[str, ...], ...] = ()
    polarity: Literal["yes", "no"] | None = None
    evidence: tuple[str, ...] = ()
    doc_ids: tuple[str, ...] = ()
    near_doc_ids: tuple[str, ...] = ()

    @property
    def answerable(self) -> bool:
        """Whether the documents answer it."""
        return bool(self.answers)


_ADAPTER = TypeAdapter(Question)


class _Named(Protocol):
    @property
    def id(self) -> str: ...


_Item = TypeVar("_Item", bound=_Named)


def load(path: Path) -> list[Question]:
    """The questions of a JSON Lines file in its order; keys that a Question lacks are left out.

    Raises DatasetError as `load_items` does.
    """
    return load_items(path, _ADAPTER, "a question", _problem)


def load_items(path: Path, adapter: TypeAdapter[_Item], what: str, problem: Callable[[_Item], str]) -> list[_Item]:
    """What the lines of a JSON Lines file hold, each `what`; `problem` says what is wrong with one, "" for nothing.

    Raises DatasetError, naming the file, the line and the next step, when the file cannot
    be read, holds none, or has a line that is not `what` with an id of its own.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except OSError as error:
        raise DatasetError(
            f"The question set {str(path)!r} cannot be read ({error.strerror}); name a file that exists."
        ) from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"The question set {str(path)!r} is not UTF-8 text; save it as UTF-8.") from error
    seen: dict[str, int] = {}
    items = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        item, wrong = _parse(line, adapter, problem)
        if item and item.id in seen:
            wrong = f"the id {item.id!r} is that of line {seen[item.id]} too"
        if not item or wrong:
            raise DatasetError(f"Line {number} of {str(path)!r} is not {what} ({wrong}); correct that line.")
        seen[item.id] = number
        items.append(item)
    if not items:
        noun = what.partition(" ")[2]
        raise DatasetError(f"The question set {str(path)!r} holds no {noun}; write one JSON object a line.")
    return items


def select(questions: Sequence[Question], kinds: Sequence[str] | None, limit: int | None) -> list[Question]:
    """The first `limit` questions of the given kinds. Raises DatasetError for a kind that the set lacks."""
    there = dict.fromkeys(question.kind for question in questions)
    for kind in kinds or []:
        if kind not in there:
            raise DatasetError(f"The set has no question of the kind {kind!r}; its kinds are: {', '.join(there)}.")
    return [question for question in questions if not kinds or question.kind in kinds][:limit]


def sample(questions: Sequence[Question], size: int | None, seed: int) -> list[Question]:
    """`size` questions drawn without replacement, in their order; all of them where there are no more.

    Answerable and unanswerable ones keep their shares, rounded to whole questions.
    """
    if size is None or size >= len(questions):
        return list(questions)
    strata = [[number for number, one in enumerate(questions) if one.answerable is side] for side in (True, False)]
    answerable = round(size * len(strata[0]) / len(questions))
    drawn = random.Random(seed)
    chosen = drawn.sample(strata[0], answerable) + drawn.sample(strata[1], size - answerable)
    return [questions[number] for number in sorted(chosen)]


def _parse(line: str, adapter: TypeAdapter[_Item], problem: Callable[[_Item], str]) -> tuple[_Item | None, str]:
    """What the line holds, or None and what is wrong with it."""
    try:
        item = adapter.validate_json(line, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        return None, f"{key + ': ' if key else ''}{first['msg']}"
    wrong = problem(item)
    return (None if wrong else item), wrong


def _problem(question: Question) -> str:
    if not question.id.strip() or not question.question.strip():
        return "the id or the question is blank"
    if question.must and not question.answers:
        return "it has 'must' but no 'answers'"
    if any(not group or not all(word.strip() for word in group) for group in question.must):
        return "'must' has an empty group or a blank alternative"
    if not all(text.strip() for text in (*question.answers, *question.evidence)):
        return "'answers' or 'evidence' has a blank text"
    return ""
