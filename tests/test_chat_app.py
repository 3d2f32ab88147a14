"""The start of the page: its command, without a browser."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from fakes import WAIT, FakeBot
from serving import serving

import chat_app
from chat_app import main, make_app
from rag import Chatbot
from rag.errors import ModelError
from rag.server.records import Turn
from rag.server.serve import listen
from rag.server.store import Store
from rag.server.users import Users
from rag.settings import Settings


def test_a_taken_port_is_one_sentence_and_exit_code_1(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with listen(settings.model_copy(update={"port": 0})) as taken:
        monkeypatch.setenv("RAG_PORT", str(taken.getsockname()[1]))
        assert main([]) == 1
    error = capsys.readouterr().err
    assert error.startswith("The page cannot listen on 127.0.0.1:") and "RAG_PORT" in error and error.count("\n") == 1


def test_a_failing_start_is_one_sentence(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ModelError("There is no model; install it.")

    monkeypatch.setenv("RAG_PORT", "0")
    monkeypatch.setattr(chat_app, "is_sound", lambda *_: True)
    monkeypatch.setattr(Chatbot, "open", fail)
    assert main([]) == 1
    assert capsys.readouterr().err == "There is no model; install it.\n"


def test_a_missing_index_is_built_first_and_a_failed_build_ends_the_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[list[str]] = []

    def build(argv: list[str]) -> int:
        built.append(argv)
        return 1

    monkeypatch.setenv("RAG_PORT", "0")
    monkeypatch.setattr(chat_app, "is_sound", lambda *_: False)
    monkeypatch.setattr(chat_app, "ingest_main", build)
    assert main([]) == 1
    assert built == [[]]


@pytest.mark.slow
def test_the_page_is_served_and_says_where(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with Store(settings.store / "page.sqlite") as store, serving(make_app(FakeBot(), store, settings)) as address:
        shown = httpx.get(address, timeout=WAIT)
    assert shown.status_code == 200 and "window.askTheArticle" in shown.text
    assert shown.headers["content-security-policy"].startswith("default-src 'self';")
    assert capsys.readouterr().out == f"Open {address} in a browser.\n"


@pytest.mark.slow
def test_a_user_is_added(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda _: "correct horse")
    assert main(["--add-user", "ann"]) == 1
    assert "RAG_USERS" in capsys.readouterr().err
    monkeypatch.setenv("RAG_USERS", str(tmp_path / "users.txt"))
    assert main(["--add-user", "ann"]) == 0
    assert "ann" in (tmp_path / "users.txt").read_text(encoding="utf-8")
    assert Users(tmp_path / "users.txt")


def test_a_store_is_moved_by_one_command(
    settings: Settings, address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["--move-store"]) == 1
    assert "set RAG_DATABASE to the one" in capsys.readouterr().err
    monkeypatch.setenv("RAG_DATABASE", address)
    with Store(settings.store / "page.sqlite") as store:
        store.write("ann", "c", [Turn(1, "Who?", state="done")])
    assert main(["--move-store"]) == 0
    assert capsys.readouterr().out.startswith("Copied 1 conversations and 0 ratings from")
    with Store(address) as store:
        assert store.read("ann", "c") == (Turn(1, "Who?", state="done"),)


CTRL_C = """
import contextlib, sys
import chat_app
from fakes import FakeBot

@contextlib.contextmanager
def opened(*_, **__):
    try:
        yield FakeBot()
    finally:
        print("closed")

chat_app.Chatbot.open = opened
chat_app.is_sound = lambda *_: True
sys.exit(chat_app.main([]))
"""


@pytest.mark.slow
def test_ctrl_c_closes_the_bot_and_ends_quietly(settings: Settings) -> None:
    root = Path(chat_app.__file__).parent
    command = [sys.executable, "-W", "ignore", "-c", CTRL_C]
    environment = {**os.environ, "RAG_PORT": "0", "PYTHONPATH": str(root / "tests")}
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline().startswith("Open http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 0
        assert process.stdout.read() == "closed\n"
        assert process.stderr.read() == ""
