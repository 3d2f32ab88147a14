"""Questions with a text to read, and the reply to give: what the chat model's adapter is trained on."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from langchain_core.prompts import ChatPromptTemplate
from pydantic import TypeAdapter

from eval.dataset import Place, load, load_items, question_file
from eval.training_rows import ARTICLES, Article, Asked
from rag.answer.context import chosen, fitting, words_to_read
from rag.answer.evidence import Scored, SourceSentences
from rag.answer.kinds import KindClassifier
from rag.answer.length import length_asked
from rag.answer.prompts import ANSWER, NOT_STATED, SUMMARY
from rag.answer.question import Wording
from rag.documents.splitter import cut, passage_spans, sentence_spans
from rag.types import Document, Passage

ORDERS = ARTICLES.with_name("orders.json")
SIZES = (60, 130, 130, 200)
"""Words of which one text is read beside the text that the product would read."""
TITLED = 0.35
"""The share of texts that begin with their title, as those of a folder do."""
FORCED = 130
"""Words of the text that is made if the evidence is in no other."""
LACKING, WITHOUT, INJECTED, ELSEWHERE = 0.8, 0.22, 0.12, 0.03
"""Shares of answerable questions that are also asked where the evidence was not found, was cut out, stands beside an
order, or belongs to another document."""
NEAREST = 8
"""Passages that are looked through."""
SUMMARISED = 12
"""Sentences of which a summary is written."""
ASKING = (
    "Summarise this.", "What is this about?", "Give me the gist.", "Summarize the article in three sentences.",
    "Sum up the text in one sentence.", "Key points as bullets please", "A short summary, please.", "tl;dr",
    "Summarise the text in five sentences.", "Give me four bullet points.", "What are the main takeaways?",
    "Summarise this in 60 words.", "A detailed summary please.", "Describe briefly what the document says.",
)  # fmt: skip


@dataclass(frozen=True)
class Orders:
    """The content of ORDERS: hidden in texts, typed as questions, and what is said in a chat."""

    in_text: tuple[str, ...]
    questions: tuple[str, ...]
    chat: tuple[str, ...]


@dataclass(frozen=True)
class Exchange:
    """What the model is told, and its reply.

    Without a `reply` the model itself writes it before the training, told as `draft` says; it is left out if it
    lacks the words `must`.
    """

    document: str
    messages: tuple[tuple[str, str], ...]
    reply: str = ""
    draft: tuple[tuple[str, str], ...] = ()
    must: str = ""


@dataclass(frozen=True)
class CorpusLine:
    """A line of a corpus."""

    id: str
    title: str
    text: str


def load_orders(path: Path = ORDERS) -> Orders:
    """The orders of a file."""
    return TypeAdapter(Orders).validate_python(json.loads(path.read_text(encoding="utf-8")))


def articles_of_set(folder: Path) -> list[Article]:
    """The documents of a question set with its questions, those that mark evidence or have no answer.

    Raises DatasetError.
    """
    corpus = load_items(folder / "corpus.jsonl", TypeAdapter(CorpusLine), "a document", lambda _: "")
    texts = {one.id: one.text for one in corpus}
    asked: dict[str, list[Asked]] = {}
    for one in load(question_file(folder)):
        about = next(iter((*one.doc_ids, *one.near_doc_ids)), None)
        if (
            about
            and bool(one.answers) == bool(one.evidence)
            and all(part in texts.get(about, "") for part in one.evidence)
        ):
            answer = one.answers[0] if one.answers else None
            asked.setdefault(about, []).append(Asked(one.question, answer, one.evidence))
    return [Article(one.title, one.text, tuple(asked.get(one.id, ()))) for one in corpus]


class Exchanges:
    """Makes exchanges of articles; the texts are those that the product would read."""

    def __init__(self, sentences: SourceSentences, orders: Orders, drawn: random.Random, words: int) -> None:
        self._sentences = sentences
        self._orders = orders
        self._drawn = drawn
        self._words = words
        self._kinds = KindClassifier.shipped()
        self._texts: list[tuple[str, str]] = []

    def of(self, articles: Sequence[Article], whole: bool = True) -> Iterator[Exchange]:
        """The exchanges of the articles' questions; the model writes those whose answers are not `whole` sentences."""
        for article in articles:
            document = Document(article.id, article.title, article.title, article.text)
            passages = cut(document, passage_spans(article.text, self._words))
            near = self._sentences.vectors([one.text for one in passages])
            for one in article.questions:
                searched = Wording(one.q, " ".join(one.before)).searched
                similarity = (self._sentences.vectors([searched]) @ near.T)[0]
                best = [passages[i] for i in (-similarity).argsort(kind="stable")][:NEAREST]
                yield from self._of(one, article, best, whole)

    def _of(self, one: Asked, article: Article, passages: Sequence[Passage], whole: bool) -> Iterator[Exchange]:
        wording = Wording(one.q, " ".join(one.before))
        texts = self._read(one, article, wording, passages)
        self._texts += [(article.id, text) for text, _ in texts]
        if one.a is None:
            yield from (_exchange(article, text, wording, NOT_STATED) for text, _ in texts[:2])
            return
        holding = [text for text, holds in texts if holds]
        for text in self._drawn.sample(holding, min(2 if whole else 1, len(holding))):
            yield _exchange(article, text, wording, one.a) if whole else _drafted(article, text, wording, one)
        if len(one.evidence) == 1:
            yield from self._unanswerable(one, article, wording, texts)
        if whole and holding and self._drawn.random() < INJECTED:
            paragraphs = self._drawn.choice(holding).split("\n\n")
            paragraphs.insert(self._drawn.randrange(len(paragraphs) + 1), self._drawn.choice(self._orders.in_text))
            yield _exchange(article, "\n\n".join(paragraphs), wording, one.a)

    def _unanswerable(
        self, one: Asked, article: Article, wording: Wording, texts: Sequence[tuple[str, bool]]
    ) -> Iterator[Exchange]:
        """The question to a text without its evidence, and to another document's."""
        lacking = [text for text, holds in texts if not holds]
        if lacking and self._drawn.random() < LACKING:
            yield _exchange(article, lacking[0], wording, NOT_STATED)
        holding = [text for text, holds in texts if holds]
        if holding and self._drawn.random() < WITHOUT:
            text = holding[0].replace(one.evidence[0], "").strip()
            if text and one.evidence[0] in holding[0]:
                yield _exchange(article, text, wording, NOT_STATED)
        if self._drawn.random() < ELSEWHERE:
            about, text = self._drawn.choice(self._texts)
            if about != article.id:
                yield _exchange(article, text, wording, NOT_STATED)

    def _read(
        self, one: Asked, article: Article, wording: Wording, passages: Sequence[Passage]
    ) -> list[tuple[str, bool]]:
        """Texts that may be read for a question, each with whether it holds all the evidence."""
        ranked = self._sentences.ranked(wording.searched, passages, wording.typed)
        if not ranked:
            return []
        found = [(article.text.find(text), len(text)) for text in one.evidence]
        places = [Place(article.id, start, start + length) for start, length in found]
        usual = words_to_read(self._kinds.kind_of(one.q), ranked)
        tries = [(ranked, usual), (ranked, self._drawn.choice(SIZES))]
        texts = [self._text(some, words, places) for some, words in tries]
        if places and not all(holds for _, holds in texts):
            first = [replace(some, score=some.score + 100 * _holds(some, places)) for some in ranked]
            texts.append(self._text(sorted(first, key=lambda some: -some.score), max(usual, FORCED), places))
        return texts

    def _text(self, ranked: Sequence[Scored], words: int, places: Sequence[Place]) -> tuple[str, bool]:
        text, sources = fitting(chosen(ranked, self._sentences, words), self._drawn.random() < TITLED, 10_000)
        read = [Place(one.passage.doc_id, one.span.start, one.span.end) for one in sources]
        return text, all(any(one.overlaps(place) for one in read) for place in places)

    def refused(self) -> Iterator[Exchange]:
        """Orders and small talk in place of a question, over texts that were read before."""
        for question in (*self._orders.questions, *self._orders.chat):
            for about, text in self._drawn.choices(self._texts, k=2):
                yield Exchange(about, _told(ANSWER, text=text, question=question), NOT_STATED)

    def summaries(self, articles: Sequence[Article]) -> Iterator[Exchange]:
        """Two summaries of each article, which the model writes."""
        for article in articles:
            spans = sentence_spans(article.text)
            for _ in range(2):
                places = sorted(self._drawn.sample(range(len(spans)), min(SUMMARISED, len(spans))))
                text = "\n\n".join(article.text[spans[i].start : spans[i].end] for i in places)
                question = self._drawn.choice(ASKING)
                told = _told(SUMMARY, text=text, question=question, length=length_asked(question).wording)
                yield Exchange(article.id, told, draft=told)


def _holds(one: Scored, places: Sequence[Place]) -> bool:
    own = Place(one.sentence.passage.doc_id, one.sentence.span.start, one.sentence.span.end)
    return any(own.overlaps(place) for place in places)


def _exchange(article: Article, text: str, wording: Wording, reply: str) -> Exchange:
    return Exchange(article.id, _told(ANSWER, text=text, question=wording.asked), reply)


def _drafted(article: Article, text: str, wording: Wording, one: Asked) -> Exchange:
    """The model writes a whole sentence of the short answer and the evidence."""
    draft = (
        ("system", f"You write full answers to questions about a text.\n\n<text>\n{' '.join(one.evidence)}\n</text>"),
        (
            "user",
            f"Question: {wording.searched}\nShort answer: {one.a}\n\nWrite the answer as one complete sentence, close "
            "to the words of the text. Write nothing else.",
        ),
    )
    return replace(_exchange(article, text, wording, ""), draft=draft, must=one.a or "")


def _told(prompt: ChatPromptTemplate, **values: str) -> tuple[tuple[str, str], ...]:
    roles = {"system": "system", "human": "user"}
    return tuple((roles[one.type], str(one.content)) for one in prompt.format_messages(**values))
