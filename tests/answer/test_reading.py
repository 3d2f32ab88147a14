import gc
import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fakes import EMBEDDER, TopicEmbedder, publish, write

from rag.answer import reading as reading_module
from rag.answer.reading import Reader, Reading
from rag.errors import DamagedError, QuestionError
from rag.index.index import Index, open_index
from rag.index.snapshot import roll_back, snapshots
from rag.settings import Settings


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    write(tmp_path / "texts", {"a.txt": "A cat sleeps."})
    return tmp_path / "texts"


@pytest.fixture
def opened() -> list[Reading]:
    return []


@pytest.fixture
def reader(settings: Settings, texts: Path, opened: list[Reading]) -> Reader:
    publish(settings.index, texts)
    return Reader(settings, open_index(settings.index, EMBEDDER), TopicEmbedder(), opened.append)


def found(reader: Reader) -> str:
    reading, hits = reader.find("What sleeps or eats?")
    assert reading.whole == [hit.passage for hit in hits]
    return hits[0].passage.text


def test_the_next_question_is_answered_from_what_was_published_meanwhile(
    settings: Settings, texts: Path, reader: Reader, opened: list[Reading]
) -> None:
    assert found(reader) == "A cat sleeps."
    for text in ("A dog eats.", "A fish eats.", "A bird eats."):
        write(texts, {"a.txt": text})
        publish(settings.index, texts)
    assert found(reader) == "A bird eats."
    assert opened == [reader.now]
    roll_back(settings.index)
    assert found(reader) == "A fish eats."


