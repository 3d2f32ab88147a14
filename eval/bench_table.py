"""What `python -m eval bench` measured -> figures, and a table of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from eval.fresh import Fresh
from eval.table import aligned
from eval.timing import Speed, Spread, Timed, ratios
from eval.typed import Typed

Values = Sequence[float | None]


@dataclass(frozen=True)
class Measured:
    """All of one set: fresh processes, the engine's speed, each question's times.

    `memory_mb` is what this process held after the questions, with the peer's store in it if there is one.
    """

    name: str
    ingests: tuple[Fresh, ...]
    starts: tuple[Fresh, ...]
    peers: tuple[Fresh, ...]
    speed: Speed
    ours: tuple[Timed, ...]
    peer: tuple[Timed, ...]
    typed: tuple[Typed, ...]
    memory_mb: float | None

    @property
    def failed(self) -> int:
        """How many questions failed, each chain's and each page's."""
        kinds = [*(one.failed for one in (*self.ours, *self.peer)), *(one.failed for one in self.typed)]
        return len(kinds) - kinds.count(None)


@dataclass(frozen=True)
class Figure:
    """A row: ours, the peer's, the floor, and our ratios to these."""

    label: str
    ours: Spread | None
    peer: Spread | None = None
    of_peer: Spread | None = None
    floor: Spread | None = None
    of_floor: Spread | None = None
    digits: int = 2


def figures(measured: Measured) -> list[Figure]:
    """The rows of a set; those of which nothing is known are left out."""
    rows = [*_processes(measured), *_questions(measured), *_typed(measured)]
    return [one for one in rows if one.ours or one.peer]


def _processes(measured: Measured) -> list[Figure]:
    """The fresh processes, the memory and the engine."""
    ingests, starts, peers = measured.ingests, measured.starts, measured.peers

    def both(label: str, value: Callable[[Fresh], float | None], ours: Sequence[Fresh], digits: int = 2) -> Figure:
        return Figure(label, Spread.of([value(one) for one in ours]), Spread.of([value(one) for one in peers]),
                      digits=digits)  # fmt: skip

    return [
        both("ingest, s", lambda one: one.seconds.get("ingest"), ingests),
        both("ingest, documents / s", lambda one: _rate(one, "documents"), ingests),
        both("ingest, passages / s", lambda one: _rate(one, "passages"), ingests),
        Figure("ingest, peak MB", Spread.of([one.peak_mb for one in ingests]), digits=0),
        both("start until open, s", lambda one: one.seconds.get("open"), starts),
        both("start until it answers, s", lambda one: one.seconds.get("answering"), starts),
        both("start, peak MB", lambda one: one.peak_mb, starts, 0),
        Figure("after the questions, MB", Spread.of([measured.memory_mb]), digits=0),
        Figure("engine reads, tokens / s", measured.speed.reads, digits=1),
        Figure("engine writes, tokens / s", measured.speed.writes, digits=1),
    ]


def _rate(fresh: Fresh, what: str) -> float | None:
    count, seconds = fresh.said.get(what), fresh.seconds.get("ingest")
    return count / seconds if count is not None and seconds else None


def _questions(measured: Measured) -> list[Figure]:
    """The times and tokens of the questions, each beside the peer's and the floor."""
    ours, peer, speed = measured.ours, measured.peer, measured.speed

    def row(label: str, value: Callable[[Timed], float | None], digits: int = 2, floor: Values = ()) -> Figure:
        mine = [None if one.failed else value(one) for one in ours]
        others = [None if one.failed else value(one) for one in peer]
        of_peer = Spread.of(ratios(mine, others)) if peer else None
        of_floor = Spread.of(ratios(mine, floor)) if floor else None
        return Figure(label, Spread.of(mine), Spread.of(others), of_peer, Spread.of(floor), of_floor, digits)

    return [
        row("retrieval, s", lambda one: one.hits),
        row("evidence, s", lambda one: one.evidence),
        row("first token, s", lambda one: one.first_token, floor=[one.first_floor(speed) for one in ours]),
        row("end, s", lambda one: one.end, floor=[one.floor(speed) for one in ours]),
        row("tokens in prompts", lambda one: one.prompt, 0),
        row("tokens read", lambda one: one.read, 0),
        row("tokens written", lambda one: one.written, 0),
        row("calls of the model", lambda one: len(one.calls), 0),
    ]


def _typed(measured: Measured) -> list[Figure]:
    typed = measured.typed
    return [
        Figure("typed: evidence, s", Spread.of([one.evidence for one in typed])),
        Figure("typed: first word, s", Spread.of([one.first_word for one in typed])),
        Figure("typed: done, s", Spread.of([one.done for one in typed])),
    ]


def table(measured: Measured) -> str:
    """The figures of a set as text; columns that are empty everywhere are left out."""
    count = len(measured.ours)
    title = f"{measured.name}, {count} {'question' if count == 1 else 'questions'}"
    rows = [[title, "n", "median", "p95", "quartiles", "least–most", "peer", "peer p95", "peer quartiles",
             "this / peer", "floor", "this / floor"]]  # fmt: skip
    rows += [_row(one) for one in figures(measured)]
    kept = [place for place in range(len(rows[0])) if any(row[place] != "–" for row in rows[1:])]
    return aligned([[row[place] for place in kept] for row in rows], 1)


def _row(one: Figure) -> list[str]:
    ours, peer, digits = one.ours, one.peer, one.digits
    return [
        one.label,
        str(ours.n) if ours else "–",
        _cell(ours, "median", digits),
        _cell(ours, "p95", digits),
        _ends(ours, digits),
        f"{ours.least:.{digits}f}–{ours.most:.{digits}f}" if ours and ours.n > 1 else "–",
        _cell(peer, "median", digits),
        _cell(peer, "p95", digits),
        _ends(peer, digits),
        _ratio(one.of_peer),
        _cell(one.floor, "median", digits),
        _ratio(one.of_floor),
    ]


def _cell(spread: Spread | None, value: Literal["median", "p95"], digits: int) -> str:
    return f"{getattr(spread, value):.{digits}f}" if spread else "–"


def _ends(spread: Spread | None, digits: int) -> str:
    """The quartiles, where there are several values."""
    return f"{spread.low:.{digits}f}–{spread.high:.{digits}f}" if spread and spread.n > 1 else "–"


def _ratio(spread: Spread | None) -> str:
    if spread is None:
        return "–"
    return f"{spread.median:.2f}" + (f" ({_ends(spread, 2)})" if spread.n > 1 else "")
