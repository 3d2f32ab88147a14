"""The documents as HTML: the list, and how a change went."""

import time
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from rag import bounds
from rag.documents.fetch import is_address
from rag.documents.parsers import SUFFIXES
from rag.documents.sources import file_of
from rag.page.choice import Chosen, ids, ticked
from rag.page.markup import button, count, escape, name_of, shorten, without_folders
from rag.server.document_changes import Changed, Row, Step
from rag.types import Citation

SHOWN = 200
"""Documents that the page lists at once; of more the search box finds the others."""
_TITLE, _NAME, _LACKING = 80, 60, 5
"""Characters shown of a title and a name; documents of one file of which it is told what was left out."""
_KINDS = {
    "pdf": "PDF", "html": "web page", "docx": "Word file", "epub": "book", "csv": "table", "jsonl": "line of JSON",
}  # fmt: skip


def shown(rows: Sequence[Row], wanted: str) -> list[Row]:
    """The first rows whose title or name has every word of `wanted`, each text once."""
    words = set((wanted or "")[: bounds.TITLE].casefold().split())
    found: dict[str, Row] = {}
    for row in rows:
        told = f"{row.title} {name_of(row.source)}".casefold()
        if len(found) < SHOWN and all(word in told for word in words):
            found.setdefault(row.doc_id, row)
    return list(found.values())


def document_list(rows: Sequence[Row], chosen: Chosen, wanted: str) -> str:
    """The documents that are found, how many are asked, and how many more there are."""
    seen, every = shown(rows, wanted), len(ids(rows))
    asked = ticked(chosen, seen)
    items = "".join(_item(row, row.doc_id in asked, every > 1) for row in seen)
    other = len((ids(rows) if chosen is None else chosen) - ids(seen))
    more = f"{len(seen):,} of them {'is' if len(seen) == 1 else 'are'} listed; type words of a title to find others."
    return (
        f'<p class="quiet">Asked: <span data-elsewhere="{other}">{other + len(asked):,}</span> of '
        f"{count(every, 'document')}.{f' {more}' * (len(seen) < every)}</p>"
        f'<div role="group" aria-label="Documents to ask"><ul>{items}</ul></div>'
    )


def _item(row: Row, is_asked: bool, several: bool) -> str:
    title, key = shorten(row.title, _TITLE), escape(row.doc_id)
    only = button("only", f"Ask only “{title}”", "Only", document=row.doc_id) if several else ""
    remove = button("discard", f"Remove “{title}”", "✕", document=row.doc_id) if row.removable else ""
    return (
        f'<li><label><input type="checkbox" value="{key}"{" checked" if is_asked else ""}><span dir="auto">'
        f'{escape(title)}</span></label><p class="quiet" dir="auto">{escape(described(row))}</p>'
        f"<span>{only}{button('read', f'Open “{title}”', 'Open', document=row.doc_id)}{remove}</span></li>"
    )


def scope(rows: Sequence[Row], chosen: Chosen) -> str:
    """Which documents are asked, with the way to ask all; empty for all."""
    if chosen is None:
        return ""
    titles = {row.doc_id: row.title for row in rows}
    asked = [title for doc_id, title in titles.items() if doc_id in chosen]
    what = f"“{shorten(asked[0], _NAME)}” is" if len(asked) == 1 else f"{len(asked):,} of {len(titles):,} documents are"
    return f'<p dir="auto">Only {escape(what)} asked. {button("all", "Ask all")}</p>'


def described(row: Row) -> str:
    """Its name, kind and size, when it was added here, and what it lacks."""
    day = time.localtime(row.added)
    kind = SUFFIXES.get(PurePath(file_of(row.source)).suffix.lower(), "")
    facts = [
        shorten(name_of(row.source), _NAME),
        _KINDS.get(kind, "web page" if is_address(row.source) else "text"),
        count(row.pages, "page") if row.pages else count(row.words, "word") if row.words else "",
        f"added {day.tm_mday} {time.strftime('%B %Y', day)}" if row.added else "",
        f"without {shorten(', '.join(row.left_out), _TITLE)}" if row.left_out else "",
    ]
    return ", ".join(fact for fact in facts if fact)


def say(sentences: Iterable[str]) -> str:
    """Each as a paragraph."""
    return "".join(f'<p dir="auto">{escape(sentence)}</p>' for sentence in sentences)


def say_step(name: str, step: Step) -> str:
    """How far a change is."""
    far = f", {step.done:,} of {step.total:,}" if step.total else ""
    value = f'value="{step.done}" max="{step.total}"' if step.total else ""
    progress = f'<progress {value} aria-label="{escape(step.stage)}"></progress>'
    return say([f"{name}: {step.stage}{far} …"]) + progress


def say_added(name: str, changed: Changed, key_sentences: Sequence[Citation] = ()) -> str:
    """What was added of a file, what was left out, and what it says."""
    rows = changed.added
    of = (
        f"“{shorten(rows[0].title, _TITLE)}” is added"
        if len(rows) == 1
        else f"“{name}” is added as {len(rows):,} texts"
    )
    lacking = [
        f"Left out of “{shorten(row.title, _TITLE)}”: {', '.join(row.left_out)}." for row in rows if row.left_out
    ]
    return say(
        [
            f"{of}: {count(sum(row.passages for row in rows), 'passage')}.",
            *(f"Left out: {without_folders(message)}" for message in changed.messages),
            *lacking[:_LACKING],
            *(f"“{shorten(one.quote, 2 * bounds.TITLE)}”" for one in key_sentences),
        ]
    )
