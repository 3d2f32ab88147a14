import shutil
from pathlib import Path

import pytest
from fakes import ANIMALS, EMBEDDER, TopicEmbedder, publish, write
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rag.index.index import Index, open_index
from rag.index.retriever import MEANING, VARIANT_WEIGHT, HybridRetriever, fuse


def test_fusion_adds_both_scores_each_scaled() -> None:
    assert fuse({1: 0.9, 2: 0.5, 3: 0.1}, {2: 4.0, 4: 1.0}) == pytest.approx(
        {1: MEANING, 2: 0.5 * MEANING + (1 - MEANING), 3: 0.0, 4: 0.25 * (1 - MEANING)}
    )
    assert fuse({}, {}) == {} and fuse({1: 0.3}, {}) == {1: 0.0} and fuse({}, {1: 2.0}) == {1: 1 - MEANING}


def test_what_one_list_is_sure_of_is_not_outvoted() -> None:
    alike = {number: 0.5 - number / 1000 for number in range(40)}
    words = {39: 9.0, **dict.fromkeys(range(39), 1.0)}
    scores = fuse(alike, words)
    assert max(scores, key=scores.__getitem__) == 39


def test_the_passage_found_by_meaning_and_by_words_comes_first(animals: Index) -> None:
    hits = HybridRetriever(index=animals, embedder=TopicEmbedder(), k=2).search("Where do fish swim?")
    assert hits[0].passage.source == "2.txt"
    assert hits[0].passage.text == ANIMALS[2]
    assert (hits[0].dense_rank, hits[0].word_rank) == (1, 1)
    assert hits[0].score == pytest.approx(1.0)
    assert len(hits) == 2


def test_a_name_that_the_vectors_do_not_know_is_found_by_its_word(animals: Index) -> None:
    hits = HybridRetriever(index=animals, embedder=TopicEmbedder(), k=3).search("Rex")
    rex = next(hit for hit in hits if "Rex" in hit.passage.text)
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
    assert alone[0].passage.source == "1.txt"
    fish = next(hit for hit in both if hit.passage.source == "2.txt")
    assert (fish.dense_rank, fish.word_rank) == (1, 1)
    assert fish.similarity == retriever.search("Where do fish swim?")[0].similarity
    assert fish.score == pytest.approx(VARIANT_WEIGHT + next(hit.score for hit in alone if hit.passage == fish.passage))
    assert retriever.invoke("Rex", also=["Where do fish swim?"])[0].metadata["hit"] == both[0]


@pytest.mark.slow
def test_the_same_text_is_found_once_where_its_words_fit_best(tmp_path: Path) -> None:
    same = "The black cat sleeps all day and eats at night in the old house by the river over there. "
    report = "The dog of the report barks all night, as dogs do where nobody is at home to let them in. "
    write(tmp_path / "texts", {"a.txt": same * 40, "report_2024.txt": same + report, "z.txt": same * 2})
    publish(tmp_path / "index", tmp_path / "texts")
    opened = open_index(tmp_path / "index", EMBEDDER)
    retriever = HybridRetriever(index=opened, embedder=TopicEmbedder(), k=5)
    hits = retriever.search("Does a black cat sleep?")
    assert sorted(hit.passage.text for hit in hits) == sorted([same.strip(), report.strip()])
    assert (hits[0].passage.text, hits[0].dense_rank, hits[0].word_rank) == (same.strip(), 1, 1)
    named = retriever.search("Does a black cat sleep in the report of 2024?")
    assert [Path(hit.passage.source).name for hit in named if hit.passage.text == same.strip()] == ["report_2024.txt"]
    (chosen,) = [doc_id for doc_id, one in opened.documents.items() if one.source.endswith("z.txt")]
    only = HybridRetriever(index=opened, embedder=TopicEmbedder(), k=5, doc_ids=[chosen]).search("black cat")
    assert [(hit.passage.doc_id, hit.dense_rank, hit.word_rank) for hit in only] == [(chosen, 1, 1)]


def test_equal_texts_in_two_documents_take_one_place_among_the_hits(tmp_path: Path) -> None:
    write(tmp_path / "texts", {"a.txt": "Fish swim.\n\nOne.", "b.txt": "Fish swim.\n\nTwo.", "c.txt": "A dog eats."})
    publish(tmp_path / "index", tmp_path / "texts")
    index = open_index(tmp_path / "index", EMBEDDER)
    assert len(HybridRetriever(index=index, embedder=TopicEmbedder()).search("Where do fish swim?")) == 3


def test_it_is_a_langchain_retriever(animals: Index) -> None:
    found = HybridRetriever(index=animals, embedder=TopicEmbedder(), k=1).invoke("the dog eats")
    assert [document.page_content for document in found] == [ANIMALS[1]]
    assert found[0].metadata["hit"].passage.source == "1.txt"


def found(index: Index, question: str, documents: list[str]) -> dict[str, tuple[float | None, int | None]]:
    """The sources of the hits with their similarity and dense rank."""
    hits = HybridRetriever(index=index, embedder=TopicEmbedder(), k=20, doc_ids=documents).search(question)
    return {hit.passage.source: (hit.similarity, hit.dense_rank) for hit in hits}


@pytest.mark.slow
@hypothesis_settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    counts=st.lists(st.integers(0, 30), min_size=2, max_size=6, unique=True),
    question=st.sampled_from(["Where do fish swim?", "cats", "a fish eats a dog", "???"]),
)
def test_a_choice_finds_what_an_index_of_these_documents_alone_finds(
    tmp_path: Path, data: st.DataObject, counts: list[int], question: str
) -> None:
    texts = {f"{n}.txt": "A fish swims. " + "The cat sleeps. " * (n % 7) + "A dog eats. " * (n // 7) for n in counts}
    chosen = data.draw(st.lists(st.sampled_from(sorted(texts)), min_size=1, unique=True))
    for name, part in {"all": list(texts), "few": chosen}.items():
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        write(tmp_path / name / "texts", {file: texts[file] for file in part})
        publish(tmp_path / name / "index", tmp_path / name / "texts", verify=lambda _: [])
    every, few = (open_index(tmp_path / name / "index", EMBEDDER) for name in ("all", "few"))
    ids = [i for i, document in every.documents.items() if Path(document.source).name in chosen]
    by_choice = {Path(source).name: place for source, place in found(every, question, ids).items()}
    by_index = {Path(source).name: place for source, place in found(few, question, []).items()}
    cosines = [{name: cosine for name, (cosine, _) in places.items()} for places in (by_choice, by_index)]
    assert cosines[0] == pytest.approx(cosines[1], abs=1e-3)
    words = {Path(passage.source).name for passage in every.passages(list(every.by_words(question, 99, ids)))}
    assert words == {Path(passage.source).name for passage in few.passages(list(few.by_words(question, 99)))}


def test_of_a_choice_the_order_by_words_is_that_among_all(animals: Index) -> None:
    _, dog, fish = animals.documents
    every = list(animals.by_words("the black dogs eat fish in a pond", 9))
    assert list(animals.by_words("the black dogs eat fish in a pond", 9, [dog, fish])) == [
        i for i in every if i in {2, 3}
    ]
    assert len(every) == 3
