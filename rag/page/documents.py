"""The documents in the page: listed, chosen, added, opened, removed."""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from rag import bounds
from rag.documents.parsers import SUFFIXES
from rag.errors import QuestionError, RagError, for_readers
from rag.page.choice import Chosen, after_change, after_tick, ticked
from rag.page.document_list import document_list, say, say_added, say_step, scope, shown
from rag.page.markup import button, escape, shorten, without_folders
from rag.page.source import beginning
from rag.server.document_changes import Changed, Row, Step
from rag.server.document_editor import DocumentEditor
from rag.server.gradio_calls import Click, click_of
from rag.server.log import reason
from rag.settings import ServerSettings
from rag.types import Citation, Documents

_LOG = logging.getLogger(__name__)
SHARED = "Everybody who uses this page asks these documents, and may add and remove some."
_FULL = 100
"""Words; of a shorter document no sentences are quoted when it is added."""
Rows = tuple[Row, ...]
Values = tuple[Any, ...]
Change = tuple[str, Callable[[], Iterator[Step | Changed]], Callable[[Changed], str]]
"""What it is about, the change, and what is said of its end, as HTML."""
_SCRIPTS = "window.askTheArticle.documents(element, trigger, watch);", "window.askTheArticle.status(element, trigger);"
"""Of the list, and of the line over it (rag/page/page.js)."""
_PLAIN: dict[str, Any] = {"apply_default_css": False, "js_on_load": None}
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
_CHANGE: dict[str, Any] = _QUIET | {"concurrency_limit": 8, "concurrency_id": "documents"}
"""Changes wait for each other in a thread each, and these are counted."""
_CHOICE: dict[str, Any] = _QUIET | {
    "concurrency_limit": 1, "concurrency_id": "choice", "trigger_mode": "multiple",
}  # fmt: skip
"""Of events that change the choice: one after the other, for each begins with what the one before left."""


def asked(chosen: Iterable[str] | None) -> tuple[str, ...]:
    """The ids to ask, empty for every document. Raises QuestionError where nothing is chosen."""
    if chosen is None:
        return ()
    if ids := tuple(sorted(chosen)):
        return ids
    raise QuestionError("No document is chosen; open Documents and choose at least one.")


