"""Build the index from files, folders and web addresses; without a path, update what was named last."""

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rag.documents.loader import Loader
from rag.errors import RagError, with_detail
from rag.index.builder import BuildOptions, update
from rag.index.corpus import next_corpus
from rag.index.health import check, list_lines, some, status_lines
from rag.index.manifest import Corpus
from rag.index.ray_workers import LOCAL
from rag.index.shared import Remote
from rag.index.snapshot import roll_back
from rag.models.progress import terminal_progress
from rag.settings import Settings, read_settings

_ADDRESS = re.compile(r"auto|[\w.-]+:\d+")
"""Of a Ray cluster."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `python ingest.py`.

    Returns the exit code: 0, or 1 after one sentence on standard error.
    """
    arguments = _arguments(argv)
    try:
        settings = read_settings(**({"online": True} if arguments.online else {}))
        return _run(settings, arguments)
    except RagError as error:
        print(with_detail(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; the index is as it was, and what was embedded is kept for the next run.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # What reads the list has had enough of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(settings: Settings, arguments: argparse.Namespace) -> int:
    remote = Remote.of(settings)
    if arguments.status:
        lines, sound = status_lines(settings.index, remote)
        print("\n".join(lines))
        return 0 if sound else 1
    if arguments.list:
        print("\n".join(list_lines(settings.index)), flush=True)
    elif arguments.check:
        print(check(settings.index, remote))
    elif arguments.rollback:
        manifest = remote.shared.go_back(settings.index) if remote.shared else roll_back(settings.index)
        print(f"The index is the one of {manifest.created} again: {manifest.summary()}.")
    else:
        named = {name: getattr(arguments, name) for name in ("paths", "add", "remove", "include", "exclude")}
        return ingest(settings, lambda: next_corpus(settings, **named), arguments.rebuild, arguments.ray)
    return 0


def ingest(
    settings: Settings, corpus: Corpus | Callable[[], Corpus], rebuild: bool = False, ray: str | None = None
) -> int:
    """Bring the index to what `corpus` holds now, and say what was done.

    `ray` is the address of a cluster that does the work, if any. Returns the exit code, which is 1 if a document had
    to be skipped, but not if a part of one was left out. Raises RagError if nothing could be indexed.
    """
    began = time.perf_counter()
    with _means(settings, ray) as (loader, options), terminal_progress("") as progress:
        outcome = update(settings.index, corpus, options, loader, rebuild=rebuild, progress=progress)
    for problem in outcome.problems:
        print(f"Skipped: {problem}", file=sys.stderr)
    for line in some(outcome.left_out):
        print(f"Left out: {line}")
    print(outcome.line(time.perf_counter() - began))
    return 1 if outcome.problems else 0


@contextmanager
def _means(settings: Settings, ray: str | None) -> Iterator[tuple[Loader, BuildOptions]]:
    """What reads and embeds: this process, or the workers of the Ray cluster at that address."""
    if ray is None:
        with Loader(settings.online) as loader:
            yield loader, BuildOptions.of(settings)
    else:
        from rag.index.distributed import workers

        with workers(settings, ray) as means:
            yield means


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python ingest.py", description=__doc__)
    parser.add_argument("paths", nargs="*", help="files, folders and web addresses: the index holds exactly these")
    parser.add_argument("--add", nargs="+", metavar="PATH", default=[], help="add these to the index")
    parser.add_argument("--remove", nargs="+", metavar="SOURCE", default=[], help="take these out, by --list")
    parser.add_argument("--include", action="append", metavar="PATTERN", help="take only this from folders")
    parser.add_argument("--exclude", action="append", metavar="PATTERN", help="leave this out, as in .gitignore")
    parser.add_argument("--online", action="store_true", help="allow fetching web addresses")
    parser.add_argument("--rebuild", action="store_true", help="read every document anew")
    parser.add_argument("--ray", nargs="?", const=LOCAL, metavar="ADDRESS", help="read and embed on a Ray cluster")
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument("--status", action="store_true", help="say what the index holds and whether it is sound")
    doing.add_argument("--check", action="store_true", help="check all of the index")
    doing.add_argument("--list", action="store_true", help="list the documents")
    doing.add_argument("--rollback", action="store_true", help="go back to the index before this one")
    arguments = parser.parse_args(argv)
    if arguments.ray and not (arguments.ray == LOCAL or _ADDRESS.fullmatch(arguments.ray)):
        arguments.paths.insert(0, arguments.ray)  # "--ray notes": no address, but the first path.
        arguments.ray = LOCAL
    asks = arguments.status or arguments.check or arguments.list or arguments.rollback
    if asks and sum(map(bool, vars(arguments).values())) > 1:
        parser.error("--status, --check, --list and --rollback go with nothing else")
    return arguments


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):  # A terminal that lacks a letter of a name shows a question mark.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.exit(main())
