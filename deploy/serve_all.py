"""Starts the whole set on this machine, and starts again what ends.

That is a model server, PostgreSQL, a Chroma server, copies of the page, and a proxy before them. PostgreSQL and HAProxy
come from the system (Debian: `apt-get install postgresql haproxy`), the rest from pip:
`pip install -c constraints.txt -e ".[local,cluster]"`.
"""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_connection, create_server
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

ROOT = Path(__file__).parents[1]
STARTING = 180.0
"""Seconds in which a program has to be ready."""
_WATCHED = 1.0
"""Seconds after which it is looked again whether all still run."""
_POLLED = 0.1
_ADMIN = "postgres" if os.name == "posix" and os.geteuid() == 0 else None
"""PostgreSQL refuses to run as root."""


class StartError(Exception):
    """What hinders the set from starting, in one sentence."""


@dataclass
class Program:
    """One process of the set. `ready` tells whether it answers."""

    name: str
    command: Sequence[object]
    log: Path
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, without waiting for it. Raises StartError if it is not installed."""
        with self.log.open("ab") as log:
            try:
                self.process = subprocess.Popen(
                    [str(part) for part in self.command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                    env=os.environ | self.environment, user=self.user, cwd=ROOT if self.user is None else "/",
                    start_new_session=True,  # Ctrl+C is for this script, which ends them in order.
                )  # fmt: skip
            except OSError as error:
                raise StartError(f"{self.name} cannot be started ({error.strerror}); install it.") from error

    def wait(self) -> None:
        """Until it is ready. Raises StartError if it ends or takes longer than STARTING."""
        end = time.monotonic() + STARTING
        while not self.ready():
            if self.has_ended or time.monotonic() > end:
                raise StartError(f"{self.name} does not answer; its log {str(self.log)!r} tells why.")
            time.sleep(_POLLED)

    @property
    def has_ended(self) -> bool:
        """Whether it was started and has ended."""
        return self.process is not None and self.process.poll() is not None

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End it, and wait for that."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Cluster:
    """The set with its data in a folder; a context manager, whose end ends all programs."""

    def __init__(self, folder: Path, port: int = 0, pages: int = 2, base_url: str = "") -> None:
        """`base_url` is a model server that runs already; else the installed model is served."""
        self.folder = folder.resolve()
        for part in ("logs", "chroma", "shared"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711)  # PostgreSQL's user goes through it.
        self._secrets = self._kept_secrets()
        ports = free_ports(pages + 5)
        self.port = port or ports[0]
        self.url = f"http://127.0.0.1:{self.port}"
        _, self._postgres, self._chroma, self._chroma_door, self._model, *self._pages = ports
        self.base_url = base_url or f"http://127.0.0.1:{self._model}/v1"
        self.programs = {one.name: one for one in self._programs(serves_model=not base_url)}
        self._ending = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for program in reversed(self.programs.values()):
            program.stop(signal.SIGINT if program.name == "PostgreSQL" else signal.SIGTERM)

    def start(self, paths: Sequence[str] = ()) -> None:
        """Start all, with an index of these documents, or of those of last time. Raises StartError."""
        self._make_database()
        if (self.folder / "chroma" / "chroma.sqlite3").exists():
            command = [sys.executable, "-m", "rag.index.leftovers", str(self.folder / "chroma")]
            subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        for name in ("PostgreSQL", "Chroma", "proxy", "model server"):
            if name in self.programs:
                self.programs[name].start()
        for name in ("PostgreSQL", "Chroma"):
            self.programs[name].wait()
        self._create_database()
        if paths or not (self.folder / "shared" / "CURRENT").exists():
            self.ingest(*paths)
        for name, program in self.programs.items():
            if name.startswith("page"):
                program.start()
        for program in self.programs.values():
            program.wait()

    def ingest(self, *arguments: str) -> None:
        """Run `ingest.py` with these arguments for all pages. Raises StartError if there is no index then.

        Documents that are skipped do not hinder the rest.
        """
        command = [sys.executable, str(ROOT / "ingest.py"), *arguments]
        done = subprocess.run(command, env=os.environ | self.environment(), check=False)
        if done.returncode and not (self.folder / "shared" / "CURRENT").exists():
            raise StartError("The documents could not be indexed; the lines above tell why.")

    def watch(self) -> None:
        """Start again what ends, until this is ended itself."""
        while not self._ending.wait(_WATCHED):
            for program in self.programs.values():
                if program.has_ended and program.process:
                    print(f"{program.name} ended ({program.process.returncode}); it is started again.", flush=True)
                    program.start()

    def environment(self, copy: str = "builder") -> dict[str, str]:
        """The settings of a page, or of `ingest.py`."""
        password, token, key = (self._secrets[name] for name in ("database", "chroma", "model"))
        return {
            "RAG_INDEX": str(self.folder / copy),
            "RAG_STORE": str(self.folder / copy / "store"),
            "RAG_SHARED": str(self.folder / "shared"),
            "RAG_CHROMA_URL": f"http://127.0.0.1:{self._chroma_door}",
            "RAG_CHROMA_TOKEN": token,
            "RAG_DATABASE": f"postgresql+psycopg://page:{password}@127.0.0.1:{self._postgres}/page",
            "RAG_BASE_URL": self.base_url,
            "RAG_API_KEY": key,
            "RAG_ADD_DOCUMENTS": "false",
        }

    def _programs(self, serves_model: bool) -> Iterator[Program]:
        def program(name: str, command: Sequence[object], ready: str | int, **options: object) -> Program:
            log = self.folder / "logs" / f"{name.replace(' ', '-')}.log"
            return Program(name, command, log, (lambda: answers(ready)), **options)  # type: ignore[arg-type]

        if serves_model:
            server = [sys.executable, ROOT / "deploy" / "model_server.py", "--port", str(self._model)]
            yield program("model server", server, self._model, environment={"RAG_API_KEY": self._secrets["model"]})
        files = self.folder / "postgres"
        given = (f"port={self._postgres}", "listen_addresses=127.0.0.1", "unix_socket_directories=")
        postgres = [binary("postgres"), "-D", files, *(word for one in given for word in ("-c", one))]
        yield program("PostgreSQL", postgres, self._postgres, user=_ADMIN)
        chroma = [Path(sys.executable).with_name("chroma"), "run", "--path", self.folder / "chroma"]
        where = ["--host", "127.0.0.1", "--port", str(self._chroma)]
        yield program("Chroma", [*chroma, *where], f"http://127.0.0.1:{self._chroma}/api/v2/heartbeat")
        for number, port in enumerate(self._pages, 1):
            own = self.environment(f"page-{number}") | {"RAG_HOST": "127.0.0.1", "RAG_PORT": str(port)}
            page = [sys.executable, ROOT / "chat_app.py"]
            yield program(f"page {number}", page, f"http://127.0.0.1:{port}/ready", environment=own)
        yield program("proxy", ["haproxy", "-db", "-f", self._proxy_settings()], f"{self.url}/health")

    def _proxy_settings(self) -> Path:
        """HAProxy's file, which holds the token for Chroma."""
        pages = "\n".join(f"    server page{n} 127.0.0.1:{p} cookie page{n}" for n, p in enumerate(self._pages, 1))
        filled = (
            (ROOT / "deploy" / "haproxy.cfg").read_text(encoding="utf-8")
            .replace("@PORT@", str(self.port)).replace("@PAGES@", pages).replace("@CHROMA_PORT@", str(self._chroma))
            .replace("@CHROMA_DOOR@", str(self._chroma_door)).replace("@TOKEN@", self._secrets["chroma"])
        )  # fmt: skip
        file = self.folder / "haproxy.cfg"
        write_private(file, filled)
        return file

    def _kept_secrets(self) -> dict[str, str]:
        """Passwords of this set, made when it is started for the first time."""
        file = self.folder / "secrets.json"
        if not file.exists():
            made = {name: secrets.token_urlsafe(24) for name in ("database", "chroma", "model")}
            write_private(file, json.dumps(made))
        kept: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        return kept

    def _make_database(self) -> None:
        """PostgreSQL's files, when it is started for the first time."""
        files, password = self.folder / "postgres", self.folder / "password"
        if files.exists():
            return
        files.mkdir(mode=0o700)
        write_private(password, self._secrets["database"])
        if _ADMIN:
            shutil.chown(files, _ADMIN)
            shutil.chown(password, _ADMIN)
        given = ["--username=page", "--encoding=UTF8", "--auth=scram-sha-256", f"--pwfile={password}"]
        command = [binary("initdb"), "-D", str(files), *given]
        try:
            done = subprocess.run(command, user=_ADMIN, cwd="/", capture_output=True, text=True, check=False)
        except OSError as error:
            raise StartError(f"PostgreSQL cannot be started ({error.strerror}); install it.") from error
        finally:
            password.unlink()
        if done.returncode:
            shutil.rmtree(files)
            raise StartError(f"PostgreSQL's files cannot be made ({done.stderr.strip().splitlines()[-1]}).")

    def _create_database(self) -> None:
        import psycopg
        from psycopg.errors import DuplicateDatabase

        password = self._secrets["database"]
        end = time.monotonic() + STARTING
        while True:
            try:
                where = {"host": "127.0.0.1", "port": self._postgres, "user": "page", "password": password}
                with psycopg.connect(dbname="postgres", autocommit=True, **where) as connection:  # type: ignore[arg-type]
                    with contextlib.suppress(DuplicateDatabase):
                        connection.execute("CREATE DATABASE page")
                    return
            except psycopg.OperationalError as error:  # It listens before it takes connections.
                if time.monotonic() > end:
                    raise StartError(f"PostgreSQL takes no connections ({error}).") from error
                time.sleep(_POLLED)


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")


