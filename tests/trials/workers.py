"""Updates on a Ray cluster of several nodes: workers and the driver killed midway, and how much two workers give."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings

from rag.documents.loader import Loader
from rag.index.builder import BuildOptions, Outcome, update
from rag.index.distributed import FOLDER, workers
from rag.index.health import verify, verify_apart
from rag.index.index import PASSAGES_FILE, VECTORS_FOLDER
from rag.index.manifest import Corpus
from rag.index.snapshot import snapshots
from rag.index.vectors import Vectors
from rag.models.embedder import make_embedder
from rag.models.progress import Progress, silent
from rag.settings import Settings
from trials.finding import Finding
from trials.library import EMBEDDER, WORDS, HashEmbedder, make_library
from trials.speed import write

_TABLES = ("files", "sources", "documents", "passages", "embedded")
_TARGET = 1.7
_PATHS = os.pathsep.join(map(str, (Path(__file__).parents[1], Path(__file__).parents[2])))
"""Where the workers find these trials and the product."""


class Mortal(HashEmbedder):
    """Notes each batch in a folder; the worker that comes to the second one is killed, once."""

    def __init__(self, notes: Path) -> None:
        self._notes = notes

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        (self._notes / f"{time.monotonic_ns()} {os.getpid()} {len(texts)}").touch()
        if len(list(self._notes.glob("* *"))) >= 2 and not (self._notes / "killed").exists():
            (self._notes / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed_documents(texts)


@contextmanager
def cluster(nodes: int) -> Iterator[str]:
    """A Ray cluster of so many nodes on this machine, with a worker each; gives its address."""
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": _PATHS}
    own = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        for _ in range(nodes - 1):
            own.add_node(num_cpus=1)
        yield own.address
    finally:
        own.shutdown()


def spread_update(
    index: Path, texts: Path, address: str, load: Callable[[], Embeddings], words: int = WORDS,
    progress: Progress = silent, check: Callable[[Path], list[str]] = verify,
) -> Outcome:  # fmt: skip
    """An update by the workers of the cluster at `address`."""
    settings = Settings(_env_file=None, index=index, passage_words=max(words, 20), embedder="")
    with workers(settings, address, load) as (loader, options):
        own = BuildOptions(words, options.embedder, options.load_embedder)
        return update(index, Corpus((str(texts),)), own, loader, progress=progress, verify=check)


def differences(one: Path, other: Path) -> list[str]:
    """What two indexes do not have in common: rows, ids, bits of vectors."""
    newest = [snapshots(index)[0] for index in (one, other)]
    wrong = []
    for table in _TABLES:
        rows = []
        for snapshot in newest:
            with closing(sqlite3.connect(snapshot / PASSAGES_FILE)) as database:
                rows.append(database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall())
        wrong += [] if rows[0] == rows[1] else [f"the tables {table!r} differ"]
    stored = [Vectors.read(snapshot / VECTORS_FOLDER) for snapshot in newest]
    ids = [range(1, len(each) + 1) for each in stored]
    first, second = (each.get(list(numbers)) for each, numbers in zip(stored, ids, strict=True))
    same = first.keys() == second.keys() and all(np.array_equal(first[one], second[one]) for one in first)
    return wrong if same else [*wrong, "the vectors differ"]


def lost_workers(folder: Path, short: bool) -> Finding:
    """Kill a worker while it embeds, and a driver; compare what is published with what one process makes."""
    documents, passages = (24, 100) if short else (400, 100)
    library = make_library(folder / "texts", documents, passages)
    (library.folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    with Loader() as loader:
        plain = BuildOptions(WORDS, EMBEDDER, HashEmbedder)
        alone = update(folder / "alone", Corpus((str(library.folder),)), plain, loader, verify=verify)
    (folder / "notes").mkdir()
    wrong: list[str] = []
    with cluster(2) as address:
        killed = _killed_driver(folder, address)
        read = len(list((folder / "spread" / FOLDER).glob("*.parquet")))
        load = partial(Mortal, folder / "notes")
        began = time.perf_counter()
        outcome = spread_update(folder / "spread", library.folder, address, load)
        seconds = time.perf_counter() - began
    wrong += [] if killed == -signal.SIGKILL else [f"the driver ended with {killed}"]
    wrong += [] if read else ["the killed driver left nothing that was read"]
    wrong += [] if (folder / "notes" / "killed").exists() else ["no worker was killed"]
    wrong += [] if outcome.problems == alone.problems else [f"other problems: {outcome.problems}"]
    wrong += [] if 0 < outcome.embedded < alone.embedded else [f"{outcome.embedded} passages were embedded again"]
    wrong += [] if not (folder / "spread" / FOLDER).exists() else ["what was read was left behind"]
    wrong += differences(folder / "alone", folder / "spread")
    return Finding(
        f"{alone.manifest.passages:,} passages on two nodes of one worker each; the driver killed, then a worker",
        f"went on with {read} files of what was read and {alone.embedded - outcome.embedded:,} vectors; "
        f"ids and vectors are bit for bit those of one process; {seconds:.1f} s",
        tuple(wrong),
    )


def _killed_driver(folder: Path, address: str) -> int:
    """Have another process drive an update, killed when it has some vectors; returns its exit code."""
    command = [sys.executable, "-m", "trials.workers", json.dumps([str(folder), address])]
    return subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=False
    ).returncode


def _drive(folder: Path, address: str) -> None:
    def progress(what: str, done: int, total: int) -> None:
        if what == "Embedding passages" and 0 < done < total:
            os.kill(os.getpid(), signal.SIGKILL)

    spread_update(folder / "spread", folder / "texts", address, HashEmbedder, progress=progress)


def two_workers(folder: Path, short: bool) -> Finding:
    """Ingest with one worker and with two, by turns, each with an embedder of one thread."""
    count, times, sizes = (20, 1, (2,)) if short else (8000, 3, (1, 2))
    write(folder / "texts", count)
    load: Callable[[], Any] = HashEmbedder if short else partial(make_embedder, Settings(_env_file=None, embedder=""))
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for number in range(times):
        for nodes in sizes:
            with cluster(nodes) as address:
                began = time.perf_counter()
                index = folder / f"index {number} {nodes}"
                outcome = spread_update(index, folder / "texts", address, load, words=110, check=verify_apart)
                seconds[nodes].append(time.perf_counter() - began)
    done = f"{outcome.manifest.passages:,} passages ingested by two Ray workers of one thread each"
    if short:
        return Finding(done, f"{seconds[2][0]:.1f} s")
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    wrong = [] if median(ratios) >= _TARGET else [f"{median(ratios):.2f} is less than {_TARGET}"]
    return Finding(
        f"{done} and by one, {times} times by turns",
        f"one {median(seconds[1]):.1f} s, two {median(seconds[2]):.1f} s: {median(ratios):.2f} times as fast "
        f"({min(ratios):.2f} to {max(ratios):.2f})",
        tuple(wrong),
    )


if __name__ == "__main__":
    place, where = json.loads(sys.argv[1])
    _drive(Path(place), where)
