"""The sentences of passages, and which of them most likely answer a question."""

import math
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings

from rag.bounds import TITLE
from rag.documents.headings import columns, described, is_row, labelled, opened, staying
from rag.documents.splitter import sentence_spans
from rag.index.tokenizer import tokenize
from rag.models.reranker import Reranker
from rag.quantities.plain import TYPOGRAPHY
from rag.types import Citation, Passage, Span

Vector = npt.NDArray[np.float32]
_KEPT = 2048
"""Passages whose sentences are kept."""
READ = 20
"""Sentences that the reranker reads for a question; as many more if none of these is _LIKELY to answer."""
_LIKELY = 0.0
"""Log-odds."""
_PLACE = 0.5
"""The weight of a passage's place among the hits beside the share of the question's words."""
_LONGEST, _BEFORE = 600, 200
"""Characters of a sentence, and of the one before it, that the reranker is given."""
_OTHER = 6.0
"""Log-odds that a sentence loses which is about another number of what was asked for."""
_NUMBERED = re.compile(r"(?<![^\W\d_])([^\W\d_]{1,40})[ -]?(\d[\d.,]{0,40}(?<![.,]))")
_NO_NAME = frozenset(
    """a about after an and are around as at because before between but by during for from has have if in is it last
    least most nearly next of on or over since than that the then there they till to until was were when which who
    with within
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec""".split()  # noqa: SIM905
)
"""Words before a number that do not name what has it: it counts or measures, or is part of a date."""
_WRITTEN = re.compile(r"\w")
_NUMBER = re.compile(r"\d[\d.,]*\d|\d")