@dataclass(frozen=True)
class DocumentHandlers:
    """The events of the documents; see `documents_panel`."""

    editor: DocumentEditor
    documents: Callable[[], Documents]
    key_sentences: Callable[[Sequence[str]], Sequence[Citation]]

    def load(self) -> Values:
        """Status, rows, choice and list: every document chosen, and what is not read."""
        rows = self.editor.listed(self.documents())
        told = say(f"Left out: {one}." for one in self.editor.not_read())
        return told or gr.skip(), rows, None, document_list(rows, None, "")

    def renew(self, chosen: Chosen, rows: Rows, wanted: str, unasked: frozenset[str]) -> Values:
        """Rows, choice and list after a change; what came back is as it was."""
        now = self.editor.listed(self.documents())
        chosen = after_change(chosen, rows, now, unasked)
        return now, chosen, document_list(now, chosen, wanted)

    def view(self, chosen: Chosen, rows: Rows, wanted: str) -> Values:
        """Choice and list, of those that hold the words typed."""
        return chosen, document_list(rows, chosen, wanted)

    def tick(self, chosen: Chosen, rows: Rows, wanted: str, event: gr.EventData) -> Values:
        """Choice and list after a tick; the list stays if it shows the choice already."""
        pressed = click_of(event) or Click()
        before = frozenset[str]() if pressed.only else chosen
        chosen = after_tick(before, pressed.document, pressed.ticked, rows)
        is_shown = pressed.ticks == ticked(chosen, shown(rows, wanted))
        return chosen, gr.skip() if is_shown else document_list(rows, chosen, wanted)

    def read(self, event: gr.EventData) -> Any:
        """The document that is opened, for the pane beside the conversation."""
        with suppress(KeyError):
            return beginning(self.documents()[(click_of(event) or Click()).document])
        return gr.skip()

    def files(self, uploads: Sequence[dict[str, Any]] | None) -> Iterator[Values]:
        """Take in what was uploaded, one file after the other; then the box is empty."""
        paths = [Path(upload["path"]) for upload in uploads or ()]
        changes = [(path.name, self._upload(path), partial(self._added, path.name)) for path in paths]
        yield from self._changed(changes, 1)
        yield gr.skip(), None

    def _upload(self, path: Path) -> Callable[[], Iterator[Step | Changed]]:
        def change() -> Iterator[Step | Changed]:
            try:
                return self.editor.add_file(path, path.name)
            finally:
                path.unlink(missing_ok=True)  # The editor has a copy.
                with suppress(OSError):
                    path.parent.rmdir()

        return change

    def text(self, title: str, text: str) -> Iterator[Values]:
        """Take in a pasted text; the boxes are emptied when it is there."""
        name = (title or "").strip()[: bounds.TITLE]
        change = name or "The text", partial(self.editor.add_text, name, text or ""), partial(self._added, name)
        if (yield from self._changed([change], 2)):
            yield gr.skip(), "", ""

    def address(self, address: str) -> Iterator[Values]:
        """Take in what a web address holds; the box is emptied when it is there."""
        named = (address or "").strip()
        name = named[: bounds.NAME]
        if (yield from self._changed([(name, partial(self.editor.add_address, named), partial(self._added, name))], 1)):
            yield gr.skip(), ""

    def _added(self, name: str, changed: Changed) -> str:
        long = [row.doc_id for row in changed.added if row.words >= _FULL]
        return say_added(name, changed, self.key_sentences(long) if len(changed.added) == len(long) == 1 else ())

    def remove(self, chosen: Chosen, rows: Rows, event: gr.EventData) -> Iterator[Values]:
        """Remove a document at once.

        Gives the status, what can be brought back, and what is then not asked.
        """
        wanted = (click_of(event) or Click()).document
        row = next((row for row in rows if row.doc_id == wanted), None)
        if row is None:
            return
        title = shorten(row.title, bounds.TITLE)
        undo = f'<p dir="auto">Removed “{escape(title)}”. {button("restore", "Undo")}</p>'
        unasked = frozenset({wanted}) if chosen is not None and wanted not in chosen else frozenset()
        yield gr.skip(), row, unasked
        yield from self._changed([(title, partial(self.editor.remove, wanted), lambda _: undo)], 2)

    def restore(self, row: Row | None) -> Iterator[Values]:
        """Bring back what was removed last; then there is nothing to bring back."""
        if row:
            back = say([f"“{shorten(row.title, bounds.TITLE)}” is back."])
            change = shorten(row.title, bounds.TITLE), partial(self.editor.bring_back, row.doc_id), lambda _: back
            if (yield from self._changed([change], 1)):
                yield gr.skip(), None

    def _changed(self, changes: Sequence[Change], others: int) -> Generator[Values, None, bool]:
        """The status during changes, each under its name, before `others` that stay.

        Returns whether all went well. An error ends its change alone.
        """
        ended, rest, failed = "", (gr.skip(),) * others, False
        for name, change, told in changes:
            try:
                for event in change():
                    if isinstance(event, Step):
                        yield ended + say_step(name, event), *rest
                    else:
                        ended += told(event)
            except RagError as error:
                failed = True
                _LOG.warning("A document could not be added or removed.", extra={"fields": {"reason": reason(error)}})
                ended += say([without_folders(for_readers(error))])
            except Exception:  # noqa: BLE001 - gradio would only say "Error"
                failed = True
                _LOG.exception("A document could not be added or removed.")
                ended += say([f"{name}: something went wrong; the log tells what. Try again."])
            yield ended, *rest
        return not failed


@dataclass(frozen=True)
class DocumentPanel:
    """What the rest of the page needs.

    `chosen` holds the choice, for `asked`; `show_in` connects the pane, and the line that tells the choice.
    """

    chosen: gr.State
    show_in: Callable[[gr.HTML, gr.HTML], object]


