"""Uploads: how many may lie unused, what is kept of those that break off, and forms that are none."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes import WAIT, FakeBot
from fastapi.testclient import TestClient
from serving import make_app, serving

from rag.server import uploads
from rag.settings import Settings

KB = b"x" * 1024
FORM = {"content-type": "multipart/form-data; boundary=b"}
PART = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uploads lie."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    monkeypatch.setattr(uploads, "MB", 1024)  # So that a file may have one kB.
    return tmp_path / "uploads"


def visitors(settings: Settings) -> Callable[[str], TestClient]:
    """Browsers of the application, each at an address."""
    app = make_app(FakeBot(), settings.model_copy(update={"upload_mb": 1}))

    def visitor(address: str) -> TestClient:
        client = TestClient(app, base_url="http://localhost", client=(address, 1))
        client.get("/")
        return client

    return visitor


def send(client: TestClient, content: bytes = b"x", name: str = "a.txt", number: int = 1) -> Any:
    return client.post("/gradio_api/upload", files=[("files", (name, content))] * number)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_a_visitor_leaves_so_much_unused_and_others_may_still_upload(settings: Settings, folder: Path) -> None:
    visitor = visitors(settings)
    one, other = visitor("10.0.0.1"), visitor("10.0.0.2")
    statuses = [send(one, KB[:800]).status_code for _ in range(8)]
    assert statuses[:4] == [200] * 4 and statuses[-2:] == [429] * 2
    assert sum(path.stat().st_size for path in files(folder)) <= uploads.OWN * 1024
    again = visitor("10.0.0.1")  # A fresh cookie is no way around.
    refused = send(again, KB[:800])
    assert refused.status_code == 429 and refused.headers["retry-after"] == "60"
    assert "not been taken in yet" in refused.json()["error"]
    assert send(other).status_code == 200


@pytest.mark.slow
def test_all_together_leave_no_more_than_so_much(settings: Settings, folder: Path) -> None:
    visitor = visitors(settings)
    statuses = [send(visitor(f"10.0.0.{number % 16}"), KB[:900]).status_code for number in range(40)]
    assert 429 in statuses and sum(path.stat().st_size for path in files(folder)) <= uploads.ALL * 1024


@pytest.mark.slow
def test_what_was_taken_makes_room(settings: Settings, folder: Path) -> None:
    client = visitors(settings)("10.0.0.1")
    for _ in range(20):
        (path,) = send(client, KB[:900]).json()
        Path(path).unlink()


def test_the_number_of_files_is_bounded(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "FILES", 3)
    monkeypatch.setattr(uploads, "OWN", 100)
    client = visitors(settings)("10.0.0.1")
    assert len(send(client, number=3).json()) == 3
    assert send(client, number=4).status_code == 400 and len(files(folder)) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kept"),
    [("a.TXT", "a.txt"), ("Ärzte é.md", "Ärzte é.md"), ("../../etc/passwd", "passwd"), ("..", "document"), ("", None),
     ("con.txt", "con file.txt"), ("n" * 300 + ".pdf", "n" * 120 + ".pdf"), ("C:\\x\\y.txt", "y.txt"), (".bashrc", "bashrc")],
)  # fmt: skip
def test_a_name_becomes_a_safe_one(settings: Settings, folder: Path, name: str, kept: str | None) -> None:
    response = send(visitors(settings)("10.0.0.1"), name=name)
    assert response.status_code == (200 if kept else 400)
    assert [path.name for path in files(folder)] == ([kept] if kept else [])
    assert all(path.parent.parent == folder for path in files(folder))


NO_FORMS = [
    (FORM, b""), (FORM, PART), (FORM, PART + b"half"), (FORM, b"--b\r\n\r\nx\r\n--b--\r\n"), (FORM, b"x" * 500),
    (FORM, b"--b\r\nContent-Disposition: form-data; name=files\r\n\r\nno file\r\n--b--\r\n"),
    (FORM, PART.replace(b'"files"', b'"other"') + b"x\r\n--b--\r\n"), (FORM, PART.replace(b"a.txt", b"a" * 9000)),
    (FORM, (PART + b"\r\n") * 150 + b"--b--\r\n"), (FORM, b"--b\r\n" + b"X: y\r\n" * 5000), ({}, PART),
    ({"content-type": "multipart/form-data"}, PART), ({"content-type": "multipart/form-data; boundary="}, PART),
    ({"content-type": "multipart/form-data; boundary=" + "b" * 500}, PART), ({"content-type": "application/json"}, b"{}"),
]  # fmt: skip


@pytest.mark.slow
def test_a_form_that_is_none_is_refused_and_leaves_nothing(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "OWN", 100)
    monkeypatch.setattr(uploads, "ALL", 100)
    client = visitors(settings)("10.0.0.1")
    for headers, content in NO_FORMS:
        for query in ("", "?upload_id=1"):
            response = client.post("/gradio_api/upload" + query, content=content, headers=headers)
            assert response.status_code == 400 and files(folder) == [], (headers, content[:90], response.text)


@pytest.mark.slow
def test_an_upload_that_breaks_off_leaves_nothing(settings: Settings, folder: Path) -> None:
    with serving(make_app(FakeBot(), settings)) as address:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=WAIT) as connection:
                head = (
                    f"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM['content-type']}\r\n"
                )
                connection.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode() + PART + b"half")
                connection.settimeout(0.2)  # It reads that, and waits for more.
                with pytest.raises(TimeoutError):
                    connection.recv(1)
        assert httpx.get(address + "/health", timeout=WAIT).status_code == 200
    assert files(folder) == []


def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    client = visitors(settings)("10.0.0.1")
    monkeypatch.setattr("shutil.copyfileobj", full)
    response = send(client)
    assert response.status_code == 503 and "disk is full" in response.json()["error"] and files(folder) == []


def test_the_progress_of_an_upload_is_told_without_remembering_who_asks(settings: Settings, folder: Path) -> None:
    response = visitors(settings)("10.0.0.1").get("/gradio_api/upload_progress?upload_id=" + "x" * 1000)
    assert response.text == 'data: {"msg": "done"}\n\n'