@dataclass(frozen=True, eq=False)
class SourceSentence:
    """A sentence: its passage and place there, its span in the document, its words.

    `headings` are what it stands under (those, and in a table its row of headings), `about` its words.
    """

    passage: Passage
    place: int
    span: Span
    text: str
    words: frozenset[str]
    headings: str = ""
    about: frozenset[str] = frozenset()

    @property
    def over(self) -> list[str]:
        """The lines of `headings` that `told` does not hold."""
        lines = self.headings.splitlines()
        return lines if self.told == self.text else lines[:-1]

    @property
    def told(self) -> str:
        """Its text as it is read: in a row each cell behind its heading."""
        return labelled(self.text, self._header) if self._header else self.text

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The heading and cell of each column, if it is a row with headings."""
        return columns(self.text, self._header) if self._header else []

    @property
    def _header(self) -> str:
        header = self.headings.rpartition("\n")[2]
        return header if is_row(self.text) and is_row(header) else ""

    @property
    def before(self) -> str:
        """What stands before it in its passage."""
        return self.passage.text[: self.span.start - self.passage.start]


@dataclass(frozen=True, eq=False)
class Scored:
    """A sentence, and the log-odds that it answers the question."""

    sentence: SourceSentence
    score: float


class SourceSentences:
    """Makes and ranks source sentences, and remembers those of the passages used last.

    Threads may share it.
    """

    def __init__(self, embedder: Embeddings, reranker: Reranker) -> None:
        self.reranker = reranker
        self._embedder = embedder
        self._known: OrderedDict[Passage, list[SourceSentence]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, passage: Passage) -> list[SourceSentence]:
        """The sentences of a passage, in their order."""
        with self._lock:
            if passage not in self._known:
                self._known[passage] = _sentences(passage)
            self._known.move_to_end(passage)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
            return self._known[passage]

    def ranked(self, question: str, passages: Sequence[Passage], typed: str = "") -> list[Scored]:
        """Those of the passages, given best first, that may answer; the likeliest first.

        A sentence answers a follow-up if it answers it as it was `typed`, or with what it leans on.
        """
        chosen = self.candidates(question, passages)
        scores = self._scores(question, chosen[:READ], typed)
        if chosen[READ:] and all(score < _LIKELY for score in scores):
            scores += self._scores(question, chosen[READ:], typed)
        asked = _numbered(question, passages[0].language if passages else "en")
        found = [
            Scored(one, score - _OTHER * _is_of_another(asked, one)) for one, score in zip(chosen, scores, strict=False)
        ]
        return sorted(found, key=lambda one: -one.score)

    def _scores(self, question: str, chosen: Sequence[SourceSentence], typed: str) -> list[float]:
        texts = [self.read(one) for one in chosen]
        scores = self.reranker.score(question, texts)
        if typed and typed != question:
            scores = np.maximum(scores, self.reranker.score(typed, texts))
        return [float(score) for score in scores]

    def candidates(self, question: str, passages: Sequence[Passage]) -> list[SourceSentence]:
        """The sentences that the reranker may read, in the order in which it does.

        They share most of the question's rare words, and stand in the best passages.
        """
        asked = frozenset[str]().union(*(content_words(question, one.language) for one in passages))
        among = [(one, rank) for rank, passage in enumerate(passages) for one in self.of(passage) if one.words]
        counts = Counter(word for one, _ in among for word in (one.words | one.about) & asked)
        rarity = {word: math.log1p((len(among) - counts[word] + 0.5) / (counts[word] + 0.5)) for word in asked}
        whole = sum(rarity.values()) or 1.0
        shared = [
            sum(rarity[word] for word in (one.words | one.about) & asked) / whole + _PLACE / (1 + rank)
            for one, rank in among
        ]
        order = sorted(range(len(among)), key=lambda i: -shared[i])[: 2 * READ]
        return [among[i][0] for i in order]

    def vectors(self, texts: list[str]) -> Vector:
        """Unit vectors of shape (len(texts), dimensions)."""
        rows: Vector = np.asarray(self._embedder.embed_documents(texts), dtype=np.float32)
        rows /= np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)
        return rows

    def read(self, one: SourceSentence) -> str:
        """A sentence as the reranker reads it: before title, headings and the sentence before."""
        earlier = self.of(one.passage)[one.place - 1].text if one.place else ""
        over = "".join(f" {line[:TITLE]}." for line in one.over)
        return f"{one.told[:_LONGEST]} [SEP] {one.passage.title[:TITLE]}.{over} {earlier[-_BEFORE:]}"


def _numbered(text: str, language: str) -> dict[str, set[str]]:
    """The numbers of things that have one, by the thing: "Depot 07", "version 3.2.1".

    A number after a preposition or at the beginning, such as a year, is none of them.
    """
    found: dict[str, set[str]] = {}
    for name, number in _NUMBERED.findall(text.translate(TYPOGRAPHY)):
        if name.lower() not in _NO_NAME and (stems := tokenize(f"x{name}" if len(name) == 1 else name, language)):
            found.setdefault(stems[0], set()).add(tokenize(number)[0 if "." in number else -1])
    return found


def _is_of_another(asked: Mapping[str, set[str]], one: SourceSentence) -> bool:
    """Whether the sentence is about another one of the numbered things that were asked for.

    The word pieces of a small cross-encoder hardly tell one number, version or code from another.
    """
    held = _numbered(f"{one.headings}\n{one.text}", one.passage.language) if asked else {}
    return any(name in held and not numbers & held[name] for name, numbers in asked.items())


def _sentences(passage: Passage) -> list[SourceSentence]:
    made = []
    lines, over = passage.headings, None
    under, about = "", frozenset[str]()
    for place, span in enumerate(sentence_spans(passage.text, passage.language)):
        text = passage.text[span.start : span.end]
        where = Span(passage.start + span.start, passage.start + span.end)
        lines = staying(lines, text)
        if lines != over:
            over, under = lines, described(lines)
            about = content_words(under, passage.language)
        made.append(SourceSentence(passage, place, where, text, content_words(text, passage.language), under, about))
        lines = opened(lines, text, passage.title)
    return made


def content_words(text: str, language: str = "en") -> frozenset[str]:
    """The stemmed words of `text` that carry meaning, and every number in it."""
    if not _WRITTEN.search(text):
        return frozenset()
    plain = text.translate(TYPOGRAPHY)
    return frozenset(tokenize(plain, language)) | frozenset(_NUMBER.findall(plain))


def citation(number: int, source: SourceSentence) -> Citation:
    """The sentence as a numbered citation."""
    passage, span = source.passage, source.span
    return Citation(
        number, passage.doc_id, passage.source, passage.title, span.start, span.end, source.text,
        passage.page_at(span.start),
    )  # fmt: skip
