"""Fakes that can be worked out by hand, and small indexes made of them."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from pydantic import Field

from rag.chatbot import Chatbot
from rag.documents.loader import Loader
from rag.documents.splitter import cut, passage_spans
from rag.index.builder import BuildOptions, Outcome, update
from rag.index.health import verify
from rag.index.index import Index, open_index
from rag.index.manifest import Corpus
from rag.settings import ServerSettings, Settings
from rag.types import Document, Passage

TOPICS = ["cat", "dog", "fish", "sleep", "eat", "swim", "black"]


class TopicEmbedder(Embeddings):
    """A unit vector of how often each topic word (with any ending) occurs, and one constant small component."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        words = re.findall(r"\w+", text.lower())
        counts = [float(sum(word.startswith(topic) for word in words)) for topic in TOPICS] + [0.1]
        length = math.sqrt(sum(count * count for count in counts))
        return [count / length for count in counts]


class ScriptedModel(FakeListChatModel):
    """Says the next of `responses`, letter by letter, and remembers the prompts."""

    prompts: list[str] = Field(default_factory=list)

    def _call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        self.prompts.append("\n".join(str(message.content) for message in messages))
        return super()._call(messages, *args, **kwargs)

    def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        self.prompts.append("\n".join(str(message.content) for message in messages))
        yield from super()._stream(messages, *args, **kwargs)


FISH = "Where do the fish swim?"


def scripted(*responses: str) -> ScriptedModel:
    """A model that says these in turn: whether the text states it, the answer, whether what is cited states it."""
    return ScriptedModel(responses=list(responses))


def chatbot(settings: Settings, index: Index, model: BaseChatModel) -> Chatbot:
    return Chatbot(settings, index, model, TopicEmbedder())


def documents_of(texts: Sequence[str]) -> list[Document]:
    return [Document(f"d{number}", f"{number}.txt", f"Text {number}", text) for number, text in enumerate(texts)]


def divided(document: Document, first_id: int = 0, words: int = 20) -> list[Passage]:
    """The passages of a document."""
    return cut(document, passage_spans(document.text, words), first_id)


ANIMALS = [
    "The black cat sleeps all day. It eats at night.",
    "A dog eats two bones. The dog is called Rex.",
    "Fish swim in the pond. There are 12 fish.",
]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServerSettings:
    """Settings that no variable and no .env of this machine reaches."""
    monkeypatch.chdir(tmp_path)
    for name in ServerSettings.model_fields:
        monkeypatch.delenv(f"RAG_{name.upper()}", raising=False)
    return ServerSettings(data=tmp_path / "data", index=tmp_path / "index", cache=tmp_path / "cache", passage_words=20)


EMBEDDER = "all-MiniLM-L6-v2"
"""The name that the settings of the tests give; the fake goes by it."""


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
        return update(
            index, corpus, options.pop("build_options", BuildOptions(20, EMBEDDER, TopicEmbedder)), loader, **options
        )


@pytest.fixture
def animals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """An index of three documents of one passage each: 0.txt, 1.txt and 2.txt."""
    write(tmp_path / "texts", {f"{number}.txt": text for number, text in enumerate(ANIMALS)})
    with monkeypatch.context() as place:
        place.chdir(tmp_path / "texts")
        publish(tmp_path / "index", ".")
    return open_index(tmp_path / "index", EMBEDDER)
