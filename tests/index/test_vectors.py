import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from rag.index.vectors import _BRUTE_FORCE, Vectors

ROWS = np.eye(4, dtype=np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    vectors = Vectors.edit(tmp_path / "vectors")
    vectors.add([1, 2, 3, 4], ROWS)
    vectors.remove([2])
    vectors.settle()
    vectors.close()
    return tmp_path / "vectors"


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_nearest_come_first_with_their_cosine_and_the_removed_not_at_all(folder: Path) -> None:
    vectors = Vectors.read(folder)
    assert len(vectors) == 3
    (first, cosine), (second, other), _ = vectors.nearest([0.6, 0.7, 0.3, 0.0], 3)
    assert (first, second) == (1, 3)
    assert cosine == pytest.approx(0.6 / np.sqrt(0.94), abs=1e-3) and other == pytest.approx(
        0.3 / np.sqrt(0.94), abs=1e-3
    )
    kept = vectors.get([2, 3])
    assert list(kept) == [3] and kept[3].tolist() == pytest.approx(ROWS[2].tolist(), abs=1e-3)


def test_among_a_choice_the_nearest_come_first_and_no_other(folder: Path) -> None:
    vectors = Vectors.read(folder)
    found = vectors.nearest([1.2, 1.4, 0.6, 0.2], 3, among=[4, 3])
    assert [i for i, _ in found] == [3, 4]
    assert [cosine for _, cosine in found] == pytest.approx([0.6 / 3.8**0.5, 0.2 / 3.8**0.5], abs=1e-3)
    assert vectors.nearest([1.2, 1.4, 0.6, 0.2], 1, among=[4, 3]) == found[:1]
    assert vectors.nearest([1.0, 0.0, 0.0, 0.0], 1, among=[]) == []


@pytest.mark.parametrize("size", [_BRUTE_FORCE, _BRUTE_FORCE + 1, 550])
def test_a_small_and_a_large_choice_find_the_same_as_comparing_all(tmp_path: Path, size: int) -> None:
    random = np.random.default_rng(6)
    rows = random.standard_normal((600, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors = Vectors.edit(tmp_path / "vectors")
    vectors.add(range(600), rows)
    among = sorted(random.choice(600, size, replace=False).tolist())
    cosines = rows @ rows[0]
    best = sorted(among, key=lambda i: -cosines[i])[:50]
    found = vectors.nearest(rows[0], 50, among)
    assert [i for i, _ in found] == best
    assert [cosine for _, cosine in found] == pytest.approx(cosines[best].tolist(), abs=1e-3)
    vectors.close()


@pytest.mark.slow
def test_more_rows_than_chroma_takes_at_once(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((5600, 8)).astype(np.float32)
    vectors = Vectors.edit(tmp_path / "vectors")
    vectors.add(range(5600), rows)
    vectors.remove(range(5500))
    assert len(vectors) == 100
    assert vectors.nearest(rows[5599], 1)[0][0] == 5599
    vectors.close()


def test_an_edit_goes_on_where_the_last_one_ended(folder: Path) -> None:
    vectors = Vectors.edit(folder)
    vectors.add([5], ROWS[1:2])
    vectors.close()
    assert Vectors.read(folder).nearest(ROWS[1], 1)[0][0] == 5


def test_a_reader_has_a_copy_that_goes_with_it(folder: Path) -> None:
    copy = (vectors := Vectors.read(folder)).folder
    vectors.warm()
    assert copy.exists() and copy != folder
    vectors.close()
    assert not copy.exists()
    another = Vectors.read(folder)
    copy = another.folder
    del another
    assert not copy.exists()


def test_a_reader_copies_the_database_and_links_to_the_search_graph(folder: Path) -> None:
    vectors = Vectors.read(folder)
    copied = {path.name for path in vectors.folder.rglob("*") if path.is_file() and not path.is_symlink()}
    assert copied == {"chroma.sqlite3", "settled"}
    vectors.close()
    assert (folder / "settled").exists() and len(digests(folder)) > 5


def test_where_links_are_not_allowed_all_is_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError("A required privilege is not held by the client")

    monkeypatch.setattr(os, "symlink", refused)
    vectors = Vectors.read(folder)
    assert not any(path.is_symlink() for path in vectors.folder.rglob("*"))
    assert vectors.nearest(ROWS[0], 1)[0][0] == 1
    vectors.close()


@pytest.mark.slow
def test_no_reader_changes_a_byte_be_it_killed_or_beside_an_update(folder: Path, tmp_path: Path) -> None:
    """Without `settle` the removal that is left in the log is written into the graph by whoever reads."""
    before = digests(folder)
    code = (
        "import os, sys; from pathlib import Path; from rag.index.vectors import Vectors\n"
        f"v = Vectors.read(Path({str(folder)!r})); v.warm(); v.nearest([1.0, 0, 0, 0], 3)\n"
        "os.kill(os.getpid(), 9) if sys.argv[1] == 'killed' else v.close()"
    )
    readers = [subprocess.Popen([sys.executable, "-c", code, how]) for how in ("killed", "closed", "killed")]
    shutil.copytree(folder, tmp_path / "next")
    update = Vectors.edit(tmp_path / "next")
    update.add([7], ROWS[1:2])
    update.remove([1])
    update.settle()
    update.close()
    here = Vectors.read(folder)
    here.warm()
    assert [reader.wait() for reader in readers] == [-9, 0, -9]
    here.close()
    assert digests(folder) == before


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 60, 100, 130, 250])
def test_settled_vectors_leave_nothing_in_the_log(tmp_path: Path, rows: int) -> None:
    made = np.random.default_rng(0).normal(size=(rows + 2, 8)).astype(np.float32)
    for first, last in ((0, rows), (rows, rows + 2)):
        vectors = Vectors.edit(tmp_path)
        for at in range(first, last, 60):
            vectors.add(range(at, min(at + 60, last)), made[at : min(at + 60, last)])
        vectors.remove([first])
        vectors.settle()
        vectors.close()
        with closing(sqlite3.connect(tmp_path / "chroma.sqlite3")) as database:
            left = "SELECT count(*) FROM embeddings_queue WHERE seq_id > (SELECT min(seq_id) FROM max_seq_id)"
            assert database.execute(left).fetchall() == [(0,)]
    vectors = Vectors.read(tmp_path)
    assert len(vectors) == rows and vectors.nearest(made[rows + 1], 1)[0][0] == rows + 1
    vectors.close()


def test_what_is_not_settled_is_copied_whole(tmp_path: Path) -> None:
    vectors = Vectors.edit(tmp_path / "vectors")
    vectors.add([1, 2, 3], ROWS[:3])
    vectors.settle()
    vectors.close()
    vectors = Vectors.edit(tmp_path / "vectors")
    vectors.remove([2])
    vectors.close()
    before = digests(tmp_path / "vectors")
    vectors = Vectors.read(tmp_path / "vectors")
    assert len(vectors) == 2
    vectors.close()
    assert digests(tmp_path / "vectors") == before


@pytest.mark.slow
def test_the_copies_of_killed_readers_are_removed_and_others_not(folder: Path) -> None:
    code = f"import os; from pathlib import Path; from rag.index.vectors import _BRUTE_FORCE, Vectors; v = Vectors.read(Path({str(folder)!r})); print(v.folder, flush=True); os.kill(os.getpid(), 9)"
    left = Path(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout.strip()
    )
    mine = Vectors.read(folder)
    strange = Path(tempfile.mkdtemp(prefix="article-chat-x-"))
    try:
        assert left.name.startswith("article-chat-") and not left.exists()
        Vectors.read(folder).close()
        assert mine.folder.exists() and strange.exists()
    finally:
        os.rmdir(strange)


def test_a_copy_of_no_possible_process_is_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder.parent))
    strange = folder.parent / "article-chat-99999999999999999999-x"
    strange.mkdir()
    Vectors.read(folder).close()
    assert strange.exists()


@pytest.mark.slow
def test_equal_vectors_hide_no_other(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(3000, 384)).astype(np.float32)
    rows[::10] = rows[0]
    vectors = Vectors.edit(tmp_path)
    vectors.add(list(range(len(rows))), rows)
    others = [i for i in range(len(rows)) if i % 10][:900]
    assert [i for i in others if i not in dict(vectors.nearest(rows[i], 10))] == []
    vectors.close()


@pytest.mark.slow
def test_thousands_of_vectors_that_are_alike_hide_few_others(tmp_path: Path) -> None:
    """Their cosine is .96. With Chroma's own number of links 27 of the others are out of reach, with ours 2."""
    random = np.random.default_rng(3)
    rows = random.normal(size=(9_000, 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[500:8_500] = rows[500] + random.normal(scale=0.01, size=(8_000, 384))
    vectors = Vectors.edit(tmp_path)
    vectors.add(range(9_000), rows)
    others = [*range(500), *range(8_500, 9_000)]
    lost = [i for i in others if i not in dict(vectors.nearest(rows[i], 1))]
    vectors.close()
    assert len(lost) <= 12
