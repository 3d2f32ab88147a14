"""How long steps report their progress: to nobody, or as a bar in the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is in all."""


def silent(_what: str, _done: int, _total: int) -> None:
    """A Progress that says nothing."""


@contextmanager
def terminal_progress(unit: str = "B") -> Iterator[Progress]:
    """A Progress that draws a bar on standard error for each step."""
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
