import os
from pathlib import Path

import pytest

from rag.errors import DocumentError
from rag.load import find_files, load


def test_the_text_is_the_file_with_its_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "my_first-note.txt"
    file.write_bytes("\ufeffOne é.\r\nTwo.\n".encode())
    document = load(file)
    assert document.text == "One é.\r\nTwo.\n"
    assert document.title == "My first note"
    assert document.source == file.as_posix()


def test_a_name_that_cannot_be_decoded_is_shown_with_a_replacement(tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    file.write_text("x")
    assert load(file).title == "Caf\ufffd"
    load(file).source.encode("utf-8")


def test_the_title_of_markdown_is_its_first_heading(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("intro\n\n## The pond ##\n\n# Later\n")
    assert load(file).title == "The pond"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"caf\xe9", "not UTF-8 text (byte 3 is 0xe9)"),
        (b"a\0b", "NUL"),
    ],
)
def test_a_file_that_is_no_text_is_refused_in_a_sentence(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(content)
    with pytest.raises(DocumentError, match=r"a\.txt") as caught:
        load(file)
    assert reason in str(caught.value)


def test_a_file_that_vanished_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        load(tmp_path / "gone.txt")


def test_folders_are_searched_and_hidden_and_other_files_left_out(tmp_path: Path) -> None:
    for name in ["b.txt", "a.md", "sub/c.MARKDOWN", ".hidden.txt", ".git/x.txt", "picture.png"]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    found = find_files([tmp_path, tmp_path / "b.txt"])
    assert [os.path.relpath(path, tmp_path) for path in found] == ["a.md", "b.txt", "sub/c.MARKDOWN"]


def test_a_missing_path_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"no file or folder .*nowhere"):
        find_files([tmp_path / "nowhere"])
    with pytest.raises(DocumentError, match="No document was found"):
        find_files([tmp_path])
