"""The LangChain chain: condense -> retrieve -> answer -> cite; `Chatbot.ask` and `Chatbot.stream`."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Self

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser

from rag.cite import cite
from rag.condense import condense
from rag.confidence import estimate
from rag.embed import embedder_name, make_embedder
from rag.errors import QuestionError
from rag.evidence import Evidence, rank_sentences
from rag.index import Index, open_index, read_manifest
from rag.model import explained, is_embedded, open_model
from rag.prompts import ABSTENTION, ANSWER
from rag.retrieve import HybridRetriever
from rag.settings import Settings
from rag.types import Answer, Chunk, Document, Hit, Sentence, Timings
from rag.weights import Progress, silent

History = Sequence[tuple[str, str]]
LONGEST_QUESTION = 2000
"""Characters."""


def index_exists(settings: Settings) -> bool:
    """Whether an index was published. Raises StoreError when it is damaged."""
    return read_manifest(settings.index) is not None


class Chatbot:
    """Answers questions from the published index. Use as a context manager; threads may share it."""

    def __init__(self, settings: Settings, index: Index, model: BaseChatModel, embedder: Embeddings) -> None:
        self.settings = settings
        self.index = index
        self.model = model
        self.embedder = embedder
        self.retriever = HybridRetriever(index=index, k=settings.passages)
        self._evidence = Evidence(index.documents, embedder)
        self._whole = index.all_chunks() if index.manifest.words <= settings.whole_article_words else []
        self._write = ANSWER | model | StrOutputParser()
        self._resources = ExitStack()

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        model: BaseChatModel | None = None,
        embedder: Embeddings | None = None,
        progress: Progress = silent,
    ) -> Self:
        """Open the published index and start the model of the settings, or take the ones given.

        Raises StoreError when there is no usable index, ModelError when a model is
        missing, damaged or cannot be reached.
        """
        with ExitStack() as stack, ThreadPoolExecutor(1) as side:
            read_manifest(settings.index)
            loading = side.submit(make_embedder, settings) if embedder is None else None
            chat_model = model or stack.enter_context(open_model(settings, progress))
            loaded = embedder or (loading.result() if loading else None)
            assert loaded is not None
            index = open_index(settings.index, loaded, embedder_name(settings))
            bot = cls(settings, index, chat_model, loaded)
            bot._resources = stack.pop_all()
        return bot
