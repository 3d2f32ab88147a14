"""Serves the installed model by OpenAI's protocol on loopback; RAG_API_KEY is the key that it asks for."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

from rag.errors import RagError, SettingsError, with_detail
from rag.models.chat_model import serve_model
from rag.settings import read_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Serve it until Ctrl+C or SIGTERM; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python deploy/model_server.py", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="the port on 127.0.0.1; 0 takes any free one")
    port = parser.parse_args(argv).port
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        settings = read_settings(base_url="")
        if not (key := settings.api_key.get_secret_value()):
            raise SettingsError("The model is served for those who have a key; set RAG_API_KEY to one.")
        with serve_model(settings, key, port) as address:
            print(f"The model answers at {address}.", flush=True)
            ended.wait()
    except RagError as error:
        print(with_detail(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
