"""Updates where there is no room, and where nothing may be written."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rag.index.index import open_index
from rag.index.snapshot import current_name, snapshots
from trials.finding import Finding
from trials.library import EMBEDDER, Library, differences, make_library
from trials.process import Child, updated

_AMPLE = 1 << 30
_SHARES = [0.0, 0.0001, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9]
"""Of the size of a snapshot: how much room there is."""
_NARROWED = 10
"""Times that the least room that is enough is narrowed down, and times that a little less is tried."""
_LIMITS = [0.0001, 0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95]
"""Of the size of the largest file: how large a file may become."""


def full_disk(folder: Path, short: bool) -> Finding:
    """Update with too little room, by more and more of it, so that another step fails each time."""
    library = make_library(folder / "texts", 30, 50)
    with _small_disk(folder / "disk") as allow:
        trial = _Rooms(folder / "disk" / "index", library, allow)
        trial.update("the first")
        sizes = sorted(path.stat().st_size for path in snapshots(trial.index)[0].rglob("*"))
        if allow:
            for share in _SHARES[:: len(_SHARES) // 2] if short else _SHARES:
                trial.update(f"{share:.2%} of the room", free=int(share * sum(sizes)))
            if not short:
                trial.narrow(2 * sum(sizes))
        for share in _LIMITS[::6] if short else _LIMITS:
            trial.update(f"files of {share:.2%} of the largest", limit=max(1, int(share * sizes[-1])))
        attempts = sum(trial.steps.values()) - 1
        trial.update("room again", anew=True)
        where = ", ".join(f"{step} {count}" for step, count in trial.steps.items() if step != "done")
    return Finding(
        f"{attempts} updates with too little room ({'on a small disk, then ' if allow else ''}with small files only); "
        f"failed at: {where}",
        "each ended with one sentence, the index before answered, and with room again the update succeeded",
        tuple(trial.wrong),
    )


@dataclass
class _Rooms:
    """Updates of one index with so much room; `allow` bounds the disk, where there is one that can be."""

    index: Path
    library: Library
    allow: Callable[[int], None] | None
    published: dict[str, str] = field(default_factory=dict)
    steps: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def update(self, what: str, free: int | None = None, limit: int = 0, anew: bool = False) -> bool:
        """Update with so many bytes free, or with files of at most `limit` bytes, and look at the index after it.

        Returns whether it was published.
        """
        if anew or self.library.texts == self.published:
            self.library.change(2)
        if self.allow and free is not None:
            self.allow(free)
        name = current_name(self.index)
        child = updated(self.index, self.library.folder, limit=limit)
        if self.allow:
            self.allow(_AMPLE)
        failed = current_name(self.index) == name
        if not failed:
            self.published = dict(self.library.texts)
        self.steps[child.step() if failed else "done"] += 1
        wrong = self._ended(child, failed)
        if failed and free is None and not limit:
            wrong.append("it failed with all the room there is")
        if current_name(self.index):
            opened = open_index(self.index, EMBEDDER)
            wrong += [*differences(opened, self.library, self.published), *([opened.notice] if opened.notice else [])]
        self.wrong += [f"{what} ({child.step()}): {one}" for one in wrong]
        return not failed

    def narrow(self, most: int) -> None:
        """Find the least room that is enough, at most so many bytes, and try less, down to what the copy needs."""
        least = copied = 0
        for _ in range(_NARROWED):
            middle = (least + most) // 2
            copying = self.steps["copying"]
            if self.update(f"{middle:,} bytes free", free=middle):
                most = middle
            else:
                least = middle
                copied = middle if self.steps["copying"] > copying else copied
        for number in range(_NARROWED):
            free = copied + (most - copied) * number // _NARROWED
            self.update(f"{free:,} bytes free", free=free)

    def _ended(self, child: Child, failed: bool) -> list[str]:
        """What is wrong with how an update ended."""
        event = child.events[-1]
        sentence = str(event.get("refused", ""))
        wrong = []
        if "crashed" in event or bool(sentence) != failed:
            wrong.append(f"it ended with {event}, and its index is {'not ' if failed else ''}published")
        elif sentence and ("\n" in sentence or event["kind"] != "StoreError"):
            wrong.append(f"it said {sentence!r}")
        if list(self.index.glob("*.building")):
            wrong.append("a snapshot that was not finished was left")
        return wrong


@contextmanager
def _small_disk(folder: Path) -> Iterator[Callable[[int], None] | None]:
    """A disk of its own in `folder`, and how to leave so many bytes free on it; None where none can be mounted."""
    folder.mkdir()
    size = f"size={_AMPLE}"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    may = sys.platform == "linux" and os.geteuid() == 0
    if not may or subprocess.run(mount, capture_output=True, check=False, timeout=30).returncode:
        yield None
        return

    def allow(free: int) -> None:
        there = os.statvfs(folder)
        total = (there.f_blocks - there.f_bfree) * there.f_frsize + free
        # At least a page, for 0 would be no bound.
        command = ["mount", "-o", f"remount,size={max(total, 4096)}", str(folder)]
        subprocess.run(command, capture_output=True, check=True, timeout=30)

    try:
        yield allow
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=True, timeout=30)


def read_only(folder: Path, short: bool) -> Finding:
    """Ingest into a folder that may not be written, and read from it."""
    library = make_library(folder / "texts", 5, 10)
    index = folder / "index"
    updated(index, library.folder)
    line = next(iter(library.texts.values())).splitlines()[3]
    library.change(1)
    folder.chmod(0o755)
    index.chmod(0o555)
    try:
        with Child() as child:
            child.begin(do="read-only", index=str(index), texts=str(library.folder), canary=line)
            event = child.result()
    finally:
        index.chmod(0o755)
    wrong = []
    expected = {"writable": False, "code": 1, "texts": [line]}
    if event.get("done") != expected:
        wrong.append(f"{event}, {child.noise}")
    if len(child.noise) != 1 or not child.noise[0].startswith("The index cannot be written in "):
        wrong.append(f"ingest said {child.noise}")
    return Finding(
        "ingest, and then a question, as a user who may only read the index",
        "ingest said in one sentence that it cannot write, with exit code 1; the passage was found",
        tuple(wrong),
    )
