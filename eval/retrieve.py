"""`python -m eval retrieve`: how often searching and ranking find the evidence."""

import argparse
import json
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from time import perf_counter

import numpy as np
from langchain_core.embeddings import Embeddings

from eval import options as defaults
from eval.dataset import (
    CORPUS,
    DatasetError,
    Evidence,
    Place,
    Question,
    build,
    check_evidence,
    choose,
    load,
    locate,
    mapped,
    question_file,
)  # fmt: skip
from eval.metrics import covered, reciprocal_rank
from eval.results import make_folder
from eval.statistics import share
from eval.table import Rows, aligned
from rag import read_settings
from rag.answer.context import PASSAGES_FACTOR
from rag.answer.evidence import SourceSentences
from rag.answer.question import stand_alone
from rag.index.index import Index, open_index
from rag.index.retriever import POOL, HybridRetriever
from rag.models.embedder import embedder_name, make_embedder
from rag.models.reranker import make_reranker
from rag.settings import Settings

Asked = tuple[Question, tuple[Evidence, ...]]
"""A question with the places of its evidence."""
Find = Callable[..., list[int]]
"""From one wording, or two, to ids of passages, best first."""

FIRST = (1, 2, 4)
"""Of the likeliest sentences, so many are looked at."""


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
    print(
        f"\nA sentence with evidence among the likeliest, and the seconds to rank them:\n{aligned(_ranked(options), 2)}"
    )
    return 0


def _ranked(options: argparse.Namespace) -> Rows:
    """A row for each set: how often one of the first sentences has evidence, and the median and p95 of the time."""
    settings = read_settings()
    embedder, reranker = make_embedder(settings), make_reranker()
    rows = [["set", "questions", *(f"first {n}" for n in FIRST), "p50", "p95"]]
    for folder in options.data or [None]:
        made = build(folder, settings, options.out) if folder else settings
        index = open_index(made.index, embedder_name(made))
        retriever = HybridRetriever(index=index, embedder=embedder, k=PASSAGES_FACTOR * settings.passages)
        title = folder.resolve().name if folder else defaults.QUESTIONS.name
        sentences = SourceSentences(embedder, reranker)
        rows.append([title, *ranking_row(_asked(folder, index, options), retriever, sentences)])
    return rows


def ranking_row(asked: Sequence[Asked], retriever: HybridRetriever, sentences: SourceSentences) -> list[str]:
    """How many questions, how often the first 1, 2, 4 sentences have evidence, and seconds."""
    firsts, seconds = [], []
    for question, evidence in asked:
        searched, other = _wordings(question)
        began = perf_counter()
        passages = [hit.passage for hit in retriever.search(searched, also=[other])]
        ranked = [one.sentence for one in sentences.ranked(searched, passages)]
        seconds.append(perf_counter() - began)
        places = [Place(one.passage.doc_id, one.span.start, one.span.end) for one in ranked]
        firsts.append([any(covered(places[:n], evidence)) for n in FIRST])
    shares = ["–" if (value := share(column)) is None else f"{value:.3f}" for column in zip(*firsts, strict=True)]
    times = [f"{np.quantile(seconds, q):.2f}" for q in (0.5, 0.95)] if seconds else ["–", "–"]
    return [str(len(asked)), *(shares or ["–"] * len(FIRST)), *times]


def _asked(folder: Path | None, index: Index, options: argparse.Namespace) -> list[Asked]:
    """The chosen questions with evidence that is in the index."""
    questions = load(question_file(folder) if folder else defaults.QUESTIONS)
    chosen = {question.id for question in choose(questions, options)}
    known = mapped(questions, folder, index.documents) if folder else questions
    check_evidence(known, index.documents)
    asked = [(one, locate(one, index.documents)) for one in known if one.id in chosen and one.evidence]
    return [one for one in asked if one[1]]


