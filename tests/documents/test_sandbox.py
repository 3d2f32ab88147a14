import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.documents import sandbox
from rag.documents.loader import Loader
from rag.documents.sandbox import MAX_CRASHES, Sandbox, _Process
from rag.documents.worker import Found, Request
from rag.types import Loaded

ODD = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import rag.documents.worker as worker
from pathlib import Path

whole = worker.decode
def decode(raw, charset=None):
    with open(os.environ["READ"], "a") as file:
        file.write(raw.decode() + " ")
    return whole(raw, charset)
worker.decode = decode

clean = worker.clean
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
worker.clean = odd
worker.serve(2 * 10**9, 60)
"""
"""What the process runs whose cleaning hangs, dies or raises at certain texts; it writes down the plain texts it reads."""
PDF = Request("a.pdf", "pdf", "a.pdf", "A", 110)
CRASH = "made its reader crash, so it is damaged or needs too much memory; leave it out"


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("READ", str(tmp_path / "read"))
    (tmp_path / "read").touch()
    made = Sandbox(3, ODD)
    yield made
    made.close()


def request(path: Path, text: str, kind: str = "text") -> Request:
    path.write_text(text)
    return Request(str(path), kind, path.name, "A", 110)


def jsonl(path: Path, *texts: str) -> Request:
    return request(path, "\n".join(json.dumps({"text": text}) if text else "" for text in texts), "jsonl")


def said(found: Found) -> tuple[int | None, str]:
    line, one = found
    return line, one.document.text if isinstance(one, Loaded) else one.reason


def only(sandbox: Sandbox, asked: Request) -> str:
    [(_, text)] = map(said, sandbox.read(asked))
    return text


@pytest.mark.slow
def test_the_lines_that_stop_the_reader_are_named_and_the_rest_goes_on(odd: Sandbox, tmp_path: Path) -> None:
    asked = jsonl(tmp_path / "a.jsonl", "one", "", "die", "", "hang", "five", "raise", "eat", "last")
    assert [said(found) for found in odd.read(asked)] == [
        (1, "one"),
        (3, CRASH),
        (5, "took longer than 3 seconds to read; divide it or leave it out"),
        (6, "five"),
        (7, f"cannot be read, it seems damaged ({('a b' * 1000)[:200]}); save it anew or leave it out"),
        (8, CRASH),
        (9, "last"),
    ]


@pytest.mark.slow
def test_a_file_whose_lines_stop_the_reader_again_and_again_ends_there(odd: Sandbox, tmp_path: Path) -> None:
    asked = jsonl(tmp_path / "a.jsonl", "one", *["die"] * (MAX_CRASHES + 1), "last")
    *lines, end = [said(found) for found in odd.read(asked)]
    assert lines == [(1, "one"), *((number, CRASH) for number in range(2, MAX_CRASHES + 2))]
    assert end == (None, f"was not read beyond its line {MAX_CRASHES + 1}: what follows {CRASH}")


@pytest.mark.slow
def test_each_line_has_the_time_of_a_document(tmp_path: Path) -> None:
    slow = ODD.replace('if text == "hang":\n        time.sleep(60)', "time.sleep(0.1)")
    lines = Sandbox(1.5, slow.replace('with open(os.environ["READ"], "a") as file:', "if False:"))
    try:
        found = list(lines.read(jsonl(tmp_path / "a.jsonl", *map(str, range(9)))))
    finally:
        lines.close()
    assert [said(one) for one in found] == [(number + 1, str(number)) for number in range(9)]


@pytest.mark.slow
@pytest.mark.parametrize("text", ["die", "eat", "hang"])
def test_a_document_that_stops_the_reader_is_named_once_and_the_next_ones_are_read(
    odd: Sandbox, tmp_path: Path, text: str
) -> None:
    texts = ["one", text, "three", text, "five"]
    asked = [request(tmp_path / f"{number}.txt", one) for number, one in enumerate(texts)]
    found = [[said(one) for one in odd.read(asked[i], asked[i + 1 :])] for i in range(5)]
    assert [one[0][1] for one in found if one[0][1] in texts] == ["one", "three", "five"]
    assert [len(one) for one in found] == [1] * 5
    assert (found[1][0][1] == found[3][0][1] == CRASH) == (text != "hang")


def test_what_comes_next_is_read_meanwhile_and_once(odd: Sandbox, tmp_path: Path) -> None:
    asked = [request(tmp_path / f"{number}.txt", f"text{number}") for number in range(4)]
    first = odd.read(asked[0], asked[1:3])
    assert said(next(first)) == (None, "text0")
    assert list(first) == []
    for number in (1, 2, 3):
        assert [said(one) for one in odd.read(asked[number], asked[number + 1 :])] == [(None, f"text{number}")]
    assert (tmp_path / "read").read_text().split() == ["text0", "text1", "text2", "text3"]


@pytest.mark.slow
def test_another_request_than_the_one_foretold_gets_its_own_reply(odd: Sandbox, tmp_path: Path) -> None:
    asked = [request(tmp_path / f"{number}.txt", f"text{number}") for number in range(3)]
    assert [said(one) for one in odd.read(asked[0], [asked[1]])] == [(None, "text0")]
    assert [said(one) for one in odd.read(asked[2])] == [(None, "text2")]


def test_a_file_that_is_not_read_to_its_end_leaves_no_reply_behind(odd: Sandbox, tmp_path: Path) -> None:
    lines = odd.read(jsonl(tmp_path / "a.jsonl", "one", "two"))
    assert said(next(lines)) == (1, "one")
    lines.close()  # type: ignore[attr-defined]
    assert [said(one) for one in odd.read(request(tmp_path / "b.txt", "three"))] == [(None, "three")]


@pytest.mark.slow
def test_long_requests_do_not_fill_the_pipe(odd: Sandbox, tmp_path: Path) -> None:
    texts = [f"{number} " * 100_000 for number in range(8)]
    asked = [request(tmp_path / f"{number}.txt", text) for number, text in enumerate(texts)]
    named = [Request(one.path, one.kind, "n" * 60_000, "A", 110) for one in asked]
    for number, one in enumerate(named):
        [found] = odd.read(one, named[number + 1 :])
        assert said(found) == (None, texts[number])


def test_an_endless_reply_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_REPLY", 1_000_000)
    endless = Sandbox(20, "import sys\ninput()\nwhile True: sys.stdout.write('x' * 100_000)")
    try:
        assert [said(one) for one in endless.read(request(tmp_path / "a.txt", "x"))] == [(None, CRASH)]
    finally:
        endless.close()


@pytest.mark.slow
def test_the_process_is_replaced_after_many_parsed_files_but_not_after_plain_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "LIFETIME", 2)
    plain, page = request(tmp_path / "a.txt", "one"), request(tmp_path / "a.html", "<p>one</p>", "html")
    made = Sandbox(20)
    try:
        processes = []
        for asked in (plain, plain, plain, page, page):
            assert [said(one) for one in made.read(asked)] == [(None, "one")]
            processes.append(made._process)
    finally:
        made.close()
    assert processes[0] is processes[3] is not None and processes[4] is None


def test_nothing_is_left_when_it_is_closed(odd: Sandbox, tmp_path: Path) -> None:
    before = threading.active_count()
    list(odd.read(request(tmp_path / "a.txt", "one")))
    assert isinstance(process := odd._process, _Process) and process.alive()
    odd.close()
    assert not process.alive() and threading.active_count() == before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no alarm")
def test_without_a_parent_a_reader_that_hangs_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READ", str(tmp_path / "read"))
    process = _Process(ODD.replace("serve(2 * 10**9, 60)", "serve(2 * 10**9, 0.5)"), 60)
    try:
        process.send(json.dumps(vars(request(tmp_path / "a.txt", "hang"))).encode() + b"\n")
        assert process._process.wait(20) < 0
    finally:
        process.close()


@pytest.mark.slow
def test_a_process_that_hangs_is_stopped_and_replaced() -> None:
    hanging = Sandbox(0.5, "import time; time.sleep(60)")
    began = time.monotonic()
    for _ in range(2):
        assert only(hanging, PDF).startswith("took longer than 0.5 seconds")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "program",
    ["import os; input(); os.abort()", "raise SystemExit", "input(); print('{\"title\": ', end='')"],
)
def test_a_process_that_crashes_is_replaced(program: str) -> None:
    crashing = Sandbox(20, program)
    for _ in range(2):
        assert only(crashing, PDF).startswith("made its reader crash")


@pytest.mark.slow
def test_a_process_that_died_between_two_documents_is_replaced(tmp_path: Path, odd: Sandbox) -> None:
    asked = request(tmp_path / "a.txt", "one")
    assert only(odd, asked) == "one"
    process = odd._process
    assert process is not None
    process._process.kill()
    process._process.wait()
    assert only(odd, asked) == "one"


@pytest.mark.slow
def test_a_document_that_needs_too_much_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MEMORY", 600_000_000)
    (tmp_path / "large.html").write_bytes(b"<p>" + b"The heron waits. " * 4_000_000)
    (tmp_path / "small.html").write_bytes(b"<p>The heron waits.")
    with Loader(seconds=60) as loader:
        [large] = loader.load(f"{tmp_path}/large.html", 110)
        assert loader._sandbox._process is None  # It may not give the memory back.
        [small] = loader.load(f"{tmp_path}/small.html", 110)
    assert "too much memory" in str(large)
    assert isinstance(small, Loaded)


def test_what_a_parser_prints_is_no_reply(tmp_path: Path) -> None:
    noisy = (
        "import sys; sys.path.insert(0, sys.argv[1]); import rag.documents.worker as w; "
        "w.read = lambda *_: (print('{}', flush=True), w.Parsed('T', 'x'))[1]; w.serve(2 * 10**9, 60)"
    )
    reader = Sandbox(20, noisy)
    try:
        assert only(reader, PDF) == "x"
    finally:
        reader.close()
