"""Questions with the sentences that the reranker reads for them: what it is trained on."""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from langchain_core.embeddings import Embeddings
from pydantic import TypeAdapter

from eval.dataset import DatasetError, Place, Question, build, load, load_items, locate, mapped, question_file
from rag.answer.context import PASSAGES_FACTOR
from rag.answer.evidence import READ, SourceSentences
from rag.answer.question import Wording, stand_alone
from rag.documents.splitter import cut, passage_spans
from rag.index.index import open_index
from rag.index.retriever import HybridRetriever
from rag.models.embedder import embedder_name
from rag.models.reranker import Scores
from rag.settings import Settings
from rag.types import Document, Passage

OWN = "articles"
"""The set of our own articles."""
ARTICLES = Path(__file__).parent / "sets" / "training" / "articles.jsonl"
HELD_OUT = 11
"""Every so many documents of a set one is held out."""
EXCHANGED = 0.5
"""The share of answerable questions of which a copy with another name or number is made."""
_WORD = r"[A-Z](?:[\w-]|'(?!s\b))+"
_NAME = re.compile(rf"(?<!^)(?<![.?!] )\b(?:{_WORD}(?: {_WORD})*|\d[\d,.]*\d|\d+)")
"""Capitalised words that do not begin a sentence, without an 's at their end, or a number."""


@dataclass(frozen=True)
class Asked:
    """A question about an article; without `a` the article does not answer it."""

    q: str
    a: str | None
    evidence: tuple[str, ...]
    before: tuple[str, ...] = ()
    """The question and answer that it leans on."""


@dataclass(frozen=True)
class Article:
    """A line of ARTICLES."""

    title: str
    text: str
    questions: tuple[Asked, ...]

    @property
    def id(self) -> str:
        """Its title: no two articles have the same."""
        return self.title


@dataclass(frozen=True)
class Candidate:
    """A sentence as the reranker reads it, and whether it answers the question."""

    text: str
    gold: bool


@dataclass(frozen=True)
class Row:
    """A question about a document of a set, and its candidates, in the order that the product reads them in."""

    set: str
    document: str
    question: str
    answerable: bool
    candidates: tuple[Candidate, ...]


class _NoReranker:
    """Training takes the sentences and what is read of them, but no scores."""

    def score(self, question: str, texts: Sequence[str]) -> Scores:
        raise NotImplementedError


def sentences(embedder: Embeddings) -> SourceSentences:
    """The product's sentences, to make rows of."""
    return SourceSentences(embedder, _NoReranker())


# Rows


def load_articles(path: Path = ARTICLES) -> list[Article]:
    """The articles of a file. Raises DatasetError as `load_items` does."""
    return load_items(path, TypeAdapter(Article), "an article", _problem)


def _problem(article: Article) -> str:
    for one in article.questions:
        if (one.a is None) == bool(one.evidence):
            return f"the question {one.q!r} has an answer without evidence, or evidence without an answer"
        if missing := [text for text in one.evidence if text not in article.text]:
            return f"the text does not have {missing[0]!r}"
    return ""


def rows_of_articles(articles: Sequence[Article], sources: SourceSentences, words: int) -> Iterator[Row]:
    """The rows of each article, read alone in passages of about `words` words, the nearest to the question first."""
    for article in articles:
        document = Document(article.title, article.title, article.title, article.text)
        passages = cut(document, passage_spans(article.text, words))
        asked = [Wording(one.q, " ".join(one.before)).searched for one in article.questions]
        near = sources.vectors(asked) @ sources.vectors([one.text for one in passages]).T
        for one, searched, similarity in zip(article.questions, asked, near, strict=True):
            question = Question("", "", searched, () if one.a is None else (one.a,), evidence=one.evidence)
            best_first = [passages[i] for i in (-similarity).argsort(kind="stable")]
            yield from _row(OWN, question, best_first, {document.doc_id: document}, sources)


def rows_of_set(
    folder: Path, settings: Settings, embedder: Embeddings, sources: SourceSentences, out: Path
) -> Iterator[Row]:
    """The rows of a question set: its sentences are those of the passages that the chatbot looks through.

    Raises DatasetError if no question marks evidence.
    """
    questions = load(question_file(folder))
    if not any(one.evidence for one in questions):
        raise DatasetError(f"No question of {str(folder)!r} marks evidence; the reranker cannot be trained on it.")
    settings = build(folder, settings, out)
    index = open_index(settings.index, embedder_name(settings))
    retriever = HybridRetriever(index=index, embedder=embedder, k=PASSAGES_FACTOR * settings.passages)
    for one in mapped(questions, folder, index.documents):
        wording, other = stand_alone(one.question, one.history)
        passages = [hit.passage for hit in retriever.search(wording.searched, also=[other])]
        asked = replace(one, question=wording.searched)
        yield from _row(folder.resolve().name, asked, passages, index.documents, sources)


def _row(
    name: str,
    question: Question,
    passages: Sequence[Passage],
    documents: Mapping[str, Document],
    sources: SourceSentences,
) -> Iterator[Row]:
    """The row of a question; none if it is answerable and no sentence that is read for it answers."""
    places = [place for places in locate(question, documents) for place in places]
    candidates = []
    for one in sources.candidates(question.question, passages)[:READ]:
        own = Place(one.passage.doc_id, one.span.start, one.span.end)
        candidates.append(Candidate(sources.read(one), any(own.overlaps(place) for place in places)))
    if candidates and any(one.gold for one in candidates) == question.answerable:
        about = [*question.doc_ids, *question.near_doc_ids, *(one.doc_id for one in passages)]
        yield Row(name, about[0], question.question, question.answerable, tuple(candidates))


def divided(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows to train on, and those about every HELD_OUT-th document of a set."""
    documents: dict[str, dict[str, None]] = {}
    for row in rows:
        documents.setdefault(row.set, {})[row.document] = None
    held = {(name, one) for name, own in documents.items() for one in list(own)[HELD_OUT - 1 :: HELD_OUT]}
    return (
        [row for row in rows if (row.set, row.document) not in held],
        [row for row in rows if (row.set, row.document) in held],
    )


# Unanswerable questions made of answerable ones


def exchanged(rows: Sequence[Row], drawn: random.Random) -> list[Row]:
    """Copies of answerable rows that ask about another name or number, which no candidate answers then.

    It is one of another question about the same document, or else of the same set.
    """
    of_document: dict[tuple[str, str], list[str]] = {}
    of_set: dict[str, list[str]] = {}
    for row in rows:
        found = _NAME.findall(row.question)
        of_document.setdefault((row.set, row.document), []).extend(found)
        of_set.setdefault(row.set, []).extend(found)
    made = []
    for row in rows:
        own = _NAME.findall(row.question)
        if not row.answerable or drawn.random() >= EXCHANGED or not own:
            continue
        old = drawn.choice(own)
        for pool in (of_document[row.set, row.document], of_set[row.set]):
            others = [one for one in pool if one not in row.question and one[0].isdigit() == old[0].isdigit()]
            if others:
                question = row.question.replace(old, drawn.choice(others))
                none = tuple(replace(one, gold=False) for one in row.candidates)
                made.append(replace(row, question=question, answerable=False, candidates=none))
                break
    return made
