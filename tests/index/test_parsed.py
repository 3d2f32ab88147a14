from pathlib import Path

import pytest
from pyarrow import Table

from rag.index.parsed import ParsedFiles, file_key

ONE, OTHER = file_key("one.txt", "digest", 110), file_key("other.txt", "digest", 110)


def row(key: str, found: str = "", last: bool = False, sound: bool = False) -> dict[str, object]:
    return {"key": key, "found": found, "last": last, "sound": sound}


def put(folder: Path, *rows: dict[str, object]) -> ParsedFiles:
    files = ParsedFiles(folder)
    files.put(Table.from_pylist(rows))
    return files


def found(folder: Path, key: str) -> list[str]:
    return [one["found"] for one in ParsedFiles(folder).rows(key)]


def test_a_file_is_there_when_all_of_it_is(tmp_path: Path) -> None:
    put(tmp_path, row(ONE, "first"))
    assert ONE not in ParsedFiles(tmp_path)
    put(tmp_path, row(ONE, "second"), row(ONE, last=True, sound=True), row(OTHER, "third"))
    assert ONE in ParsedFiles(tmp_path)
    assert OTHER not in ParsedFiles(tmp_path)
    assert found(tmp_path, ONE) == ["first", "second", ""]


def test_a_file_with_a_fault_is_read_again(tmp_path: Path) -> None:
    put(tmp_path, row(ONE, "fault"), row(ONE, last=True))
    assert ONE not in ParsedFiles(tmp_path)


@pytest.mark.parametrize("change", [("digest", "changed", 110), ("moved", "digest", 110), ("one.txt", "digest", 90)])
def test_another_content_name_or_length_is_another_file(change: tuple[str, str, int]) -> None:
    assert file_key(*change) != ONE


def test_what_was_cut_short_or_not_finished_is_removed(tmp_path: Path) -> None:
    put(tmp_path, row(ONE, last=True, sound=True))
    (part,) = tmp_path.iterdir()
    part.write_bytes(part.read_bytes()[:-20])
    (tmp_path / "00000002.writing").write_bytes(b"PAR1")
    assert ONE not in ParsedFiles(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_it_is_removed(tmp_path: Path) -> None:
    put(tmp_path / "parsed", row(ONE)).remove()
    assert not (tmp_path / "parsed").exists()
