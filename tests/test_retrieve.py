import pytest
from conftest import ANIMALS, TopicEmbedder

from rag.index import Index
from rag.retrieve import ALSO, RRF_K, HybridRetriever, fuse
from rag.types import Hit


def test_fusion_adds_the_reciprocal_ranks() -> None:
    scores = fuse([{1: 1, 2: 2}, {2: 1}])
    assert scores == {1: 1 / (RRF_K + 1), 2: 1 / (RRF_K + 2) + 1 / (RRF_K + 1)}


def test_the_passage_found_by_meaning_and_by_words_comes_first(animals: Index) -> None:
    hits = HybridRetriever(index=animals, embedder=TopicEmbedder(), k=2).search("Where do fish swim?")
    assert hits[0].chunk.source == "2.txt"
    assert hits[0].chunk.text == ANIMALS[2]
    assert (hits[0].dense_rank, hits[0].word_rank) == (1, 1)
    assert hits[0].score == pytest.approx(2 / (RRF_K + 1))
    assert len(hits) == 2


def test_a_name_that_the_vectors_do_not_know_is_found_by_its_word(animals: Index) -> None:
    hits = HybridRetriever(index=animals, embedder=TopicEmbedder(), k=3).search("Rex")
    rex = next(hit for hit in hits if "Rex" in hit.chunk.text)
    assert rex.word_rank == 1
    assert hits[0] == rex


def test_a_question_without_a_known_word_still_finds_the_nearest(animals: Index) -> None:
    hits = HybridRetriever(index=animals, embedder=TopicEmbedder(), k=5).search("???")
    assert len(hits) == 3
    assert all(hit.word_rank is None and hit.similarity is not None for hit in hits)


def test_other_words_for_the_question_are_fused_with_it(animals: Index) -> None:
    retriever = HybridRetriever(index=animals, embedder=TopicEmbedder(), k=3)
    alone = retriever.search("Rex")
    both = retriever.search("Rex", also=["Rex", "Where do fish swim?"])
    assert alone[0].chunk.source == "1.txt"
    fish = next(hit for hit in both if hit.chunk.source == "2.txt")
    assert (fish.dense_rank, fish.word_rank) == (1, 1)
    assert fish.similarity == retriever.search("Where do fish swim?")[0].similarity
    assert fish.score == pytest.approx(2 * ALSO / (RRF_K + 1) + 1 / (RRF_K + alone_rank(alone, "2.txt")))
    assert retriever.invoke("Rex", also=["Where do fish swim?"])[0].metadata["hit"] == both[0]


def alone_rank(hits: list[Hit], source: str) -> int:
    return next(hit.dense_rank or 0 for hit in hits if hit.chunk.source == source)


def test_it_is_a_langchain_retriever(animals: Index) -> None:
    found = HybridRetriever(index=animals, embedder=TopicEmbedder(), k=1).invoke("the dog eats")
    assert [document.page_content for document in found] == [ANIMALS[1]]
    assert found[0].metadata["hit"].chunk.source == "1.txt"
