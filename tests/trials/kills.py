"""Updates that are killed at any moment, and updates that meet each other."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rag.index.health import verify_apart
from rag.index.index import open_index
from rag.index.snapshot import current_name, snapshots
from trials.finding import Finding
from trials.library import EMBEDDER, Library, differences, make_library
from trials.process import Child, updated

_STEPS = ["storing", "removing", "publishing", "checking", "copying", "forgetting", "reading", "sealing", "looking"]
"""In the order in which they are aimed at."""


def kills(folder: Path, short: bool) -> Finding:
    """Kill updates at moments spread over all their steps, and look each time for what is there and what is not."""
    times, (documents, passages) = (4, (12, 25)) if short else (100, (1050, 50))
    run = _Kills(folder / "index", make_library(folder / "texts", documents, passages), random.Random(3))
    run.measure()
    for number in range(times):
        with Child() as child:
            run.kill(child, number, times)
    run.recover()
    at = ", ".join(f"{step} {run.at[step]}" for step in [*run.starts, "afterwards"] if run.at[step])
    return Finding(
        f"{times} updates of {documents * passages:,} passages killed ({at}), 50 canaries after each",
        f"{run.before} times the index before, {times - run.before} times the new one, entirely; "
        f"open again after {median(run.seconds):.2f} s (at most {max(run.seconds):.2f} s)",
        tuple(run.wrong),
    )


@dataclass
class _Kills:
    """`published` are the texts in the index, `library` those on the disk."""

    index: Path
    library: Library
    rng: random.Random
    published: dict[str, str] = field(default_factory=dict)
    starts: dict[str, float] = field(default_factory=dict)
    at: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    before: int = 0
    wrong: list[str] = field(default_factory=list)

    def measure(self) -> None:
        """Build the index, update it once, and remember at which second each step began."""
        for _ in range(2):
            self.library.change(2)
            child = updated(self.index, self.library.folder)
            if "done" not in child.events[-1]:
                raise RuntimeError(f"the index could not be made: {child.events[-1]} {child.noise}")
        began = child.steps()["starting"]
        self.starts = {step: at - began for step, at in child.steps().items()}
        self.published = dict(self.library.texts)

    def kill(self, child: Child, number: int, times: int) -> None:
        """Change texts, start to update, kill, open, look."""
        self.library.change(2)
        after = dict(self.library.texts)
        name = current_name(self.index)
        child.begin(do="update", index=str(self.index), texts=str(self.library.folder))
        child.wait_for("step", "starting")
        self._wait(child, number, times)
        began = time.monotonic()
        step = child.kill()
        self.at[step] += 1
        index = open_index(self.index, EMBEDDER)
        self.seconds.append(time.monotonic() - began)
        changed = [file for file in {**self.published, **after} if self.published.get(file) != after.get(file)]
        if index.path.name == name:
            self.before += 1
        else:
            self.published = after
        wrong = differences(index, self.library, self.published, changed)
        if index.notice:
            wrong.append(index.notice)
        if step == "afterwards" and index.path.name == name:
            wrong.append("an update that ended was not published")
        self.wrong += [f"kill {number + 1} ({step}): {one}" for one in wrong]

    def _wait(self, child: Child, number: int, times: int) -> None:
        """Every other time for a moment of the whole duration, else for a moment of one step, in turn."""
        if number % 2 == 0:
            time.sleep((number + self.rng.random() * 2) / times * self.starts["end"] * 1.05)
            return
        step = _STEPS[number // 2 % len(_STEPS)]
        ends = [at for at in self.starts.values() if at > self.starts[step]]
        if child.wait_for("step", step):
            time.sleep(self.rng.random() * (min(ends) - self.starts[step]))

    def recover(self) -> None:
        """Update without a kill: everything is there, and nothing of what was left behind."""
        child = updated(self.index, self.library.folder)
        index = open_index(self.index, EMBEDDER)
        self.wrong += differences(index, self.library, self.library.texts)
        self.wrong += verify_apart(index.path, full=True)
        self.wrong += [f"{path.name} was left" for path in self.index.glob("*.building")]
        if "done" not in child.events[-1]:
            self.wrong.append(f"the update after the kills: {child.events[-1]}")
        if len(snapshots(self.index)) > 2:
            self.wrong.append("more than two snapshots were left")


def two_writers(folder: Path, short: bool) -> Finding:
    """Start two updates at once, and one after a process that was killed while it wrote."""
    times = 1 if short else 20
    index, library = folder / "index", make_library(folder / "texts", 12, 10)
    job = {"do": "update", "index": str(index), "texts": str(library.folder), "apart": not short}
    wrong: list[str] = []
    for number in range(times):
        library.change(1)
        with Child() as first, Child() as second:
            wrong += [f"pair {number + 1}: {one}" for one in (_race, _pair)[number % 2](first, second, job)]
        wrong += differences(open_index(index, EMBEDDER), library, library.texts)
        wrong += [f"after a killed writer: {one}" for one in _after_killed(library, job)]
    return Finding(
        f"{times} times two updates at once, and one after a writer that was killed",
        "one published, the other was refused with a sentence that names the process; the killed one hindered nobody",
        tuple(wrong),
    )


def _pair(first: Child, second: Child, job: dict[str, Any]) -> list[str]:
    """What is wrong with how a second writer met one that holds the lock for a second or so."""
    first.begin(**job, pause=1.0)
    first.wait_for("step", "copying")
    second.begin(**job)
    refused, done = second.result(), first.result()
    wrong = [] if "done" in done else [f"the first writer: {done} {first.noise}"]
    return wrong if _names(refused, first) else [*wrong, f"the second writer: {refused}"]


def _race(first: Child, second: Child, job: dict[str, Any]) -> list[str]:
    """What is wrong with how two met that began at the same moment."""
    for child in (first, second):
        child.begin(**job, pause=1.0)
    ends = [first.result(), second.result()]
    fine = {("done" in ends[0] and _names(ends[1], first)), ("done" in ends[1] and _names(ends[0], second))}
    return [] if True in fine else [f"two that began at once: {ends}"]


def _names(refused: dict[str, Any], holder: Child) -> bool:
    return f"is being written by process {holder.pid} since" in str(refused.get("refused"))


def _after_killed(library: Library, job: dict[str, Any]) -> list[str]:
    """What is wrong with an update after a writer was killed."""
    library.change(1)
    with Child() as killed, Child() as following:
        killed.begin(**job, pause=60)
        killed.wait_for("step", "storing")
        killed.kill()
        following.begin(**job)
        event = following.result()
    index = open_index(Path(job["index"]), EMBEDDER)
    wrong = differences(index, library, library.texts)
    return wrong if "done" in event else [str(event), *wrong]
