"""Fixtures: settings that nothing of this machine reaches, and a small index."""

import gc
from contextlib import chdir
from pathlib import Path
from shutil import copytree

import pytest
from fakes import ANIMALS, EMBEDDER, publish, write
from postgres import address, cluster, database, own_postgres, postgres  # noqa: F401 - fixtures

from rag.index.index import Index, open_index
from rag.settings import ServerSettings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs PostgreSQL starts processes."""
    for item in items:
        if {"postgres", "own_postgres"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def rare_collection() -> None:
    """Garbage is collected seldom, and not among what imports made: that took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServerSettings:
    """Settings that no variable and no .env of this machine reaches."""
    monkeypatch.chdir(tmp_path)
    for name in ServerSettings.model_fields:
        monkeypatch.delenv(f"RAG_{name.upper()}", raising=False)
    return ServerSettings(data=tmp_path / "data", index=tmp_path / "index", cache=tmp_path / "cache", passage_words=20)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `texts`, 0.txt, 1.txt and 2.txt, and the `index` of these three documents of one passage each."""
    folder = tmp_path_factory.mktemp("published")
    write(folder / "texts", {f"{number}.txt": text for number, text in enumerate(ANIMALS)})
    with chdir(folder / "texts"):
        publish(folder / "index", ".")
    return folder


@pytest.fixture
def animals(tmp_path: Path, published: Path) -> Index:
    """A copy of that index, with its texts, in `tmp_path`."""
    copytree(published, tmp_path, dirs_exist_ok=True)
    return open_index(tmp_path / "index", EMBEDDER)
