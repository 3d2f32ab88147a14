"""With a cluster that loses workers: `lost-workers` of tests/endurance.py."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import TopicEmbedder, write
from pyarrow import Table
from trials.workers import differences

from rag.documents.loader import Loader
from rag.errors import DocumentError
from rag.index import distributed
from rag.index.distributed import WorkersEmbedder, WorkersLoader
from rag.index.parsed import ParsedFiles
from rag.settings import Settings

ROOT = Path(__file__).parents[2]
Rows = Sequence[Mapping[str, object]]


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> list[Rows]:
    """The work is done here; returns what there was to do."""
    asked: list[Rows] = []

    def here(rows: Rows, worker: type, *arguments: object) -> Iterator[Table]:
        asked.append(rows)
        for row in rows:
            yield from worker(*arguments)(Table.from_pylist([row]))

    monkeypatch.setattr(distributed, "spread", here)
    return asked


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    lines = '{"text": "Fish swim."}\nno JSON\n{"text": "A dog eats."}\n'
    write(tmp_path, {"cat.txt": "The cat sleeps.", "many.jsonl": lines, "old.txt": "It was.", "gone.pdf": ""})
    with Loader() as loader:
        return {name: loader.digest(name) for name in ("cat.txt", "gone.pdf", "many.jsonl", "old.txt")}


def loaded(loader: Loader, files: Mapping[str, str]) -> list[str]:
    with loader:
        loader.expect(files, 20)
        return [str(one) for file in files for one in loader.load(file, 20)]


def test_the_workers_find_what_the_loader_finds(tmp_path: Path, files: dict[str, str], spread: list[Rows]) -> None:
    expected = loaded(Loader(), files)
    assert len(expected) == 6
    assert loaded(WorkersLoader(ParsedFiles(tmp_path / "parsed")), files) == expected
    assert len(spread[0]) == 4
    assert loaded(WorkersLoader(ParsedFiles(tmp_path / "parsed")), files) == expected
    assert {row["source"] for row in spread[1]} == {b"gone.pdf", b"many.jsonl"}, "what could be read is read again"


def test_a_file_that_is_another_one_at_the_worker_is_not_taken(
    tmp_path: Path, files: dict[str, str], spread: list[Rows]
) -> None:
    (tmp_path / "cat.txt").write_text("The cat wakes up.")
    with WorkersLoader(ParsedFiles(tmp_path / "parsed")) as loader:
        loader.expect(files, 20)
        (only,) = loader.load("cat.txt", 20)
        assert isinstance(only, DocumentError)
        assert "is another file on a worker" in str(only)
        assert len(list(loader.load("old.txt", 20))) == 1, "others may be left out"


def test_a_part_that_is_removed_changes_nothing_for_the_workers(
    tmp_path: Path, files: dict[str, str], spread: list[Rows]
) -> None:
    files["many.jsonl"] += " without many.jsonl#1"
    assert sum("Document" in one for one in loaded(WorkersLoader(ParsedFiles(tmp_path / "parsed")), files)) == 4


def test_batches_come_back_in_order_and_empty_ones_are_not_sent(
    spread: list[Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "_WINDOW", 2)
    batches = [["cat"], [], [], [], ["dog", "fish"]]
    made = list(WorkersEmbedder(TopicEmbedder).embed_batches(batches))
    assert [len(one) for one in made] == [1, 0, 0, 0, 2]
    assert len(spread) == 2
    expected = np.asarray(TopicEmbedder().embed_documents(["dog", "fish"]), dtype=np.float32)
    assert np.array_equal(made[-1], expected)
    assert WorkersEmbedder(TopicEmbedder).embed_query("cat") == made[0][0].tolist()


@pytest.mark.model
@pytest.mark.slow
def test_the_command_makes_the_index_that_one_process_makes_and_says_no_more(settings: Settings) -> None:
    write(
        settings.data, {"broken.pdf": "", "cat.txt": "The black cat sleeps.\n" * 40, "dog.md": "# Dogs\n\nA dog eats."}
    )
    said = []
    for name, extra in (("alone", []), ("spread", ["--ray"])):
        environment = os.environ | {"RAG_INDEX": name, "RAG_PASSAGE_WORDS": "20", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(ROOT / "ingest.py"), *extra, "data"]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150, check=False)
        others = [line for line in ran.stderr.splitlines() if line.strip() and "%|" not in line]
        said.append((ran.returncode, ran.stdout.rpartition(",")[0], others))
    assert said[0] == said[1]
    assert said[0][0] == 1
    assert "2 documents" in said[0][1]
    assert differences(Path("alone"), Path("spread")) == []
