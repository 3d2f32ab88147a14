import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from rag.index.embedding import EmbeddingCache

ONE, TWO = b"1" * 32, b"2" * 32
VECTOR = np.array([0.5, -0.25, 3.0], dtype=np.float32)


def test_what_was_put_is_there_when_opened_again_for_the_same_embedder(tmp_path: Path) -> None:
    with closing(EmbeddingCache(tmp_path / "e", "mini")) as cache:
        cache.put({ONE: VECTOR})
    with closing(EmbeddingCache(tmp_path / "e", "mini")) as cache:
        found = cache.get([ONE, TWO])
    assert list(found) == [ONE]
    assert np.array_equal(found[ONE], VECTOR)
    with closing(EmbeddingCache(tmp_path / "e", "other")) as cache:
        assert cache.get([ONE]) == {}


def test_only_what_is_kept_stays(tmp_path: Path) -> None:
    with closing(EmbeddingCache(tmp_path / "e", "old")) as cache:
        cache.put({ONE: VECTOR})
    with closing(EmbeddingCache(tmp_path / "e", "mini")) as cache:
        cache.put({ONE: VECTOR, TWO: VECTOR})
        cache.keep(iter([TWO, TWO]))
        assert list(cache.get([ONE, TWO])) == [TWO]
    with closing(EmbeddingCache(tmp_path / "e", "old")) as cache:
        assert cache.get([ONE]) == {}


def test_a_damaged_vector_is_not_given_out(tmp_path: Path) -> None:
    with closing(EmbeddingCache(tmp_path / "e", "mini")) as cache:
        cache.put({ONE: VECTOR, TWO: VECTOR})
    with sqlite3.connect(tmp_path / "e") as database:
        database.execute("UPDATE vectors SET vector = zeroblob(12) WHERE hash = ?", [ONE])
    with closing(EmbeddingCache(tmp_path / "e", "mini")) as cache:
        assert list(cache.get([ONE, TWO])) == [TWO]


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_replaced_by_an_empty_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "e").write_bytes(content)
    with closing(EmbeddingCache(tmp_path / "e", "mini")) as cache:
        assert cache.get([ONE]) == {}
        cache.put({ONE: VECTOR})
        assert list(cache.get([ONE])) == [ONE]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        EmbeddingCache(tmp_path / "nowhere" / "e", "mini")


def test_damage_inside_the_file_costs_what_it_held_and_no_more(tmp_path: Path) -> None:
    many = {bytes([number]) * 32: VECTOR for number in range(200)}
    with closing(EmbeddingCache(tmp_path / "e", "mini")) as cache:
        cache.put(many)
    whole = bytearray((tmp_path / "e").read_bytes())
    for offset in range(4096, len(whole), 4096):
        whole[offset : offset + 2000] = b"\xff" * 2000
    for use in ("get", "put", "keep"):
        (tmp_path / "e").write_bytes(whole)
        with closing(EmbeddingCache(tmp_path / "e", "mini")) as cache:
            if use == "get":
                assert cache.get(list(many)) == {}
            elif use == "put":
                cache.put(many)
            else:
                cache.keep(many)
            cache.put({ONE: VECTOR})
            assert list(cache.get([ONE])) == [ONE]
