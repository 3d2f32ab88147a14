import functools
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import formats
import pytest

from rag.documents import fetch as web
from rag.documents import sandbox
from rag.documents.loader import BROKEN_LINES, Loader
from rag.documents.sources import find_sources
from rag.documents.worker import Refusal, Request, parse
from rag.errors import DocumentError
from rag.types import Document, Loaded, Span


@pytest.fixture
def loader() -> Iterator[Loader]:
    with Loader(seconds=20) as made:
        yield made


def one(loader: Loader, file: Path) -> Document:
    [loaded] = loader.load(file.as_posix(), 110)
    assert isinstance(loaded, Loaded), loaded
    return loaded.document


def refusal(loader: Loader, source: str) -> str:
    [error] = loader.load(source, 110)
    assert isinstance(error, DocumentError), error
    return str(error)


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def test_a_name_that_cannot_be_decoded_is_shown_with_a_replacement(tmp_path: Path, loader: Loader) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    file.write_text("x")
    [source] = find_sources([str(tmp_path)])
    document = one(loader, Path(source))
    assert document.title == "Caf\ufffd"
    assert document.source.endswith("/caf\ufffd.txt")
    file.write_bytes(b"")
    refusal(loader, source).encode("utf-8")


def test_the_text_is_the_file_with_its_line_ends(tmp_path: Path, loader: Loader) -> None:
    file = tmp_path / "my_first-note.txt"
    file.write_bytes("\ufeffOne é.\r\nTwo.\n".encode())
    document = one(loader, file)
    assert document.text == "One é.\r\nTwo.\n"
    assert document.title == "My first note"
    assert document.source == file.as_posix()
    assert document.doc_id == hashlib.sha256(document.text.encode()).hexdigest()[:16]
    assert document.pages == ()


def test_a_file_that_only_moved_is_the_same_document(tmp_path: Path, loader: Loader) -> None:
    (tmp_path / "a.txt").write_bytes("Déjà vu ailleurs.".encode())
    (tmp_path / "b.md").write_bytes("Déjà vu ailleurs.".encode("utf-16"))
    assert one(loader, tmp_path / "a.txt").doc_id == one(loader, tmp_path / "b.md").doc_id


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-16", "Über\r\nalles: 池"),
        ("utf-32", "Über alles: 池"),
        ("cp1252", "Ça va très bien, merci. Déjà vu à l'hôtel – « bien sûr »."),
        ("cp1250", "Zażółć gęślą jaźń. Dokument o stawie i żabach, które tam mieszkają."),
        ("koi8-r", "Привет, мир. Это документ о прудах и лягушках."),
        ("shift_jis", "これは日本語の文書です。池と蛙について書かれています。"),
        ("gb18030", "这是一份关于池塘和青蛙的文件。今天天气很好。"),
    ],
)
def test_encodings_are_told(tmp_path: Path, loader: Loader, encoding: str, text: str) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(text.encode(encoding))
    assert one(loader, file).text == text


@pytest.mark.slow
def test_an_accent_late_in_a_long_file_is_told(tmp_path: Path, loader: Loader) -> None:
    text = "A line of plain words.\n" * 20_000 + "Ein Bär läuft über die Straße.\n"
    (tmp_path / "a.txt").write_bytes(text.encode("cp1252"))
    assert one(loader, tmp_path / "a.txt").text == text


@pytest.mark.parametrize(("name", "title"), [("C# notes.txt", "C# notes"), ("---.txt", "---.txt")])
def test_without_a_title_the_name_stands_for_it(tmp_path: Path, loader: Loader, name: str, title: str) -> None:
    (tmp_path / name).write_text("x")
    assert one(loader, tmp_path / name).title == title


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("#hashtag\n\n## The pond ##\n\n# Later\n", "The pond"),
        ("## ##\n# C#\n", "C#"),
        ("# a" + " " * 10**6 + "b", "a b"),
    ],
)
def test_the_title_of_markdown_is_its_first_heading(tmp_path: Path, loader: Loader, text: str, title: str) -> None:
    (tmp_path / "a.md").write_text(text)
    assert one(loader, tmp_path / "a.md").title == title


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"a\0b", "NUL"),
        (b"\xff\xfea", "UTF-16 with faults in many places"),
        (bytes(range(1, 256)), "is not a text"),
        (b"ab\x01\x02\x03", "is not a text"),
    ],
)
def test_what_is_no_text_is_refused_in_a_sentence(tmp_path: Path, loader: Loader, content: bytes, reason: str) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(content)
    message = refusal(loader, file.as_posix())
    assert message.startswith(repr(file.as_posix()))
    assert reason in message


def test_what_is_no_ordinary_file_is_refused_at_once(tmp_path: Path, loader: Loader) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    assert "is not an ordinary file" in refusal(loader, f"{tmp_path}/pipe.txt")
    assert "cannot be read" in refusal(loader, str(tmp_path))
    assert "cannot be read (No such file" in refusal(loader, f"{tmp_path}/gone.txt")
    assert "cannot be read" in refusal(loader, "a\0b.txt")


