"""The whole set on one machine (deploy/serve_all.py) under load, and while its programs are killed."""

import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from unittest.mock import patch

import httpx

from trials.finding import Finding
from trials.library import Library, make_library

_ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(_ROOT / "deploy"))
from serve_all import Cluster, Program, StartError, answers, free_ports  # noqa: E402, F401

USERS = 50
_PATIENCE = 90.0
_GROWTH = 150.0
"""MB that a page may grow during the load."""
_BUSY = (429, 503)
"""Statuses of an announced "busy", or "not at the moment"."""


@dataclass
class Load:
    """What the users saw: seconds for each answer, sentences of refusals, what went wrong."""

    seconds: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def machines(folder: Path, short: bool) -> Finding:
    """Let users ask two copies of the page through the proxy for five minutes."""
    users, seconds = (8, 6.0) if short else (USERS, 300.0)
    with _running(short) as (cluster, library):
        warm = time.perf_counter() + seconds / 10
        _asked(cluster, library, users, lambda: time.perf_counter() > warm)
        before = _memory(cluster)
        began = time.perf_counter()
        load = _asked(cluster, library, users, lambda: time.perf_counter() - began > seconds)
        took = time.perf_counter() - began
        after = _memory(cluster)
    grown = max(later - earlier for earlier, later in zip(before, after, strict=True))
    wrong = [*load.wrong, *([f"a page grew by {grown:.0f} MB"] if grown > _GROWTH and not short else [])]
    if not load.seconds:
        return Finding(f"{users} users", "no answer", ("nobody was answered", *wrong))
    p95 = quantiles(load.seconds, n=20)[-1] if len(load.seconds) > 1 else load.seconds[0]
    return Finding(
        f"{users} users ask two copies of the page through a proxy for {took:.0f} s; the model writes 20 tokens a second",
        f"{len(load.seconds):,} answers, {60 * len(load.seconds) / took:.0f} a minute, p50 {median(load.seconds):.1f} s, "
        f"p95 {p95:.1f} s; {sum(load.refused.values()):,} were told to wait; a page has {max(after):.0f} MB, at most "
        f"{grown:.0f} MB more than before",
        tuple(wrong),
    )


def killed(folder: Path, short: bool) -> Finding:
    """Kill a page, the Chroma server and PostgreSQL while users ask."""
    users, pause = (4, 4.0) if short else (20, 20.0)
    with _running(short) as (cluster, library):
        ended = threading.Event()
        with ThreadPoolExecutor(1) as side:
            asking = side.submit(_asked, cluster, library, users, ended.is_set)
            away = {}
            try:
                for name in ("page 1", "Chroma", "PostgreSQL"):
                    time.sleep(pause)
                    away[name] = _kill(cluster.programs[name])
                time.sleep(pause)
            finally:
                ended.set()
            load = asking.result()
        last = _asked(cluster, library, users, lambda: True)
    cut = sum(one.startswith("cut: ") for one in load.wrong)
    wrong = [one for one in load.wrong if not one.startswith("cut: ")] + last.wrong
    if cut > users:
        wrong.append(f"{cut} answers were cut off, and only those in flight may be")
    told = "; ".join(f"“{sentence}” {number} times" for sentence, number in load.refused.most_common(5))
    gone = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in away.items())
    return Finding(
        f"a page, the Chroma server and PostgreSQL killed under {users} users, and started again ({gone} away)",
        f"{len(load.seconds):,} answers, {cut} cut off; {told or 'nobody was refused'}; afterwards all are answered",
        tuple(wrong),
    )


@contextmanager
def _running(short: bool) -> Iterator[tuple[Cluster, Library]]:
    """The set over an index of a library, which starts again what ends."""
    (port,) = free_ports(1)
    # The folders of the tests are closed to PostgreSQL's user.
    with tempfile.TemporaryDirectory(prefix="cluster", dir="/tmp") as folder:
        library = make_library(Path(folder) / "texts", 20, 10)
        model = Program(
            "model", [sys.executable, Path(__file__).with_name("model.py"), str(port)], Path(folder) / "model.log",
            lambda: answers(port),
        )  # fmt: skip
        model.start()
        limits = {"RAG_PER_MINUTE": "0", "RAG_AT_ONCE": "16", "RAG_QUEUE": "40"}
        try:
            model.wait()
            with (
                patch.dict("os.environ", limits),
                Cluster(Path(folder), base_url=f"http://127.0.0.1:{port}/v1") as set_,
            ):
                set_.start([str(Path(folder) / "texts")])
                threading.Thread(target=set_.watch, daemon=True).start()
                yield set_, library
        finally:
            model.stop()


def _asked(cluster: Cluster, library: Library, users: int, has_ended: Callable[[], bool]) -> Load:
    """Let each user ask one question after the other, once at least."""
    load = Load()
    questions = [text.splitlines()[0] for text in library.texts.values()]

    def user(number: int) -> None:
        address = {"X-Forwarded-For": f"10.0.{number // 250}.{number % 250 + 1}"}
        with httpx.Client(base_url=cluster.url, timeout=_PATIENCE, headers=address) as http:
            asked = 0
            while not asked or not has_ended():
                words = questions[(number * 31 + asked) % len(questions)].split()
                asked += 1
                began = time.perf_counter()
                try:
                    reply = http.post("/api/ask", json={"question": f"{' '.join(words)} {number} {asked}?"})
                except httpx.TransportError as error:
                    load.wrong.append(f"cut: {type(error).__name__}")
                    continue
                if reply.status_code == 200:
                    load.seconds.append(time.perf_counter() - began)
                elif reply.status_code in _BUSY and "application/json" in reply.headers["Content-Type"]:
                    load.refused[str(reply.json()["error"])] += 1
                    time.sleep(0.5)
                elif reply.status_code in {502, 503, 504}:  # The proxy's own, where a copy died with the answer.
                    load.wrong.append(f"cut: {reply.status_code}")
                else:
                    load.wrong.append(f"a question was answered with {reply.status_code}: {reply.text[:200]}")

    with ThreadPoolExecutor(users) as pool:
        list(pool.map(user, range(users)))
    return load


def _kill(program: Program) -> float:
    """Kill it; the seconds until it answers again."""
    assert program.process
    before, began = program.process.pid, time.perf_counter()
    program.process.send_signal(signal.SIGKILL)
    while program.process.pid == before or not program.ready():
        if time.perf_counter() - began > _PATIENCE:
            raise RuntimeError(f"{program.name} did not come back")
        time.sleep(0.05)
    return time.perf_counter() - began


def _memory(cluster: Cluster) -> list[float]:
    """MB of each page, without what it maps from files."""
    sizes = []
    for name, program in cluster.programs.items():
        if name.startswith("page") and program.process:
            status = Path(f"/proc/{program.process.pid}/status").read_text(encoding="utf-8")
            sizes.append(int(status.partition("RssAnon:")[2].split()[0]) / 1024)
    return sizes
