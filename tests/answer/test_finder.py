from pathlib import Path
from typing import Any

import pytest
from fakes import EMBEDDER, TopicEmbedder, publish, source_sentences, write
from langchain_core.documents import Document as LangChainDocument
from langchain_core.retrievers import BaseRetriever

from rag.answer import finder as finder_module
from rag.answer.context import Reading
from rag.answer.finder import LONGEST_TEXT, IndexFinder, RetrieverFinder
from rag.errors import DamagedError, QuestionError, StoreError
from rag.index.index import open_index
from rag.index.snapshot import roll_back
from rag.settings import Settings


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    write(tmp_path / "texts", {"a.txt": "A cat sleeps."})
    return tmp_path / "texts"


@pytest.fixture
def finder(settings: Settings, texts: Path) -> IndexFinder:
    publish(settings.index, texts)
    return finder_of(settings)


def finder_of(settings: Settings) -> IndexFinder:
    return IndexFinder(settings, open_index(settings.index, EMBEDDER), TopicEmbedder(), source_sentences())


def found(finder: IndexFinder) -> str:
    reading, hits = finder.find("What sleeps or eats?")
    assert reading.index and reading.index.documents[hits[0].passage.doc_id].text == hits[0].passage.text
    return hits[0].passage.text


@pytest.mark.slow
def test_the_next_question_is_answered_from_what_was_published_meanwhile(
    settings: Settings, texts: Path, finder: IndexFinder
) -> None:
    assert found(finder) == "A cat sleeps."
    for text in ("A dog eats.", "A fish eats.", "A bird eats."):
        write(texts, {"a.txt": text})
        publish(settings.index, texts)
    assert found(finder) == "A bird eats."
    roll_back(settings.index)
    assert found(finder) == "A fish eats."


def reading_of(finder: IndexFinder) -> Reading:
    return finder.find("What sleeps?")[0]


def damage_now(finder: IndexFinder) -> None:
    index = reading_of(finder).index
    assert index
    path = index.path / "passages.sqlite"
    path.write_bytes(b"\0" * path.stat().st_size)
    index.documents.close()  # What it has in memory is no longer enough.


@pytest.mark.slow
def test_damage_while_it_is_open_is_left_for_the_one_before(
    settings: Settings, texts: Path, finder: IndexFinder
) -> None:
    write(texts, {"a.txt": "A dog eats."})
    publish(settings.index, texts)
    assert found(finder) == "A dog eats."
    damage_now(finder)
    assert found(finder) == "A cat sleeps."


def test_damage_while_it_is_open_and_nothing_else_is_there_is_said(finder: IndexFinder) -> None:
    damage_now(finder)
    with pytest.raises(DamagedError, match=r"repair it with: python ingest\.py"):
        finder.find("What sleeps?")


@pytest.mark.slow
def test_chosen_documents_are_searched_by_themselves(settings: Settings, texts: Path) -> None:
    write(texts, {"b.txt": "A dog sleeps.", "c.txt": "Fish swim in the pond all day."})
    publish(settings.index, texts)
    finder = finder_of(settings)
    cat, dog, fish = finder.documents
    reading, hits = finder.find("What sleeps?", (), [dog, cat, "gone"])
    assert {hit.passage.doc_id for hit in hits} == {cat, dog}
    assert {one.metadata["hit"].passage.doc_id for one in reading.retriever.invoke("What sleeps?")} == {cat, dog}
    assert [hit.passage.doc_id for hit in finder.find("What sleeps?", (), [fish])[1]] == [fish]
    assert finder.find("What sleeps?", (), [fish, dog, cat])[0] is reading_of(finder)


def test_twice_the_passages_of_the_settings_are_found(settings: Settings, texts: Path) -> None:
    write(texts, {f"{number}.txt": f"A dog eats {number} bones." for number in range(9)})
    publish(settings.index, texts)
    assert len(finder_of(settings.model_copy(update={"passages": 3})).find("What eats?")[1]) == 6