def binary(name: str) -> str:
    """A program of PostgreSQL, which Debian keeps out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else name


def free_ports(count: int) -> list[int]:
    """So many ports of loopback that are free now."""
    with ExitStack() as stack:
        return [stack.enter_context(create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(count)]


def answers(where: str | int) -> bool:
    """Whether an address gives a page, or a port takes connections."""
    if isinstance(where, int):
        try:
            create_connection(("127.0.0.1", where), 1).close()
        except OSError:
            return False
        return True
    try:
        with urlopen(where, timeout=10) as answer:
            return bool(answer.status == 200)
    except (HTTPError, URLError, OSError):
        return False


def main(argv: Sequence[str] | None = None) -> int:
    """Run the set until Ctrl+C; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python deploy/serve_all.py", description=__doc__)
    parser.add_argument("paths", nargs="*", help="documents to index; none: those of last time, or RAG_DATA")
    parser.add_argument("--folder", type=Path, default=Path("cluster"), help="where everything is kept")
    parser.add_argument("--port", type=int, default=7860, help="the port of the proxy; 0 takes any free one")
    parser.add_argument("--pages", type=int, default=2, help="copies of the page")
    parser.add_argument("--base-url", default="", help="an OpenAI-compatible model server that runs already")
    arguments = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Cluster(arguments.folder, arguments.port, arguments.pages, arguments.base_url) as cluster:
            cluster.start(arguments.paths)
            print(f"Open {cluster.url} in a browser; Ctrl+C ends everything.", flush=True)
            cluster.watch()
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
