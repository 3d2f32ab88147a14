"""Fresh processes that ingest, or start and answer once: their seconds and their memory.

The process measured is `python -m eval.fresh STEPS FOLDER INDEX QUESTION`; it prints a JSON object for each step done.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from rag.errors import RagError
from rag.settings import ALONE, Settings, read_settings
from rag.types import Answer

INGEST, START, PEER, BUILD, SEARCH = "ingest", "start", "peer", "build", "search"
_EVERY = 0.05
"""Seconds between two looks at the memory."""


class BenchError(RagError):
    """Something cannot be measured."""


@dataclass(frozen=True)
class Fresh:
    """What a fresh process did: seconds until each step, what it said, its peak MB.

    The memory is what it and the processes that it started held together; None where /proc does not tell.
    """

    seconds: Mapping[str, float]
    peak_mb: float | None
    said: Mapping[str, Any] = field(default_factory=dict)


# The side that measures


def measured(what: str, folder: Path, index: Path, question: str = "") -> Fresh:
    """Run INGEST, START, PEER, BUILD or SEARCH in a fresh process. Raises BenchError if it fails."""
    began = perf_counter()
    command = [sys.executable, "-m", "eval.fresh", what, str(folder), str(index), question]
    seconds: dict[str, float] = {}
    said: dict[str, Any] = {}
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
        _Memory(process.pid) as memory,
        _Complaints(process) as complaints,
    ):
        for line in process.stdout or ():
            step = _step(line)
            if step:
                seconds[str(step.pop("step"))] = perf_counter() - began
                said |= step
        code = process.wait()
    if code:
        last = next((line.strip() for line in reversed(complaints) if line.strip()), f"exit code {code}")
        raise BenchError(f"The process that was to {_DOES[what]} failed: {last}")
    return Fresh(seconds, memory.peak_mb, said)


_DOES = {
    INGEST: "build the index", START: "start the chatbot", PEER: "start the tutorial's chain",
    BUILD: "build the made index", SEARCH: "search the made index",
}  # fmt: skip


def _step(line: str) -> dict[str, Any]:
    """A line of the process as a step, empty if it is something else."""
    with suppress(ValueError):
        step = json.loads(line)
        if isinstance(step, dict) and "step" in step:
            return step
    return {}


class _Complaints:
    """Reads what a process complains of, so that it never waits for room to complain."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._lines: list[str] = []
        self._thread = threading.Thread(target=lambda: self._lines.extend(process.stderr or ()), daemon=True)

    def __enter__(self) -> list[str]:
        self._thread.start()
        return self._lines

    def __exit__(self, *_: object) -> None:
        self._thread.join()


class _Memory:
    """Looks at the memory of a process and its children until it is left."""

    def __init__(self, pid: int) -> None:
        self.peak_mb: float | None = None
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_EVERY):
            together = [resident_mb(pid) for pid in _tree(self._pid)]
            found = sum(one for one in together if one is not None)
            if found:
                self.peak_mb = max(self.peak_mb or 0.0, found)


def resident_mb(pid: int | str = "self") -> float | None:
    """What a process holds in memory, in MB; None where /proc does not tell."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1000 * 1.024
    return None


def _tree(pid: int) -> Iterator[int]:
    """The process and those that it started, and so on."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                for child in (task / "children").read_text(encoding="utf-8").split():
                    yield from _tree(int(child))


# The side that is measured


def main(arguments: Sequence[str]) -> int:
    """Do what is named, saying each step; returns the exit code."""
    what, folder, index, question = arguments
    try:
        settings = read_settings(index=Path(index), **ALONE)
        if what == INGEST:
            _ingest(settings, Path(folder))
        elif what in {BUILD, SEARCH}:
            from eval import scale_steps

            step = scale_steps.build if what == BUILD else scale_steps.search
            _say(what, **step(Path(folder), settings.index))
        else:
            (_start if what == START else _peer)(settings, question)
    except RagError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _say(step: str, **more: object) -> None:
    print(json.dumps({"step": step, **more}), flush=True)


def _ingest(settings: Settings, folder: Path) -> None:
    from eval.dataset import corpus_of
    from rag.documents.loader import Loader
    from rag.index.builder import BuildOptions, update

    with Loader(settings.online) as loader:
        outcome = update(settings.index, corpus_of(folder), BuildOptions.of(settings), loader)
    manifest = outcome.manifest
    _say("ingest", documents=manifest.documents, passages=manifest.passages, skipped=len(outcome.problems))


def _start(settings: Settings, question: str) -> None:
    from rag import Chatbot

    with Chatbot.open(settings) as bot:
        _say("open")
        _first(bot, question)


def _peer(settings: Settings, question: str) -> None:
    """Split, embed and store the documents of the index, open the model, answer."""
    from langchain_core.language_models import FakeListChatModel

    from eval.baseline import Baseline
    from rag.index.index import open_index
    from rag.models.chat_model import open_model
    from rag.models.embedder import embedder_name, make_embedder

    documents = open_index(settings.index, embedder_name(settings)).documents
    embedder = make_embedder(settings)
    with closing(Baseline(settings, FakeListChatModel(responses=["-"]), embedder, documents)) as baseline:
        _say("ingest", documents=len(documents), passages=baseline.passages)
        with open_model(settings) as model:
            baseline.use(model)
            _say("open")
            _first(baseline, question)


def _first(chain: Any, question: str) -> None:
    """Say when the first piece is there, or the Answer if it has none."""
    for event in chain.stream(question, history=[]):
        if isinstance(event, str | Answer):
            _say("answering")
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
