"""`python -m eval retrieve`: how often the evidence is found, by meaning, by words and by both; no chat model."""

import argparse
import json
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from langchain_core.embeddings import Embeddings

from eval.dataset import DatasetError, Question, load, sample, select
from eval.folder import CORPUS, build, check_evidence, mapped, question_file
from eval.metrics import Evidence, Place, covered, locate, reciprocal_rank
from eval.options import QUESTIONS
from eval.results import make_folder
from eval.statistics import share
from eval.table import aligned
from rag import read_settings
from rag.answer.condense import word
from rag.index.index import Index, open_index
from rag.index.retriever import POOL, HybridRetriever
from rag.models.embedder import embedder_name, make_embedder
from rag.settings import Settings

Asked = tuple[Question, tuple[Evidence, ...]]
"""A question with the places of its evidence."""
Way = Callable[[Question], list[int]]


class _Once(Embeddings):
    """Embeds each question once, for all the ways to find."""

    def __init__(self, embedder: Embeddings) -> None:
        self._all = embedder.embed_documents
        self._one = cache(embedder.embed_query)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._all(texts)

    def embed_query(self, text: str) -> list[float]:
        return self._one(text)


def main(options: argparse.Namespace) -> int:
    """Print a table for the sets. Raises RagError."""
    settings = read_settings()
    make_folder(options.out)
    embedder = make_embedder(settings)
    k = sorted(set(options.k))
    rows = [["set", "questions", "asked", "found by", *(f"recall@{one}" for one in k), f"MRR@{k[-1]}"]]
    for folder in options.data or [None]:
        rows += _set_rows(folder, settings, embedder, k, options)
    print(aligned(rows, 4))
    return 0


def _set_rows(
    folder: Path | None, settings: Settings, embedder: Embeddings, k: list[int], options: argparse.Namespace
) -> list[list[str]]:
    questions = load(question_file(folder) if folder else QUESTIONS)
    some = sample(select(questions, options.kind, options.limit), options.sample, options.seed)
    chosen = {question.id for question in some}
    indexes = {"": build(folder, settings, options.out) if folder else settings}
    if options.untitled:
        indexes[", untitled"] = build(_untitled(folder, options.out), settings, options.out)
    rows = []
    for name, made in indexes.items():
        index = open_index(made.index, embedder_name(made))
        known = mapped(questions, folder, index.documents) if folder else questions
        check_evidence(known, index.documents)
        asked = [(one, locate(one, index.documents)) for one in known if one.id in chosen and one.evidence]
        rows += rows_of([one for one in asked if one[1]], index, embedder, k, options.documents, name)
    title = folder.resolve().name if folder else QUESTIONS.name
    return [[title, *row] for row in rows]


def _untitled(folder: Path | None, out: Path) -> Path:
    """A folder with the same `corpus.jsonl` without its titles. Raises DatasetError where there is none."""
    if folder is None or not (folder / CORPUS).is_file():
        raise DatasetError(f"--untitled needs a set with {CORPUS}; name one with --data.")
    made = out / f"{folder.resolve().name}-untitled"
    make_folder(made)
    lines = (folder / CORPUS).read_bytes().removeprefix(BOM_UTF8).split(b"\n")
    (made / CORPUS).write_bytes(b"\n".join(map(_without_title, lines)))
    return made


def _without_title(line: bytes) -> bytes:
    """The line of a corpus without its title; one that is no document stays, for the loader names it."""
    try:
        item = json.loads(line)
    except ValueError:
        return line
    if not isinstance(item, dict):
        return line
    return json.dumps({name: value for name, value in item.items() if name != "title"}).encode()


def rows_of(
    asked: Sequence[Asked], index: Index, embedder: Embeddings, k: Sequence[int], documents: bool, name: str = ""
) -> list[list[str]]:
    """A row for each way to ask and to find: the recall at every k and the MRR at the largest.

    The recall of a question is the share of its evidence spans that the first k passages
    overlap, and the figure is the mean over questions, as BEIR has it (Thakur et al. 2021).
    With `documents` different documents are ranked, each by its first passage.
    """
    some = [question for question, _ in asked]
    spans = [evidence for _, evidence in asked]
    rows = []
    for wording, finder, find in _ways(index, _Once(embedder), k[-1], any(one.history for one in some)):
        ranking = [_places(index, find(question), documents) for question in some]
        rows.append([str(len(asked)), wording, f"{finder}{name}", *_figures(spans, ranking, k)])
    return rows


def _ways(index: Index, embedder: Embeddings, k: int, conversations: bool) -> Iterator[tuple[str, str, Way]]:
    """How it is worded, what finds it, and the way from a question to ids of passages, best first."""
    pool = max(POOL, k)
    retriever = HybridRetriever(index=index, embedder=embedder, k=pool)

    def search(text: str, *also: str) -> list[int]:
        return [hit.passage.passage_id for hit in retriever.search(text, also=also)]

    wordings: dict[str, Callable[[Question], str]] = {"last turn": lambda one: one.question}
    if conversations:
        wordings["with the turn before"] = lambda one: _wordings(one)[0]
    finders: dict[str, Callable[[str], list[int]]] = {
        "meaning": lambda text: [i for i, _ in index.by_meaning(embedder.embed_query(text), pool)],
        "words": lambda text: index.by_words(text, pool),
        "both": search,
    }
    for wording, worded in wordings.items():
        for finder, find in finders.items():
            yield wording, finder, _one_after_the_other(worded, find)
    if conversations:
        yield "both wordings", "both", lambda one: search(*_wordings(one))


def _one_after_the_other(worded: Callable[[Question], str], find: Callable[[str], list[int]]) -> Way:
    return lambda question: find(worded(question))


def _wordings(question: Question) -> tuple[str, str]:
    wording, other = word(question.question, question.history)
    return wording.searched, other


def _places(index: Index, passage_ids: list[int], documents: bool) -> list[Place]:
    passages = index.passages(passage_ids)
    if documents:
        return [Place(doc_id, 0, sys.maxsize) for doc_id in dict.fromkeys(one.doc_id for one in passages)]
    return [Place(one.doc_id, one.start, one.end) for one in passages]


def _figures(spans: Sequence[tuple[Evidence, ...]], ranking: Sequence[list[Place]], k: Sequence[int]) -> list[str]:
    both = list(zip(spans, ranking, strict=True))
    recalls = [share([share(covered(places[:n], evidence)) or 0.0 for evidence, places in both]) for n in k]
    ranks = share([reciprocal_rank(places[: k[-1]], evidence) for evidence, places in both])
    return ["–" if value is None else f"{value:.3f}" for value in (*recalls, ranks)]
