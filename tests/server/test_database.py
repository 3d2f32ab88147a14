"""The databases of the store: migrations, a server that is down, moving from one to the other."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from postgres import Postgres
from pydantic import SecretStr
from sqlalchemy import text

import rag.server.migrations
from rag.errors import SettingsError, StoreError
from rag.server.database import Database, PostgreSQL, SQLiteFile
from rag.server.move import move_store
from rag.server.records import Rating, Turn, to_bytes
from rag.server.schema import METADATA, VERSION
from rag.server.store import FILE, Store, open_store
from rag.settings import ServerSettings

FIRST = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS conversations (
    owner BLOB NOT NULL, conversation BLOB NOT NULL, title TEXT NOT NULL, updated REAL NOT NULL,
    PRIMARY KEY (owner, conversation)
);
CREATE TABLE IF NOT EXISTS turns (
    owner BLOB NOT NULL, conversation BLOB NOT NULL, number INTEGER NOT NULL, turn BLOB NOT NULL,
    PRIMARY KEY (owner, conversation, number),
    FOREIGN KEY (owner, conversation) REFERENCES conversations ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS ratings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner BLOB NOT NULL, conversation BLOB NOT NULL, number INTEGER NOT NULL, rating BLOB NOT NULL,
    UNIQUE (owner, conversation, number)
);
CREATE TABLE IF NOT EXISTS sessions (token BLOB PRIMARY KEY, user BLOB NOT NULL, expires REAL NOT NULL);
"""
"""The tables as the first version made them, which had no migrations."""
TURN = Turn(1, "Who leads \ud800 \0?", text="Mark.", state="done")
RATING = Rating("c", 1, True, "", "", "", TURN, (), 5.0)
KEYS = b"ann\xed\xa0\x80", b"c"


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A file of the first version, with a conversation, ratings of which the last was taken back, and a session."""
    path = tmp_path / "store" / FILE
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as file, file:
        file.executescript(FIRST)
        file.execute("INSERT INTO conversations VALUES (?, ?, ?, 7.5)", [*KEYS, "Who\0?"])
        file.execute("INSERT INTO turns VALUES (?, ?, 1, ?)", [*KEYS, to_bytes(TURN)])
        for number in (1, 2):
            file.execute(
                "INSERT INTO ratings (owner, conversation, number, rating) VALUES (?, ?, ?, ?)",
                [*KEYS, number, to_bytes(RATING)],
            )
        file.execute("DELETE FROM ratings WHERE number = 2")
        file.execute("INSERT INTO sessions VALUES (?, ?, 1e12)", [sha256(b"token").digest(), KEYS[0]])
    return path


def check_first(store: Store) -> None:
    """What the file of the first version held is there, and can be changed."""
    owner = "ann\ud800"
    assert store.read(owner, "c") == (TURN,) and list(store.ratings()) == [(1, RATING)]
    assert [(one.id, one.updated) for one in store.conversations(owner)] == [("c", 7.5)]
    store.write(owner, "c", (TURN, Turn(2, "And?", state="done")))
    store.rename(owner, "c", "Named")
    assert [(one.title, one.turns) for one in store.conversations(owner)] == [("Named", 2)]
    store.delete(owner, "c")
    assert store.conversations(owner) == [] and list(store.ratings()) == []


# Migrations


def test_a_file_of_the_first_version_is_taken_over_without_loss_and_again(first: Path) -> None:
    with Store(first) as store:
        assert store.session_user("token") == "ann\ud800"
    with Store(first) as store:
        store.rate("ann", RATING)
        assert [number for number, _ in store.ratings()] == [1, 3]
        store.unrate("ann", "c", 1)
        check_first(store)


@pytest.fixture(params=["file", pytest.param("address", marks=pytest.mark.slow)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "file":
        return SQLiteFile(tmp_path / FILE)
    return PostgreSQL(request.getfixturevalue("postgres").create())


def test_the_migrations_make_the_tables_of_the_schema_and_their_head_is_its_version(opened: Database) -> None:
    with opened.use() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == VERSION
        assert compare_metadata(context, METADATA) == []
    opened.close()
    assert ScriptDirectory(Path(rag.server.migrations.__file__).parent).get_current_head() == VERSION


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with Store(tmp_path / FILE) as store:
        store.write("ann", "c", [TURN])
    with closing(sqlite3.connect(tmp_path / FILE)) as file, file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="made by a newer version"):
        Store(tmp_path / FILE)


@pytest.mark.parametrize("where", ["file", pytest.param("address", marks=pytest.mark.slow)])
def test_many_that_open_an_empty_or_old_store_at_once_all_get_it(
    where: str, first: Path, request: pytest.FixtureRequest
) -> None:
    place = first if where == "file" else request.getfixturevalue("postgres").create()
    failed: list[Exception] = []
    together = threading.Barrier(4)

    def use(name: str) -> None:
        together.wait()
        try:
            with Store(place) as store:
                store.write(name, "c", [TURN])
        except Exception as error:  # noqa: BLE001 - the test tells it
            failed.append(error)

    threads = [threading.Thread(target=use, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    with Store(place) as store:
        assert all(store.read(str(number), "c") == (TURN,) for number in range(4))
        assert where == "address" or store.read("ann\ud800", "c") == (TURN,)


KILLED = """
import os, sys
from pathlib import Path
from alembic import command
from rag.server.database import PostgreSQL, SQLiteFile

