"""An index whose vectors are in a real Chroma server: built, published, read, and what may happen to it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
from chroma import ChromaProcess
from fakes import (
    ANIMALS,
    EMBEDDER,
    WAIT,
    TopicEmbedder,
    TopicReranker,
    answering,
    chatbot,
    publish,
    write,
)  # fmt: skip

from eval.dataset import load
from ingest import main as ingest
from rag import Chatbot
from rag.documents.loader import Loader
from rag.errors import StoreError, UnreachableError
from rag.index import shared as shared_module
from rag.index.builder import BuildOptions, Outcome, update
from rag.index.chroma_server import ChromaServer
from rag.index.health import verify
from rag.index.index import Index, Reader, open_index
from rag.index.manifest import Corpus
from rag.index.retriever import HybridRetriever
from rag.index.shared import Remote
from rag.index.snapshot import current_name, roll_back
from rag.models.embedder import embedder_name, make_embedder
from rag.settings import ServerSettings
from rag.types import Hit

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaProcess]:
    process = ChromaProcess(tmp_path_factory.mktemp("chroma"))
    yield process
    process.kill()


@pytest.fixture
def chroma(process: ChromaProcess) -> Iterator[ChromaProcess]:
    """A server without collections."""
    yield process
    for name in process.collections():
        ChromaServer(process.url).drop(name)


class Served:
    """An index whose vectors are in the server, with the texts that it is made of."""

    def __init__(self, folder: Path, chroma: ChromaProcess | None) -> None:
        self.index, self.texts = folder / "index", folder / "texts"
        self.remote = Remote(ChromaServer(chroma.url) if chroma else None)
        self.embedder = TopicEmbedder()

    def publish(self, *texts: str, **options: Any) -> Outcome:
        """Publish these documents, of which the last one may be edited."""
        write(self.texts, {f"{number}.txt": text for number, text in enumerate(texts)})
        made = BuildOptions(20, EMBEDDER, lambda: self.embedder, self.remote)
        return publish(self.index, self.texts, build_options=made, **options)

    def open(self) -> Index:
        return open_index(self.index, EMBEDDER, self.remote)


@pytest.fixture
def served(tmp_path: Path, chroma: ChromaProcess) -> Served:
    return Served(tmp_path, chroma)


def found(index: Index, question: str) -> list[tuple[Any, ...]]:
    """All that is known of the hits, to the last bit; without ids, which are of an index."""
    hits = HybridRetriever(index=index, embedder=TopicEmbedder(), k=8).search(question)
    return [(hit.passage.passage_id, hit.passage.text, *astuple(hit)[1:]) for hit in hits]


def test_both_ways_give_the_same_ids_hits_and_scores_over_updates(tmp_path: Path, chroma: ChromaProcess) -> None:
    here, there = Served(tmp_path / "here", None), Served(tmp_path / "there", chroma)
    for texts in (
        ANIMALS,
        [*ANIMALS, "A black dog swims. It eats fish."],
        [*ANIMALS[:2], "Fish swim.", "No dog eats."],
    ):
        for one in (here, there):
            one.publish(*texts)
        mine, its = here.open(), there.open()
        for question in ("Where do the fish swim?", "Who eats at night?", "What is the dog called?", "black", "Rex"):
            assert found(its, question) == found(mine, question) != []
        every = mine.documents.passage_ids()
        assert its.vectors(every).tobytes() == mine.vectors(every).tobytes()
        chosen = list(mine.documents)[:2]
        asked = TopicEmbedder().embed_query("a fish")
        assert its.by_meaning(asked, 5, chosen) == mine.by_meaning(asked, 5, chosen)
    assert not (its.path / "vectors").exists()


@pytest.mark.model
def test_both_ways_find_the_same_for_the_questions_of_the_evaluation(tmp_path: Path, chroma: ChromaProcess) -> None:
    settings = ServerSettings(index=tmp_path / "here", data=ROOT / "data")
    remote = Remote(ChromaServer(chroma.url))
    embedder = make_embedder(settings)
    indexes = []
    for folder, where in ((settings.index, Remote()), (tmp_path / "there", remote)):
        made = BuildOptions(settings.passage_words, embedder_name(settings), lambda: embedder, where)
        with Loader() as loader:
            update(folder, Corpus((str(settings.data),)), made, loader, verify=verify)
        indexes.append(open_index(folder, embedder_name(settings), where))

    def hits(index: Index, question: str) -> list[Hit]:
        return HybridRetriever(index=index, embedder=embedder, k=8).search(question)

    asked = [one.question for one in load(ROOT / "eval" / "questions.jsonl")]
    assert len(asked) > 50
    for question in asked:
        assert hits(indexes[1], question) == hits(indexes[0], question) != []


def test_one_command_moves_the_vectors_to_the_server_and_back_without_embedding(
    settings: ServerSettings, chroma: ChromaProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(settings.data, {"a.txt": ANIMALS[0], "b.txt": ANIMALS[1]})
    publish(settings.index, settings.data)
    monkeypatch.setenv("RAG_PASSAGE_WORDS", "20")
    monkeypatch.setattr("rag.index.builder.make_embedder", None)  # It would be called for the first missing vector.
    before = found(open_index(settings.index, EMBEDDER), "the dog")
    for url in (chroma.url, ""):
        monkeypatch.setenv("RAG_CHROMA_URL", url)
        assert ingest([]) == 0 and ingest(["--status"]) == 0
        assert ("in a Chroma server" in capsys.readouterr().out) is bool(url)
        remote = Remote(ChromaServer(url) if url else None)
        assert found(open_index(settings.index, EMBEDDER, remote), "the dog") == before
        assert ingest([]) == 0 and "Nothing has changed" in capsys.readouterr().out
        assert len(chroma.collections()) == 1
    monkeypatch.setenv("RAG_CHROMA_URL", chroma.url)
    assert ingest(["--rollback"]) == 0 and ingest(["--check"]) == 0


def test_a_reader_without_the_setting_is_told_what_to_set(served: Served) -> None:
    served.publish(*ANIMALS)
    with pytest.raises(StoreError, match="in a Chroma server; set RAG_CHROMA_URL to its address"):
        open_index(served.index, EMBEDDER)


def test_two_collections_are_kept_and_a_late_reader_moves_on_by_itself(
    served: Served, chroma: ChromaProcess, settings: ServerSettings
) -> None:
    served.publish(ANIMALS[0])
    bot = chatbot(settings, served.open(), answering("It eats."))
    late = Reader(served.open(), lambda index: index)
    names = [current_name(served.index)]
    for text in ANIMALS[1:]:
        served.publish(text)
        names.append(current_name(served.index))
    assert chroma.collections() == sorted(map(str, names[1:]))
    with pytest.raises(StoreError, match="not in the Chroma server"):
        late.now.by_meaning(TopicEmbedder().embed_query("cat"), 1)
    assert late.instead_of(late.now).documents.counts().documents == 1
    (hit,) = bot.search("Where do the fish swim?")
    assert hit.passage.text == ANIMALS[2]


def test_one_can_go_back_to_the_collection_before(served: Served) -> None:
    served.publish(ANIMALS[0])
    before = found(served.open(), "cat")
    served.publish(ANIMALS[1])
    roll_back(served.index)
    assert found(served.open(), "cat") == before


def test_a_killed_builder_leaves_no_half_collection_current(served: Served, chroma: ChromaProcess) -> None:
    served.publish(ANIMALS[0])
    before, (kept,) = current_name(served.index), chroma.collections()
    code = f"""