def documents_panel(
    editor: DocumentEditor,
    documents: Callable[[], Documents],
    key_sentences: Callable[[Sequence[str]], Sequence[Citation]] = lambda _: (),
) -> DocumentPanel:
    """Build the list in the current gr.Blocks.

    `documents` gives those of the index as it was last published. If the editor is not enabled, documents can be
    chosen and opened but neither added nor removed.
    """
    handlers = DocumentHandlers(editor, documents, key_sentences)
    rows, chosen, gone, unasked = gr.State(()), gr.State(None), gr.State(None), gr.State(frozenset())
    with gr.Column(elem_id="documents"):
        status = gr.HTML("", elem_id="documents-status", **_PLAIN | {"js_on_load": _SCRIPTS[1]})
        changes = _adding(handlers, status, editor.settings) if editor.is_enabled else []
        if editor.is_enabled:
            gr.HTML(f'<p class="quiet">{SHARED}</p>', **_PLAIN)
        find = gr.Textbox(label="Find a document", elem_id="documents-find", max_lines=1)
        with gr.Row():
            every = gr.Button("Ask all", size="sm", min_width=80)
            none = gr.Button("Ask none", size="sm", min_width=80)
        listing = gr.HTML("", elem_id="documents-list", **_PLAIN | {"js_on_load": _SCRIPTS[0]})
    state, drawn = [chosen, rows, find], [rows, chosen, listing]
    find.change(handlers.view, state, [chosen, listing], **_CHOICE | {"trigger_mode": "always_last"})
    listing.input(handlers.tick, state, [chosen, listing], **_CHOICE)
    every.click(partial(handlers.view, None), [rows, find], [chosen, listing], **_CHOICE)
    none.click(partial(handlers.view, frozenset()), [rows, find], [chosen, listing], **_CHOICE)
    gr.on(None, handlers.load, None, [status, *drawn], **_QUIET)  # when the page is opened
    if editor.is_enabled:
        changes.append(listing.click(handlers.remove, [chosen, rows], [status, gone, unasked], **_CHANGE))
        changes.append(status.click(handlers.restore, gone, [status, gone], **_CHANGE))
    for change in changes:  # With the choice as it is then.
        change.then(handlers.renew, [*state, unasked], drawn, **_CHOICE)

    def show_in(pane: gr.HTML, told: gr.HTML) -> None:
        chosen.change(lambda chosen, rows: scope(rows, chosen), [chosen, rows], told, **_QUIET)
        told.click(partial(handlers.view, None), [rows, find], [chosen, listing], **_CHOICE)
        opened = listing.select(handlers.read, None, pane, trigger_mode="always_last", **_QUIET)
        opened.then(None, None, None, js="() => window.askTheArticle.opened()", **_QUIET)

    return DocumentPanel(chosen, show_in)


def _adding(handlers: DocumentHandlers, status: gr.HTML, settings: ServerSettings) -> list[Any]:
    """Boxes for files, for a pasted text and, online, for an address; gives their events."""
    with gr.Accordion("Add documents", open=False, elem_id="documents-adding"):
        files = gr.File(label="Add files", elem_id="documents-files", file_count="multiple", height=140)
        types = f"Files of {', '.join(SUFFIXES)}, at most {settings.upload_mb} MB each."
        gr.HTML(f'<p class="quiet">{types}</p>', **_PLAIN)
        title = gr.Textbox(label="Title of a text to add", max_lines=1)
        text = gr.Textbox(label="The text", lines=3, max_lines=10)
        add = gr.Button("Add the text", size="sm")
        # Gradio would leave an empty file behind for each one that it hands over by its path.
        events = [files.upload(handlers.files, files, [status, files], preprocess=False, **_CHANGE)]
        events.append(add.click(handlers.text, [title, text], [status, title, text], **_CHANGE))
        if settings.online:
            address = gr.Textbox(label="Web address to add", max_lines=1)
            fetch = gr.Button("Add the address", size="sm")
            events.append(gr.on([address.submit, fetch.click], handlers.address, address, [status, address], **_CHANGE))
    return events
