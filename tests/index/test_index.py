import gc
import logging
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fakes import ANIMALS, EMBEDDER, TopicEmbedder, all_passages, publish, write

from rag.errors import DamagedError, StoreError
from rag.index import index as index_module
from rag.index.index import Index, Reader, is_sound, open_index
from rag.index.shared import Remote
from rag.index.snapshot import newest_sound, roll_back, snapshots


def test_what_was_built_is_there_when_opened(animals: Index) -> None:
    assert animals.manifest.documents == animals.manifest.passages == 3
    assert [passage.text for passage in all_passages(animals)] == ANIMALS
    assert [document.source for document in animals.documents.values()] == ["0.txt", "1.txt", "2.txt"]
    assert list(animals.by_words("the dogs", 5)) == [2]
    assert animals.by_meaning(TopicEmbedder().embed_query("swimming fish"), 1)[0][0] == 3


def test_of_chosen_documents_the_rest_is_out_of_sight(animals: Index) -> None:
    cat, dog, fish = animals.documents
    assert animals.chosen([fish, "gone", cat]) == [cat, fish]
    swimming = TopicEmbedder().embed_query("swimming fish")
    assert [i for i, _ in animals.by_meaning(swimming, 5, [dog, cat])] == [1, 2]
    assert animals.by_meaning(swimming, 5, ["gone"]) == []
    assert list(animals.by_words("dogs and fish", 5, [cat, fish])) == [3]


@pytest.mark.slow
def test_a_reader_keeps_its_snapshot_while_others_are_published(animals: Index, tmp_path: Path) -> None:
    for text in ("Only a dog.", "Only a cat.", "Only a fish."):
        write(tmp_path / "other", {"a.txt": text})
        publish(tmp_path / "index", tmp_path / "other")
    assert not animals.path.exists()
    assert [passage.text for passage in all_passages(animals)] == ANIMALS
    assert list(animals.by_words("Rex", 1)) == [2]
    assert animals.by_meaning(TopicEmbedder().embed_query("swimming fish"), 1)[0][0] == 3


def test_opening_and_asking_leave_every_file_as_it_was(animals: Index) -> None:
    animals.by_meaning(TopicEmbedder().embed_query("fish"), 3)
    for _ in range(2):
        open_index(animals.path.parent, EMBEDDER)
    assert newest_sound(animals.path.parent).notice is None


def test_no_index_names_the_command(tmp_path: Path) -> None:
    assert not is_sound(tmp_path)
    with pytest.raises(StoreError, match=r"python ingest\.py"):
        open_index(tmp_path, EMBEDDER)


def test_another_embedder_is_refused(animals: Index) -> None:
    with pytest.raises(StoreError, match=f"built with the embedder '{EMBEDDER}', not 'other'"):
        open_index(animals.path.parent, "other")


def test_damage_while_it_is_open_is_said_plainly(animals: Index) -> None:
    path = animals.path / "passages.sqlite"
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(DamagedError, match=r"repair it with: python ingest\.py"):
        animals.passages([1])
    for read in (len, list, lambda documents: documents["any"], lambda documents: documents.listed()):
        with pytest.raises(DamagedError, match=r"passages\.sqlite.* repair it with: python ingest\.py"):
            read(animals.documents)


@pytest.mark.slow
def test_garbage_in_the_vectors_cannot_end_the_process(animals: Index) -> None:
    (level,) = animals.path.glob("vectors/*/data_level0.bin")
    level.write_bytes(os.urandom(level.stat().st_size))
    code = f"from pathlib import Path; from rag.index.index import open_index; open_index(Path({str(animals.path.parent)!r}), {EMBEDDER!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "DamagedError" in done.stderr and "data_level0.bin was overwritten" in done.stderr


@pytest.mark.slow
def test_an_index_in_a_read_only_folder_is_answered_from(animals: Index) -> None:
    """Run as a user who may not write there; root may always."""
    folder = animals.path.parent
    code = (
        "import os; from pathlib import Path; from rag.index.index import open_index\n"
        f"open_index(folder := Path({str(folder)!r}), {EMBEDDER!r})  # imports what a user may not read\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "assert not os.access(folder, os.W_OK)\n"
        f"print(open_index(folder, {EMBEDDER!r}).passages([2])[0].text)"
    )
    for path in [folder, *folder.parents]:
        if path.stat().st_uid == os.getuid() and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o055)
    folder.chmod(0o555)
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    finally:
        folder.chmod(0o755)
    assert done.stdout.strip() == ANIMALS[1], done.stderr


