"""A question set: a folder with `questions.jsonl`, and `corpus.jsonl` or any documents -> Questions and an index."""

import argparse
import json
import random
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from rag.documents.loader import Loader
from rag.errors import RagError
from rag.index.builder import BuildOptions, update
from rag.index.manifest import Corpus
from rag.models.progress import terminal_progress
from rag.settings import ALONE, Settings
from rag.types import Document, Loaded

CORPUS = "corpus.jsonl"
QUESTIONS = "questions.jsonl"


class DatasetError(RagError):
    """A question set cannot be read, or a line of it is not a question."""


@dataclass(frozen=True)
class Question:
    """A question with what a right answer to it says.

    `answers` are reference answers; none means that the documents do not answer, so that
    abstaining is right. `must` holds groups of alternatives, of which a right answer has
    one of every group. `polarity` is the right answer to a yes-or-no question. `evidence`
    are verbatim substrings of the documents (of those in `doc_ids`, if the index knows
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


# The questions


class _Named(Protocol):
    @property
    def id(self) -> str: ...


_Item = TypeVar("_Item", bound=_Named)


def load(path: Path) -> list[Question]:
    """The questions of a JSON Lines file in its order. Raises DatasetError as `load_items` does."""
    return load_items(path, TypeAdapter(Question), "a question", _problem)


def load_items(path: Path, adapter: TypeAdapter[_Item], what: str, problem: Callable[[_Item], str]) -> list[_Item]:
    """What the lines of a JSON Lines file hold, each `what`; keys that it lacks are left out.

    `problem` says what is wrong with one, "" for nothing. Raises DatasetError, naming the
    file, the line and the next step, if the file cannot be read, holds none, or has a line
    that is not `what` with an id of its own.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except OSError as error:
        raise DatasetError(
            f"The question set {str(path)!r} cannot be read ({error.strerror}); name a file that exists."
        ) from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"The question set {str(path)!r} is not UTF-8 text; save it as UTF-8.") from error
    line_of: dict[str, int] = {}
    items = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            item = adapter.validate_json(line, strict=True)
            again = f"the id {item.id!r} is that of line {line_of[item.id]} too" if item.id in line_of else ""
            wrong = problem(item) or again
        except ValidationError as error:
            first = error.errors()[0]
            wrong = ": ".join([*([".".join(map(str, first["loc"]))] if first["loc"] else []), first["msg"]])
        if wrong:
            raise DatasetError(f"Line {number} of {str(path)!r} is not {what} ({wrong}); correct that line.")
        line_of[item.id] = number
        items.append(item)
    if not items:
        noun = what.partition(" ")[2]
        raise DatasetError(f"The question set {str(path)!r} holds no {noun}; write one JSON object a line.")
    return items


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


def choose(questions: Sequence[Question], options: argparse.Namespace) -> list[Question]:
    """The questions that --kind, --limit, --sample and --seed name, in their order.

    They are drawn without replacement; answerable and unanswerable ones keep their shares,
    rounded to whole questions. Raises DatasetError for a kind that the set lacks.
    """
    there = dict.fromkeys(question.kind for question in questions)
    for kind in options.kind or []:
        if kind not in there:
            raise DatasetError(f"The set has no question of the kind {kind!r}; its kinds are: {', '.join(there)}.")
    some = [one for one in questions if not options.kind or one.kind in options.kind][: options.limit]
    if options.sample is None or options.sample >= len(some):
        return some
    sides = [[number for number, one in enumerate(some) if one.answerable is side] for side in (True, False)]
    answerable = round(options.sample * len(sides[0]) / len(some))
    drawn = random.Random(options.seed)
    chosen = drawn.sample(sides[0], answerable) + drawn.sample(sides[1], options.sample - answerable)
    return [some[number] for number in sorted(chosen)]


# The folder


def question_file(folder: Path) -> Path:
    """The questions of the folder. Raises DatasetError, saying how to draft some, if there are none."""
    path = folder / QUESTIONS
    if not path.is_file():
        raise DatasetError(
            f"There is no {QUESTIONS} in {str(folder)!r}; name one with --questions, "
            f"or draft some with: python -m eval draft {folder}"
        )
    return path


def corpus_of(folder: Path) -> Corpus:
    """What the folder's index is made of: `corpus.jsonl`, else every document but the questions."""
    lines = folder / CORPUS
    if lines.is_file():
        return Corpus((lines.as_posix(),))
    return Corpus((folder.as_posix(),), exclude=(f"/{QUESTIONS}", "*.draft.jsonl"))


