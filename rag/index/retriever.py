"""Question -> Hits: dense and BM25 lists fused by reciprocal rank, as a LangChain retriever."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from rag.index.index import Index
from rag.types import Hit

RRF_K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009)."""
VARIANT_WEIGHT = 0.5
"""The weight of a question's other wording, chosen on MTRAG's follow-ups (docs/results.md)."""
POOL = 50
"""Places of each list that are fused."""


class HybridRetriever(BaseRetriever):
    """Finds passages by meaning (Chroma) and by words (BM25), and fuses the two lists.

    As a LangChain runnable it gives LangChain documents, each with its Hit in
    `metadata["hit"]`; `search` gives the Hits themselves. With `doc_ids`, only the
    passages of these documents are looked at.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    index: Index
    embedder: Embeddings
    k: int = 4
    doc_ids: Sequence[str] = ()

    def search(self, question: str, *, also: Sequence[str] = ()) -> list[Hit]:
        """The `k` best hits, best first; equal passages count as one.

        Fewer if there are not so many. `also` are other ways to put the question, whose lists count
        less. A hit's ranks and similarity are the best of them. Raises DamagedError if the index was
        damaged since it was opened.
        """
        pool = max(POOL, self.k)
        similarity: dict[int, float] = {}
        dense: list[dict[int, int]] = []
        words: list[dict[int, int]] = []
        for text in dict.fromkeys([question, *also]):
            worded = self.index.by_words(text, pool, self.doc_ids)
            near = dict(self.index.by_meaning(self.embedder.embed_query(text), pool, self.doc_ids, worded))
            similarity = {i: max(similarity.get(i, -1.0), near.get(i, -1.0)) for i in similarity | near}
            dense.append({passage_id: rank for rank, passage_id in enumerate(near, 1)})
            words.append({passage_id: rank for rank, passage_id in enumerate(worded, 1)})
        fused = fuse([*dense, *words], [1.0, *[VARIANT_WEIGHT] * (len(dense) - 1)] * 2)
        best = sorted(fused, key=lambda passage_id: (-fused[passage_id], passage_id))[: self.k]
        return [
            Hit(passage, fused[i], similarity.get(i), _best(dense, i), _best(words, i))
            for i, passage in zip(best, self.index.passages(best), strict=True)
        ]

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002
        also: Sequence[str] = (),
        **_: Any,
    ) -> list[LangChainDocument]:
        return [
            LangChainDocument(page_content=hit.passage.text, metadata={"source": hit.passage.source, "hit": hit})
            for hit in self.search(query, also=also)
        ]


def _best(ranks: list[dict[int, int]], passage_id: int) -> int | None:
    return min((ranking[passage_id] for ranking in ranks if passage_id in ranking), default=None)


def fuse(ranks: Sequence[Mapping[int, int]], weights: Sequence[float]) -> dict[int, float]:
    """Reciprocal rank fusion: for each id the sum of weight / (RRF_K + rank)."""
    scores: dict[int, float] = {}
    for ranking, weight in zip(ranks, weights, strict=True):
        for item, rank in ranking.items():
            scores[item] = scores.get(item, 0.0) + weight / (RRF_K + rank)
    return scores