import os, sys
from pathlib import Path
from fakes import TopicEmbedder
from rag.index import builder
from rag.index.chroma_server import ServedCollection
from test_served_index import Served

def half(self, ids, embeddings, add=ServedCollection.add):
    add(self, ids[:1], embeddings[:1])
    os.kill(os.getpid(), {signal.SIGKILL:d})

ServedCollection.add = half
class Process: url = {chroma.url!r}
Served(Path({str(served.index.parent)!r}), Process).publish({ANIMALS[1]!r}, {ANIMALS[2]!r})
"""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "index")])
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert current_name(served.index) == before and len(chroma.collections()) == 2
    assert len(found(served.open(), "cat")) == 1
    served.publish(ANIMALS[1], ANIMALS[2])
    assert chroma.collections() == sorted([kept, str(current_name(served.index))])


def test_a_build_that_fails_takes_its_collection_with_it(served: Served, chroma: ChromaProcess) -> None:
    served.publish(ANIMALS[0])
    with pytest.raises(StoreError, match="did not pass its check"):
        served.publish(ANIMALS[1], verify=lambda _: ["wrong"])
    assert chroma.collections() == [current_name(served.index)]


def test_vectors_that_the_server_lost_are_put_there_again(served: Served, chroma: ChromaProcess) -> None:
    served.publish(*ANIMALS)
    before = found(served.open(), "the fish")
    for name in chroma.collections():
        ChromaServer(chroma.url).drop(name)
    with pytest.raises(StoreError, match=r"put them there with: python ingest\.py"):
        served.open()
    outcome = served.publish(*ANIMALS)
    assert outcome.changed and outcome.embedded == 0
    assert found(served.open(), "the fish") == before


def test_a_restart_under_load_fails_no_question_and_a_server_that_is_down_is_told(
    served: Served, chroma: ChromaProcess, settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.publish(*ANIMALS)
    monkeypatch.setattr("rag.index.chroma_server._READER", 60.0)
    patient = chatbot(settings, served.open(), answering("It eats."))
    monkeypatch.setattr("rag.index.chroma_server._READER", 0.0)
    monkeypatch.setattr("rag.index.chroma_server._WRITER", 0.0)
    impatient = chatbot(settings, served.open(), answering("It eats."))
    expected = patient.search("Where do the fish swim?")
    ended = threading.Event()

    def ask() -> int:
        asked = 0
        while not ended.is_set():
            assert patient.search("Where do the fish swim?") == expected
            asked += 1
        return asked

    with ThreadPoolExecutor(4) as people:
        asking = [people.submit(ask) for _ in range(4)]
        try:
            chroma.kill()
            with pytest.raises(UnreachableError, match="cannot be reached; see that it runs"):
                impatient.search("Where do the fish swim?")
            with pytest.raises(UnreachableError):
                served.publish(ANIMALS[0])
        finally:
            chroma.start()
            assert impatient.search("Where do the fish swim?") == expected
            ended.set()
        assert sum(one.result(WAIT) for one in asking) >= 4


def test_an_open_chatbot_on_another_machine_answers_from_a_publication_within_seconds(
    tmp_path: Path, chroma: ChromaProcess, settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_module, "EVERY", 0.05)
    both = {"shared": str(tmp_path / "shared"), "chroma_url": chroma.url}
    reading = settings.model_copy(update=both | {"index": tmp_path / "reader"})
    builder = Served(tmp_path, None)
    builder.remote = Remote.of(settings.model_copy(update=both))
    builder.publish(ANIMALS[0])
    model = answering("It eats.")
    with Chatbot.open(reading, model=model, embedder=TopicEmbedder(), reranker=TopicReranker()) as bot:
        assert [hit.passage.text for hit in bot.search("Who sleeps?")] == ANIMALS[:1]
        builder.publish(ANIMALS[2])
        end = time.monotonic() + WAIT
        while [hit.passage.text for hit in bot.search("Who sleeps?")] != ANIMALS[2:]:
            assert time.monotonic() < end
            time.sleep(0.02)
    assert sorted(path.suffix for path in (tmp_path / "reader").rglob("*") if path.is_file()) == [
        "", "", ".json", ".json", ".sqlite", ".sqlite",
    ]  # fmt: skip


def test_what_was_missed_while_the_server_was_away_is_opened_later(
    served: Served, chroma: ChromaProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.publish(ANIMALS[0])
    reader = Reader(served.open(), lambda index: index.documents.counts().documents)
    served.publish(*ANIMALS)
    monkeypatch.setattr("rag.index.chroma_server._READER", 0.0)
    chroma.kill()
    try:
        assert reader.newest() == 1
    finally:
        chroma.start()
    assert reader.newest() == 3