def test_an_index_that_cannot_be_opened_is_reported_once_and_the_one_before_stays(
    settings: Settings, texts: Path, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    write(texts, {"a.txt": "A dog eats."})
    publish(settings.index, texts)
    for snapshot in snapshots(settings.index):
        (snapshot / "manifest.json").unlink()
    with caplog.at_level(logging.WARNING):
        assert found(reader) == found(reader) == "A cat sleeps."
    (record,) = caplog.records
    assert "The index stays as it was opened" in record.message and "python ingest.py" in record.message


def test_where_a_newer_one_is_damaged_the_one_before_answers_and_a_repaired_one_is_moved_to(
    settings: Settings, texts: Path, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    write(texts, {"a.txt": "A dog eats."})
    publish(settings.index, texts)
    (snapshots(settings.index)[0] / "passages.sqlite").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        assert found(reader) == "A cat sleeps."
    assert "so the one of" in caplog.text
    publish(settings.index, texts)
    assert found(reader) == "A dog eats."


def damage_now(reader: Reader) -> None:
    path = reader.now.index.path / "passages.sqlite"
    path.write_bytes(b"\0" * path.stat().st_size)
    reader.now.index.documents.close()  # What it has in memory is no longer enough.


def test_damage_while_it_is_open_is_left_for_the_one_before(
    settings: Settings, texts: Path, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    write(texts, {"a.txt": "A dog eats."})
    publish(settings.index, texts)
    assert found(reader) == "A dog eats."
    damage_now(reader)
    assert found(reader) == "A cat sleeps."


def test_damage_while_it_is_open_and_nothing_else_is_there_is_said(reader: Reader) -> None:
    damage_now(reader)
    with pytest.raises(DamagedError, match=r"repair it with: python ingest\.py"):
        reader.find("What sleeps?")


def test_a_long_text_is_not_read_whole(
    settings: Settings, texts: Path, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    make: Callable[[int], Reader] = lambda words: Reader(  # noqa: E731
        settings.model_copy(update={"whole_article_words": words}), reader.now.index, TopicEmbedder(), lambda _: None
    )
    assert (len(make(2).now.whole), len(make(3).now.whole)) == (0, 1)


def test_chosen_documents_are_searched_and_read_whole_by_themselves(
    settings: Settings, texts: Path, opened: list[Reading]
) -> None:
    write(texts, {"b.txt": "A dog sleeps.", "c.txt": "Fish swim in the pond all day."})
    publish(settings.index, texts)
    short = settings.model_copy(update={"whole_article_words": 6})
    reader = Reader(short, open_index(settings.index, EMBEDDER), TopicEmbedder(), opened.append)
    cat, dog, fish = reader.now.index.documents
    reading, hits = reader.find("What sleeps?", (), [dog, cat, "gone"])
    assert [passage.text for passage in reading.whole] == ["A cat sleeps.", "A dog sleeps."]
    assert {hit.passage.doc_id for hit in hits} == {cat, dog}
    reading, hits = reader.find("What sleeps?", (), [fish])
    assert (reading.whole, [hit.passage.doc_id for hit in hits]) == ([], [fish])
    assert reader.find("What sleeps?", (), [fish, dog, cat])[0] is reader.find("What sleeps?")[0] is reader.now


def test_a_choice_of_which_nothing_is_left_is_said(reader: Reader) -> None:
    with pytest.raises(QuestionError, match=r"None of the chosen documents is in the index any more; choose others\."):
        reader.find("What sleeps?", (), ["gone"])


def test_damage_is_left_behind_with_a_choice_too(settings: Settings, texts: Path, reader: Reader) -> None:
    write(texts, {"b.txt": "A dog eats."})
    publish(settings.index, texts)
    dog = next(i for i, document in reader.newest().index.documents.items() if document.text == "A dog eats.")
    (cat,) = set(reader.now.index.documents) - {dog}
    damage_now(reader)
    _, hits = reader.find("What sleeps?", (), [cat, dog])
    assert [hit.passage.text for hit in hits] == ["A cat sleeps."]


WAIT = 10  # seconds until a test that hangs fails


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Opening a further index says that it has begun, and waits for the second event."""
    begun, released = threading.Event(), threading.Event()
    really = reading_module.open_reported

    def slowly(settings: Settings) -> Index:
        begun.set()
        assert released.wait(WAIT)
        return really(settings)

    monkeypatch.setattr(reading_module, "open_reported", slowly)
    return begun, released


def test_while_one_question_opens_what_was_published_others_go_on_with_what_is_open(
    settings: Settings, texts: Path, reader: Reader, held: tuple[threading.Event, threading.Event]
) -> None:
    begun, released = held
    write(texts, {"a.txt": "A dog eats."})
    publish(settings.index, texts)
    with ThreadPoolExecutor(1) as side:
        first = side.submit(found, reader)
        assert begun.wait(WAIT)
        assert found(reader) == "A cat sleeps."
        released.set()
        assert first.result(WAIT) == "A dog eats."
    assert found(reader) == "A dog eats."


def test_after_a_refresh_every_question_is_answered_from_what_was_published_before_it(
    settings: Settings, texts: Path, reader: Reader, held: tuple[threading.Event, threading.Event]
) -> None:
    begun, released = held
    write(texts, {"a.txt": "A dog eats."})
    publish(settings.index, texts)
    with ThreadPoolExecutor(2) as side:
        side.submit(found, reader)
        assert begun.wait(WAIT)
        refreshed = side.submit(reader.refresh)
        released.set()
        refreshed.result(WAIT)
        assert found(reader) == "A dog eats."


def test_the_sentences_of_a_passage_are_embedded_once_for_all_indexes(settings: Settings, texts: Path) -> None:
    publish(settings.index, texts)
    embedder = TopicEmbedder()
    reader = Reader(settings, open_index(settings.index, EMBEDDER), embedder, lambda _: None)
    reader.now.evidence.sentences(reader.now.whole)
    write(texts, {"b.txt": "A dog eats."})
    publish(settings.index, texts)
    reader.refresh()
    assert [one.text for one in reader.now.evidence.sentences(reader.now.whole)] == ["A cat sleeps.", "A dog eats."]
    assert embedder.texts == ["A cat sleeps.", "A dog eats."]


def test_a_text_that_is_the_same_is_not_told_of_again(
    settings: Settings, texts: Path, reader: Reader, opened: list[Reading]
) -> None:
    before = reader.now
    publish(settings.index, texts, rebuild=True)
    reader.refresh()
    assert reader.now.index.path != before.index.path
    assert reader.now.warmed is before.warmed and opened == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts in /proc")
def test_no_file_stays_open_of_an_index_that_was_replaced(settings: Settings, texts: Path) -> None:
    publish(settings.index, texts)
    reader = Reader(settings, open_index(settings.index, EMBEDDER), TopicEmbedder(), lambda _: None)
    write(texts, {"a.txt": "A dog eats."})
    publish(settings.index, texts)

    def files() -> int:
        found(reader)
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    before = files()
    for _ in range(60):
        roll_back(settings.index)
        found(reader)
    assert files() <= before + 10  # A leak would be of hundreds.
