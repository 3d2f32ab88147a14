import os
from pathlib import Path

import numpy as np
import pytest
from fakes import EMBEDDER, publish, write

from rag.index.health import verify, verify_apart
from rag.index.manifest import read_manifest, seal
from rag.index.passage_editor import PassageEditor
from rag.index.snapshot import snapshots
from rag.index.vectors import Vectors


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    write(tmp_path / "texts", {"cat.txt": "The cat sleeps.", "dog.txt": "A dog eats.", "fish.txt": "Fish swim."})
    publish(tmp_path / "index", tmp_path / "texts")
    return snapshots(tmp_path / "index")[0]


def reseal(snapshot: Path) -> None:
    """Make the digests right again, so that only the other checks can find the damage."""
    manifest = read_manifest(snapshot)
    (snapshot / "manifest.json").unlink()
    seal(snapshot, manifest)


@pytest.mark.slow
def test_a_sound_snapshot_passes_here_and_apart(snapshot: Path) -> None:
    assert verify(snapshot) == verify(snapshot, full=True) == []
    assert verify_apart(snapshot) == verify_apart(snapshot, full=True) == []


@pytest.mark.slow
def test_a_file_that_was_overwritten_is_named(snapshot: Path) -> None:
    (level,) = snapshot.glob("vectors/*/data_level0.bin")
    level.write_bytes(os.urandom(level.stat().st_size))
    assert verify_apart(snapshot) == [f"{level.relative_to(snapshot)} was overwritten"]


@pytest.mark.slow
def test_garbage_that_the_digests_hold_is_found_or_ends_only_the_other_process(tmp_path: Path) -> None:
    lines = "".join(f'{{"text": "Cat {number} of many."}}\n' for number in range(1200))
    write(tmp_path / "texts", {"many.jsonl": lines})  # Chroma keeps fewer than 1,000 in its SQLite file alone
    publish(tmp_path / "index", tmp_path / "texts")
    snapshot = snapshots(tmp_path / "index")[0]
    for path in snapshot.glob("vectors/*/*"):
        path.write_bytes(os.urandom(path.stat().st_size))
    reseal(snapshot)
    assert verify_apart(snapshot)


@pytest.mark.slow
def test_missing_vectors_are_counted(snapshot: Path) -> None:
    vectors = Vectors.edit(snapshot / "vectors")
    vectors.remove([1, 2])
    vectors.add([1], np.ones((1, 8), dtype=np.float32))
    vectors.close()
    reseal(snapshot)
    found = verify(snapshot)
    assert found[0] == "there are 2 vectors for 3 different passages"
    assert found[1].startswith("a passage of") and found[1].endswith("dog.txt' has no vector")


@pytest.mark.slow
def test_a_search_may_miss_one_vector_in_ten_but_not_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "texts", {f"{number}.txt": f"Cat number {number}." for number in range(20)})
    publish(tmp_path / "index", tmp_path / "texts")
    nearest = Vectors.nearest
    for lost, problems in ((2, 0), (3, 3)):
        asked = iter(range(20))
        monkeypatch.setattr(
            Vectors, "nearest", lambda *of, asked=asked, lost=lost: [] if next(asked) < lost else nearest(*of)
        )
        assert len(verify(snapshots(tmp_path / "index")[0])) == problems


def test_missing_words_are_found(snapshot: Path) -> None:
    passages = PassageEditor.edit(snapshot / "passages.sqlite")
    passages.database.execute("DELETE FROM words WHERE rowid = 1")
    passages.close()
    reseal(snapshot)
    (problem,) = verify(snapshot)
    assert problem.startswith("the words of a passage of") and "cat.txt" in problem


def test_missing_documents_are_counted(snapshot: Path) -> None:
    passages = PassageEditor.edit(snapshot / "passages.sqlite")
    passages.remove(next(iter(passages.files())))
    passages.tidy()
    passages.close()
    reseal(snapshot)
    assert verify(snapshot)[0].startswith("Counts(documents=2, passages=2")


def test_a_check_that_dies_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    assert verify_apart(tmp_path) == ["the check itself ended early (exit code 1)"]


def test_the_embedder_name_of_the_cache_is_that_of_the_manifest(snapshot: Path) -> None:
    assert read_manifest(snapshot).embedder == EMBEDDER
