"""Bounds of figures, in a TOML file with a table for each chain."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.summary import figures, summarise
from rag.errors import RagError


class ThresholdError(RagError):
    """A file of thresholds cannot be read, or names what is not measured."""


@dataclass(frozen=True)
class Threshold:
    """The least and the most that a figure of a chain may be, None for no bound."""

    chain: str
    figure: str
    least: float | None
    most: float | None


def read_thresholds(path: Path, chains: Sequence[str]) -> list[Threshold]:
    """The thresholds of a file such as

        [chat]
        right = 0.7                       # at least
        first_token_p50 = {most = 20}     # seconds

    Raises ThresholdError if it cannot be read, or names a chain that is not among
    `chains`, a figure that `figures` does not have, or a bound that is not a number.
    """
    name = repr(str(path))
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ThresholdError(
            f"The thresholds {name} cannot be read ({error.strerror}); name a file that exists."
        ) from error
    except ValueError as error:
        raise ThresholdError(f"The thresholds {name} are not TOML ({error}); correct them.") from error
    known = list(figures(summarise([], 1)))
    found = []
    for chain, table in tables.items():
        if chain not in chains or not isinstance(table, dict):
            listed = ", ".join(chains)
            raise ThresholdError(f"{name} names the chain {chain!r}, and those measured are: {listed}; correct it.")
        for figure, bound in table.items():
            if figure not in known:
                raise ThresholdError(f"{name} names the figure {figure!r}; the known ones: {', '.join(known)}.")
            bounds: dict[str, Any] = bound if isinstance(bound, dict) else {"least": bound}
            numbers = [one for one in bounds.values() if type(one) in {int, float} and math.isfinite(one)]
            if not bounds or not bounds.keys() <= {"least", "most"} or len(numbers) < len(bounds):
                wanted = "write a number, or {least = 0.7, most = 0.9}"
                raise ThresholdError(f"The bound of {figure!r} in {name} is {bound!r}; {wanted}.")
            found.append(Threshold(chain, figure, bounds.get("least"), bounds.get("most")))
    return found


def broken(thresholds: Sequence[Threshold], summaries: Mapping[str, dict[str, Any]]) -> list[str]:
    """One sentence for each threshold that the figures do not keep; an undefined figure keeps none."""
    sentences = []
    for one in thresholds:
        value = figures(summaries[one.chain])[one.figure]
        name = f"{one.figure} of {one.chain}"
        if value is None:
            sentences.append(f"{name} has no value here, so its threshold cannot be kept.")
        elif one.least is not None and value < one.least:
            sentences.append(f"{name} is {value:.3g}, below its threshold {one.least:g}.")
        elif one.most is not None and value > one.most:
            sentences.append(f"{name} is {value:.3g}, above its threshold {one.most:g}.")
    return sentences
