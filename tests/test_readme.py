"""README.md and docs/: their examples run as they stand, against fakes, and their links and names lead somewhere."""

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from fakes import FakeBot, TopicEmbedder, TopicReranker, answering
from serving import make_app, serving

import rag.chatbot
from rag.chatbot import Chatbot
from rag.index.index import Index
from rag.settings import Settings

ROOT = Path(__file__).parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]
}
API = PAGES["docs/api.md"]
WAIT = 60  # seconds until a program that hangs fails


def programs(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)


REMOTE = [program for program in programs(API) if "localhost:7860" in program]
LOCAL = [*programs(PAGES["README.md"]), *(program for program in programs(API) if program not in REMOTE)]


def test_the_examples_are_there() -> None:
    assert len(REMOTE) == 4 and len(LOCAL) >= 4 and all("Chatbot.open(" in program for program in LOCAL)


@pytest.mark.slow
@pytest.mark.parametrize("program", REMOTE, ids=["httpx", "openai", "gradio_client", "mcp"])
def test_a_program_prints_the_answer(settings: Settings, program: str) -> None:
    with serving(make_app(FakeBot(), settings)) as address:
        own = program.replace("http://localhost:7860", address)
        command = [sys.executable, "-W", "ignore", "-c", own]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Said " in ran.stdout


@pytest.mark.slow
def test_the_curl_line_asks_as_it_stands(settings: Settings) -> None:
    found = re.search(r"curl -s (\S+) -H '([\w-]+): ([^']+)' -d '([^']+)'", API)
    assert found
    address, name, value, body = found.groups()
    with serving(make_app(FakeBot(), settings)) as served:
        answer = httpx.post(address.replace("http://localhost:7860", served), headers={name: value}, content=body)
    assert answer.json()["text"] == f"Said {json.loads(body)['question']}"


class FakeChatbot(Chatbot):
    """A Chatbot whose `open` takes a fake embedder and a model that always says the same."""

    @classmethod
    def open(cls, settings, **options):  # type: ignore[no-untyped-def]
        fakes = {"model": answering("Fish swim in the pond."), "embedder": TopicEmbedder(), "reranker": TopicReranker()}
        return super().open(settings, **fakes | options)


@pytest.mark.parametrize("program", LOCAL, ids=range(len(LOCAL)))
def test_a_python_example_runs(
    settings: Settings,
    animals: Index,
    program: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(rag.chatbot, "Chatbot", FakeChatbot)
    monkeypatch.setattr(rag.models.embedder, "make_embedder", lambda _: TopicEmbedder())
    exec(compile(program, "example", "exec"), {"__name__": "example"})
    assert capsys.readouterr().out


def test_the_two_commands_are_there_once() -> None:
    """.ci/run takes the second from README.md."""
    commands = re.findall(
        r"^pip install .* && python (?:chat_app\.py|-m pytest)$", PAGES["README.md"], flags=re.MULTILINE
    )
    assert [command.rsplit(" && ", 1)[1] for command in commands] == ["python chat_app.py", "python -m pytest"]


def test_the_readme_is_short_and_names_every_page() -> None:
    readme = PAGES["README.md"]
    assert len(readme.splitlines()) <= 150
    assert all(f"({page})" in readme for page in PAGES if page != "README.md")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", PAGES[page]):
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.is_file(), target
        assert not anchor or anchor in anchors(path.read_text("utf-8")), f"{target}#{anchor}"


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page, flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_files_that_are_named_exist() -> None:
    named = {name for page in PAGES.values() for name in re.findall(r"`((?:rag|eval|tests|docs|data)/[\w./-]*)`", page)}
    assert named and not {name for name in named if not (ROOT / name).exists()}