def test_a_large_file_is_refused_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 1_000_001)
    monkeypatch.setattr("rag.documents.loader.MEGABYTES", 1)
    with Loader() as small:
        assert "is larger than 1 MB" in refusal(small, f"{tmp_path}/a.txt")


def test_the_lines_of_jsonl_are_documents_and_broken_ones_are_named(tmp_path: Path, loader: Loader) -> None:
    file = tmp_path / "a-b.jsonl"
    file.write_bytes(
        b'\xef\xbb\xbf{"text": "One.", "title": "T", "n": 1}\n\n{"text": 3}\n{"text": "Two \\ud800."}\n\xff\n'
    )
    first, third, fourth, last = loader.load(file.as_posix(), 110)
    assert isinstance(first, Loaded) and isinstance(fourth, Loaded)
    one, four = first.document, fourth.document
    assert (one.source, one.title, one.text, first.spans) == (f"{file}#1", "T", "One.", (Span(0, 4),))
    assert (four.source, four.title, four.text) == (f"{file}#4", "A b 4", "Two \ufffd.")
    assert f"{file}#3' is not an object" in str(third)
    assert f"{file}#5' is not UTF-8" in str(last)


def test_of_many_broken_lines_some_are_named_and_the_rest_is_counted(tmp_path: Path, loader: Loader) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(["{"] * (BROKEN_LINES + 7) + [json.dumps({"text": "sound"})]))
    results = list(loader.load(file.as_posix(), 110))
    assert len(results) == BROKEN_LINES + 2
    assert sum(isinstance(result, Loaded) for result in results) == 1
    assert "7 more lines" in str(results[-1])
    file.write_text("\n\n")
    assert "is empty" in refusal(loader, file.as_posix())


def test_jsonl_is_read_line_by_line(tmp_path: Path, loader: Loader) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "First."}\n' + '{"text": "Next."}\n' * 100_000)
    results = loader.load(file.as_posix(), 110)
    next(results)
    os.truncate(file, 0)  # Had it been read as a whole, all lines would still come.
    assert len(list(results)) < 10_000


def test_the_digest_is_that_of_the_bytes(tmp_path: Path, loader: Loader) -> None:
    (tmp_path / "a.txt").write_bytes(b"abc")
    assert loader.digest(f"{tmp_path}/a.txt") == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(DocumentError, match="cannot be read"):
        loader.digest(f"{tmp_path}/gone.txt")


