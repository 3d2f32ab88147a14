"""A process of its own that does one job and says at every step where it is, so that it can be ended at any of them.

The job is a line of JSON on standard input; every line on standard output is a JSON object.
`serve` forks such processes, for to import everything takes longer than most jobs.
"""

import functools
import json
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

import ingest
import rag.index.builder
import rag.index.shared
from chat_app import make_app
from rag.answer.evidence import content_words
from rag.chatbot import Chatbot
from rag.documents.loader import Loader
from rag.errors import RagError
from rag.index.builder import BuildOptions
from rag.index.health import verify, verify_apart
from rag.index.index import open_index
from rag.index.manifest import Corpus
from rag.models.reranker import Scores
from rag.server.log import start_logging
from rag.server.serve import listen, make_server
from rag.server.store import FILE, Store
from rag.settings import ServerSettings
from trials.library import EMBEDDER, WORDS, HashEmbedder

_STEPS = {
    "builder.survey": "looking", "builder.new_snapshot": "copying", "builder.store_vectors": "storing",
    "builder.seal": "sealing", "builder.publish": "publishing", "shared.remove_others": "removing",
    "builder.snapshots": "forgetting",
}  # fmt: skip
"""The functions, by the modules of rag.index that call them, with which a step begins."""


def say(**event: object) -> None:
    """Tell the parent."""
    print(json.dumps(event | {"at": time.monotonic()}), flush=True)


def _announce_steps() -> None:
    for place, step in _STEPS.items():
        module, _, name = place.partition(".")
        calling = getattr(rag.index, module)
        setattr(calling, name, _announced(getattr(calling, name), step))


def _announced(function: Callable[..., Any], step: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def announced(*arguments: Any, **options: Any) -> Any:
        say(step=step)
        return function(*arguments, **options)

    return announced


class _Slow(HashEmbedder):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        time.sleep(self._seconds)
        return super().embed_documents(texts)


def _update(job: dict[str, Any]) -> dict[str, object]:
    _announce_steps()

    def checked(snapshot: Path) -> list[str]:
        say(step="checking")
        return verify_apart(snapshot) if job.get("apart", True) else verify(snapshot)

    def progress(what: str, done: int, total: int) -> None:
        if done == 1 and what == "Reading documents":
            say(step="reading")

    build_options = BuildOptions(WORDS, EMBEDDER, lambda: _Slow(job.get("pause", 0.0)))
    with Loader() as loader:
        began = time.monotonic()
        say(step="starting")
        outcome = rag.index.builder.update(
            Path(job["index"]), Corpus((job["texts"],)), build_options, loader, progress=progress, verify=checked
        )
        seconds = time.monotonic() - began
    return {
        "changed": outcome.changed, "embedded": outcome.embedded, "problems": list(outcome.problems),
        "passages": outcome.manifest.passages, "seconds": seconds, "peak": _peak(),
    }  # fmt: skip


def _read_only(job: dict[str, Any]) -> dict[str, object]:
    """Ingest and read in a folder that may not be written; as root, after becoming nobody."""
    open_index(Path(job["index"]), EMBEDDER)  # Imports what a user may not be allowed to read.
    if os.getuid() == 0:
        os.setuid(65534)
    os.environ |= {"RAG_INDEX": job["index"]}
    writable = os.access(job["index"], os.W_OK)
    code = ingest.main([job["texts"]])
    sys.stderr.flush()
    index = open_index(Path(job["index"]), EMBEDDER)
    texts = [passage.text for passage in index.passages(list(index.by_words(job["canary"], 1)))]
    return {"writable": writable, "code": code, "texts": texts}


class _Reader(BaseChatModel):
    """Says Yes, or the first sentence of the text that it reads, word for word at a set pace."""

    @property
    def _llm_type(self) -> str:
        return "reader"

    def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("Yes"))])

    def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        found = re.search(r"<text>\n(?:.*[^.]\n)?(.*)", str(messages[0].content))
        for word in (found[1] if found else "Nothing.").split(" "):
            time.sleep(0.005)  # The model's pace.
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"{word} "))


class _SharedWords:
    """Scores a text by the words that it shares with the question."""

    def score(self, question: str, texts: Sequence[str]) -> Scores:
        asked = content_words(question)
        return np.array([4.0 * len(asked & content_words(text)) for text in texts], dtype=np.float32)


def _serve(job: dict[str, Any]) -> dict[str, object]:
    """Serve the page until the process is ended; says on which port."""
    settings = ServerSettings(_env_file=None, index=Path(job["index"]), store=Path(job["store"]), port=0, per_minute=0)
    start_logging(settings)
    with Store(settings.store / FILE) as store, listen(settings) as listener:
        bot = Chatbot(settings, open_index(settings.index, EMBEDDER), _Reader(), HashEmbedder(), _SharedWords())
        say(listening=listener.getsockname()[1])
        make_server(make_app(bot, store, settings, published=bot.refresh)).run([listener])
    return {}


def _peak() -> int:
    """The most memory that this process had, in bytes (not `ru_maxrss`, which starts at what the parent had)."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Do the job."""
    job = json.loads(sys.stdin.readline() or "{}")
    if not job:
        return
    tempfile.tempdir = os.environ["TMPDIR"] = job["temporary"]
    if limit := job.get("limit"):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        say(done={"update": _update, "read-only": _read_only, "serve": _serve}[job["do"]](job))
    except RagError as error:
        say(refused=str(error), kind=type(error).__name__)


def serve(parent: socket.socket) -> None:
    """Fork a process for every two files that come, its input and its output; its number is the answer.

    A number that comes is that of such a process; its exit code is the answer. Until then its number stays its own.
    """
    while True:
        message, files, *_ = socket.recv_fds(parent, 100, 2)
        if not message:
            break
        if not files:
            parent.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(int(message), 0)[1]))
        elif pid := os.fork():
            for file in files:
                os.close(file)
            parent.send(b"%d" % pid)
        else:
            os.setsid()
            parent.close()
            for file, number in ((files[0], 0), (files[1], 1), (files[1], 2)):
                os.dup2(file, number)
            for file in files:
                os.close(file)
            main()
            break


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
