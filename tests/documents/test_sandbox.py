import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.documents import sandbox as worker
from rag.documents.parse import Found, Request
from rag.documents.sandbox import STOPPED, Worker, _Process
from rag.types import Loaded

ODD = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import rag.documents.parse as parse, rag.documents.sandbox
from pathlib import Path

whole = parse.decode
def decode(raw, charset=None):
    with open(os.environ["READ"], "a") as file:
        file.write(raw.decode() + " ")
    return whole(raw, charset)
parse.decode = decode

clean = parse.clean
def odd(text):
    if text == "hang":
        time.sleep(60)
    if text == "die":
        os._exit(1)
    if text == "eat":
        raise MemoryError
    if text == "raise":
        raise ValueError("a\\nb" * 1000)
    return clean(text)
parse.clean = odd
rag.documents.sandbox.serve(2 * 10**9, 60)
"""
"""What the process runs whose cleaning hangs, dies or raises at certain texts; it writes down the plain texts it reads."""
CRASH = "made its reader crash, so it is damaged or needs too much memory; leave it out"


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setenv("READ", str(tmp_path / "read"))
    (tmp_path / "read").touch()
    made = Worker(3, ODD)
    yield made
    made.close()


def request(path: Path, text: str, kind: str = "text") -> Request:
    path.write_text(text)
    return Request(str(path), kind, path.name, "A", 110)


def jsonl(path: Path, *texts: str) -> Request:
    return request(path, "\n".join(json.dumps({"text": text}) if text else "" for text in texts), "jsonl")


def said(found: Found) -> tuple[int | None, str]:
    line, one = found
    return line, one.document.text if isinstance(one, Loaded) else one


def test_the_lines_that_stop_the_reader_are_named_and_the_rest_goes_on(odd: Worker, tmp_path: Path) -> None:
    asked = jsonl(tmp_path / "a.jsonl", "one", "", "die", "", "hang", "five", "raise", "eat", "last")
    assert [said(found) for found in odd.read(asked)] == [
        (1, "one"),
        (3, CRASH),
        (5, "took longer than 3 seconds to read; divide it or leave it out"),
        (6, "five"),
        (7, f"cannot be read, it seems damaged (ValueError: {('a b' * 1000)[:188]}); save it anew or leave it out"),
        (8, CRASH),
        (9, "last"),
    ]


def test_a_file_whose_lines_stop_the_reader_again_and_again_ends_there(odd: Worker, tmp_path: Path) -> None:
    asked = jsonl(tmp_path / "a.jsonl", "one", *["die"] * (STOPPED + 1), "last")
    *lines, end = [said(found) for found in odd.read(asked)]
    assert lines == [(1, "one"), *((number, CRASH) for number in range(2, STOPPED + 2))]
    assert end == (None, f"was not read beyond its line {STOPPED + 1}: what follows {CRASH}")


def test_each_line_has_the_time_of_a_document(tmp_path: Path) -> None:
    slow = ODD.replace('if text == "hang":\n        time.sleep(60)', "time.sleep(0.1)")
    lines = Worker(1.5, slow.replace('with open(os.environ["READ"], "a") as file:', "if False:"))
    try:
        found = list(lines.read(jsonl(tmp_path / "a.jsonl", *map(str, range(9)))))
    finally:
        lines.close()
    assert [said(one) for one in found] == [(number + 1, str(number)) for number in range(9)]


@pytest.mark.parametrize("text", ["die", "eat", "hang"])
def test_a_document_that_stops_the_reader_is_named_once_and_the_next_ones_are_read(
    odd: Worker, tmp_path: Path, text: str
) -> None:
    texts = ["one", text, "three", text, "five"]
    asked = [request(tmp_path / f"{number}.txt", one) for number, one in enumerate(texts)]
    found = [[said(one) for one in odd.read(asked[i], asked[i + 1 :])] for i in range(5)]
    assert [one[0][1] for one in found if one[0][1] in texts] == ["one", "three", "five"]
    assert [len(one) for one in found] == [1] * 5
    assert (found[1][0][1] == found[3][0][1] == CRASH) == (text != "hang")


def test_what_comes_next_is_read_meanwhile_and_once(odd: Worker, tmp_path: Path) -> None:
    asked = [request(tmp_path / f"{number}.txt", f"text{number}") for number in range(4)]
    first = odd.read(asked[0], asked[1:3])
    assert said(next(first)) == (None, "text0")
    assert list(first) == []
    for number in (1, 2, 3):
        assert [said(one) for one in odd.read(asked[number], asked[number + 1 :])] == [(None, f"text{number}")]
    assert (tmp_path / "read").read_text().split() == ["text0", "text1", "text2", "text3"]


def test_another_request_than_the_one_foretold_gets_its_own_reply(odd: Worker, tmp_path: Path) -> None:
    asked = [request(tmp_path / f"{number}.txt", f"text{number}") for number in range(3)]
    assert [said(one) for one in odd.read(asked[0], [asked[1]])] == [(None, "text0")]
    assert [said(one) for one in odd.read(asked[2])] == [(None, "text2")]


def test_a_file_that_is_not_read_to_its_end_leaves_no_reply_behind(odd: Worker, tmp_path: Path) -> None:
    lines = odd.read(jsonl(tmp_path / "a.jsonl", "one", "two"))
    assert said(next(lines)) == (1, "one")
    lines.close()  # type: ignore[attr-defined]
    assert [said(one) for one in odd.read(request(tmp_path / "b.txt", "three"))] == [(None, "three")]


def test_long_requests_do_not_fill_the_pipe(odd: Worker, tmp_path: Path) -> None:
    texts = [f"{number} " * 100_000 for number in range(8)]
    asked = [request(tmp_path / f"{number}.txt", text) for number, text in enumerate(texts)]
    named = [Request(one.path, one.kind, "n" * 60_000, "A", 110) for one in asked]
    for number, one in enumerate(named):
        [found] = odd.read(one, named[number + 1 :])
        assert said(found) == (None, texts[number])


def test_an_endless_reply_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_REPLY", 1_000_000)
    endless = Worker(20, "import sys\ninput()\nwhile True: sys.stdout.write('x' * 100_000)")
    try:
        assert [said(one) for one in endless.read(request(tmp_path / "a.txt", "x"))] == [(None, CRASH)]
    finally:
        endless.close()


def test_nothing_is_left_when_it_is_closed(odd: Worker, tmp_path: Path) -> None:
    before = threading.active_count()
    list(odd.read(request(tmp_path / "a.txt", "one")))
    assert isinstance(process := odd._process, _Process) and threading.active_count() == before + 1
    odd.close()
    assert not process.alive() and threading.active_count() == before


@pytest.mark.skipif(sys.platform == "win32", reason="there is no alarm")
def test_without_a_parent_a_reader_that_hangs_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READ", str(tmp_path / "read"))
    process = _Process(ODD.replace("serve(2 * 10**9, 60)", "serve(2 * 10**9, 0.5)"), 60)
    try:
        process.send(json.dumps(vars(request(tmp_path / "a.txt", "hang"))).encode() + b"\n")
        assert process._process.wait(20) < 0
    finally:
        process.close()
