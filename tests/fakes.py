"""Fakes that can be worked out by hand: an embedder, a model, a chatbot, and small documents and indexes for them."""

import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import Field

from rag.answer.evidence import SourceSentences
from rag.chatbot import Chatbot
from rag.documents.loader import Loader
from rag.documents.splitter import cut, passage_spans
from rag.index.builder import BuildOptions, Outcome, update
from rag.index.health import verify
from rag.index.index import Index
from rag.index.manifest import Corpus
from rag.models.chat_model import LOGPROBS, PLAIN
from rag.models.reranker import Scores
from rag.settings import Settings
from rag.types import (
    NEAREST,
    Answer,
    Citation,
    Document,
    Documents,
    Event,
    Evidence,
    Hit,
    Listed,
    Passage,
    Sentence,
    Timings,
)

WAIT = 10  # seconds until a test that hangs fails


# Models

TOPICS = ["cat", "dog", "fish", "sleep", "eat", "swim", "black"]
EMBEDDER = "all-MiniLM-L6-v2"
"""The name that the settings of the tests give; the fake goes by it."""


class TopicEmbedder(Embeddings):
    """A unit vector of how often each topic word (with any ending) occurs, and one constant small component.

    It remembers the `texts` that it embedded.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.texts += texts
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        words = re.findall(r"\w+", text.lower())
        counts = [float(sum(word.startswith(topic) for word in words)) for topic in TOPICS] + [0.1]
        length = math.sqrt(sum(count * count for count in counts))
        return [count / length for count in counts]


class TopicReranker:
    """Log-odds of 4 for each topic word that question and text share, less 4.

    What stands behind the text's mark is not looked at. It remembers what it scored.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[str]]] = []

    def score(self, question: str, texts: Sequence[str]) -> Scores:
        self.seen.append((question, list(texts)))
        asked = topics(question)
        return np.array([4.0 * len(asked & topics(text.split(" [SEP] ")[0])) - 4.0 for text in texts], dtype=np.float32)


def topics(text: str) -> set[str]:
    return {topic for topic in TOPICS for word in re.findall(r"\w+", text.lower()) if word.startswith(topic)}


class ScriptedModel(FakeListChatModel):
    """Writes the next of `responses`, letter by letter, and remembers the prompts."""

    prompts: list[str] = Field(default_factory=list)

    def _call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        self.prompts.append("\n".join(str(message.content) for message in messages))
        return super()._call(messages, *args, **kwargs)

    def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        self.prompts.append("\n".join(str(message.content) for message in messages))
        yield from super()._stream(messages, *args, **kwargs)


def answering(*responses: str) -> ScriptedModel:
    """A model that writes these in turn."""
    return ScriptedModel(responses=list(responses), tags=[PLAIN])


class EndingModel(ScriptedModel):
    """Ends its streams as `ending` says, the metadata of the last piece; without one they break off."""

    ending: dict[str, str]

    def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        yield from super()._stream(messages, *args, **kwargs)
        if self.ending:
            yield ChatGenerationChunk(message=AIMessageChunk(content="", response_metadata=self.ending))


def ending(*responses: str, **ending: str) -> EndingModel:
    """Of a server that speaks OpenAI's protocol."""
    return EndingModel(responses=list(responses), ending=ending, tags=[LOGPROBS])


def chatbot(settings: Settings, index: Index, model: BaseChatModel) -> Chatbot:
    return Chatbot(settings, index, model, TopicEmbedder(), TopicReranker())


def source_sentences() -> SourceSentences:
    return SourceSentences(TopicEmbedder(), TopicReranker())


# Documents and their index

ANIMALS = [
    "The black cat sleeps all day. It eats at night.",
    "A dog eats two bones. The dog is called Rex.",
    "Fish swim in the pond. There are 12 fish.",
]
FISH = "Where do the fish swim?"


def documents_of(texts: Sequence[str]) -> list[Document]:
    return [Document(f"d{number}", f"{number}.txt", f"Text {number}", text) for number, text in enumerate(texts)]


def divided(document: Document, first_id: int = 0, words: int = 20) -> list[Passage]:
    """The passages of a document."""
    return cut(document, passage_spans(document.text, words), first_id)


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files, in subfolders where the names say so."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def publish(index: Path, *paths: str | Path, **options: Any) -> Outcome:
    """Update the index with the fake embedder, and check it in this process."""
    options = {"verify": verify} | options
    with Loader() as loader:
        corpus = options.pop("corpus", Corpus(tuple(map(str, paths))))
        build_options = options.pop("build_options", BuildOptions(20, EMBEDDER, TopicEmbedder))
        return update(index, corpus, build_options, loader, **options)


