"""The recipe for many machines; what it starts is tried by trials/machines.py."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from trials.machines import Cluster, Program, StartError, answers

from rag.settings import ServerSettings, Settings

DEPLOY = Path(__file__).parents[1] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def names(text: str) -> set[str]:
    """The settings that a text names."""
    return {name.removeprefix("RAG_").lower() for name in re.findall(r"\bRAG_[A-Z_]+\b", text)}


@pytest.mark.parametrize("file", ["serve_all.py", "model_server.py", "compose.yaml", "Dockerfile"])
def test_it_names_settings_that_there_are(file: str) -> None:
    named = names((DEPLOY / file).read_text(encoding="utf-8"))
    assert named and named <= set(ServerSettings.model_fields)


def test_the_containers_have_the_settings_of_the_processes(tmp_path: Path) -> None:
    processes = set(Cluster(tmp_path).environment()) - {"RAG_INDEX", "RAG_STORE"}
    assert processes <= set(COMPOSE["x-page"]["environment"])


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_container_has_a_limit_and_no_root(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["user"] not in {"root", "0"}
    assert "memory" in service["deploy"]["resources"]["limits"]


@pytest.mark.parametrize("file", ["haproxy.cfg", "haproxy-compose.cfg"])
def test_the_proxy_reads_its_settings(file: str, tmp_path: Path) -> None:
    given = DEPLOY / file if file != "haproxy.cfg" else Cluster(tmp_path).folder / file
    command = ["haproxy", "-c", "-f", str(given)]
    checked = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"CHROMA_TOKEN": "t", "PATH": "/usr/sbin:/usr/bin"}
    )
    assert checked.returncode == 0, checked.stderr


def test_what_is_secret_is_for_its_owner_alone_and_stays(tmp_path: Path) -> None:
    first, second = (Cluster(tmp_path).environment() for _ in range(2))
    assert first["RAG_CHROMA_TOKEN"] == second["RAG_CHROMA_TOKEN"] and len(first["RAG_API_KEY"]) > 30
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.json")} == {0o600}
    assert (tmp_path / "haproxy.cfg").stat().st_mode & 0o777 == 0o600


def test_a_program_that_ends_or_is_not_there_is_named(tmp_path: Path) -> None:
    gone = Program("Something", ["/nowhere/something"], tmp_path / "log", lambda: False)
    with pytest.raises(StartError, match="Something cannot be started"):
        gone.start()
    ended = Program("Something", ["/bin/false"], tmp_path / "log", lambda: False)
    ended.start()
    with pytest.raises(StartError, match="Something does not answer"):
        ended.wait()
    assert not answers("http://127.0.0.1:1/") and not answers(1)


def test_the_settings_of_a_builder_are_those_of_the_pages(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, base_url="http://127.0.0.1:1/v1")
    assert "model server" not in cluster.programs
    page, builder = cluster.environment("page-1"), cluster.environment()
    assert {name for name in page if page[name] != builder[name]} == {"RAG_INDEX", "RAG_STORE"}
    assert names(" ".join(page)) <= set(ServerSettings.model_fields) and issubclass(ServerSettings, Settings)


def test_a_document_that_is_skipped_does_not_hinder_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1))
    with pytest.raises(StartError, match="could not be indexed"):
        cluster.ingest("broken.pdf")
    (tmp_path / "shared" / "CURRENT").write_text("some", encoding="utf-8")
    cluster.ingest("broken.pdf")
