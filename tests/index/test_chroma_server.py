"""Vectors in a real Chroma server: the same as in a folder, and plain sentences when it is away."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from socket import create_server

import numpy as np
import pytest
import trustme
from chroma import ChromaProcess, asking_for_token
from fakes import WAIT
from serving import strange_server

from rag.errors import DamagedError, StoreError, UnreachableError, for_readers, with_detail
from rag.index import chroma_server
from rag.index.chroma_server import ChromaServer
from rag.index.vectors import _BRUTE_FORCE, Vectors

pytestmark = pytest.mark.slow
TOKEN = "s3cret-of-the-proxy"


@pytest.fixture(scope="module")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaProcess]:
    process = ChromaProcess(tmp_path_factory.mktemp("chroma"))
    yield process
    process.kill()


@pytest.fixture(autouse=True)
def without_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is away is not waited for."""
    monkeypatch.setattr(chroma_server, "_READER", 0.0)
    monkeypatch.setattr(chroma_server, "_WRITER", 0.0)


def filled(vectors: Vectors, rows: np.ndarray) -> Vectors:
    """`rows` under the numbers from 1, those of the second half in another part."""
    half = len(rows) // 2
    vectors.add(range(1, half + 1), rows[:half])
    vectors.add(range(half + 1, len(rows) + 1), rows[half:])
    return vectors


def test_a_server_finds_the_same_as_a_folder_to_the_last_bit(chroma: ChromaProcess, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = random.standard_normal((2 * _BRUTE_FORCE + 100, 24)).astype(np.float32)
    server = ChromaServer(chroma.url)
    here, there = filled(Vectors.edit(tmp_path / "vectors"), rows), filled(server.make("bits"), rows)
    there.close()
    there = server.read("bits")
    there.warm()
    assert len(here) == len(there) == len(rows)
    every = list(range(1, len(rows) + 1))
    mine, its = here.get(every), there.get([*every, len(rows) + 1])
    assert mine.keys() == its.keys() and all(mine[i].tobytes() == its[i].tobytes() for i in every)
    for asked in random.standard_normal((20, 24)):
        for among in (None, every[:50], every[: _BRUTE_FORCE + 1], []):
            assert there.nearest(asked, 50, among) == here.nearest(asked, 50, among)
    here.remove([1])
    there.remove([1])
    assert there.nearest(rows[0], 1) == here.nearest(rows[0], 1)
    assert there.nearest(rows[0], 1)[0][0] != 1
    there.close()
    here.close()
    server.drop("bits")
    server.drop("bits")
    assert chroma.collections() == []


def test_a_collection_that_is_gone_is_said_so(chroma: ChromaProcess) -> None:
    server = ChromaServer(chroma.url)
    opened = server.make("gone")
    server.drop("gone")
    for read in (lambda: server.read("gone"), lambda: opened.get([1]), lambda: opened.nearest([1.0], 1)):
        with pytest.raises(DamagedError, match=r"not in the Chroma server; put them there with: python ingest\.py"):
            read()


def test_what_cannot_be_done_tells_the_operator_where(chroma: ChromaProcess) -> None:
    opened = ChromaServer(chroma.url).make("dimensions")
    opened.add([1], np.eye(1, 4, dtype=np.float32))
    with pytest.raises(StoreError, match=r"did not do what was asked \(status 4..\)") as raised:
        opened.nearest([1.0], 1)
    assert not isinstance(raised.value, DamagedError | UnreachableError)
    assert f"({chroma.url})" in with_detail(raised.value)


def test_a_server_that_is_not_there_is_told_at_once_without_its_address_or_password() -> None:
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = ChromaServer(f"http://me:hidden@127.0.0.1:{port}", TOKEN)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="RAG_CHROMA_URL cannot be reached; see that it runs") as raised:
        server.read("any")
    assert time.monotonic() - began < WAIT
    told = with_detail(raised.value)
    assert f"http://127.0.0.1:{port}, ConnectError" in told
    assert str(port) not in str(raised.value) and str(port) not in for_readers(raised.value)
    assert "hidden" not in told and TOKEN not in told + repr(server)


def test_a_server_that_never_answers_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroma_server, "_READ", 0.2)
    with create_server(("127.0.0.1", 0)) as silent, pytest.raises(UnreachableError) as raised:
        ChromaServer(f"http://127.0.0.1:{silent.getsockname()[1]}").read("any")
    assert raised.value.detail.endswith("ReadTimeout")


@pytest.mark.parametrize(
    ("sent", "kind"),
    [(b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n", UnreachableError), (b"", UnreachableError),
     (b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", StoreError),
     (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", StoreError),
     (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", StoreError)],
)  # fmt: skip
def test_what_is_no_chroma_server_is_said_plainly(sent: bytes, kind: type[StoreError]) -> None:
    with strange_server(sent) as url, pytest.raises(StoreError) as raised:
        ChromaServer(url).read("any")
    assert type(raised.value) is kind


def test_the_token_opens_the_proxy_and_a_wrong_one_is_refused_without_being_told(chroma: ChromaProcess) -> None:
    with asking_for_token(chroma.url, TOKEN) as url:
        ChromaServer(f"{url}/", TOKEN).make("token").add([1], np.eye(1, dtype=np.float32))
        assert len(ChromaServer(url, TOKEN).read("token")) == 1
        for token in ("", "wr0ng"):
            with pytest.raises(StoreError, match=r"refuses the token \(status 401\); correct RAG_CHROMA_TOKEN") as one:
                ChromaServer(url, token).read("token")
            assert TOKEN not in with_detail(one.value) and "wr0ng" not in with_detail(one.value)


def test_the_certificate_of_a_server_is_checked(
    chroma: ChromaProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    with asking_for_token(chroma.url, TOKEN, context) as url:
        with pytest.raises(UnreachableError) as raised:
            ChromaServer(url, TOKEN).make("secure")
        assert "CERTIFICATE_VERIFY_FAILED" in with_detail(raised.value)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        ChromaServer(url, TOKEN).make("secure")
    assert "secure" in chroma.collections()
