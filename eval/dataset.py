"""A question set: one JSON object a line -> Questions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
    them). `history` are the earlier turns, each a question and its answer.
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

    @property
    def answerable(self) -> bool:
        """Whether the documents answer it."""
        return bool(self.answers)


_ADAPTER = TypeAdapter(Question)


def load(path: Path) -> list[Question]:
    """The questions of a JSON Lines file in its order; keys that a Question lacks are left out.

    Raises DatasetError, naming the file, the line and the next step, when the file cannot
    be read, holds no question, or has a line that is not a question with an id of its own.
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
    questions = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        question = _parse(line, path, number)
        if question.id in seen:
            raise _bad(path, number, f"the id {question.id!r} is that of line {seen[question.id]} too")
        seen[question.id] = number
        questions.append(question)
    if not questions:
        raise DatasetError(f"The question set {str(path)!r} holds no question; write one JSON object a line.")
    return questions


def _parse(line: str, path: Path, number: int) -> Question:
    try:
        question = _ADAPTER.validate_json(line, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise _bad(path, number, f"{key + ': ' if key else ''}{first['msg']}") from error
    if not question.id.strip() or not question.question.strip():
        raise _bad(path, number, "the id or the question is blank")
    if question.must and not question.answers:
        raise _bad(path, number, "it has 'must' but no 'answers'")
    if any(not group or not all(word.strip() for word in group) for group in question.must):
        raise _bad(path, number, "'must' has an empty group or a blank alternative")
    if not all(text.strip() for text in (*question.answers, *question.evidence)):
        raise _bad(path, number, "'answers' or 'evidence' has a blank text")
    return question


def _bad(path: Path, number: int, reason: str) -> DatasetError:
    return DatasetError(f"Line {number} of {str(path)!r} is not a question ({reason}); correct that line.")
