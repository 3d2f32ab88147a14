import os
from pathlib import Path

import pytest

from rag.documents.sources import find_sources, survey
from rag.errors import DocumentError


def below(folder: Path, found: list[str]) -> list[str]:
    return [os.path.relpath(path, folder) for path in found]


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def test_folders_are_searched_and_hidden_and_other_files_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "b.txt", "a.md", "sub/c.MARKDOWN", "sub/d.PDF", ".hidden.txt", ".git/x.txt", "picture.png")
    found = find_sources([str(tmp_path), f"{tmp_path}/sub/../b.txt", "HTTP://example.org/x", "HTTP://example.org/x"])
    assert below(tmp_path, found[:-1]) == ["a.md", "b.txt", "sub/c.MARKDOWN", "sub/d.PDF"]
    assert found[-1] == "HTTP://example.org/x"


def test_a_file_named_itself_may_have_any_suffix(tmp_path: Path) -> None:
    fill(tmp_path, "notes.log")
    assert find_sources([f"{tmp_path}/notes.log"]) == [f"{tmp_path}/notes.log"]


@pytest.mark.parametrize(
    ("include", "exclude", "left"),
    [
        (["*.md"], [], ["a.md", "old/c.md"]),
        ([], ["old/"], ["a.md", "b.txt"]),
        (["*.md"], ["/a.md"], ["old/c.md"]),
        ([], ["*", "!b.txt"], ["b.txt"]),
    ],
)
def test_patterns_choose_as_gitignore_does(
    tmp_path: Path, include: list[str], exclude: list[str], left: list[str]
) -> None:
    fill(tmp_path, "a.md", "b.txt", "old/c.md")
    assert below(tmp_path, find_sources([str(tmp_path)], include, exclude)) == left


def test_a_file_named_itself_is_left_out_by_its_name_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "sub/a.md", "sub/b.md")
    monkeypatch.chdir(tmp_path)
    for pattern in ["a.md", "sub/a.md", "/sub/a.md"]:
        assert find_sources(["sub/a.md", "sub/b.md"], exclude=[pattern]) == ["sub/b.md"]
    with pytest.raises(DocumentError, match="change the patterns"):
        find_sources(["sub/a.md"], exclude=["*.md"])


def test_a_link_to_its_own_folder_ends(tmp_path: Path) -> None:
    fill(tmp_path, "sub/a.txt")
    (tmp_path / "sub" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.txt").symlink_to(tmp_path / "self.txt")
    assert below(tmp_path, find_sources([str(tmp_path)])) == ["sub/a.txt"]


def test_a_missing_path_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"no file or folder .*nowhere.*; name one that exists\."):
        find_sources([f"{tmp_path}/nowhere"])
    with pytest.raises(DocumentError, match="No document was found in"):
        find_sources([str(tmp_path)])


def test_a_folder_that_cannot_be_read_is_found_so_that_loading_reports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a.txt", "locked/b.txt")
    scan = os.scandir

    def locked(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", locked)
    found = find_sources([str(tmp_path)])
    assert below(tmp_path, found) == ["a.txt", "locked"]


def test_a_file_that_cannot_be_looked_at_is_found_so_that_loading_reports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a.txt", "b.txt")
    is_file = Path.is_file

    def closed(path: Path) -> bool:
        if path.name == "b.txt":
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", closed)
    assert below(tmp_path, find_sources([str(tmp_path)])) == ["a.txt", "b.txt"]


def test_files_of_other_kinds_and_links_are_told(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "a.txt",
        "b.xlsx",
        "sub/c.XLSX",
        "sub/d.xlsx",
        "e.pptx",
        "LICENSE",
        ".hidden.xlsx",
        ".git/x.rtf",
        "~$a.docx",
    )
    (tmp_path / "linked").symlink_to(tmp_path / "sub", target_is_directory=True)
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    found = survey([str(tmp_path)])
    assert below(tmp_path, found.documents) == ["a.txt"]
    files = "3 .xlsx, 1 .pptx and 1 other files, whose kind is not read"
    assert found.left_out == (files, "1 link to a folder", "1 link to nothing")


def test_what_the_patterns_leave_out_is_not_told(tmp_path: Path) -> None:
    fill(tmp_path, "a.md", "b.xlsx", "old/c.xlsx")
    (tmp_path / "old" / "linked").symlink_to(tmp_path, target_is_directory=True)
    assert survey([str(tmp_path)], exclude=["old/"]).left_out == ("1 .xlsx file, whose kind is not read",)
    assert survey([str(tmp_path)], include=["*.md"], exclude=["old/"]).left_out == ()
    assert survey([f"{tmp_path}/a.md"]).left_out == ()


def test_of_many_kinds_the_most_frequent_are_named(tmp_path: Path) -> None:
    fill(tmp_path, "a.txt", *(f"{n}.k{kind}" for kind in range(12) for n in range(12 - kind)), "x." + "y" * 50)
    (told,) = survey([str(tmp_path)]).left_out
    assert told.startswith("12 .k0, 11 .k1, ") and told.endswith(", 5 .k7 and 11 other files, whose kind is not read")


def test_a_folder_without_documents_says_what_is_there(tmp_path: Path) -> None:
    fill(tmp_path, "a.xlsx", "b.xlsx")
    with pytest.raises(
        DocumentError, match=r"No document was found in .* \(but 2 \.xlsx files, whose kind is not read\);"
    ):
        survey([str(tmp_path)])
