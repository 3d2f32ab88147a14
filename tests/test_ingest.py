from pathlib import Path

import pytest
from conftest import TopicEmbedder

import ingest
from rag.index import open_index
from rag.settings import Settings


@pytest.fixture(autouse=True)
def fake_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "make_embedder", lambda _settings: TopicEmbedder())


@pytest.fixture
def data(settings: Settings) -> Path:
    settings.data.mkdir()
    (settings.data / "cat.txt").write_text("The black cat sleeps.")
    return settings.data


def run(settings: Settings, rebuild: bool = False) -> int:
    return ingest.ingest(settings, [settings.data], rebuild)


def texts(settings: Settings) -> list[str]:
    index = open_index(settings.index, TopicEmbedder(), "all-MiniLM-L6-v2")
    return [chunk.text for chunk in index.all_chunks()]


def test_the_closing_line_counts(settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(settings) == 0
    assert capsys.readouterr().out.startswith("Indexed 1 document, 1 passage, 0 skipped, ")
    assert texts(settings) == ["The black cat sleeps."]


def test_unchanged_files_add_nothing(settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(settings)
    before = (settings.index / "CURRENT").read_text()
    assert run(settings) == 0
    assert "Nothing has changed: 1 document, 1 passage" in capsys.readouterr().out
    assert (settings.index / "CURRENT").read_text() == before
    assert run(settings, rebuild=True) == 0
    assert (settings.index / "CURRENT").read_text() != before


def test_edited_and_deleted_files_leave_no_old_text(settings: Settings, data: Path) -> None:
    (data / "dog.md").write_text("# Dogs\n\nA dog eats.")
    run(settings)
    (data / "cat.txt").write_text("The cat wakes.")
    (data / "dog.md").unlink()
    run(settings)
    assert texts(settings) == ["The cat wakes."]


def test_a_file_that_cannot_be_read_is_named_and_the_rest_goes_on(
    settings: Settings, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "latin.txt").write_bytes(b"caf\xe9")
    assert run(settings) == 1
    printed = capsys.readouterr()
    assert "latin.txt' is not UTF-8" in printed.err
    assert "1 document, 1 passage, 1 skipped" in printed.out
    assert texts(settings) == ["The black cat sleeps."]


def test_the_article_is_shipped_byte_for_byte() -> None:
    raw = (Path(ingest.__file__).parent / "data" / "article.txt").read_bytes()
    assert len(raw) == 4801
    assert raw.decode().startswith("Ukrainian President Volodymyr Zelensky emphasized")
