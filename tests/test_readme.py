"""The README's examples for other programs, run as they stand against a server with a fake bot."""

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from asking import FakeBot, make_app, serving

from rag.settings import Settings

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## From other programs\n")[2].partition("\n## ")[0]
PROGRAMS = re.findall(r"```python\n(.*?)```", SECTION, flags=re.DOTALL)
WAIT = 60  # seconds until a program that hangs fails


def test_the_examples_are_there() -> None:
    assert len(PROGRAMS) == 3 and all("localhost:7860" in program for program in PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS, ids=["httpx", "gradio_client", "mcp"])
def test_the_program_prints_the_answer(settings: Settings, program: str) -> None:
    with serving(make_app(FakeBot(), settings)) as address:
        own = program.replace("http://localhost:7860", address)
        command = [sys.executable, "-W", "ignore", "-c", own]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Said " in ran.stdout


def test_the_curl_line_asks_as_it_stands(settings: Settings) -> None:
    found = re.search(r"curl -s (\S+) -H '([\w-]+): ([^']+)' -d '([^']+)'", SECTION)
    assert found
    address, name, value, body = found.groups()
    with serving(make_app(FakeBot(), settings)) as served:
        answer = httpx.post(address.replace("http://localhost:7860", served), headers={name: value}, content=body)
    assert answer.json()["text"] == f"Said {json.loads(body)['question']}"
