import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from rag.errors import ModelError, with_detail
from rag.models.chat_model import explained, finish_reason, incomplete, is_embedded, open_model, streamed
from rag.server.log import reason
from rag.settings import Settings

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(behave: Behaviour) -> Iterator[str]:
    """A loopback server that answers every POST by `behave`; its address with /v1."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            behave(self)

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}/v1"
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def refuses(status: int, message: str = "no") -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.end_headers()
        handler.wfile.write(json.dumps({"error": {"message": message}}).encode())

    return behave


def dies_in_mid_sentence(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    event = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Fish sw"}}]}
    data = f"data: {json.dumps(event)}\n\n".encode()
    handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    handler.wfile.flush()
    handler.connection.close()


def streams(*events: dict[str, object]) -> Behaviour:
    """Sends these as a stream, which then ends in an orderly way."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        data = "".join(f"data: {json.dumps({'choices': [{'index': 0, **event}]})}\n\n" for event in events).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return behave


def talk(settings: Settings) -> str:
    with open_model(settings) as model, explained(settings):
        return "".join(str(piece.text) for piece in model.stream("Hello"))


def at(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"base_url": url, "model": "m", "timeout": 0.5})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("behave", "sentence"),
    [
        (refuses(401), "refused the key .*RAG_API_KEY"),
        (refuses(404), "not found .*RAG_MODEL or RAG_BASE_URL"),
        (refuses(429), "busy"),
        (refuses(400, "the request exceeds the available context size"), "too long .*shorter question"),
        (refuses(500), "failed.*ask again"),
        (dies_in_mid_sentence, "broke off.*ask again"),
    ],
)
def test_each_failure_of_an_endpoint_is_one_sentence(settings: Settings, behave: Behaviour, sentence: str) -> None:
    with server(behave) as url, pytest.raises(ModelError, match=sentence) as caught:
        talk(at(settings, url))
    assert "\n" not in with_detail(caught.value) and url in with_detail(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("behave", [refuses(401), refuses(500, "Zanzibar"), dies_in_mid_sentence])
def test_readers_are_told_no_address_and_no_class_and_the_log_no_text(settings: Settings, behave: Behaviour) -> None:
    with server(behave) as url, pytest.raises(ModelError) as caught:
        talk(at(settings, url))
    for secret in (url, "127.0.0.1", "Error'", "'m'", "Zanzibar"):
        assert secret not in str(caught.value)
    assert url in caught.value.detail and "Error" in caught.value.detail and "Zanzibar" not in caught.value.detail
    assert caught.value.detail in reason(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("last", "why"),
    [
        ([], "broke off"),
        ([{"delta": {}, "finish_reason": "stop"}], ""),
        ([{"delta": {}, "finish_reason": "length"}], "length"),
    ],
)
def test_why_the_stream_of_a_server_is_not_whole(settings: Settings, last: list[dict[str, object]], why: str) -> None:
    said: dict[str, object] = {"delta": {"role": "assistant", "content": "Fish swim"}}
    with server(streams(said, *last)) as url, open_model(at(settings, url)) as model:
        pieces = list(model.stream("Hello"))
        ended = next(filter(None, map(finish_reason, pieces)), None)
        assert "".join(str(piece.text) for piece in pieces) == "Fish swim"
        assert incomplete(model, ended) == why


@pytest.mark.slow
def test_a_silent_endpoint_is_given_up_after_the_timeout(settings: Settings) -> None:
    released = threading.Event()
    asked: list[object] = []

    def says_nothing(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler)
        released.wait(30)

    with server(says_nothing) as url:
        try:
            with pytest.raises(ModelError, match=r"said nothing for 0\.5 s.*RAG_TIMEOUT"):
                talk(at(settings, url))
        finally:
            released.set()
    assert len(asked) == 1


@pytest.mark.slow
def test_an_endpoint_that_is_down_is_named(settings: Settings) -> None:
    with server(refuses(500)) as url:
        pass
    with pytest.raises(ModelError, match=r"cannot be reached .*check that it runs"):
        talk(at(settings, url))


def test_whatever_a_client_raises_is_the_models_and_what_its_user_raises_is_not(settings: Settings) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("choices")

    with pytest.raises(ModelError, match="failed; ask again") as caught:
        list(streamed(settings, broken()))
    assert with_detail(caught.value).endswith("KeyError: 'choices')")
    with pytest.raises(ZeroDivisionError):
        for piece in streamed(settings, broken()):
            piece // 0


def test_a_stream_that_is_closed_closes_that_of_the_model(settings: Settings) -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    pieces = streamed(settings, endless())
    next(pieces)
    pieces.close()
    assert closed.is_set()


@pytest.mark.slow
def test_a_proxy_for_the_web_is_not_used_for_this_machine(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "corp.example")
    before = dict(os.environ)
    with server(refuses(401)) as url, pytest.raises(ModelError, match="refused the key"):
        talk(at(settings, url))
    assert dict(os.environ) == before


def test_an_unknown_provider_is_refused_in_a_sentence(settings: Settings) -> None:
    with (
        pytest.raises(ModelError, match="PROVIDER:NAME"),
        open_model(settings.model_copy(update={"model": "nobody:nothing"})),
    ):
        pass


def test_a_broken_model_file_is_refused_in_a_sentence(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF and then nothing that makes sense")
    with (
        pytest.raises(ModelError, match=r"broken\.gguf' cannot be loaded"),
        open_model(settings.model_copy(update={"model": str(path)})),
    ):
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("qwen2.5:14b", "qwen2.5:14b"),
        ("mistral:7b", "mistral:7b"),
        ("openai:gpt-5-mini", "gpt-5-mini"),
        ("", "default"),
    ],
)
def test_a_name_goes_to_the_server_as_it_is_unless_it_names_a_provider(
    settings: Settings, model: str, named: str
) -> None:
    changes = {"base_url": "http://127.0.0.1:1/v1", "model": model, "api_key": SecretStr("k"), "timeout": 3.0}
    with open_model(settings.model_copy(update=changes)) as opened:
        assert isinstance(opened, ChatOpenAI)
        assert (opened.model_name, opened.openai_api_base) == (named, "http://127.0.0.1:1/v1")
        assert (opened.request_timeout, opened.max_retries) == (3.0, 0)


def test_which_models_run_inside_the_process(settings: Settings) -> None:
    def embedded(**changes: str) -> bool:
        return is_embedded(settings.model_copy(update=changes))

    assert embedded()
    assert embedded(model="some/model.gguf")
    assert not embedded(model="openai:gpt-5-mini")
    assert not embedded(base_url="http://127.0.0.1:1/v1")