def build(folder: Path, settings: Settings, out: Path) -> Settings:
    """Bring `out`/<name of the folder>/index to what the folder holds now; returns the settings with that index.

    What cannot be read is named on stderr and left out. Raises RagError as
    `rag.index.builder.update` does.
    """
    settings = settings.model_copy(update={"index": out / folder.resolve().name / "index", **ALONE})
    with Loader(settings.online) as loader, terminal_progress("") as progress:
        outcome = update(settings.index, corpus_of(folder), BuildOptions.of(settings), loader, progress=progress)
    for problem in outcome.problems:
        print(f"Skipped: {problem}", file=sys.stderr)
    return settings


def mapped(questions: Sequence[Question], folder: Path, documents: Mapping[str, Document]) -> list[Question]:
    """The questions with the index's ids for documents instead of the folder's.

    Those are the `id`s of the lines of `corpus.jsonl`, of which identical texts share one
    document, or the files' names within the folder. In a set without any evidence spans,
    such as MTRAG, the whole text of each document in `doc_ids` is evidence, so that a
    passage counts as found if its document is one of them. Raises DatasetError for a
    document that the folder lacks.
    """
    known = names(folder, documents)
    for one in questions:
        if unknown := [name for name in (*one.doc_ids, *one.near_doc_ids) if name not in known]:
            raise DatasetError(
                f"The question {one.id!r} names the document {unknown[0]!r}, which is not in the index of the folder; "
                "correct it, or remove the index so that it is built anew."
            )

    def ids(named: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(known[name] for name in named))

    found = [replace(one, doc_ids=ids(one.doc_ids), near_doc_ids=ids(one.near_doc_ids)) for one in questions]
    if any(one.evidence for one in found):
        return found
    return [replace(one, evidence=tuple(documents[doc_id].text for doc_id in one.doc_ids)) for one in found]


def names(folder: Path, documents: Mapping[str, Document]) -> dict[str, str]:
    """The index's id of each document by the folder's name for it, as `mapped` takes them."""
    path = folder / CORPUS
    if not path.is_file():
        start = f"{folder.as_posix()}/"
        return {one.source.removeprefix(start): one.doc_id for one in documents.values()}
    with Loader() as loader:  # Only the ids are looked at, not the passages.
        loaded = [one.document for one in loader.load(path.as_posix(), words=400) if isinstance(one, Loaded)]
    by_source = {one.source: one.doc_id for one in loaded if one.doc_id in documents}
    found = {}
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if doc_id := by_source.get(f"{path.as_posix()}#{number}"):
            found[str(json.loads(line.removeprefix(BOM_UTF8)).get("id"))] = doc_id
    return found


# The evidence


@dataclass(frozen=True)
class Place:
    """The characters `start`..`end` (half-open) of a document's text."""

    doc_id: str
    start: int
    end: int

    def overlaps(self, other: "Place") -> bool:
        """Whether the two share a character."""
        return self.doc_id == other.doc_id and max(self.start, other.start) < min(self.end, other.end)


Evidence = tuple[Place, ...]
"""The places, one or more, where the text of one evidence span occurs."""


def locate(question: Question, documents: Mapping[str, Document]) -> tuple[Evidence, ...]:
    """Where every evidence span of `question` stands; spans that are in no document are left out.

    Searched are the documents that `doc_ids` names, or all if the index knows none of them.
    """
    named = [documents[doc_id] for doc_id in question.doc_ids if doc_id in documents]
    searched = named or list(documents.values())
    found = (tuple(place for doc in searched for place in _occurrences(doc, text)) for text in question.evidence)
    return tuple(places for places in found if places)


def _occurrences(document: Document, text: str) -> Iterator[Place]:
    start = document.text.find(text)
    while start >= 0:
        yield Place(document.doc_id, start, start + len(text))
        start = document.text.find(text, start + len(text))


def check_evidence(questions: Sequence[Question], documents: Mapping[str, Document]) -> None:
    """Raises DatasetError if the questions name evidence and the index holds none of it."""
    with_evidence = [one for one in questions if one.evidence]
    if with_evidence and not any(locate(one, documents) for one in with_evidence):
        raise DatasetError(
            f"The index holds none of the evidence of these questions (such as that of {with_evidence[0].id!r}): it is "
            "of other documents; build it of those with ingest.py, or name the set with --data."
        )
