"""A progress bar in the terminal for the steps that take a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from rag.models.weights import Progress


@contextmanager
def terminal_progress(unit: str = "B") -> Iterator[Progress]:
    """A Progress that draws one bar on standard error for each step, in bytes or another unit."""
    bars: dict[str, tqdm] = {}

    def progress(what: str, done: int, total: int) -> None:
        if what not in bars:
            bars[what] = tqdm(desc=what, total=total, unit=unit, unit_scale=unit == "B", leave=False)
        bars[what].update(done - bars[what].n)
        if done >= total:
            bars[what].close()

    try:
        yield progress
    finally:
        for bar in bars.values():
            bar.close()
