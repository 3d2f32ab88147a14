"""Question -> Hits: dense and BM25 lists fused by reciprocal rank, as a LangChain retriever."""

from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from rag.index import Index
from rag.types import Hit

RRF_K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009)."""
POOL = 50
"""Places of each list that are fused."""


class HybridRetriever(BaseRetriever):
    """Finds passages by meaning (Chroma) and by words (BM25), and fuses the two lists.

    As a LangChain runnable it gives LangChain documents, each with its Hit in
    `metadata["hit"]`; `search` gives the Hits themselves.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    index: Index
    embedder: Embeddings
    k: int = 4

    def search(self, question: str, k: int | None = None) -> list[Hit]:
        """The `k` best hits, best first; fewer only where the index holds fewer passages.

        Raises DamagedError when the index was damaged since it was opened.
        """
        pool = max(POOL, k or self.k)
        similarity = dict(self.index.by_meaning(self.embedder.embed_query(question), pool))
        dense_rank = {chunk_id: rank for rank, chunk_id in enumerate(similarity, 1)}
        word_rank = {chunk_id: rank for rank, chunk_id in enumerate(self.index.by_words(question, pool), 1)}
        fused = fuse([dense_rank, word_rank])
        best = sorted(fused, key=lambda chunk_id: (-fused[chunk_id], chunk_id))[: k or self.k]
        return [
            Hit(chunk, fused[i], similarity.get(i), dense_rank.get(i), word_rank.get(i))
            for i, chunk in zip(best, self.index.chunks(best), strict=True)
        ]

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002
        **_: Any,
    ) -> list[LangChainDocument]:
        return [
            LangChainDocument(page_content=hit.chunk.text, metadata={"source": hit.chunk.source, "hit": hit})
            for hit in self.search(query)
        ]


def fuse(ranks: list[dict[int, int]]) -> dict[int, float]:
    """Reciprocal rank fusion: for each id the sum of 1 / (RRF_K + rank) over the lists that hold it."""
    scores: dict[int, float] = {}
    for ranking in ranks:
        for item, rank in ranking.items():
            scores[item] = scores.get(item, 0.0) + 1.0 / (RRF_K + rank)
    return scores
