"""`python chat_app.py`: builds the index if there is none, starts the model, serves the page."""

import argparse
import getpass
import sys
from collections.abc import Callable, Sequence

import gradio as gr
from fastapi import FastAPI
from langchain_core.embeddings import Embeddings

from ingest import main as ingest_main
from rag import Chatbot, RagError
from rag.errors import SettingsError, with_detail
from rag.index.index import is_sound
from rag.index.shared import Remote
from rag.models.progress import terminal_progress
from rag.page.build import build_page, head
from rag.server.app import build_app
from rag.server.document_editor import DocumentEditor
from rag.server.export import download_routes
from rag.server.log import start_logging
from rag.server.move import move_store
from rag.server.serve import listen, make_server
from rag.server.service import Service
from rag.server.store import Store, open_store
from rag.server.users import add_user
from rag.settings import ServerSettings, read_server_settings


def make_app(
    bot: Chatbot,
    store: Store,
    settings: ServerSettings,
    load_embedder: Callable[[], Embeddings] | None = None,
    published: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The page, the APIs and `bot` as one application. Raises SettingsError.

    `load_embedder` and `published` serve documents that are added in the page (rag/server/document_editor.py).
    """
    service = Service(bot, settings, store.cluster)
    blocks = build_page(service, store, settings, DocumentEditor(settings, load_embedder, published=published))
    theme = gr.themes.Default(primary_hue="blue", font=("system-ui", "sans-serif"), font_mono="monospace")
    return build_app(service, store, blocks, settings, routes=download_routes(store), theme=theme, head=head())


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page, over a new index if there is no sound one; returns the exit code."""
    parser = argparse.ArgumentParser(description="Ask the documents in a page; the settings are RAG_* variables.")
    parser.add_argument("--add-user", metavar="NAME", help="add a user to the file RAG_USERS, and end")
    parser.add_argument(
        "--move-store", action="store_true", help="copy the store of RAG_STORE into the empty RAG_DATABASE, and end"
    )
    arguments = parser.parse_args(argv)
    try:
        settings = read_server_settings()
        if arguments.add_user:
            return _add_user(settings, arguments.add_user)
        if arguments.move_store:
            print(move_store(settings))
            return 0
        start_logging(settings)
        with listen(settings) as listener:
            remote = Remote.of(settings)
            if not is_sound(settings.index, remote) and (code := ingest_main([])) and not is_sound(settings.index):
                return code
            with (
                open_store(settings) as store,
                terminal_progress() as progress,
                Chatbot.open(settings, progress=progress) as bot,
            ):
                make_server(make_app(bot, store, settings, lambda: bot.embedder, bot.refresh)).run([listener])
    except RagError as error:
        print(with_detail(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _add_user(settings: ServerSettings, name: str) -> int:
    if settings.users is None:
        raise SettingsError("No file of users is set; set RAG_USERS to one, for example RAG_USERS=users.txt.")
    add_user(settings.users, name, getpass.getpass(f"Password of {name}: "))
    print(f"{name} can sign in now.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
