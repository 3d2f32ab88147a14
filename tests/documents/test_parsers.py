import random
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import formats
import pytest

from rag.documents.html import read_html
from rag.documents.parsed import FormatError, Parsed
from rag.documents.parsers import read
from rag.documents.sandbox import Sandbox
from rag.documents.worker import Refusal, Request
from rag.types import Loaded


@pytest.fixture
def reader() -> Iterator[Sandbox]:
    made = Sandbox(20)
    yield made
    made.close()


def one(reader: Sandbox, file: Path, kind: str) -> Loaded | Refusal:
    [(line, found)] = reader.read(Request(str(file), kind, file.name, "A", 110))
    assert line is None
    return found


def text(reader: Sandbox, file: Path, kind: str) -> str:
    found = one(reader, file, kind)
    assert isinstance(found, Loaded), found
    return found.document.text


def parsed(tmp_path: Path, content: bytes, kind: str) -> Parsed:
    file = tmp_path / "file"
    file.write_bytes(content)
    return read(str(file), kind)


@pytest.mark.slow
def test_html_gives_its_main_text_with_headings_and_tables() -> None:
    content = formats.html(
        "<h1>The pond</h1><p>A <b>grey</b> heron waits beside <a href='/mill'>the mill</a>, still and patient.</p>"
        "<h2>Prices</h2><table><tr><th>Fish</th><th>Price</th></tr><tr><td>Carp</td><td>4 €</td></tr></table>"
        "<ul><li>first_thing</li><li>2 * 3</li></ul><pre><code>a = 1\nb  = 2</code></pre><img src='x.png' alt='Photo'>",
        "Ponds &amp; herons",
    )
    page = read_html(BytesIO(content), None)
    assert page.title == "Ponds & herons"
    assert page.text == (
        "# The pond\n\nA grey heron waits beside the mill, still and patient.\n\n## Prices\n\n"
        "| Fish | Price |\n| --- | --- |\n| Carp | 4 € |\n\n- first_thing\n- 2 * 3\n\n```\na = 1\nb  = 2\n```"
    )


def test_html_without_a_main_text_gives_all_that_it_shows() -> None:
    page = read_html(
        BytesIO(b"<head><style>p {}</style></head><nav>Only a menu</nav><p hidden>no</p><script>x()</script>"), None
    )
    assert page == Parsed(None, "Only a menu")


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        ("<meta charset='koi8-r'><p>Это пруд.</p>".encode("koi8-r"), None),
        ("<p>Это пруд.</p>".encode("utf-16"), None),
        ("<?xml version='1.0' encoding='utf-8'?><html><body><p>Это пруд.</p></body></html>".encode(), "no-such"),
    ],
)
def test_the_encoding_of_html_is_found(tmp_path: Path, content: bytes, charset: str | None) -> None:
    file = tmp_path / "a.html"
    file.write_bytes(content)
    assert read(str(file), "html", charset).text == "Это пруд."


def test_the_encoding_that_a_server_names_counts() -> None:
    assert read_html(BytesIO("<p>Une déjà vu.</p>".encode("cp1252")), "cp1252").text == "Une déjà vu."


@pytest.mark.slow
def test_crossed_and_unclosed_tags_lose_no_text(tmp_path: Path, reader: Sandbox) -> None:
    file = tmp_path / "a.html"
    tags = "<div><font><b>" * 500, "</div></b>" * 300
    file.write_bytes(formats.html(f"<p>Before it.</p>{tags[0]}Deep below.{tags[1]}<p>After.</p>"))
    assert text(reader, file, "html").split("\n\n") == ["Before it.", "Deep below.", "After."]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("picture", "does not look like HTML"),
        ("page", "does not look like PDF"),
        ("locked", "protected by a password"),
        ("scanned", "run OCR"),
        ("paper", "does not look like DOCX"),
        ("old", "old Office file or protected by a password"),
        ("bomb", "unpacks to more than 500 MB"),
        ("no list", "names no list of its chapters"),
        ("rights", "protected against copying"),
    ],
)
def test_the_reason_for_a_refusal_is_said(tmp_path: Path, name: str, reason: str) -> None:
    suffix, make = formats.BROKEN[name]
    with pytest.raises(FormatError, match=reason):
        parsed(tmp_path, make(random.Random(1)), suffix[1:])


def test_the_worker_starts_without_the_large_libraries() -> None:
    loaded = "import sys, rag.documents.sandbox; print({'torch', 'chromadb', 'langchain_core', 'numpy', 'lxml'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout == "set()\n"
    )