def upgrade(config, to):
    upgraded(config, "0001")
    os._exit(9)

upgraded, command.upgrade = command.upgrade, upgrade
place = sys.argv[1]
SQLiteFile(Path(place)) if place.startswith("/") else PostgreSQL(place)
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["file", pytest.param("address", marks=pytest.mark.slow)])
def test_one_that_is_killed_while_it_migrates_leaves_what_was_there(
    where: str, first: Path, request: pytest.FixtureRequest
) -> None:
    place = first if where == "file" else request.getfixturevalue("postgres").create()
    assert subprocess.run([sys.executable, "-c", KILLED, place], check=False, timeout=120).returncode == 9
    if where == "file":
        with closing(sqlite3.connect(first)) as file:
            assert not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchall()
    with Store(place) as store:
        if where == "file":
            check_first(store)
        store.write("ann", "c", [TURN])
        assert store.read("ann", "c") == (TURN,)


# From a file into PostgreSQL


def test_a_store_is_moved_into_an_empty_database_whole_and_once(
    first: Path, address: str, settings: ServerSettings
) -> None:
    settings = settings.model_copy(update={"store": first.parent, "database": SecretStr(address)})
    said = move_store(settings)
    assert said.startswith("Copied 1 conversations and 1 ratings from") and address not in said
    with open_store(settings) as store:
        assert [one.title for one in store.conversations("ann\ud800")] == ["Who\ufffd?"]
        assert store.session_user("token") == "ann\ud800"
        store.rate("bob", RATING)
        assert [number for number, _ in store.ratings()] == [1, 2]
        store.delete("bob", "c")
        with pytest.raises(StoreError, match="holds a store already; name an empty one"):
            move_store(settings)
        check_first(store)
    with Store(first) as store:
        check_first(store)


def test_what_cannot_be_moved_is_one_sentence(tmp_path: Path, address: str, settings: ServerSettings) -> None:
    with pytest.raises(SettingsError, match="set RAG_DATABASE"):
        move_store(settings)
    with pytest.raises(StoreError, match="There is no store"):
        move_store(settings.model_copy(update={"store": tmp_path, "database": SecretStr(address)}))
    assert not (tmp_path / FILE).exists()


# A server that is down


@pytest.mark.slow
def test_a_server_that_is_down_is_one_sentence_and_used_again_when_it_is_back(
    own_postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    with Store(own_postgres.create()) as store:
        store.write("ann", "c", [TURN])
        for how in ("fast", "immediate"):
            own_postgres.stop(how)
            for use in (lambda: store.read("ann", "c"), lambda: store.write("ann", "c", [TURN])):
                with pytest.raises(StoreError, match=r"at the moment \(the database does not answer\); try") as raised:
                    use()
                assert "127.0.0.1" not in str(raised.value)
            own_postgres.start()
            assert store.read("ann", "c") == (TURN,)
            store.write("bob", how, [TURN])
    assert f"127.0.0.1:{own_postgres.port}" in caplog.text and "Mark" not in caplog.text


def test_a_connection_that_the_server_ended_costs_nothing(address: str) -> None:
    with Store(address) as store:
        store.write("ann", "c", [TURN])
        other = PostgreSQL(address)
        with other.begin() as connection:
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid()"
            connection.execute(text(f"{ended} AND datname = current_database()"))
        other.close()
        assert store.read("ann", "c") == (TURN,)


@pytest.mark.parametrize("address", ["mysql://host/name", "page", "postgresql+psycopg://host:port/name"])
def test_a_wrong_address_is_a_setting_to_correct(address: str) -> None:
    with pytest.raises(SettingsError, match="RAG_DATABASE is no address of PostgreSQL; write it as"):
        PostgreSQL(address)


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match=r"psycopg is not installed; install it with"):
        PostgreSQL("postgresql://page@127.0.0.1:1/page")


def test_a_server_that_does_not_answer_is_said_without_the_password() -> None:
    with pytest.raises(StoreError, match=r"cannot be used .*; see that it runs") as raised:
        PostgreSQL("postgresql://page:secret@127.0.0.1:1/page")
    assert "secret" not in str(raised.value) and "127.0.0.1:1/page" in str(raised.value)


def test_one_that_is_closed_says_so(address: str) -> None:
    store = Store(address)
    store.close()
    with pytest.raises(StoreError, match="it is closed"):
        store.read("ann", "c")