def test_a_fault_while_reading_is_reported(tmp_path: Path, loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_bytes(b"abc")

    def fail(*_: object) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("rag.documents.worker.decode", fail)
    monkeypatch.setattr("rag.documents.worker.lines", fail)
    monkeypatch.setattr(hashlib, "file_digest", fail)
    reason = "cannot be read (Input/output error); check its name and permissions"
    for kind in ("text", "jsonl"):
        assert list(parse(Request(f"{tmp_path}/a.txt", kind, "a.txt", "A", 110))) == [(None, Refusal(reason))]
    with pytest.raises(DocumentError, match="Input/output error"):
        loader.digest(f"{tmp_path}/a.txt")


@pytest.mark.slow
def test_a_web_page_is_fetched_once_for_its_digest_and_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    content = formats.html("<h1>Pond</h1><p>The heron waits beside the old mill.</p>", "About ponds")
    fetched = []

    def fetch(address: str, **_: object) -> web.Page:
        fetched.append(address)
        return web.Page("html", "utf-8", content)

    monkeypatch.setattr(web, "fetch", fetch)
    with Loader(online=True) as loader:
        assert loader.digest("https://example.org/a") == hashlib.sha256(content).hexdigest()
        [loaded] = loader.load("https://example.org/a", 110)
        assert isinstance(loaded, Loaded)
        document = loaded.document
        assert (document.source, document.title) == ("https://example.org/a", "About ponds")
        assert "heron waits" in document.text
        assert fetched == ["https://example.org/a"]
        list(loader.load("https://example.org/a", 110))
        assert len(fetched) == 2


def test_a_web_page_needs_consent(loader: Loader) -> None:
    assert "needs your consent; allow it with --online or RAG_ONLINE=true" in refusal(loader, "https://example.org/")
    with pytest.raises(DocumentError, match="consent"):
        loader.digest("https://example.org/")


@pytest.mark.slow
def test_an_interrupt_passes_and_the_next_document_is_read(
    tmp_path: Path, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.html").write_bytes(formats.html("<p>The heron waits.</p>"))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("rag.documents.sandbox._Process.reply", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(loader.load(f"{tmp_path}/a.html", 110))
    assert one(loader, tmp_path / "a.html").text == "The heron waits."


def test_the_loader_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = web.Page("text", None, b"The heron waits.")
    monkeypatch.setattr(web, "fetch", functools.partial(lambda *_, **__: page))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "a.pdf").write_bytes(formats.pdf(["The heron waits."]))
    with Loader(online=True) as loader:
        loader.digest("https://example.org/")
        one(loader, tmp_path / "a.pdf")
        process = loader._sandbox._process
        assert process is not None
    assert not process.alive()
    assert os.listdir(tmp_path) == ["a.pdf"]


_N = 15_000
HOSTILE: dict[str, tuple[bytes, str]] = {
    "tokens.txt": (b"<|" * _N + b"|>" * _N, "is empty|took longer"),
    "tokens.md": (b"[IN" * _N + b"ST]" * _N, "is empty|took longer"),
    "lines.jsonl": (
        b'{"text": "%s"}\n{"text": "Fish swim."}\n' % (b"<|" * _N + b"|>" * _N),
        r"(#1' (is empty|took longer).*|1 passages)",
    ),
    "deep.jsonl": (b"[" * 10**6 + b'\n{"text": "Fish swim."}\n', "#1' is not JSON|1 passages"),
    "headings.md": (b"# h\n" * 300_000, "5,45. passages"),
    "chapters.epub": (formats.epub(["".join(f"<h1>a</h1><p>b {n}</p>" for n in range(33_000))]), "1,2.. passages"),
    "headings.epub": (formats.epub(["<h1>h</h1>" * 33_000]), "600 passages"),
    "line.txt": (b"x" * 10_000_000, "5,000 passages"),
    "chinese.txt": ("漢字。".encode() * 100_000, "1,8.. passages"),
    "quotes.txt": ("“".encode() * 300_000, "1,500 passages"),
    "lines.txt": (b"a" + b"\n" * 2_000_000 + b"b", "1 passages"),
    "table.md": (b"|" * 2_000_000, "10,000 passages"),
    "words.txt": (b"word " * 1_000_000, "8,... passages"),
    "blanks.txt": (b"a" + b" " * 5_000_000 + b"b", "1 passages"),
    "large.txt": (b"x" * 20_000_001, "holds more than 20,000,000 characters"),
    "bold.html": (b"<p>" + b"<b>x</b> " * 20_000, "170 passages"),
}
"""Documents by their names, and what becomes of them."""


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_gives_passages_or_one_sentence_and_costs_this_process_little(
    tmp_path: Path, name: str
) -> None:
    """Here they took up to 95 s, and for good; now the other process has the work, and the limit of time holds."""
    content, outcomes = HOSTILE[name]
    (tmp_path / name).write_bytes(content)
    with Loader(seconds=5 if "took" in outcomes else 30) as loader:
        began = time.process_time()
        found = list(loader.load(f"{tmp_path}/{name}", 110))
        assert time.process_time() - began < 1.5
    for one in found:
        said = f"{len(one.spans):,} passages" if isinstance(one, Loaded) else str(one)
        assert re.search(outcomes, said), said
        if isinstance(one, Loaded):
            text = one.document.text
            assert all(text[span.start : span.end].strip() for span in one.spans)
            assert "<|" not in text and "[INST]" not in text
        assert len(said) < 300 + len(str(tmp_path))
    assert len(found) == (2 if name.endswith(".jsonl") else 1)


def test_a_name_or_address_without_end_is_shown_in_part(loader: Loader) -> None:
    for source in ("a" * 10**6, "http://a.example/" + "a" * 10**6):
        assert len(refusal(loader, source)) < 1_200
    with pytest.raises(DocumentError, match=r"a…'; name one that exists") as caught:
        find_sources(["a" * 10**6])
    assert len(str(caught.value)) < 1_200


ODD_NAMES = [
    "a b.txt", "a'b.txt", "a\nb.txt", "a#1.txt", "ü.txt", "\u202ecod.txt", "-.txt", "http:.txt", "~.txt", "%00.txt",
]  # fmt: skip


def test_sources_with_odd_names_are_read(tmp_path: Path, loader: Loader) -> None:
    names = [*ODD_NAMES, "x" * 251 + ".txt", os.fsdecode(b"\xff\xfe.txt")]
    for name in names:
        (tmp_path / name).write_text("Fish swim.")
    sources = find_sources([str(tmp_path)])
    assert len(sources) == len(names)
    for number, source in enumerate(sources):
        [loaded] = loader.load(source, 110, sources[number + 1 :])
        assert isinstance(loaded, Loaded) and loaded.document.text == "Fish swim."
        assert loaded.document.title and len(loaded.document.title) <= 200


def test_what_is_loaded_next_is_read_meanwhile(tmp_path: Path, loader: Loader) -> None:
    fill(tmp_path, "a.txt", "c.txt")
    sources = [f"{tmp_path}/{name}" for name in ("a.txt", "gone.txt", "c.txt")]
    found = [next(iter(loader.load(source, 110, sources[number + 1 :]))) for number, source in enumerate(sources)]
    assert [isinstance(one, Loaded) for one in found] == [True, False, True]


@pytest.mark.slow
def test_a_line_that_ends_the_process_is_named_and_the_others_are_read(
    tmp_path: Path, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MEMORY", 400_000_000)
    lines = ["Fish swim.", "x" * 150_000_000, "A dog eats."]
    (tmp_path / "many.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in lines))
    found = list(loader.load(str(tmp_path / "many.jsonl"), 110))
    assert [one.document.text for one in found if isinstance(one, Loaded)] == ["Fish swim.", "A dog eats."]
    (error,) = (one for one in found if isinstance(one, DocumentError))
    assert "many.jsonl#2" in str(error)
