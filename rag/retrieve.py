"""Question -> Hits: dense and BM25 lists fused by reciprocal rank, as a LangChain retriever."""

from typing import Any

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document as LangChainDocument
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from rag.index import Index, to_chunk, tokenize
from rag.types import Chunk, Hit

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
    k: int = 4

    def search(self, question: str, k: int | None = None) -> list[Hit]:
        """The `k` best hits, best first; fewer only where the index holds fewer passages."""
        pool = max(POOL, k or self.k)
        dense = self._dense(question, pool)
        dense_rank = {chunk.chunk_id: rank for rank, (chunk, _) in enumerate(dense, 1)}
        word_rank = {chunk_id: rank for rank, chunk_id in enumerate(self._by_words(question, pool), 1)}
        fused = fuse([dense_rank, word_rank])
        best = sorted(fused, key=lambda chunk_id: (-fused[chunk_id], chunk_id))[: k or self.k]
        similarity = {chunk.chunk_id: cosine for chunk, cosine in dense}
        chunks = {chunk.chunk_id: chunk for chunk, _ in dense}
        missing = [chunk_id for chunk_id in best if chunk_id not in chunks]
        chunks |= {chunk.chunk_id: chunk for chunk in self.index.chunks(missing)}
        return [
            Hit(chunks[i], fused[i], similarity.get(i), dense_rank.get(i), word_rank.get(i))
            for i in best
        ]  # fmt: skip

    def _dense(self, question: str, k: int) -> list[tuple[Chunk, float]]:
        found = self.index.vectors.similarity_search_with_score(question, k=min(k, self.index.manifest.chunks))
        return [(to_chunk(document), 1.0 - distance) for document, distance in found]

    def _by_words(self, question: str, k: int) -> list[int]:
        """Ids of the chunks that share a word with the question, best first."""
        known = [token for token in tokenize([question])[0] if token in self.index.words.vocab_dict]
        if not known:
            return []
        scores = self.index.words.get_scores(known)
        best = np.argsort(-scores, kind="stable")[:k]
        return [int(chunk_id) for chunk_id in best if scores[chunk_id] > 0]

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
