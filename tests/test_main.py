import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import ANIMALS, FakeBot, ScriptedModel, chatbot, ending

from rag import __main__ as terminal
from rag.chatbot import Chatbot
from rag.index.index import Index
from rag.settings import Settings
from rag.types import NEAREST

ROOT = Path(terminal.__file__).parent.parent


@pytest.fixture
def written(settings: Settings, animals: Index, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lets the terminal open a chatbot whose model writes this; it may be changed."""
    responses = ["Fish swim in the pond."]
    monkeypatch.setattr(
        Chatbot, "open", lambda *_, **__: chatbot(settings, animals, ScriptedModel(responses=responses))
    )
    return responses


def test_the_answer_has_marks_and_quotations(written: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.main(["Where do fish swim?"]) == 0
    assert capsys.readouterr().out == "Fish swim in the pond. [1]\n\n[1] 2.txt: Fish swim in the pond.\n"


def test_an_abstention_shows_the_nearest_passages(written: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    written[:] = ["Not stated."]
    assert terminal.main(["How old is Max?"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("The documents do not answer this question.\n\nThe nearest passages:\n  ")
    assert "  2.txt: Fish swim in the pond. There are 12 fish.\n" in printed


def test_an_answer_that_broke_off_says_so(
    settings: Settings, animals: Index, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ending("Fish swim in the pond. There are")
    monkeypatch.setattr(Chatbot, "open", lambda *_, **__: chatbot(settings, animals, model))
    assert terminal.main(["Where do fish swim?"]) == 0
    assert (
        "There are (not found in the documents. The answer was cut off here.)\n\nThe answer broke off. Ask again.\n"
        in capsys.readouterr().out
    )


def test_json_is_the_whole_answer(written: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.main(["Where do fish swim?", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    citation = answer["citations"][0]
    assert ANIMALS[2][citation["start"] : citation["end"]] == citation["quote"] == "Fish swim in the pond."
    assert set(answer) == {
        "question", "text", "sentences", "citations", "hits", "abstained", "confidence", "timings", "signals",
        "incomplete", "language", "near",
    }  # fmt: skip


@pytest.fixture
def quoting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the terminal open a chatbot that has evidence, and then only quotes."""

    class Bot(FakeBot):
        def __enter__(self) -> "Bot":
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(Chatbot, "open", lambda *_, **__: Bot(FakeBot.quote))


QUOTED = f"{NEAREST}\n\n[1] data/article.txt: Anna sailed to Oslo.\n"


@pytest.mark.usefixtures("quoting")
def test_what_is_nearest_is_quoted_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.main(["Who sailed?"]) == 0
    assert capsys.readouterr().out == QUOTED


@pytest.mark.usefixtures("quoting")
def test_a_person_sees_the_evidence_first(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert terminal.main(["Who sailed?"]) == 0
    printed = capsys.readouterr().out
    assert printed == f"\033[2mIn the documents:\n  data/article.txt: Anna sailed to Oslo.\n\033[0m\n{QUOTED}"
    assert terminal.main(["Who sailed?", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["near"][0]["quote"] == "Anna sailed to Oslo."


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "environment", "sentence"),
    [
        (["-m", "rag", "Who?"], {}, "There is no index in 'index'; build it with: python ingest.py"),
        (["-m", "rag", "Who?"], {"RAG_PASSAGES": "x"}, "The setting RAG_PASSAGES cannot be 'x'"),
        ([str(ROOT / "ingest.py"), "nowhere"], {}, "There is no file or folder 'nowhere'"),
        ([str(ROOT / "ingest.py"), "bad"], {}, "No document could be read"),
        (["-m", "eval"], {}, "There is no index in 'index'; build it with: python ingest.py"),
    ],
)
def test_an_error_is_one_sentence_and_exit_code_1(
    tmp_path: Path, command: list[str], environment: dict[str, str], sentence: str
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "picture.txt").write_bytes(b"\x89PNG\0\0")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAG_")}
    run = subprocess.run(
        [sys.executable, *command],
        check=False,
        cwd=tmp_path,
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 1
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""
