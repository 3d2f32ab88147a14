"""Documents made to take long, to be many or to end their reader: each is read in seconds, or refused in a sentence."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from formats import epub

from rag.documents import sandbox
from rag.documents.loader import Loader
from rag.errors import DocumentError
from rag.types import Loaded

SECONDS = 20.0
"""What a document may take here; each takes a second or two on an idle machine, most of it to start the process."""


@pytest.fixture
def loader() -> Iterator[Loader]:
    with Loader(seconds=SECONDS) as made:
        yield made


def tiny_chapters(count: int) -> bytes:
    return epub(["".join(f"<h1>a</h1><p>b {number}</p>" for number in range(count))], "Tiny")


HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "nested tokens": ("t.txt", lambda: b"<|" * 15_000 + b"|>" * 15_000 + b" The end."),
    "hidden tokens": ("t.txt", lambda: b"[IN" * 10_000 + b"[INST]" + b"ST]" * 10_000 + b" The end."),
    "headings": ("h.md", lambda: b"# h\n" * 300_000),
    "tiny sections": ("t.epub", lambda: tiny_chapters(33_000)),
    "one line": ("l.txt", lambda: b"word " * 2_000_000),
    "one word": ("w.txt", lambda: b"a" * 5_000_000),
    "quotation marks": ("q.txt", lambda: "“".encode() * 500_000),
    "blanks": ("b.txt", lambda: b"a" + b" " * 5_000_000 + b"b"),
    "empty lines": ("n.txt", lambda: b"a" + b"\n" * 2_000_000 + b"b"),
    "table": ("t.md", lambda: b"|" * 2_000_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_read_or_refused_in_time(tmp_path: Path, loader: Loader, name: str) -> None:
    file, make = HOSTILE[name]
    (tmp_path / file).write_bytes(make())
    began = time.perf_counter()
    (found,) = loader.load(str(tmp_path / file))
    assert time.perf_counter() - began < SECONDS + 10
    if isinstance(found, DocumentError):
        assert file in str(found) and "\n" not in str(found)
        return
    text = found.document.text
    assert found.spans and len(found.spans) <= 20_000
    assert all(text[span.start : span.end].strip() for span in found.spans)
    assert "<|" not in text and "[INST]" not in text


@pytest.mark.parametrize(("name", "most"), [("headings", 6_000), ("tiny sections", 2_000)])
def test_tiny_sections_share_passages(tmp_path: Path, loader: Loader, name: str, most: int) -> None:
    file, make = HOSTILE[name]
    (tmp_path / file).write_bytes(make())
    (found,) = loader.load(str(tmp_path / file))
    assert isinstance(found, Loaded), found
    assert len(found.spans) <= most


def test_a_text_of_too_many_passages_is_refused(tmp_path: Path, loader: Loader) -> None:
    (tmp_path / "long.txt").write_text("Go on. " * 300_000)
    (error,) = loader.load(str(tmp_path / "long.txt"), words=20)
    assert isinstance(error, DocumentError) and "long.txt" in str(error) and "passages" in str(error)


def test_a_line_that_ends_the_process_is_named_and_the_others_are_read(
    tmp_path: Path, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MEMORY", 400_000_000)
    lines = ["Fish swim.", "x" * 150_000_000, "A dog eats."]
    (tmp_path / "many.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in lines))
    found = list(loader.load(str(tmp_path / "many.jsonl")))
    assert [one.document.text for one in found if isinstance(one, Loaded)] == ["Fish swim.", "A dog eats."]
    (error,) = (one for one in found if isinstance(one, DocumentError))
    assert "many.jsonl#2" in str(error)
