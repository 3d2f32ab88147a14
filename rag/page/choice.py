"""Which documents are chosen to be asked, and what the list says of each."""

from collections.abc import Iterable, Sequence

from rag.page.editor import Row
from rag.page.markup import count, shorten

_TITLE, _SOURCE = 80, 60
"""Characters shown of them."""
_LACKING = 5
"""Documents of one file of which it is told what was left out."""
Chosen = frozenset[str] | None
"""Ids of the documents to ask; None is every document, also one that is added later."""


def label(row: Row) -> str:
    """The document in one line."""
    source = " ".join(row.source.split())
    source = source if len(source) <= _SOURCE else f"… {source[-_SOURCE:].lstrip()}"
    without = f", without {shorten(', '.join(row.left_out), _TITLE)}" if row.left_out else ""
    return f"{shorten(row.title, _TITLE)} ({source}, {count(row.passages, 'passage')}{without})"


def lacks(rows: Sequence[Row]) -> list[str]:
    """What of these documents could not be taken in, a sentence each; of many the first."""
    lacking = [row for row in rows if row.left_out]
    said = [f"Left out of “{shorten(row.title, _TITLE)}”: {', '.join(row.left_out)}." for row in lacking[:_LACKING]]
    more = len(lacking) - _LACKING
    return [*said, f"Parts of {count(more, 'more document')} were left out, too."] if more > 0 else said


def ticked(chosen: Chosen, seen: Iterable[Row]) -> list[str]:
    """Which of the rows that are seen are chosen."""
    return [row.doc_id for row in seen if chosen is None or row.doc_id in chosen]


def after_ticking(chosen: Chosen, ticks: Iterable[str], seen: Iterable[Row], rows: Iterable[Row]) -> Chosen:
    """The choice after some of the rows that were seen were ticked; the others are as they were."""
    every = frozenset(row.doc_id for row in rows)
    before = every if chosen is None else chosen
    return _whole((before - {row.doc_id for row in seen}) | frozenset(ticks), every)


def after_change(chosen: Chosen, before: Iterable[Row], rows: Iterable[Row]) -> Chosen:
    """The choice after documents came and went: what is new is asked, too."""
    if chosen is None:
        return None
    every = frozenset(row.doc_id for row in rows)
    return _whole((chosen & every) | (every - {row.doc_id for row in before}), every)


def _whole(chosen: frozenset[str], every: frozenset[str]) -> Chosen:
    return None if chosen >= every else chosen


def choice_line(chosen: Chosen, seen: Sequence[Row], rows: Sequence[Row]) -> str:
    """How many are asked, and how many of them all are listed."""
    every = len({row.doc_id for row in rows})
    part = f"{every:,}" if chosen is None else f"{len(chosen):,} of {every:,}"
    listed = f"{len(seen):,} of them {'is' if len(seen) == 1 else 'are'} listed"
    more = f" {listed}; type words of a title to find others." if len(seen) < every else ""
    return f"Asked: {part} {'document' if every == 1 else 'documents'}.{more}"
