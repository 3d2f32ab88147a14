import runpy
from pathlib import Path

import pytest

from rag.errors import SettingsError
from rag.settings import Settings, read_settings


def test_the_environment_comes_before_the_file(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("RAG_PASSAGES=7\nRAG_CONTEXT=2048\nOTHER=x\n")
    monkeypatch.setenv("RAG_CONTEXT", "8192")
    read = read_settings()
    assert (read.passages, read.context) == (7, 8192)


def test_a_bad_value_is_named_with_its_setting(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_PASSAGES", "many")
    with pytest.raises(SettingsError, match="RAG_PASSAGES cannot be 'many'"):
        read_settings()


def test_a_file_that_cannot_be_read_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("RAG_PASSAGES=7\n")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refused)
    with pytest.raises(SettingsError, match=r"The file \.env cannot be read \(Permission denied\)"):
        read_settings()


def test_the_key_is_not_shown(settings: Settings) -> None:
    assert "secret" not in repr(read_settings(api_key="secret"))


def test_the_page_of_the_settings_is_up_to_date() -> None:
    """Otherwise run: python -m docs.configuration"""
    script = Path(__file__).parent.parent / "docs" / "configuration.py"
    page = script.with_suffix(".md").read_text(encoding="utf-8")
    assert runpy.run_path(str(script))["updated"](page) == page
    assert "| `RAG_PASSAGES` | `4` | a whole number, 1 to 20 |" in page
    assert "| `RAG_UNSUPPORTED` | `mark` | `mark` or `drop` |" in page
