"""A question set in the plain format: a folder with `corpus.jsonl` and `questions.jsonl`, or with any documents."""

import json
import sys
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from eval.dataset import DatasetError, Question
from eval.metrics import locate
from rag.documents.loader import Loader
from rag.index.builder import Maker, update
from rag.index.manifest import Corpus
from rag.models.embedder import embedder_name, make_embedder
from rag.models.progress import terminal_progress
from rag.settings import Settings
from rag.types import Document, Loaded

CORPUS = "corpus.jsonl"
QUESTIONS = "questions.jsonl"
_NOT_DOCUMENTS = (f"/{QUESTIONS}", "*.draft.jsonl")


def has_questions(folder: Path) -> bool:
    """Whether the folder is a set already."""
    return (folder / QUESTIONS).is_file()


def question_file(folder: Path) -> Path:
    """The questions of the folder. Raises DatasetError, saying how to draft some, where there are none."""
    path = folder / QUESTIONS
    if not has_questions(folder):
        raise DatasetError(
            f"There is no {QUESTIONS} in {str(folder)!r}; name one with --questions, "
            f"or draft some with: python -m eval draft {folder}"
        )
    return path


def build(folder: Path, settings: Settings, out: Path) -> Settings:
    """Bring `out`/<name of the folder>/index to what the folder holds now; returns the settings with that index.

    The documents are the lines of `corpus.jsonl` where there is one, else every document
    but the questions. What cannot be read is named on stderr and left out. Raises
    RagError as `rag.index.builder.update` does.
    """
    settings = settings.model_copy(update={"index": out / folder.resolve().name / "index"})
    maker = Maker(settings.passage_words, embedder_name(settings), lambda: make_embedder(settings))
    with Loader(settings.online) as loader, terminal_progress("") as progress:
        outcome = update(settings.index, corpus_of(folder), maker, loader, progress=progress)
    for problem in outcome.problems:
        print(f"Skipped: {problem}", file=sys.stderr)
    return settings


def corpus_of(folder: Path) -> Corpus:
    """What an index of the folder is made of."""
    lines = folder / CORPUS
    if lines.is_file():
        return Corpus((lines.as_posix(),))
    return Corpus((folder.as_posix(),), exclude=_NOT_DOCUMENTS)


def mapped(questions: Sequence[Question], folder: Path, documents: Mapping[str, Document]) -> list[Question]:
    """The questions with the index's ids for documents in the place of the folder's.

    Those are the `id`s of the lines of `corpus.jsonl`, of which identical texts share one
    document, or the files' names within the folder. In a set without any evidence spans,
    such as MTRAG, the whole text of each document in `doc_ids` is evidence, so that a
    passage counts as found when its document is one of them. Raises DatasetError for a
    document that the folder lacks.
    """
    known = names(folder, documents)
    found = [
        replace(one, doc_ids=_known(one, one.doc_ids, known), near_doc_ids=_known(one, one.near_doc_ids, known))
        for one in questions
    ]
    if any(one.evidence for one in found):
        return found
    return [replace(one, evidence=tuple(documents[doc_id].text for doc_id in one.doc_ids)) for one in found]


def check_evidence(questions: Sequence[Question], documents: Mapping[str, Document]) -> None:
    """Raises DatasetError where the questions name evidence and the index holds none of it: it is of other texts."""
    with_evidence = [one for one in questions if one.evidence]
    if with_evidence and not any(locate(one, documents) for one in with_evidence):
        raise DatasetError(
            f"The index holds none of the evidence of these questions (such as that of {with_evidence[0].id!r}): it is "
            "of other documents; build it of those with ingest.py, or name the set with --data."
        )


def _known(question: Question, named: Sequence[str], known: Mapping[str, str]) -> tuple[str, ...]:
    for name in named:
        if name not in known:
            raise DatasetError(
                f"The question {question.id!r} names the document {name!r}, which is not in the index of the folder; "
                "correct it, or remove the index so that it is built anew."
            )
    return tuple(dict.fromkeys(known[name] for name in named))


def names(folder: Path, documents: Mapping[str, Document]) -> dict[str, str]:
    """The index's id of each document by the folder's name for it, as `mapped` takes them."""
    if not (folder / CORPUS).is_file():
        start = f"{folder.as_posix()}/"
        return {one.source.removeprefix(start): one.doc_id for one in documents.values()}
    path = folder / CORPUS
    with Loader() as loader:
        loaded = [one.document for one in loader.load(path.as_posix()) if isinstance(one, Loaded)]
    by_source = {one.source: one.doc_id for one in loaded if one.doc_id in documents}
    found = {}
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if doc_id := by_source.get(f"{path.as_posix()}#{number}"):
            found[str(json.loads(line.removeprefix(BOM_UTF8)).get("id"))] = doc_id
    return found