def all_passages(index: Index) -> list[Passage]:
    return index.passages(index.documents.passage_ids())


class Library(dict[str, Document], Documents):
    """Documents by id, as an open index gives them."""

    def listed(self) -> list[Listed]:
        """Each as a list shows it."""
        return [Listed(one.source, one.title, 1, key, words=len(one.text.split())) for key, one in self.items()]


# Answers

DOCUMENT = Document("d", "data/article.txt", "Title", "Anna sailed to Oslo.")


def hit(document: Document, start: int = 0, end: int | None = None) -> Hit:
    """A passage found, the whole document if no `end` is given."""
    end = len(document.text) if end is None else end
    text = document.text[start:end]
    passage = Passage(start, document.doc_id, document.source, document.title, start, end, text)
    return Hit(passage, 0.1, 0.5, 1, 2)


def cite(number: int, quote: str, document: Document) -> Citation:
    """A citation of the first place where the document has the quotation."""
    start = document.text.index(quote)
    return Citation(number, document.doc_id, document.source, document.title, start, start + len(quote), quote)


def answer(
    *sentences: Sentence, text: str = "", hits: Sequence[Hit] = (), abstained: bool = False, question: str = "Q"
) -> Answer:
    """An answer of these sentences, with their citations."""
    text = text or " ".join(sentence.text for sentence in sentences)
    citations = tuple(citation for sentence in sentences for citation in sentence.citations)
    return Answer(question, text, sentences, citations, tuple(hits), abstained, 0.9, Timings(0, 0, None, 0))


HIT = hit(DOCUMENT)
CITATION = cite(1, DOCUMENT.text, DOCUMENT)


def answered(text: str, abstained: bool = False) -> Answer:
    """An answer that cites DOCUMENT, unless it abstains."""
    said = () if abstained else (Sentence(text, (CITATION,), True),)
    return replace(answer(*said, text=text, hits=[HIT], abstained=abstained), signals={"check": 0.5})


def quoted(*near: Citation, hits: Sequence[Hit] = (HIT,), question: str = "") -> Answer:
    """The reply that quotes what is nearest."""
    text = " ".join([NEAREST, *(f"“{one.quote}”" for one in near)])
    return replace(answer(text=text, hits=hits, abstained=True, question=question), near=near, confidence=0.5)


class FakeBot:
    """Streams what `script` yields, and remembers what it was asked and whether its streams were closed.

    `reading` is called with each draft that it reads ahead.
    """

    passages = 3
    reads_ahead = True

    def __init__(self, script: Callable[[str], Iterator[Event]] | None = None, **documents: Document) -> None:
        self.script = script or self.echo
        self.documents = Library(documents or {"d": DOCUMENT})
        self.asked: list[tuple[str, list[tuple[str, str]], list[str]]] = []
        self.drafts: list[tuple[str, list[tuple[str, str]], list[str]]] = []
        self.reading: Callable[[str], None] = lambda _: None
        self.closed = threading.Event()
        self.gate = threading.Event()
        self.checked = 0
        self.fault: Exception | None = None

    def refresh(self) -> None:
        """The documents are what they are."""

    def key_sentences(self, documents: Sequence[str] = (), count: int = 3) -> tuple[Citation, ...]:
        return (CITATION,)[:count]

    def question_for(self, quoted: Citation) -> str | None:
        """A question of the first words that are quoted."""
        return f"Why “{' '.join(quoted.quote.split()[:3])}”?"

    def check(self) -> None:
        self.checked += 1
        if self.fault:
            raise self.fault

    def read_ahead(self, draft: str, history: Sequence[tuple[str, str]] = (), documents: Sequence[str] = ()) -> None:
        self.drafts.append((draft, [tuple(pair) for pair in history], list(documents)))
        self.reading(draft)

    def stream(
        self, question: str, history: Sequence[tuple[str, str]] = (), documents: Sequence[str] = ()
    ) -> Iterator[Event]:
        self.asked.append((question, [tuple(pair) for pair in history], list(documents)))
        try:
            for event in self.script(question):
                blank = isinstance(event, Answer) and not event.question
                yield replace(event, question=question) if blank else event  # type: ignore[type-var]
        finally:
            self.closed.set()

    def waits(self) -> None:
        """Wait until the test opens the gate."""
        assert self.gate.wait(WAIT), "the test did not open the gate"

    @staticmethod
    def quote(question: str) -> Iterator[Event]:
        """Evidence, a draft, and then only the quotation."""
        yield [HIT]
        yield Evidence((CITATION,))
        yield "Anna"
        yield quoted(CITATION, question=question)

    @staticmethod
    def echo(question: str) -> Iterator[Event]:
        yield [HIT]
        yield "Said"
        yield answered(f"Said {question}")