def _set_rows(
    folder: Path | None, settings: Settings, embedder: Embeddings, k: list[int], options: argparse.Namespace
) -> Rows:
    indexes = {"": build(folder, settings, options.out) if folder else settings}
    if options.untitled:
        indexes[", untitled"] = build(_untitled(folder, options.out), settings, options.out)
    title = folder.resolve().name if folder else defaults.QUESTIONS.name
    rows = []
    for name, made in indexes.items():
        index = open_index(made.index, embedder_name(made))
        found = rows_of(_asked(folder, index, options), index, embedder, k, options.documents, name)
        rows += [[title, *row] for row in found]
    return rows


def _untitled(folder: Path | None, out: Path) -> Path:
    """A folder with the same `corpus.jsonl` without its titles. Raises DatasetError if there is none."""
    if folder is None or not (folder / CORPUS).is_file():
        raise DatasetError(f"--untitled needs a set with {CORPUS}; name one with --data.")
    made = out / f"{folder.resolve().name}-untitled"
    make_folder(made)
    lines = (folder / CORPUS).read_bytes().removeprefix(BOM_UTF8).split(b"\n")
    (made / CORPUS).write_bytes(b"\n".join(map(_without_title, lines)))
    return made


def _without_title(line: bytes) -> bytes:
    """A line of a corpus without its title; one that is no document stays as it is."""
    try:
        item = json.loads(line)
        return json.dumps({name: value for name, value in item.items() if name != "title"}).encode()
    except (ValueError, AttributeError):
        return line


def rows_of(
    asked: Sequence[Asked], index: Index, embedder: Embeddings, k: Sequence[int], documents: bool, name: str = ""
) -> Rows:
    """A row for each way to ask and to find: recall at every k, and MRR.

    The recall of a question is the share of its evidence spans that the first k passages
    overlap, and the figure is the mean over questions, as BEIR has it (Thakur et al. 2021).
    With `documents` different documents are ranked, each by its first passage.
    """
    rows = []
    conversations = any(question.history for question, _ in asked)
    for wording, worded, finder, find in _ways(index, _Once(embedder), k[-1], conversations):
        both = [(evidence, _places(index, find(*worded(question)), documents)) for question, evidence in asked]
        recalls = [share([share(covered(places[:n], evidence)) or 0.0 for evidence, places in both]) for n in k]
        ranks = share([reciprocal_rank(places[: k[-1]], evidence) for evidence, places in both])
        figures = ["–" if value is None else f"{value:.3f}" for value in (*recalls, ranks)]
        rows.append([str(len(asked)), wording, f"{finder}{name}", *figures])
    return rows


def _ways(
    index: Index, embedder: Embeddings, k: int, conversations: bool
) -> Iterator[tuple[str, Callable[[Question], tuple[str, ...]], str, Find]]:
    """How it is worded, and how that comes from a question; what finds it, and how."""
    pool = max(POOL, k)
    retriever = HybridRetriever(index=index, embedder=embedder, k=pool)

    def search(text: str, *also: str) -> list[int]:
        return [hit.passage.passage_id for hit in retriever.search(text, also=also)]

    finders: dict[str, Find] = {
        "meaning": lambda text: [number for number, _ in index.by_meaning(embedder.embed_query(text), pool)],
        "words": lambda text: list(index.by_words(text, pool)),
        "both": search,
    }
    for finder, find in finders.items():
        yield "last turn", lambda one: (one.question,), finder, find
    for finder, find in finders.items() if conversations else ():
        yield "with the turn before", lambda one: _wordings(one)[:1], finder, find
    if conversations:
        yield "both wordings", _wordings, "both", search


def _wordings(question: Question) -> tuple[str, ...]:
    wording, other = stand_alone(question.question, question.history)
    return wording.searched, other


def _places(index: Index, passage_ids: list[int], documents: bool) -> list[Place]:
    passages = index.passages(passage_ids)
    if documents:
        return [Place(doc_id, 0, sys.maxsize) for doc_id in dict.fromkeys(one.doc_id for one in passages)]
    return [Place(one.doc_id, one.start, one.end) for one in passages]
