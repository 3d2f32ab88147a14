"""`python -m eval bench`: how fast the chatbot is, beside a peer and a floor."""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from eval.bench_table import Measured, figures, table
from eval.dataset import Question, choose, load, question_file
from eval.fresh import INGEST, PEER, START, BenchError, Fresh, measured, resident_mb
from eval.options import QUESTIONS
from eval.record import Chain
from eval.results import make_folder, public_settings, write
from eval.timing import Calls, Speed, Spread, Timed, counted, reading_speed, timed, writing_speed
from eval.typed import Typed, browser, typed
from rag import Chatbot, Settings, read_settings
from rag.errors import RagError
from rag.settings import ALONE

WARM_UP = Question("warm-up", "", "Who wrote this?", ())
"""Put to every chain before it is measured."""
SPEEDS = 2
"""How often the engine's speed is measured before the questions, and again after them."""
THIS, OTHER = "this", "peer"
Set = tuple[str, Path, list[Question]]
"""A name, the folder of documents, the questions to ask about them."""


def main(options: argparse.Namespace) -> int:
    """Measure each set, print its table, write all of it. Raises RagError."""
    settings = read_settings()
    sets = _sets(options, settings)
    make_folder(options.out)
    if options.scale:
        from eval.scale import measure_sizes  # It needs the extra "eval".

        return measure_sizes(sets, settings, options)
    if options.typed:
        with browser():
            pass  # It is there: better to know now than at the end.
    found = []
    for name, folder, questions in sets:
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            found.append(measure(name, folder, questions, settings, options, Path(scratch)))
        print(f"{table(found[-1])}\n", flush=True)
    now = datetime.now(UTC)
    path = options.out / f"{now:%Y%m%dT%H%M%SZ}-bench.json"
    write(path, json.dumps(_plain(now, settings, options, found), ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    print(f"Results: {path}")
    if failed := sum(each.failed for each in found):
        print(f"Questions that failed, and are in no figure: {failed}.", file=sys.stderr)
    return 0


def _sets(options: argparse.Namespace, settings: Settings) -> list[Set]:
    """The article, then the sets of --data. Raises DatasetError, or BenchError if that is nothing."""
    article = [("article", settings.data, choose(load(QUESTIONS), options))] if options.article else []
    others = [(one.resolve().name, one, choose(load(question_file(one)), options)) for one in options.data]
    if not article and not others:
        raise BenchError("There is nothing to measure; leave out --no-article, or name a set with --data.")
    return [*article, *others]


def measure(
    name: str, folder: Path, questions: Sequence[Question], settings: Settings, options: argparse.Namespace,
    scratch: Path,
) -> Measured:  # fmt: skip
    """All figures of one set; its indexes are built in `scratch`. Raises RagError."""
    index = scratch / "index"
    ingests = [measured(INGEST, folder, scratch / f"index-{number}") for number in range(1, options.ingests)]
    ingests.append(measured(INGEST, folder, index))
    first = questions[0].question
    starts: list[Fresh] = []
    peers: list[Fresh] = []
    for number in tqdm(range(max(options.starts, options.ingests)), f"{name}: starts", unit="start"):
        if number < options.starts:
            starts.append(measured(START, folder, index, first))
        if options.peer and number < options.ingests:
            peers.append(measured(PEER, folder, index, first))
    settings = settings.model_copy(update={"index": index, **ALONE})
    speed, chains, memory = answers(name, questions, settings, options.peer)
    pages: Sequence[Typed] = ()
    if options.typed:
        with Chatbot.open(settings) as bot:  # Anew: the engine of the other has read these questions.
            pages = typed(bot, settings, [one.question for one in questions if not one.history], scratch)
    ours, peer = tuple(chains[THIS]), tuple(chains.get(OTHER, ()))
    return Measured(name, tuple(ingests), tuple(starts), tuple(peers), speed, ours, peer, tuple(pages), memory)


def answers(
    name: str, questions: Sequence[Question], settings: Settings, peer: bool
) -> tuple[Speed, dict[str, list[Timed]], float | None]:
    """The engine's speed, the questions' times by chain, this process' MB afterwards."""
    with ExitStack() as stack:
        bot = stack.enter_context(Chatbot.open(settings))
        calls = stack.enter_context(counted(bot.model))
        chains: dict[str, Chain] = {THIS: bot}
        if peer:
            from eval.baseline import Baseline  # It needs the extra "eval".

            baseline = Baseline(settings, bot.model, bot.embedder, bot.documents)
            chains[OTHER] = stack.enter_context(closing(baseline))
        for chain in chains.values():
            timed(chain, WARM_UP, calls)
        speeds = _speeds(bot, settings, calls)
        times = by_turns(chains, questions, calls, name)
        memory = resident_mb()
        reads, writes = zip(*speeds, *_speeds(bot, settings, calls), strict=True)
        return Speed(Spread.of(reads), Spread.of(writes)), times, memory


def by_turns(
    chains: Mapping[str, Chain], questions: Sequence[Question], calls: Calls, name: str = ""
) -> dict[str, list[Timed]]:
    """Each question put to each chain, question by question.

    Every second question goes to the last chain first.
    """
    found: dict[str, list[Timed]] = {chain: [] for chain in chains}
    for number, question in enumerate(tqdm(questions, f"{name}: questions", unit="question")):
        for chain in list(chains)[:: -1 if number % 2 else 1]:
            found[chain].append(timed(chains[chain], question, calls))
    return found


def _speeds(bot: Chatbot, settings: Settings, calls: Calls) -> list[tuple[float | None, float | None]]:
    """How fast it reads and writes, SPEEDS times; None, and a line on stderr, if it fails."""
    found: list[tuple[float | None, float | None]] = []
    for _ in range(SPEEDS):
        try:
            reads = reading_speed(bot.model, settings, calls)
            found.append((reads, writing_speed(bot.model, settings, calls)))
        except RagError as error:  # The questions may do all the same.
            print(f"The engine's speed could not be measured: {error}", file=sys.stderr)
            found.append((None, None))
    return found


def _plain(
    now: datetime, settings: Settings, options: argparse.Namespace, found: Sequence[Measured]
) -> dict[str, object]:
    """What is written: the figures, and all that they are made of."""
    return {
        "made": now.isoformat(timespec="seconds"),
        "settings": public_settings(settings),
        "sample": options.sample,
        "seed": options.seed,
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "processor": platform.machine()},
        "sets": [{"figures": [asdict(one) for one in figures(each)], **asdict(each)} for each in found],
    }
