from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from fakes import EMBEDDER, TopicEmbedder, all_passages, write

import ingest
from rag.documents.fetch import Page
from rag.documents.loader import Loader
from rag.index.builder import BuildOptions, update
from rag.index.health import verify
from rag.index.index import open_index
from rag.index.snapshot import snapshots
from rag.settings import Settings


@pytest.fixture(autouse=True)
def embedder(monkeypatch: pytest.MonkeyPatch) -> TopicEmbedder:
    counting = TopicEmbedder()
    monkeypatch.setattr("rag.index.builder.make_embedder", lambda _settings: counting)
    monkeypatch.setattr(ingest, "update", partial(update, verify=verify))  # In this process.
    return counting


@pytest.fixture
def data(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(settings.data, {"cat.txt": "The black cat sleeps."})
    monkeypatch.setenv("RAG_PASSAGE_WORDS", "20")
    return settings.data


def run(*arguments: str) -> int:
    return ingest.main(arguments)


def texts(settings: Settings) -> list[str]:
    return sorted(passage.text for passage in all_passages(open_index(settings.index, EMBEDDER)))


@pytest.mark.slow
def test_the_closing_line_counts(settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert capsys.readouterr().out.startswith("Indexed 1 document, 1 passage, 0 skipped, ")
    assert texts(settings) == ["The black cat sleeps."]


@pytest.mark.slow
def test_unchanged_files_add_nothing(
    settings: Settings, data: Path, embedder: TopicEmbedder, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    before = snapshots(settings.index)
    assert run() == 0
    assert "Nothing has changed: 1 document, 1 passage" in capsys.readouterr().out
    assert snapshots(settings.index) == before
    assert run("--rebuild") == 0
    assert snapshots(settings.index)[0] != before[0]
    assert len(embedder.texts) == 1


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_named_and_the_rest_goes_on(
    settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "picture.txt").write_bytes(b"\x89PNG\0\0")
    for line in ("Indexed 1 document, 1 passage, 1 skipped", "Nothing has changed: 1 document, 1 passage, 1 skipped"):
        assert run() == 1
        printed = capsys.readouterr()
        assert "picture.txt" in printed.err
        assert line in printed.out
    assert texts(settings) == ["The black cat sleeps."]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        (["--ray"], "local"),
        (["--ray", "data"], "local"),
        (["--ray", "10.0.0.5:6379", "data"], "10.0.0.5:6379"),
        (["data", "--ray", "auto"], "auto"),
    ],
)
def test_what_follows_ray_is_an_address_or_a_path(
    settings: Settings, data: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], address: str
) -> None:
    asked = []

    @contextmanager
    def workers(settings: Settings, address: str) -> Iterator[tuple[Loader, BuildOptions]]:
        asked.append(address)
        with Loader() as loader:
            yield loader, BuildOptions.of(settings)

    monkeypatch.setattr("rag.index.distributed.workers", workers)
    assert run(*arguments) == 0
    assert asked == [address]
    assert texts(settings) == ["The black cat sleeps."]


@pytest.mark.slow
def test_without_paths_those_that_were_named_last_are_read_again(
    settings: Settings, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Path("notes"), {"dog.txt": "A dog eats."})
    run("notes")
    write(Path("notes"), {"fish.txt": "Fish swim."})
    run()
    assert texts(settings) == ["A dog eats.", "Fish swim."]
    run("--add", "data")
    assert texts(settings) == ["A dog eats.", "Fish swim.", "The black cat sleeps."]