@pytest.mark.slow
def test_a_reader_that_is_killed_harms_nothing(animals: Index) -> None:
    code = f"import os; from pathlib import Path; from rag.index.index import open_index; index = open_index(Path({str(animals.path.parent)!r}), {EMBEDDER!r}); os.kill(os.getpid(), {signal.SIGKILL:d})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert newest_sound(animals.path.parent).path == snapshots(animals.path.parent)[0] == animals.path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an index; what it is made of is beside it."""
    edit(tmp_path / "index", "A cat sleeps.")
    return tmp_path / "index"


@pytest.fixture
def reader(folder: Path) -> Reader[Index]:
    return reader_of(folder)


def reader_of(folder: Path) -> Reader[Index]:
    return Reader(open_index(folder, EMBEDDER), lambda index: index)


def edit(folder: Path, text: str) -> None:
    """Publish an index of this text alone."""
    write(folder.parent / "texts", {"a.txt": text})
    publish(folder, folder.parent / "texts")


def read(reader: Reader[Index]) -> str:
    return all_passages(reader.newest())[0].text


@pytest.mark.slow
def test_what_is_needed_of_an_index_is_prepared_once(folder: Path) -> None:
    prepared: list[str] = []

    def prepare(index: Index) -> str:
        prepared.append(all_passages(index)[0].text)
        return prepared[-1]

    reader = Reader(open_index(folder, EMBEDDER), prepare)
    edit(folder, "A dog eats.")
    assert reader.now == "A cat sleeps."
    assert reader.newest() == reader.newest() == reader.now == "A dog eats."
    assert prepared == ["A cat sleeps.", "A dog eats."]


@pytest.mark.slow
def test_an_index_that_cannot_be_opened_is_reported_once_and_the_one_before_stays(
    folder: Path, reader: Reader[Index], caplog: pytest.LogCaptureFixture
) -> None:
    edit(folder, "A dog eats.")
    for snapshot in snapshots(folder):
        (snapshot / "manifest.json").unlink()
    with caplog.at_level(logging.WARNING):
        assert read(reader) == read(reader) == "A cat sleeps."
    (record,) = caplog.records
    assert "The index stays as it was opened" in record.message and "python ingest.py" in record.message


@pytest.mark.slow
def test_if_a_newer_one_is_damaged_the_one_before_is_used_and_a_repaired_one_is_moved_to(
    folder: Path, reader: Reader[Index], caplog: pytest.LogCaptureFixture
) -> None:
    edit(folder, "A dog eats.")
    (snapshots(folder)[0] / "passages.sqlite").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        assert read(reader) == "A cat sleeps."
    assert "so the one of" in caplog.text
    edit(folder, "A dog eats.")
    assert read(reader) == "A dog eats."


WAIT = 10  # seconds until a test that hangs fails


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Opening a further index says that it has begun, and waits for the second event."""
    begun, released = threading.Event(), threading.Event()

    def slowly(folder: Path, embedder_name: str, remote: Remote) -> Index:
        begun.set()
        assert released.wait(WAIT)
        return open_index(folder, embedder_name, remote)

    monkeypatch.setattr(index_module, "open_index", slowly)
    return begun, released


@pytest.mark.slow
def test_while_one_thread_opens_what_was_published_others_go_on_with_what_is_open(
    folder: Path, reader: Reader[Index], held: tuple[threading.Event, threading.Event]
) -> None:
    begun, released = held
    edit(folder, "A dog eats.")
    with ThreadPoolExecutor(1) as side:
        first = side.submit(read, reader)
        assert begun.wait(WAIT)
        assert read(reader) == "A cat sleeps."
        released.set()
        assert first.result(WAIT) == "A dog eats."
    assert read(reader) == "A dog eats."


@pytest.mark.slow
def test_after_a_refresh_everything_is_read_from_what_was_published_before_it(
    folder: Path, reader: Reader[Index], held: tuple[threading.Event, threading.Event]
) -> None:
    begun, released = held
    edit(folder, "A dog eats.")
    with ThreadPoolExecutor(2) as side:
        side.submit(read, reader)
        assert begun.wait(WAIT)
        refreshed = side.submit(reader.refresh)
        released.set()
        refreshed.result(WAIT)
        assert read(reader) == "A dog eats."


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts in /proc")
def test_no_file_stays_open_of_an_index_that_was_replaced(folder: Path) -> None:
    reader = reader_of(folder)
    edit(folder, "A dog eats.")

    def files() -> int:
        read(reader)
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    before = files()
    for _ in range(60):
        roll_back(folder)
        read(reader)
    assert files() <= before + 10  # A leak would be of hundreds.