@pytest.mark.slow
def test_damage_is_left_behind_with_a_choice_too(settings: Settings, texts: Path, finder: IndexFinder) -> None:
    write(texts, {"b.txt": "A dog eats."})
    publish(settings.index, texts)
    dog = next(i for i, document in finder.documents.items() if document.text == "A dog eats.")
    (cat,) = set(finder.documents) - {dog}
    damage_now(finder)
    _, hits = finder.find("What sleeps?", (), [cat, dog])
    assert [hit.passage.text for hit in hits] == ["A cat sleeps."]


class Everything(BaseRetriever):
    """Finds everything, in its order, as retrievers of other stores do."""

    found: list[LangChainDocument]

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[LangChainDocument]:
        return self.found


CAT = LangChainDocument("A cat sleeps.", metadata={"source": "books/cats.pdf", "page": 7})
DOG = LangChainDocument("A dog eats. It sleeps.", metadata={"source": "dogs.txt", "title": "Dogs"})


def test_any_retriever_gives_hits_in_its_order() -> None:
    finder = RetrieverFinder(
        Everything(found=[CAT, DOG, CAT, LangChainDocument(" ")]), TopicEmbedder(), source_sentences()
    )
    reading, hits = finder.find("What does the dog eat?")
    assert [(hit.passage.source, hit.passage.title, hit.passage.page, hit.dense_rank) for hit in hits] == [
        ("books/cats.pdf", "cats", 7, 1),
        ("dogs.txt", "Dogs", None, 2),
    ]
    assert hits[1].similarity and hits[0].similarity and hits[1].similarity > hits[0].similarity
    assert reading.index is None and reading.retriever is finder.retriever and finder.passages == 2
    assert {one.text for one in finder.documents.values()} == {"A cat sleeps.", "A dog eats. It sleeps."}
    assert {one.title for one in finder.documents.listed()} == {"cats", "Dogs"}


def test_of_what_any_retriever_finds_documents_can_be_chosen() -> None:
    finder = RetrieverFinder(Everything(found=[CAT, DOG]), TopicEmbedder(), source_sentences())
    _, (cat, dog) = finder.find("What sleeps?")
    assert finder.find("What sleeps?", (), [dog.passage.doc_id])[1][0].passage == dog.passage
    with pytest.raises(QuestionError, match="choose others"):
        finder.find("What sleeps?", (), ["gone"])
    assert cat.passage.doc_id != dog.passage.doc_id


def test_what_any_retriever_gives_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder_module, "REMEMBERED", 1)
    long = LangChainDocument("A cat sleeps.\x00 " * 100_000)
    finder = RetrieverFinder(Everything(found=[long, DOG]), TopicEmbedder(), source_sentences())
    _, (hit, _) = finder.find("What sleeps?")
    assert len(hit.passage.text) <= LONGEST_TEXT and "\x00" not in hit.passage.text
    assert [one.title for one in finder.documents.values()] == ["Dogs"]


def test_what_another_retriever_raises_is_a_sentence() -> None:
    class Down(Everything):
        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[LangChainDocument]:
            raise ConnectionError(f"refused: {query}")

    finder = RetrieverFinder(Down(found=[]), TopicEmbedder(), source_sentences())
    with pytest.raises(StoreError, match=r"^Your retriever failed; see that .* can be reached\.$") as caught:
        finder.find("What sleeps?")
    assert caught.value.detail == "ConnectionError"


def test_the_names_of_another_retriever_may_hold_what_is_no_text() -> None:
    cat = LangChainDocument("A cat sleeps.", metadata={"source": "cats\ud800.pdf", "title": "Cats\x00\udfff"})
    _, (hit,) = RetrieverFinder(Everything(found=[cat]), TopicEmbedder(), source_sentences()).find("What sleeps?")
    assert f"{hit.passage.source} {hit.passage.title}".isprintable()


def test_where_another_retriever_finds_nothing_there_are_no_hits() -> None:
    assert RetrieverFinder(Everything(found=[]), TopicEmbedder(), source_sentences()).find("What sleeps?")[1] == []
