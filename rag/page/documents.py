"""The documents in the page: which ones are listed and asked, and the drawer where they are added and removed."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from rag import bounds
from rag.documents.parsers import SUFFIXES
from rag.errors import QuestionError, RagError, for_readers
from rag.page.choice import Chosen, after_change, after_ticking, choice_line, label, lacks, ticked
from rag.page.editor import Catalogue, Changed, DocumentEditor, Row, Step
from rag.page.markup import button, escape
from rag.server.log import reason
from rag.settings import ServerSettings

_LOG = logging.getLogger(__name__)
SHOWN = 200
"""Documents that the page lists at once; of more the filter finds the others."""
Rows = tuple[Row, ...]
Values = tuple[Any, ...]
Change = Callable[[], Iterator[Step | Changed]]
_STATUS = """
element.setAttribute("role", "status");
element.setAttribute("aria-label", "Documents");
const named = () => {  // The list may be loaded later.
    const list = document.querySelector("#documents-list");
    if (list) list.setAttribute("aria-label", "Documents to ask"); else setTimeout(named, 100);
};
named();
"""
"""Roles and names that gradio gives no way to set."""
_FOCUS = '() => document.querySelector("#documents-gone input")?.focus()'
"""Where the keyboard is when the buttons that it was on have gone."""
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
_CHANGE: dict[str, Any] = _QUIET | {"concurrency_limit": 8, "concurrency_id": "documents"}
"""Changes wait for each other in a thread each, and these are counted."""


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


@dataclass(frozen=True)
class DocumentChoice:
    """What the rest of the page needs: `chosen` holds the choice, for `asked`."""

    chosen: gr.State
    ticks: gr.CheckboxGroup


class DocumentHandlers:
    """The events of the drawer; most give the values of `view`, in its order."""

    def __init__(self, editor: DocumentEditor, documents: Callable[[], Catalogue]) -> None:
        self._editor = editor
        self._documents = documents

    def load(self) -> Values:
        """The list as it is now, every document chosen, and what in the folders is not read."""
        status, *values = view(self._editor.listed(self._documents()), None, "")
        told = [f"Left out: {one}." for one in self._editor.not_read()]
        return say(*told) if told else status, *values

    def find(self, chosen: Chosen, rows: Rows, wanted: str) -> Values:
        """The rows that hold the words typed."""
        return view(rows, chosen, wanted)

    def tick(self, ticks: list[str], chosen: Chosen, rows: Rows, wanted: str) -> tuple[Chosen, str]:
        """The choice and its line after a tick."""
        seen = shown(rows, wanted)
        chosen = after_ticking(chosen, ticks, seen, rows)
        return chosen, line(chosen, seen, rows)

    def all(self, rows: Rows, wanted: str) -> Values:
        """Every document."""
        return view(rows, None, wanted)

    def none(self, rows: Rows, wanted: str) -> Values:
        """No document, to begin a choice with."""
        return view(rows, frozenset(), wanted)

    def files(
        self, uploads: Sequence[dict[str, Any]] | None, chosen: Chosen, rows: Rows, wanted: str
    ) -> Iterator[Values]:
        """Take in what was uploaded, one file after the other; then the box for files is empty again."""
        paths = [Path(upload["path"]) for upload in uploads or ()]
        changes = [(path.name, self._upload(path)) for path in paths]
        for values in self._changed(changes, chosen, rows, wanted):
            yield *values, gr.skip()
        yield *(gr.skip(),) * 6, None

    def _upload(self, path: Path) -> Change:
        def change() -> Iterator[Step | Changed]:
            try:
                return self._editor.add_file(path, path.name)
            finally:
                path.unlink(missing_ok=True)  # The editor has a copy.
                with suppress(OSError):
                    path.parent.rmdir()

        return change

    def text(self, title: str, text: str, chosen: Chosen, rows: Rows, wanted: str) -> Iterator[Values]:
        """Take in a pasted text; the boxes are emptied when it is there."""
        name = (title or "").strip()[: bounds.TITLE]
        changes = [(name or "The text", lambda: self._editor.add_text(name, text or ""))]
        for values in self._changed(changes, chosen, rows, wanted):
            listed_anew = values[1] != gr.skip()
            yield *values, *(("", "") if listed_anew else (gr.skip(), gr.skip()))

    def address(self, address: str, chosen: Chosen, rows: Rows, wanted: str) -> Iterator[Values]:
        """Take in what a web address holds."""
        named = (address or "").strip()
        change = lambda: self._editor.add_address(named)  # noqa: E731
        yield from self._changed([(named[: bounds.NAME], change)], chosen, rows, wanted)

    def removal(self, source: str | None) -> Values:
        """The question whether to remove it, and what was asked about, whatever is chosen meanwhile."""
        if not source:
            return say("Choose the document to remove first."), gr.update(visible=False), ""
        asked = f"Remove “{source}” from the index? A file that was added here is deleted."
        return say(asked), gr.update(visible=True), source

    def remove(self, source: str, chosen: Chosen, rows: Rows, wanted: str) -> Iterator[Values]:
        """Remove it, and take the question away."""
        yield *(gr.skip(),) * 6, gr.update(visible=False)
        for values in self._changed([(source or "", lambda: self._editor.remove(source or ""))], chosen, rows, wanted):
            yield *values, gr.skip()

    def _changed(
        self, changes: Sequence[tuple[str, Change]], chosen: Chosen, rows: Rows, wanted: str
    ) -> Iterator[Values]:
        """The progress of changes, each under its name, and the list after each; an error ends its change alone."""
        ended: list[str] = []
        for name, change in changes:
            try:
                for event in change():
                    if isinstance(event, Step):
                        yield say(*ended, step=event, of=name), *(gr.skip(),) * 5
                        continue
                    ended += [f"{name}: {event.line}", *(f"Skipped: {message}" for message in event.messages)]
                    ended += lacks(event.added)
                    chosen, rows = after_change(chosen, rows, event.rows), event.rows
                    yield say(*ended), *view(rows, chosen, wanted)[1:]
            except RagError as error:
                _LOG.warning("A document could not be added or removed.", extra={"fields": {"reason": reason(error)}})
                ended.append(for_readers(error))
            except Exception:  # noqa: BLE001 - gradio would only say "Error"
                _LOG.exception("A document could not be added or removed.")
                ended.append(f"{name}: something went wrong; the log tells what. Try again.")
            yield say(*ended), *(gr.skip(),) * 5


def view(rows: Rows, chosen: Chosen, wanted: str) -> Values:
    """The values of: status (it stays), rows, choice, ticks, line, what can be removed; of those that are found."""
    seen = shown(rows, wanted)
    ticks = gr.update(choices=[(label(row), row.doc_id) for row in seen], value=ticked(chosen, seen))
    found = {row.doc_id for row in seen}
    sources = [(label(row), row.source) for row in rows if row.removable and row.doc_id in found]
    return gr.skip(), rows, chosen, ticks, line(chosen, seen, rows), gr.update(choices=sources, value=None)


def line(chosen: Chosen, seen: Sequence[Row], rows: Sequence[Row]) -> str:
    """How many are asked, as HTML."""
    return f'<p class="quiet">{escape(choice_line(chosen, seen, rows))}</p>'


def say(*sentences: str, step: Step | None = None, of: str = "") -> str:
    """What the status shows: sentences, and how far a change is."""
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    if step is None:
        return said
    far = f", {step.done:,} of {step.total:,}" if step.total else ""
    value = f'value="{step.done}" max="{step.total}"' if step.total else ""
    return (
        f"{said}<p>{escape(of)}: {escape(step.stage)}{far} …</p>"
        f'<progress {value} aria-label="{escape(step.stage)}"></progress>'
    )


def documents_drawer(editor: DocumentEditor, documents: Callable[[], Catalogue]) -> DocumentChoice:
    """Build the drawer in the current gr.Blocks; `documents` gives those of the index as it was last published.

    If the editor is not enabled, documents can be chosen but neither added nor removed.
    """
    handlers = DocumentHandlers(editor, documents)
    rows, chosen = gr.State(()), gr.State(None)
    with gr.Column(elem_id="documents"):
        gr.HTML(f"<h2>Documents</h2>{button('close', 'Close')}", apply_default_css=False, js_on_load=None)
        status = gr.HTML("", elem_id="documents-status", apply_default_css=False, js_on_load=_STATUS)
        find = gr.Textbox(label="Find a document", elem_id="documents-find", max_lines=1)
        asking = gr.HTML("", apply_default_css=False, js_on_load=None)
        with gr.Row():
            every = gr.Button("Ask all", elem_id="documents-all", size="sm", min_width=80)
            none = gr.Button("Ask none", elem_id="documents-none", size="sm", min_width=80)
        ticks = gr.CheckboxGroup(label="Documents to ask", elem_id="documents-list", interactive=True)
        with gr.Column(visible=editor.is_enabled):
            gone = gr.Dropdown(label="Document to remove", elem_id="documents-gone", interactive=True)
            outputs = [status, rows, chosen, ticks, asking, gone]
            if editor.is_enabled:
                _removing(handlers, [chosen, rows, find], outputs)
                _adding(handlers, [chosen, rows, find], outputs, editor.settings)
    find.change(handlers.find, [chosen, rows, find], outputs, trigger_mode="always_last", **_QUIET)
    ticks.input(handlers.tick, [ticks, chosen, rows, find], [chosen, asking], trigger_mode="multiple", **_QUIET)
    every.click(handlers.all, [rows, find], outputs, **_QUIET)
    none.click(handlers.none, [rows, find], outputs, **_QUIET)
    gr.on(None, handlers.load, None, outputs, **_QUIET)  # when the page is opened
    return DocumentChoice(chosen, ticks)


def _removing(handlers: DocumentHandlers, state: list[Any], outputs: list[Any]) -> None:
    """The button under the list of what can be removed, and the question that it asks."""
    status, *_, gone = outputs
    remove = gr.Button("Remove …", elem_id="documents-remove", size="sm")
    with gr.Row(visible=False, elem_id="documents-sure") as sure:
        yes = gr.Button("Yes, remove it", elem_id="documents-yes", variant="stop", size="sm", min_width=80)
        no = gr.Button("Keep it", elem_id="documents-no", size="sm", min_width=80)
    asked = gr.State("")
    remove.click(handlers.removal, [gone], [status, sure, asked], **_QUIET)
    yes.click(handlers.remove, [asked, *state], [*outputs, sure], **_CHANGE)
    # Not when another is chosen: the answer to that event can come after the question and take it away.
    no.click(lambda: ("", gr.update(visible=False)), None, [status, sure], **_QUIET)
    gr.on([yes.click, no.click], None, None, None, js=_FOCUS, **_QUIET)


def _adding(handlers: DocumentHandlers, state: list[Any], outputs: list[Any], settings: ServerSettings) -> None:
    """Boxes for files, for a pasted text and, online, for an address."""
    files = gr.File(label="Add files", elem_id="documents-files", file_count="multiple", height=140)
    types = f"Files of {', '.join(SUFFIXES)}, at most {settings.upload_mb} MB each."
    gr.HTML(f'<p class="quiet">{types}</p>', apply_default_css=False, js_on_load=None)
    title = gr.Textbox(label="Title of a text to add", elem_id="documents-title", max_lines=1)
    text = gr.Textbox(label="The text", elem_id="documents-text", lines=3, max_lines=10)
    add = gr.Button("Add the text", elem_id="documents-add", size="sm")
    # Gradio would leave an empty file behind for each one that it hands over by its path.
    files.upload(handlers.files, [files, *state], [*outputs, files], preprocess=False, **_CHANGE)
    add.click(handlers.text, [title, text, *state], [*outputs, title, text], **_CHANGE)
    if settings.online:
        address = gr.Textbox(label="Web address to add", elem_id="documents-address", max_lines=1)
        fetch = gr.Button("Add the address", elem_id="documents-fetch", size="sm")
        gr.on([address.submit, fetch.click], handlers.address, [address, *state], outputs, **_CHANGE)
