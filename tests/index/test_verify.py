import os
from pathlib import Path

import numpy as np
import pytest
from conftest import EMBEDDER, publish, write

from rag.index.editor import Editor
from rag.index.manifest import read_manifest, seal
from rag.index.snapshot import generations
from rag.index.vectors import Vectors
from rag.index.verify import verify, verify_apart


@pytest.fixture
def generation(tmp_path: Path) -> Path:
    write(tmp_path / "texts", {"cat.txt": "The cat sleeps.", "dog.txt": "A dog eats.", "fish.txt": "Fish swim."})
    publish(tmp_path / "index", tmp_path / "texts")
    return generations(tmp_path / "index")[0]


def reseal(generation: Path) -> None:
    """Make the digests right again, so that only the other checks can find the damage."""
    manifest = read_manifest(generation)
    (generation / "manifest.json").unlink()
    seal(generation, manifest)


def test_a_sound_generation_passes_here_and_apart(generation: Path) -> None:
    assert verify(generation) == verify(generation, full=True) == []
    assert verify_apart(generation) == verify_apart(generation, full=True) == []


def test_a_file_that_was_overwritten_is_named(generation: Path) -> None:
    (level,) = generation.glob("vectors/*/data_level0.bin")
    level.write_bytes(os.urandom(level.stat().st_size))
    assert verify_apart(generation) == [f"{level.relative_to(generation)} was overwritten"]


def test_garbage_that_the_digests_hold_is_found_or_ends_only_the_other_process(tmp_path: Path) -> None:
    lines = "".join(f'{{"text": "Cat {number} of many."}}\n' for number in range(1200))
    write(tmp_path / "texts", {"many.jsonl": lines})  # Chroma keeps fewer than 1,000 in its SQLite file alone
    publish(tmp_path / "index", tmp_path / "texts")
    generation = generations(tmp_path / "index")[0]
    for path in generation.glob("vectors/*/*"):
        path.write_bytes(os.urandom(path.stat().st_size))
    reseal(generation)
    assert verify_apart(generation)


def test_missing_vectors_are_counted(generation: Path) -> None:
    vectors = Vectors.edit(generation / "vectors")
    vectors.remove([1, 2])
    vectors.add([1], np.ones((1, 8), dtype=np.float32))
    vectors.close()
    reseal(generation)
    found = verify(generation)
    assert "there are 2 vectors for 3 passages" in found
    assert sum("does not find it" in problem for problem in found) == 1


def test_missing_words_are_found(generation: Path) -> None:
    passages = Editor.edit(generation / "passages.sqlite")
    passages.database.execute("DELETE FROM words WHERE rowid = 1")
    passages.close()
    reseal(generation)
    (problem,) = verify(generation)
    assert problem.startswith("the words of a passage of") and "cat.txt" in problem


def test_missing_documents_are_counted(generation: Path) -> None:
    passages = Editor.edit(generation / "passages.sqlite")
    passages.remove(next(iter(passages.files())))
    passages.tidy(20)
    passages.close()
    reseal(generation)
    assert verify(generation)[0].startswith("Counts(documents=2, chunks=2")


def test_a_check_that_dies_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    assert verify_apart(tmp_path) == ["the check itself ended early (exit code 1)"]


def test_the_embedder_name_of_the_cache_is_that_of_the_manifest(generation: Path) -> None:
    assert read_manifest(generation).embedder == EMBEDDER
