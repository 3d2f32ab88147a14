"""The Gradio page: conversation, document, sidebar, and what happens on an event."""

from contextlib import suppress
from importlib.resources import files
from typing import Any

import gradio as gr

from rag.errors import StoreError
from rag.page.chat import TITLE, WELCOME
from rag.page.conversations import conversation_list
from rag.page.documents import documents_panel
from rag.page.handlers import Page
from rag.page.markup import button
from rag.page.rating import Ratings, closed, complaint_boxes
from rag.page.source import opening
from rag.server.api import add_gradio_endpoint
from rag.server.document_editor import DocumentEditor
from rag.server.service import Service
from rag.server.store import Store
from rag.settings import ServerSettings

_HOUR = 3600
_PLAIN: dict[str, Any] = {"apply_default_css": False, "js_on_load": None}
_ASK_ALL = "element.addEventListener('click', (event) => { if (event.target.closest('button')) trigger('click'); });"
_QUIET: dict[str, Any] = {
    "show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None, "trigger_mode": "multiple",
}  # fmt: skip
"""Of events: an answer that is followed does not hinder what is asked in another conversation."""


def head() -> str:
    """The page's style and script, for the head of the HTML.

    Gradio would confine a style given as `css`.
    """
    style, script = (files("rag.page").joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return f"<style>{style}</style><script>{script}</script>"


def build_page(service: Service, store: Store, settings: ServerSettings, editor: DocumentEditor) -> gr.Blocks:
    """The page with its events, and the endpoint `ask`."""
    page = Page(service, store, settings)
    with suppress(StoreError):  # It is told when the page is opened.
        page.suggestions.renew()
    ratings = Ratings(page.kept)
    blocks: gr.Blocks
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(_HOUR, _HOUR)) as blocks:
        gr.HTML(f"<h1>{TITLE}</h1>", elem_id="title", **_PLAIN)  # For those who hear the page.
        with gr.Sidebar(open=False, width=360, elem_id="sidebar"):
            gr.HTML(f"<p>{TITLE}</p>{button('theme', 'Light or dark', '◐')}", elem_id="brand", **_PLAIN)
            with gr.Tabs():
                with gr.Tab("Conversations"):
                    find = gr.Textbox(
                        label="Search conversations", placeholder="Search conversations", show_label=False,
                        container=False, max_lines=1, elem_id="find",
                    )  # fmt: skip
                    past = gr.HTML(conversation_list([], ""), elem_id="list", **_PLAIN)
                with gr.Tab("Documents"):
                    documents = documents_panel(editor, lambda: service.bot.documents, service.bot.key_sentences)
        with gr.Row(elem_id="panes"):
            with gr.Column(elem_id="left", min_width=300):
                gr.HTML('<p id="status" role="status"></p>', **_PLAIN)
                chat, back = _conversation()
                complaint = complaint_boxes()
                told = gr.HTML("", elem_id="scope", **_PLAIN | {"js_on_load": _ASK_ALL})
                box = _question()
            with gr.Column(elem_id="right", min_width=300):
                pane = gr.HTML(opening(service.bot.documents), elem_id="source", **_PLAIN)
        documents.show_in(pane, told)
        add_gradio_endpoint(service)
        # It lives in the browser, so that it outlives a restart of the server.
        identity = gr.Textbox(label="Conversation", visible="hidden", elem_id="identity")
        connect = f"window.askTheArticle(trigger, {str(service.bot.reads_ahead).lower()});"
        script = gr.HTML("", elem_id="script", **_PLAIN | {"js_on_load": connect})

        outputs = [chat, pane, past, box, identity, back]
        asked = [identity, documents.chosen]
        box.submit(page.ask, [box, *asked], outputs, **_QUIET)
        box.stop(page.stop, [identity], None, queue=False, **_QUIET)
        chat.retry(page.retry, asked, outputs, **_QUIET)
        chat.edit(page.edit, asked, outputs, **_QUIET)
        chat.undo(page.remove_last, [identity], outputs, **_QUIET)
        back.click(page.bring_back, None, outputs, **_QUIET)
        gr.on([chat.option_select, chat.example_select], page.suggested, asked, outputs, **_QUIET)
        # What was said of one answer is not said of another.
        chat.like(lambda: (None, "", ""), None, complaint.boxes[1:], **_QUIET)
        chat.like(ratings.rate, [identity], [complaint.group, *complaint.boxes[:2]], **_QUIET)
        complaint.send.click(
            ratings.complain, [identity, *complaint.boxes], [complaint.group, *complaint.boxes], **_QUIET
        )
        gr.on([complaint.leave.click, identity.change], closed, None, [complaint.group, *complaint.boxes], **_QUIET)
        find.change(page.search, [find, identity], past, **_QUIET | {"trigger_mode": "always_last"})
        script.click(page.act, [identity], outputs, **_QUIET)
        if service.bot.reads_ahead:  # The page's script sends it while a question is typed.
            draft = _QUIET | {"trigger_mode": "always_last"}
            script.input(page.read_ahead, [box, *asked], None, queue=False, **draft)
        blocks.load(page.load, None, outputs, **_QUIET)
    return blocks


def _conversation() -> tuple[gr.Chatbot, gr.Button]:
    chat = gr.Chatbot(
        elem_id="chat", label="Conversation", show_label=False, container=False, height="100%", layout="panel",
        editable="user", buttons=[], placeholder=WELCOME, render_markdown=False, group_consecutive_messages=False,
        feedback_options=("Like", "Dislike"), latex_delimiters=[],
    )  # fmt: skip
    return chat, gr.Button("Undo", elem_id="back", size="sm", visible=False)


def _question() -> gr.Textbox:
    return gr.Textbox(
        elem_id="question", placeholder="Ask about the documents", label="Your question", show_label=False,
        container=False, lines=1, max_lines=6, submit_btn=True, stop_btn=False, autofocus=True,
    )  # fmt: skip
