import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import ANIMALS, EMBEDDER, TopicEmbedder, publish, write

from rag.errors import DamagedError, StoreError
from rag.index.index import Index, is_sound, open_index
from rag.index.snapshot import snapshots, soundest


def test_what_was_built_is_there_when_opened(animals: Index) -> None:
    assert animals.manifest.documents == animals.manifest.passages == 3
    assert [passage.text for passage in animals.all_passages()] == ANIMALS
    assert [document.source for document in animals.documents.values()] == ["0.txt", "1.txt", "2.txt"]
    assert animals.by_words("the dogs", 5) == [2]
    assert animals.by_meaning(TopicEmbedder().embed_query("swimming fish"), 1)[0][0] == 3


def test_of_chosen_documents_the_rest_is_out_of_sight(animals: Index) -> None:
    cat, dog, fish = animals.documents
    assert animals.chosen([fish, "gone", cat]) == [cat, fish]
    swimming = TopicEmbedder().embed_query("swimming fish")
    assert [i for i, _ in animals.by_meaning(swimming, 5, [dog, cat])] == [1, 2]
    assert animals.by_meaning(swimming, 5, ["gone"]) == []
    assert animals.by_words("dogs and fish", 5, [cat, fish]) == [3]
    assert [passage.text for passage in animals.passages_of([fish, cat], 19)] == [ANIMALS[0], ANIMALS[2]]
    assert animals.passages_of([fish, cat], 18) == []


def test_a_reader_keeps_its_snapshot_while_others_are_published(animals: Index, tmp_path: Path) -> None:
    for text in ("Only a dog.", "Only a cat.", "Only a fish."):
        write(tmp_path / "other", {"a.txt": text})
        publish(tmp_path / "index", tmp_path / "other")
    assert not animals.path.exists()
    assert [passage.text for passage in animals.all_passages()] == ANIMALS
    assert animals.by_words("Rex", 1) == [2]
    assert animals.by_meaning(TopicEmbedder().embed_query("swimming fish"), 1)[0][0] == 3


def test_opening_and_asking_leave_every_file_as_it_was(animals: Index) -> None:
    animals.by_meaning(TopicEmbedder().embed_query("fish"), 3)
    for _ in range(2):
        open_index(animals.path.parent, EMBEDDER)
    assert soundest(animals.path.parent).notice is None


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


def test_garbage_in_the_vectors_cannot_end_the_process(animals: Index) -> None:
    (level,) = animals.path.glob("vectors/*/data_level0.bin")
    level.write_bytes(os.urandom(level.stat().st_size))
    code = f"from pathlib import Path; from rag.index.index import open_index; open_index(Path({str(animals.path.parent)!r}), {EMBEDDER!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "DamagedError" in done.stderr and "data_level0.bin was overwritten" in done.stderr


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


def test_a_reader_that_is_killed_harms_nothing(animals: Index) -> None:
    code = f"import os; from pathlib import Path; from rag.index.index import open_index; index = open_index(Path({str(animals.path.parent)!r}), {EMBEDDER!r}); os.kill(os.getpid(), {signal.SIGKILL:d})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert soundest(animals.path.parent).path == snapshots(animals.path.parent)[0] == animals.path
