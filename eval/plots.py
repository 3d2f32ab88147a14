"""Line plots as small SVG elements for a page, or as files: no library, no script, the colours from a style."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Line = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 420, 250
_LEFT, _TOP, _RIGHT, _BOTTOM = 48, 12, 404, 210
_ROW = 16
"""Height of a line of the legend."""
_FILE_WIDTH = 630
"""How wide a plot in a file of its own is shown, in CSS pixels."""


@dataclass(frozen=True)
class Plot:
    """Lines by name. The y axis goes from 0 to 1, the x axis from 0 to the largest x, or to 1 where `shares` is set.

    `diagonal` draws where x equals y; `about` says in a sentence how to read it.
    """

    title: str
    x: str
    y: str
    about: str
    lines: Mapping[str, Line]
    shares: bool = False
    diagonal: bool = False


def svg(plot: Plot, style: str = "") -> str:
    """The plot as an `<svg>` element; every name in it is escaped, and the same plot gives the same text.

    With a `style` of its own it is a file by itself.
    """
    own = f' xmlns="http://www.w3.org/2000/svg" width="{_FILE_WIDTH}"' if style else ""
    lines = {name: line for name, line in plot.lines.items() if line}
    end = 1.0 if plot.shares else _round_up(max((x for line in lines.values() for x, _ in line), default=1.0))
    height = _HEIGHT + _ROW * len(lines)
    parts = [
        f'<svg{own} viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(plot.title)}">',
        *([f"<desc>{escape(plot.about)}</desc>", f"<style>{style}</style>"] if style else []),
        *(_x_tick(end * step / 4, end) for step in range(5)),
        *(_y_tick(step / 4) for step in range(5)),
        f'<text x="{(_LEFT + _RIGHT) / 2:g}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(plot.x)}</text>',
        f'<text x="12" y="{(_TOP + _BOTTOM) / 2:g}" text-anchor="middle" '
        f'transform="rotate(-90 12 {(_TOP + _BOTTOM) / 2:g})">{escape(plot.y)}</text>',
    ]
    if plot.diagonal:
        parts.append(f'<path class="grid" d="M{_LEFT} {_BOTTOM}L{_RIGHT} {_TOP}"/>')
    for number, (name, line) in enumerate(lines.items()):
        parts += _drawn(number, name, line, end)
    return "\n".join([*parts, "</svg>"])


def _drawn(number: int, name: str, line: Line, end: float) -> list[str]:
    points = [(_LEFT + (_RIGHT - _LEFT) * x / end, _BOTTOM - (_BOTTOM - _TOP) * y) for x, y in line]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in points) if len(points) <= 20 else ""
    y = _HEIGHT + _ROW * number + 6
    return [
        f'<g class="line c{number % 6}"><path d="M{path}"/>{dots}<path d="M{_LEFT} {y - 4}h20"/></g>',
        f'<text x="{_LEFT + 26}" y="{y}">{escape(name)}</text>',
    ]


def _x_tick(value: float, end: float) -> str:
    x = _LEFT + (_RIGHT - _LEFT) * value / end
    return (
        f'<path class="grid" d="M{x:g} {_TOP}V{_BOTTOM}"/>'
        f'<text x="{x:g}" y="{_BOTTOM + 16}" text-anchor="middle">{value:g}</text>'
    )


def _y_tick(value: float) -> str:
    y = _BOTTOM - (_BOTTOM - _TOP) * value
    return (
        f'<path class="grid" d="M{_LEFT} {y:g}H{_RIGHT}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:g}" text-anchor="end">{value:g}</text>'
    )


def _round_up(value: float) -> float:
    """The next of 1, 2, 4 and 8 times a power of ten, whose quarters are short numbers."""
    power = 10.0**-6
    while True:
        for digit in (1, 2, 4, 8):
            if digit * power >= value:
                return digit * power
        power *= 10
