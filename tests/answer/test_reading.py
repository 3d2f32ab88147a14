from pathlib import Path

import pytest
from conftest import EMBEDDER, TopicEmbedder, publish, write

from rag.answer.reading import Finder, Reading
from rag.errors import DamagedError, QuestionError
from rag.index.index import open_index
from rag.index.snapshot import roll_back
from rag.settings import Settings


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    write(tmp_path / "texts", {"a.txt": "A cat sleeps."})
    return tmp_path / "texts"


@pytest.fixture
def opened() -> list[Reading]:
    return []


@pytest.fixture
def finder(settings: Settings, texts: Path, opened: list[Reading]) -> Finder:
    publish(settings.index, texts)
    return Finder(settings, open_index(settings.index, EMBEDDER), TopicEmbedder(), opened.append)


def found(finder: Finder) -> str:
    reading, hits = finder.find("What sleeps or eats?")
    assert reading.whole == [hit.passage for hit in hits]
    return hits[0].passage.text


def test_the_next_question_is_answered_from_what_was_published_meanwhile(
    settings: Settings, texts: Path, finder: Finder, opened: list[Reading]
) -> None:
    assert found(finder) == "A cat sleeps."
    for text in ("A dog eats.", "A fish eats.", "A bird eats."):
        write(texts, {"a.txt": text})
        publish(settings.index, texts)
    assert found(finder) == "A bird eats."
    assert opened == [finder.reader.now]
    roll_back(settings.index)
    assert found(finder) == "A fish eats."


def damage_now(finder: Finder) -> None:
    path = finder.reader.now.index.path / "passages.sqlite"
    path.write_bytes(b"\0" * path.stat().st_size)
    finder.reader.now.index.documents.close()  # What it has in memory is no longer enough.


def test_damage_while_it_is_open_is_left_for_the_one_before(settings: Settings, texts: Path, finder: Finder) -> None:
    write(texts, {"a.txt": "A dog eats."})
    publish(settings.index, texts)
    assert found(finder) == "A dog eats."
    damage_now(finder)
    assert found(finder) == "A cat sleeps."


def test_damage_while_it_is_open_and_nothing_else_is_there_is_said(finder: Finder) -> None:
    damage_now(finder)
    with pytest.raises(DamagedError, match=r"repair it with: python ingest\.py"):
        finder.find("What sleeps?")


@pytest.mark.parametrize(("words", "passages"), [(2, 0), (3, 1)])
def test_a_long_text_is_not_read_whole(settings: Settings, finder: Finder, words: int, passages: int) -> None:
    short = settings.model_copy(update={"whole_article_words": words})
    index = finder.reader.now.index
    assert len(Finder(short, index, TopicEmbedder(), lambda _: None).reader.now.whole) == passages


def test_chosen_documents_are_searched_and_read_whole_by_themselves(
    settings: Settings, texts: Path, opened: list[Reading]
) -> None:
    write(texts, {"b.txt": "A dog sleeps.", "c.txt": "Fish swim in the pond all day."})
    publish(settings.index, texts)
    short = settings.model_copy(update={"whole_article_words": 6})
    finder = Finder(short, open_index(settings.index, EMBEDDER), TopicEmbedder(), opened.append)
    cat, dog, fish = finder.reader.now.index.documents
    reading, hits = finder.find("What sleeps?", (), [dog, cat, "gone"])
    assert [passage.text for passage in reading.whole] == ["A cat sleeps.", "A dog sleeps."]
    assert {hit.passage.doc_id for hit in hits} == {cat, dog}
    reading, hits = finder.find("What sleeps?", (), [fish])
    assert (reading.whole, [hit.passage.doc_id for hit in hits]) == ([], [fish])
    assert finder.find("What sleeps?", (), [fish, dog, cat])[0] is finder.find("What sleeps?")[0] is finder.reader.now


def test_a_choice_of_which_nothing_is_left_is_said(finder: Finder) -> None:
    with pytest.raises(QuestionError, match=r"None of the chosen documents is in the index any more; choose others\."):
        finder.find("What sleeps?", (), ["gone"])


def test_damage_is_left_behind_with_a_choice_too(settings: Settings, texts: Path, finder: Finder) -> None:
    write(texts, {"b.txt": "A dog eats."})
    publish(settings.index, texts)
    dog = next(i for i, document in finder.reader.newest().index.documents.items() if document.text == "A dog eats.")
    (cat,) = set(finder.reader.now.index.documents) - {dog}
    damage_now(finder)
    _, hits = finder.find("What sleeps?", (), [cat, dog])
    assert [hit.passage.text for hit in hits] == ["A cat sleeps."]


def test_the_sentences_of_a_passage_are_embedded_once_for_all_indexes(settings: Settings, texts: Path) -> None:
    class Counting(TopicEmbedder):
        seen: list[str] = []  # noqa: RUF012

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            self.seen += texts
            return super().embed_documents(texts)

    publish(settings.index, texts)
    embedder = Counting()
    finder = Finder(settings, open_index(settings.index, EMBEDDER), embedder, lambda _: None)
    finder.reader.now.evidence.sentences(finder.reader.now.whole)
    write(texts, {"b.txt": "A dog eats."})
    publish(settings.index, texts)
    finder.reader.refresh()
    assert [one.text for one in finder.reader.now.evidence.sentences(finder.reader.now.whole)] == [
        "A cat sleeps.",
        "A dog eats.",
    ]
    assert embedder.seen == ["A cat sleeps.", "A dog eats."]


def test_a_text_that_is_the_same_is_not_told_of_again(
    settings: Settings, texts: Path, finder: Finder, opened: list[Reading]
) -> None:
    before = finder.reader.now
    publish(settings.index, texts, rebuild=True)
    finder.reader.refresh()
    assert finder.reader.now.index.path != before.index.path
    assert finder.reader.now.warmed is before.warmed and opened == []
