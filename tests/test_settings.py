from pathlib import Path

import pytest

from rag.errors import SettingsError
from rag.settings import Settings, read_settings


def test_the_environment_comes_before_the_file(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("RAG_PASSAGES=7\nRAG_PORT=1234\nOTHER=x\n")
    monkeypatch.setenv("RAG_PORT", "4321")
    read = read_settings()
    assert (read.passages, read.port) == (7, 4321)


def test_a_bad_value_is_named_with_its_setting(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_PASSAGES", "many")
    with pytest.raises(SettingsError, match="RAG_PASSAGES cannot be 'many'"):
        read_settings()


def test_the_key_is_not_shown(settings: Settings) -> None:
    assert "secret" not in repr(read_settings(api_key="secret"))


def test_the_readme_lists_every_setting() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        assert f"| `RAG_{name.upper()}` |" in readme
        assert f"| {field.description} |" in readme
