"""Question -> Hits: dense and BM25 lists fused by their scores, as a LangChain retriever."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from rag.index.index import Index
from rag.types import Hit

MEANING = 0.4
"""The weight of the cosine; the rest is that of BM25 (docs/results.md)."""
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
        fused: defaultdict[int, float] = defaultdict(float)
        for text in dict.fromkeys([question, *also]):
            near, worded = self._lists(text, pool)
            similarity = {i: max(similarity.get(i, -1.0), near.get(i, -1.0)) for i in similarity | near}
            for passage_id, score in fuse(near, worded).items():
                fused[passage_id] += score * (VARIANT_WEIGHT if dense else 1.0)
            dense.append({passage_id: rank for rank, passage_id in enumerate(near, 1)})
            words.append({passage_id: rank for rank, passage_id in enumerate(worded, 1)})
        best = sorted(fused, key=lambda passage_id: (-fused[passage_id], passage_id))[: self.k]
        return [
            Hit(passage, fused[i], similarity.get(i), _best(dense, i), _best(words, i))
            for i, passage in zip(best, self.index.passages(best), strict=True)
        ]

    def _lists(self, text: str, pool: int) -> tuple[dict[int, float], dict[int, float]]:
        """The nearest passages with their cosine, and the best by words with their BM25."""
        with ThreadPoolExecutor(1) as side:  # With the words in the thread there is little gain (docs/experiments.md).
            nearing = side.submit(self._nearest, text, pool)
            worded = self.index.by_words(text, pool, self.doc_ids)
            near = nearing.result()
        return dict(self.index.passages_at(near, self.doc_ids, list(worded))), worded

    def _nearest(self, text: str, pool: int) -> list[tuple[int, float]]:
        return self.index.nearest(self.embedder.embed_query(text), pool, self.doc_ids)

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


def fuse(cosines: Mapping[int, float], bm25: Mapping[int, float]) -> dict[int, float]:
    """For each id the weighted sum of cosine and BM25, each scaled to 0..1.

    Unlike reciprocal ranks it keeps how sure a list is: a passage that alone has the words of the question
    comes first (Bruch, Gai, Ingber 2023: "An analysis of fusion functions for hybrid retrieval").
    """
    least, most = min(cosines.values(), default=0.0), max(cosines.values(), default=0.0)
    best = max(bm25.values(), default=0.0)
    scores = {i: MEANING * (cosine - least) / ((most - least) or 1.0) for i, cosine in cosines.items()}
    return scores | {i: scores.get(i, 0.0) + (1 - MEANING) * score / best for i, score in bm25.items()}
