"""Which documents are chosen to be asked."""

from collections.abc import Iterable

from rag.server.document_changes import Row

Chosen = frozenset[str] | None
"""Ids of the documents to ask; None is every document, also one that is added later."""


def ids(rows: Iterable[Row]) -> frozenset[str]:
    """Those of the documents, each once."""
    return frozenset(row.doc_id for row in rows)


def ticked(chosen: Chosen, seen: Iterable[Row]) -> list[str]:
    """Which of the rows that are seen are chosen."""
    return [row.doc_id for row in seen if chosen is None or row.doc_id in chosen]


def after_tick(chosen: Chosen, doc_id: str, is_ticked: bool, rows: Iterable[Row]) -> Chosen:
    """The choice after one document was ticked or not; the others are as they were."""
    every = ids(rows)
    before = every if chosen is None else chosen
    return _whole(before | {doc_id} & every if is_ticked else before - {doc_id}, every)


def after_change(
    chosen: Chosen, before: Iterable[Row], rows: Iterable[Row], unasked: frozenset[str] = frozenset()
) -> Chosen:
    """The choice after documents came and went; what is new is asked, unless `unasked`."""
    every, earlier = ids(rows), ids(before)
    return _whole(((earlier if chosen is None else chosen) & every) | (every - earlier - unasked), every)


def _whole(chosen: frozenset[str], every: frozenset[str]) -> Chosen:
    return None if chosen >= every else chosen
