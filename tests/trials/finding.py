"""What a trial found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was done, what it showed, and what was wrong; the trial failed where anything was."""

    done: str
    result: str
    wrong: tuple[str, ...] = ()
