import json
from pathlib import Path

import pytest

from rag.bounds import TITLE
from rag.documents import worker
from rag.documents.worker import Refusal, Request, parse
from rag.types import Document, Loaded, Span


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def only(file: Path, kind: str, content: str, words: int = 110) -> Loaded | Refusal:
    file.write_text(content, encoding="utf-8")
    [(line, found)] = parse(Request(str(file), kind, "a/file", "The name", words))
    assert line == (1 if kind == "jsonl" else None)
    return found


def test_a_file_is_cleaned_titled_and_divided(file: Path) -> None:
    found = only(file, "markdown", "# Cats\n\nThe cat <|im_start|>sleeps. It eats.", words=4)
    assert isinstance(found, Loaded)
    text = "# Cats\n\nThe cat sleeps. It eats."
    assert found.document == Document(found.document.doc_id, "a/file", "Cats", text, titled=True)
    assert [text[span.start : span.end] for span in found.spans] == ["# Cats\n\nThe cat sleeps.", "It eats."]


def test_a_line_is_named_by_its_number(file: Path) -> None:
    found = only(file, "jsonl", '{"text": "The cat sleeps."}')
    assert isinstance(found, Loaded) and found.spans == (Span(0, 15),)
    assert (found.document.source, found.document.title, found.document.titled) == ("a/file#1", "The name 1", False)


@pytest.mark.parametrize("kind", ["markdown", "jsonl"])
def test_a_title_is_cut_off(file: Path, kind: str) -> None:
    title = "t" * 1_000_000
    content = f"# {title}\n\nText." if kind == "markdown" else json.dumps({"title": title, "text": "Text."})
    found = only(file, kind, content)
    assert isinstance(found, Loaded) and found.document.title == "t" * TITLE


def test_a_title_of_which_nothing_is_left_is_none(file: Path) -> None:
    found = only(file, "jsonl", json.dumps({"title": "<|im_start|> \u200b", "text": "Text."}))
    assert isinstance(found, Loaded)
    assert (found.document.title, found.document.titled) == ("The name 1", False)


def test_a_text_with_too_many_characters_or_passages_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "CHARACTERS", 2_000)
    monkeypatch.setattr(worker, "PASSAGES", 10)
    assert isinstance(only(file, "text", "x " * 1_000), Loaded)
    assert only(file, "text", "x " * 1_001) == Refusal("holds more than 2,000 characters; divide it or leave it out")
    assert isinstance(only(file, "text", "One two. " * 10, words=2), Loaded)
    refused = "makes 11 passages, where 10 can be taken; divide it or leave it out"
    assert only(file, "text", "One two. " * 11, words=2) == Refusal(refused)


@pytest.mark.parametrize("kind", ["text", "jsonl", "pdf"])
def test_a_file_that_went_away_is_named(tmp_path: Path, kind: str) -> None:
    [(line, refusal)] = parse(Request(str(tmp_path / "gone"), kind, "gone", "Gone", 110))
    reason = "cannot be read (No such file or directory); check its name and permissions"
    assert (line, refusal) == (None, Refusal(reason))


def test_a_file_is_gone_on_with_after_a_line_that_is_refused(file: Path) -> None:
    file.write_text("\n".join(['{"text": "One."}', "", '{"text": "Three."}', "", '{"text": "Five."}']))
    asked = Request(str(file), "jsonl", "a", "A", 110, after=1, refusal="took too long")
    three, (line, five) = parse(asked)
    assert three == (3, Refusal("took too long"))
    assert line == 5 and isinstance(five, Loaded) and five.document.text == "Five."


def test_what_a_parser_raises_is_said_and_its_class_is_for_the_operator_alone(file: Path) -> None:
    assert only(file, "docx", "PK and no archive") == Refusal(
        "cannot be read, it seems damaged (File is not a zip file); save it anew or leave it out", "BadZipFile"
    )


def test_what_is_left_out_is_told(file: Path) -> None:
    content = f"# Lamp\n\nIt burns. ![lamp](data:image/png;base64,{'aB3+' * 200})\n"
    found = only(file, "markdown", content)
    assert isinstance(found, Loaded) and found.left_out == ("1 part that is no text (822 bytes)",)
    assert found.document.text == "# Lamp\n\nIt burns. ![lamp]()\n"
    assert only(file, "text", "It burns.").left_out == ()  # type: ignore[union-attr]
    line = only(file, "jsonl", json.dumps({"text": content}))
    assert isinstance(line, Loaded) and line.left_out == found.left_out


def test_a_wrong_byte_is_told(file: Path) -> None:
    file.write_bytes("Käse und Öl. ".encode() * 20 + b"\xff")
    [(_, found)] = parse(Request(str(file), "text", "a/file", "The name"))
    assert isinstance(found, Loaded) and found.left_out == ("1 byte that is no letter",)
    assert found.document.text.endswith("Öl. \ufffd")


@pytest.mark.parametrize("title", ["(anonymous)", "about:blank", "Untitled document"])
def test_a_default_title_is_none(file: Path, title: str) -> None:
    found = only(file, "jsonl", json.dumps({"title": title, "text": "Frogs."}))
    assert isinstance(found, Loaded) and (found.document.title, found.document.titled) == ("The name 1", False)
    found = only(file, "jsonl", json.dumps({"title": title, "text": "# Frogs\n\nThey swim."}))
    assert isinstance(found, Loaded) and (found.document.title, found.document.titled) == ("Frogs", True)