@pytest.mark.slow
def test_without_named_paths_the_setting_is_followed(
    settings: Settings, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    write(Path("other"), {"dog.txt": "A dog eats."})
    monkeypatch.setenv("RAG_DATA", "other")
    run()
    assert texts(settings) == ["A dog eats."]


@pytest.mark.slow
def test_patterns_of_the_command_line(settings: Settings, data: Path) -> None:
    write(data, {"dog.md": "A dog eats.", "old/fish.md": "Fish swim."})
    run("--exclude", "old/")
    assert texts(settings) == ["A dog eats.", "The black cat sleeps."]
    run("--include", "*.md", "--include", "*.pdf")
    assert texts(settings) == ["A dog eats.", "Fish swim."]


@pytest.mark.slow
def test_what_was_removed_stays_out_until_it_is_named(
    settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(data, {"dog.txt": "A dog eats.", "many.jsonl": '{"text": "Fish swim."}\n{"text": "A fish eats."}\n'})
    run()
    assert run("--remove", "data/dog.txt", "data/many.jsonl#2") == 0
    assert texts(settings) == ["Fish swim.", "The black cat sleeps."]
    run()
    run("--rebuild")
    assert texts(settings) == ["Fish swim.", "The black cat sleeps."]
    run("--add", "data/dog.txt")
    assert texts(settings) == ["A dog eats.", "Fish swim.", "The black cat sleeps."]
    assert run("--remove", "data/horse.txt") == 1
    assert "There is no document 'data/horse.txt' in the index; see the names with --list." in capsys.readouterr().err


@pytest.mark.slow
def test_a_folder_a_spelling_and_a_path_that_gave_nothing_can_be_removed(
    settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(data, {"old/dog.txt": "A dog eats.", "old/many.jsonl": '{"text": "Fish swim."}\n'})
    write(Path(), {"bad.txt": ""})
    assert run("data", "bad.txt") == 1
    assert run("--remove", "./bad.txt", str(data / "old" / "many.jsonl")) == 0
    assert texts(settings) == ["A dog eats.", "The black cat sleeps."]
    assert run("--remove", "data/old") == 0
    assert texts(settings) == ["The black cat sleeps."]
    assert run("--add", str(data / "old" / "many.jsonl")) == 0
    assert texts(settings) == ["Fish swim.", "The black cat sleeps."]


@pytest.mark.slow
def test_a_number_sign_in_a_name_is_not_taken_for_a_line(settings: Settings, data: Path) -> None:
    write(data, {"sub/c#.txt": "A dog eats.", "notes#12.jsonl": '{"text": "Fish swim."}\n', "d#3": "A dog sleeps."})
    run("data", "data/d#3")
    assert len(texts(settings)) == 4
    for source in ("data/sub", "data/notes#12.jsonl", "data/d#3"):
        assert run("--remove", source) == 0
    assert texts(settings) == ["The black cat sleeps."]


@pytest.mark.slow
def test_a_web_address_with_a_fragment_can_be_removed(
    settings: Settings, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page("text", None, b"A dog eats.")
    monkeypatch.setattr("rag.documents.fetch.fetch", lambda *_, **__: page)
    run("data", "https://example.org/a#b", "--online")
    assert len(texts(settings)) == 2
    assert run("--remove", "https://example.org/a#b") == 0
    assert texts(settings) == ["The black cat sleeps."]


@pytest.mark.slow
def test_what_was_named_and_is_gone_can_be_taken_out(
    settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(Path("notes"), {"dog.txt": "A dog eats."})
    run("data", "notes")
    Path("notes").rename("elsewhere")
    assert run() == 1
    assert "'notes' is no longer there; bring it back, or take it out with --remove." in capsys.readouterr().err
    assert run("--remove", "notes") == 0
    assert texts(settings) == ["The black cat sleeps."]


@pytest.mark.slow
def test_remembered_paths_are_not_looked_for_elsewhere(
    settings: Settings, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAG_INDEX", str(settings.index))
    write(Path("notes"), {"dog.txt": "A dog eats."})
    write(Path("other/notes"), {"fish.txt": "Fish swim."})
    run("notes")
    monkeypatch.chdir("other")
    assert run() == 1
    assert "The documents were named in" in capsys.readouterr().err
    assert texts(settings) == ["A dog eats."]


@pytest.mark.slow
def test_patterns_are_remembered_with_the_paths_each_by_itself(settings: Settings, data: Path) -> None:
    write(data, {"dog.md": "A dog eats.", "old/fish.md": "Fish swim."})
    run("data", "--exclude", "old/")
    run("--include", "*.md")
    assert texts(settings) == ["A dog eats."]


@pytest.mark.slow
def test_where_it_is_lost_what_the_index_was_made_of_the_documents_have_to_be_named(
    settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(Path("notes"), {"dog.txt": "A dog eats."})
    run("notes")
    (snapshots(settings.index)[0] / "manifest.json").write_text("")
    assert run() == 0  # CURRENT has it too.
    assert texts(settings) == ["A dog eats."]
    (snapshots(settings.index)[0] / "manifest.json").write_text("")
    (settings.index / "CURRENT").write_text("")
    assert run() == 1
    assert "name the documents again: python ingest.py PATH" in capsys.readouterr().err
    assert run("notes") == 0
    assert texts(settings) == ["A dog eats."]


@pytest.mark.parametrize("more", [["data"], ["--include", "*.md"], ["--exclude", "a"], ["--online"], ["--rebuild"]])
def test_questions_to_the_index_go_with_nothing_else(settings: Settings, more: list[str]) -> None:
    with pytest.raises(SystemExit):
        run("--status", *more)


def test_a_pattern_that_is_none_is_told(settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--exclude", "!") == 1
    assert "cannot be used" in capsys.readouterr().err


@pytest.mark.slow
def test_the_last_document_is_not_removed_by_mistake(
    settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    assert run("--remove", "data/cat.txt") == 1
    assert "stays as it was (to be without one, delete 'index'); name documents to read." in capsys.readouterr().err
    assert texts(settings) == ["The black cat sleeps."]


@pytest.mark.slow
def test_status_list_check_and_rollback(settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for action in ("--status", "--list", "--check"):
        assert run(action) == 1
        assert "There is no index in 'index'; build it with: python ingest.py" in capsys.readouterr().err
    run()
    write(data, {"dog.txt": "A dog eats."})
    run()
    capsys.readouterr()
    assert run("--status") == 0
    printed = capsys.readouterr().out
    for line in ("Documents   2", "Passages    2 of about 20 words", f"Embedder    {EMBEDDER}", "Health      sound"):
        assert line in printed
    assert run("--list") == 0
    assert capsys.readouterr().out == "data/cat.txt\tCat\t1 passage\ndata/dog.txt\tDog\t1 passage\n"
    assert run("--check") == 0
    assert "is sound: 2 documents, 2 passages." in capsys.readouterr().out
    assert run("--rollback") == 0
    assert texts(settings) == ["The black cat sleeps."]


@pytest.mark.slow
def test_damage_is_shown_by_status_and_check_and_repaired_by_the_next_run(
    settings: Settings, data: Path, embedder: TopicEmbedder, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    (snapshots(settings.index)[0] / "passages.sqlite").write_bytes(b"garbage")
    for action in ("--status", "--check"):
        assert run(action) == 1
        said = capsys.readouterr()
        assert "passages.sqlite has 7 bytes" in said.err and "python ingest.py" in said.err
    assert run() == 0
    assert texts(settings) == ["The black cat sleeps."]
    assert len(embedder.texts) == 1
    write(data, {"dog.txt": "A dog eats."})
    run()
    (snapshots(settings.index)[0] / "passages.sqlite").write_bytes(b"garbage")
    capsys.readouterr()
    assert run("--status") == 1
    assert "passages.sqlite has 7 bytes" in capsys.readouterr().out
    assert run() == 0
    assert texts(settings) == ["A dog eats.", "The black cat sleeps."]
    assert run("--status") == 0


def test_the_article_is_shipped_byte_for_byte() -> None:
    raw = (Path(ingest.__file__).parent / "data" / "article.txt").read_bytes()
    assert len(raw) == 4801
    assert raw.decode().startswith("Ukrainian President Volodymyr Zelensky emphasized")


DAMAGED = "The black cat sleeps in the café. ".encode() * 9 + b"\xff\n"


@pytest.mark.slow
def test_what_is_left_out_is_told_each_time_and_is_no_failure(
    settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "cat.txt").write_bytes(DAMAGED)
    write(data, {"a.xlsx": "x", "b.xlsx": "x", "c.pptx": "x"})
    told = "Left out: data/cat.txt: 1 byte that is no letter\nLeft out: 2 .xlsx and 1 .pptx files, whose kind is not read\n"
    assert run() == 0
    assert capsys.readouterr().out.startswith(f"{told}Indexed 1 document, ")
    assert run() == 0
    assert capsys.readouterr().out.startswith(f"{told}Nothing has changed: 1 document, ")
    assert run("--status") == 0
    status = "Left out    data/cat.txt: 1 byte that is no letter\n            2 .xlsx and 1 .pptx files, whose kind is not read\n"
    assert status in capsys.readouterr().out
    write(data, {"cat.txt": "The black cat sleeps."})
    (data / "c.pptx").unlink()
    assert run() == 0
    assert "Left out: 2 .xlsx files" in (said := capsys.readouterr().out) and "cat.txt" not in said


@pytest.mark.slow
def test_of_many_documents_with_parts_left_out_the_first_are_named(
    settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        (data / f"n{number:02}.txt").write_bytes(f"Number {number}. ".encode() + DAMAGED)
    assert run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        len(lines) == 22 and lines[19].startswith("Left out: data/n19.txt: ") and lines[20] == "Left out: and 10 more"
    )


@pytest.mark.slow
def test_a_folder_does_not_take_a_file_whose_name_only_begins_like_its_own(settings: Settings, data: Path) -> None:
    write(data, {"C/dog.txt": "A dog eats.", "C#.txt": "Fish swim."})
    run()
    assert run("--remove", "data/C") == 0
    assert texts(settings) == ["Fish swim.", "The black cat sleeps."]
