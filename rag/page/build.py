"""The Gradio page: two panes, two drawers, and what happens on an event."""

from importlib.resources import files
from typing import Any

import gradio as gr

from rag.page.conversation import TITLE, conversation, conversation_list
from rag.page.documents import documents_drawer
from rag.page.editor import DocumentEditor
from rag.page.handlers import Page
from rag.page.source import opening
from rag.server.api import add_gradio_endpoint
from rag.server.service import Service
from rag.server.store import Store
from rag.settings import ServerSettings

_HOUR = 3600


def head() -> str:
    """The page's style and script, for the head of the HTML: Gradio would confine a style given as `css`."""
    style, script = (files("rag.page").joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return f"<style>{style}</style><script>{script}</script>"


def build_page(service: Service, store: Store, settings: ServerSettings, editor: DocumentEditor) -> gr.Blocks:
    """The page with its events, and the endpoint `ask`."""
    page = Page(service, store, settings)
    reads = service.bot.reads_ahead
    plain: dict[str, Any] = {"apply_default_css": False, "js_on_load": None}
    blocks: gr.Blocks
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(_HOUR, _HOUR)) as blocks:
        top = gr.HTML(page.top(None), elem_id="top", **plain)
        past = gr.HTML(conversation_list([], ""), elem_id="list", **plain)
        with gr.Row(elem_id="panes"):
            with gr.Column(elem_id="left", min_width=300):
                chat = gr.HTML(
                    conversation((), "", []), elem_id="chat", **plain | {"js_on_load": _connect("chat", reads)}
                )
                with gr.Row(elem_id="ask"):
                    box = gr.Textbox(
                        elem_id="question", placeholder="Your question", label="Your question", show_label=False,
                        container=False, lines=1, max_lines=5, scale=5, min_width=160, autofocus=True,
                    )  # fmt: skip
                    send = gr.Button("Send", elem_id="send", variant="primary", scale=1, min_width=80)
                    stop = gr.Button("Stop", elem_id="stop", variant="stop", scale=1, min_width=80, visible=False)
            with gr.Column(elem_id="right", min_width=300):
                pane = gr.HTML(
                    opening(service.bot.documents), elem_id="source", **plain | {"js_on_load": _connect("source")}
                )
        documents = documents_drawer(editor, lambda: service.bot.documents)
        add_gradio_endpoint(service)
        # It lives in the browser, so that it outlives a restart of the server.
        identity = gr.Textbox(label="Conversation", visible="hidden", elem_id="identity")

        outputs = [chat, pane, past, box, send, stop, identity]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        # "multiple": an answer that is followed does not hinder what is asked in another conversation.
        many = quiet | {"trigger_mode": "multiple"}
        gr.on([box.submit, send.click], page.ask, [box, identity, documents.chosen], outputs, **many)
        chat.submit(page.again, [identity, documents.chosen], outputs, **many)
        chat.click(page.act, [identity], outputs, **many)
        stop.click(page.stop, [identity], None, queue=False, **quiet)
        if reads:  # The page's script sends it while a question is typed.
            draft = [box, identity, documents.chosen]
            chat.input(page.read_ahead, draft, None, queue=False, trigger_mode="always_last", **quiet)
        blocks.load(page.load, None, outputs, **quiet)
        gr.on([blocks.load, documents.ticks.change], page.top, [documents.chosen], top, **quiet)
    return blocks


def _connect(name: str, reads: bool = False) -> str:
    return f'window.askTheArticle("{name}", element, trigger, watch, {str(reads).lower()});'
