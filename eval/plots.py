"""Curves over questions, and plots of them as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve

Line = Sequence[tuple[float, float]]

_INK = "#7a7a7a"
"""Reads on white and on black, like all colours of the lines: a plot does not know the page around it."""
_COLOURS = ("#2f7de0", "#d1640b", "#2a9257", "#a05ad0", "#e0483f", "#7d8894")


@dataclass(frozen=True)
class Plot:
    """Lines by name, and what stands beside them.

    The y axis goes from 0 to 1, the x axis from 0 to the largest x, or to 1 with `shares`.
    `diagonal` draws where x equals y; `about` says in a sentence how to read it.
    """

    title: str
    x: str
    y: str
    about: str
    lines: Mapping[str, Line]
    shares: bool = False
    diagonal: bool = False


def risk_coverage(confidences: Sequence[float], right: Sequence[bool], asked: int) -> Line:
    """Coverage and risk if only the answers of at least some confidence were given, the surest first.

    One confidence and one truth value an answer. The coverage is the share of the `asked`
    questions that would be answered, the risk the share of these answers that are wrong
    (El-Yaniv and Wiener 2010).
    """
    order = np.argsort(confidences)[::-1]
    wrong = np.cumsum(~np.asarray(right, dtype=bool)[order])
    last = np.flatnonzero(np.diff(np.asarray(confidences)[order], append=np.nan))  # Equal ones count together.
    return [(float(place + 1) / asked, float(wrong[place] / (place + 1))) for place in last]


def reliability(confidences: Sequence[float], true: Sequence[bool]) -> Line:
    """The mean confidence and the share that came true, by tenths (DeGroot and Fienberg 1983)."""
    if not confidences:
        return []
    came_true, confidence = calibration_curve(true, confidences, n_bins=10)
    return list(zip(confidence.tolist(), came_true.tolist(), strict=True))


def distribution(values: Sequence[float]) -> Line:
    """The share of `values` up to each of them, in order: the empirical distribution."""
    return [(value, number / len(values)) for number, value in enumerate(sorted(values), 1)]


def svg(plot: Plot) -> str:
    """The plot as an SVG file, on no ground of its own."""
    # Text stays text, as it is written, and the same plot gives the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "eval", "text.parse_math": False}):
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        axes.set(xlabel=plot.x, ylabel=plot.y, ylim=(0, 1.02))
        axes.set_prop_cycle(color=_COLOURS)
        axes.grid(color=_INK, alpha=0.3)
        axes.tick_params(colors=_INK)
        axes.xaxis.label.set_color(_INK)
        axes.yaxis.label.set_color(_INK)
        axes.spines[:].set_color(_INK)
        if plot.diagonal:
            axes.plot([0, 1], [0, 1], color=_INK, alpha=0.5, linewidth=1)
        for name, line in plot.lines.items():
            if line:
                axes.plot(
                    *zip(*line, strict=True), label=f" {name}", marker="o" if len(line) <= 20 else "", markersize=4
                )
        axes.set_xlim(0, 1.0 if plot.shares else None)
        if any(plot.lines.values()):
            figure.legend(loc="outside lower left", frameon=False, labelcolor=_INK)
        file = StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Description": plot.about})
        return file.getvalue()
