"""Which documents to ask: what is ticked, what is shown of a long list, what becomes of it when the list changes."""

from collections.abc import Iterable, Sequence

from rag import bounds
from rag.errors import QuestionError
from rag.page.markup import count, shorten
from rag.page.shelf import Row

SHOWN = 200
"""Documents that the page lists at once; of more the filter finds the others."""
_TITLE, _SOURCE = 80, 60
"""Characters shown of them."""
Chosen = frozenset[str] | None
"""Ids of the documents to ask; None is every document, also one that is added later."""


def asked(chosen: Iterable[str] | None) -> tuple[str, ...]:
    """The ids to ask, empty for every document. Raises QuestionError where nothing is chosen."""
    if chosen is None:
        return ()
    if ids := tuple(sorted(chosen)):
        return ids
    raise QuestionError("No document is chosen; open Documents and choose at least one.")


def shown(rows: Sequence[Row], wanted: str) -> list[Row]:
    """The first rows that hold every word of `wanted` in their title or source, each text once."""
    words = set((wanted or "")[: bounds.TITLE].casefold().split())
    found: dict[str, Row] = {}
    for row in rows:
        name = f"{row.title} {row.source}".casefold()
        if len(found) < SHOWN and all(word in name for word in words):
            found.setdefault(row.doc_id, row)
    return list(found.values())


def label(row: Row) -> str:
    """The document in one line."""
    source = " ".join(row.source.split())
    source = source if len(source) <= _SOURCE else f"… {source[-_SOURCE:].lstrip()}"
    return f"{shorten(row.title, _TITLE)} ({source}, {count(row.passages, 'passage')})"


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
