"""A PostgreSQL server of its own for the tests, on loopback, with a fresh database for each test that wants one."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from rag.server.cluster import Cluster
from rag.server.database import PostgreSQL
from rag.server.schema import METADATA

_SERVER_USER = "postgres" if os.geteuid() == 0 else None  # It refuses to run as root.


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    beside = shutil.which("initdb")
    assert found or beside, "Install PostgreSQL: apt-get install postgresql"
    return found[-1].parent if found else Path(str(beside)).parent


class Postgres:
    """A server with its files in a folder; it can be stopped and started again."""

    shared = ""
    """The address of the database that tests use one after the other."""

    def __init__(self, folder: Path) -> None:
        self._binaries = _binaries()
        self._files = folder / "files"
        self._numbers = count(1)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        if _SERVER_USER:
            shutil.chown(folder, _SERVER_USER)
        self._run("initdb", "--auth=trust", "--username=page", "--encoding=UTF8", "--no-sync")
        with (self._files / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\nfsync = off\n"
                "shared_buffers = 16MB\nmax_connections = 100\n"
            )
        self.start()

    def start(self) -> None:
        self._run("pg_ctl", "-w", "-t", "60", "-l", str(self._files / "log"), "start")

    def stop(self, how: str = "fast") -> None:
        self._run("pg_ctl", "-w", "-t", "60", "-m", how, "stop")

    def restart(self) -> None:
        self.stop()
        self.start()

    def address(self, name: str) -> str:
        return f"postgresql+psycopg://page@127.0.0.1:{self.port}/{name}"

    def create(self) -> str:
        """The address of a new database."""
        name = f"test{next(self._numbers)}"
        self.run(self.address("postgres"), f"CREATE DATABASE {name} TEMPLATE template0")
        return self.address(name)

    @staticmethod
    def run(address: str, command: str) -> None:
        """Run a command in a database, outside of a transaction."""
        engine = create_engine(address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(command))
        engine.dispose()

    def _run(self, program: str, *arguments: str) -> None:
        # To a file: what a server inherits would be waited for.
        command = [self._binaries / program, "-D", self._files, *arguments]
        done = subprocess.run(
            command, user=_SERVER_USER, cwd="/", stdin=-3, stdout=-3, stderr=-3, check=False, timeout=120
        )
        assert done.returncode == 0, command


@contextmanager
def serving_postgres() -> Iterator[Postgres]:
    """A running server, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="postgres") as folder:
        server = Postgres(Path(folder))
        try:
            yield server
        finally:
            server.stop("immediate")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server that tests share, which leave it running."""
    with serving_postgres() as server:
        server.shared = server.create()
        PostgreSQL(server.shared).close()
        yield server


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server for one test, to stop and start."""
    with serving_postgres() as server:
        yield server


@pytest.fixture
def address(postgres: Postgres) -> str:
    """The address of a database with empty tables."""
    tables = ", ".join(METADATA.tables)
    postgres.run(postgres.shared, f"TRUNCATE {tables} RESTART IDENTITY")
    return postgres.shared


@pytest.fixture
def database(address: str) -> Iterator[PostgreSQL]:
    """That database, open."""
    opened = PostgreSQL(address)
    yield opened
    opened.close()


@pytest.fixture
def cluster(database: PostgreSQL) -> Iterator[Cluster]:
    """What one copy of the server shares through it."""
    opened = Cluster(database)
    yield opened
    opened.close()
