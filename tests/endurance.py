"""Whether it survives: kills, a full disk, damage, many documents, hostile clients. Prints a table.

The exit code is 1 when it does not.

Run `python tests/endurance.py`, with names of trials for these only, with `--short` for the form that the tests run.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from trials.damage import damage
from trials.disk import full_disk, read_only
from trials.finding import Finding
from trials.kills import kills, two_writers
from trials.loading import fuzzed, mixed
from trials.machines import killed, machines
from trials.scale import incremental, memory
from trials.served import served
from trials.serving import hostile, republished
from trials.speed import throughput
from trials.workers import lost_workers, two_workers

TRIALS: dict[str, Callable[[Path, bool], Finding]] = {
    "kills": kills,
    "two-writers": two_writers,
    "full-disk": full_disk,
    "read-only": read_only,
    "damage": damage,
    "mixed": mixed,
    "incremental": incremental,
    "throughput": throughput,
    "lost-workers": lost_workers,
    "two-workers": two_workers,
    "memory": memory,
    "fuzz": fuzzed,
    "republished": republished,
    "served": served,
    "hostile": hostile,
    "machines": machines,
    "killed": killed,
}
_LONGEST = 1800
"""Seconds that a trial may take."""
_SHOWN = 5
"""Faults of a trial that are shown; the rest is counted."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the trials and print their table; the exit code is 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python tests/endurance.py", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"the trials to run: {', '.join(TRIALS)}")
    parser.add_argument("--short", action="store_true", help="run each in its short form, some seconds long")
    arguments = parser.parse_args(argv)
    if unknown := set(arguments.names) - set(TRIALS):
        parser.error(f"there is no trial {min(unknown)!r}")
    print("| Trial | Done | Result | Seconds |\n|---|---|---|---|")
    failed = False
    for name in arguments.names or TRIALS:
        began = time.perf_counter()
        with _at_most(_LONGEST):
            finding = attempt(name, arguments.short)
        failed = failed or bool(finding.wrong)
        print(f"| {name} | {finding.done} | {_shown(finding)} | {time.perf_counter() - began:.0f} |", flush=True)
    return 1 if failed else 0


def attempt(name: str, short: bool) -> Finding:
    """Run a trial in a folder of its own, which also holds everything temporary, and remove that."""
    with tempfile.TemporaryDirectory(prefix="endurance-", ignore_cleanup_errors=True) as folder:
        try:
            with _temporary(Path(folder, "tmp")):
                return TRIALS[name](Path(folder), short)
        except Exception as error:  # noqa: BLE001 - the other trials go on
            return Finding("", "", (f"{type(error).__name__}: {error}",))


def _shown(finding: Finding) -> str:
    if not finding.wrong:
        return finding.result
    more = [f"and {len(finding.wrong) - _SHOWN} more"] if len(finding.wrong) > _SHOWN else []
    return " ".join(f"FAILED: {'; '.join([*finding.wrong[:_SHOWN], *more])}".replace("|", "/").split())


@contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    """Have this process and its children put temporary files into `folder`, which anybody may use."""
    folder.mkdir()
    folder.chmod(0o777)
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    variable = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        del os.environ["TMPDIR"]
        if variable is not None:
            os.environ["TMPDIR"] = variable


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in what takes longer."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"it took longer than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    sys.exit(main())
