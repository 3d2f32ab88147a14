"""The chat model: llama.cpp inside the process, or any endpoint that LangChain knows."""

import os
import secrets
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from pydantic import ValidationError

from rag.errors import ModelError, RagError
from rag.models.progress import Progress, silent
from rag.models.weights import find_weights
from rag.settings import Settings
from rag.types import Incomplete

ADAPTER = "answering.gguf"
"""Low-rank weights for the attention of the default model, with which it answers from a short text or says that the
text does not answer (Hu et al., LoRA, 2021). Made by `python -m eval train-answering`."""
SLOTS = 2
"""Questions that the embedded model answers side by side; each slot keeps its own prompt cache."""
LOGPROBS = "logprobs"
"""The tag of a model behind OpenAI's protocol: it may give log-probabilities, and ends a stream with a reason."""
PLAIN = "plain"
"""The tag of a model that does not think aloud."""
_FINISH = ("finish_reason", "stop_reason", "done_reason", "stopReason")
"""The fields in which the clients of OpenAI, Anthropic, Ollama and Bedrock tell why a stream ended."""
LENGTH = "length"
_LENGTH = frozenset({LENGTH, "max_tokens", "model_length"})
"""What they say if the answer was too long."""
_REFUSED = "content_filter"
Piece = TypeVar("Piece")


def is_embedded(settings: Settings) -> bool:
    """Whether the model runs inside this process: none is named, or a GGUF file is."""
    return not settings.base_url and (not settings.model or settings.model.lower().endswith(".gguf"))


@contextmanager
def open_model(settings: Settings, progress: Progress = silent) -> Iterator[BaseChatModel]:
    """The chat model, ready to answer; the embedded one ends with the context.

    Raises ModelError when its file is missing or damaged, its engine is not
    installed, or the provider's name or key cannot be used.
    """
    if not is_embedded(settings):
        yield _remote(settings)
        return
    key = secrets.token_urlsafe(24)
    with serve_model(settings, key, progress=progress) as address:
        plain = () if settings.model else (PLAIN,)
        yield _openai(settings, address, key, "embedded", *plain)


@contextmanager
def serve_model(settings: Settings, key: str, port: int = 0, progress: Progress = silent) -> Iterator[str]:
    """The embedded model as an OpenAI-compatible server on loopback; gives its address.

    It asks for `key`. Port 0 takes any free one. Raises ModelError when the file is missing or damaged, or the engine
    is not installed.
    """
    # The adapter was trained for the default model.
    adapter = None if settings.model else str(files("rag.models").joinpath(ADAPTER))
    server = _engine(settings, find_weights(settings, progress), adapter, key, port)
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server  # Ends its threads and frees the weights.


def _engine(settings: Settings, weights: Path, adapter: str | None, key: str, port: int) -> Any:
    """An OpenAI-compatible server inside this process."""
    try:
        import xllamacpp
    except ImportError as error:
        raise ModelError(
            'The engine of the embedded model is not installed; run: pip install -c constraints.txt -e ".[local]"'
        ) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.api_keys = [key]
    params.n_ctx = settings.context * SLOTS
    params.n_parallel = SLOTS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
    params.no_extra_bufts = True  # Repacked weights take 0.6 GB more and read no faster.
    params.cache_ram_mib = 512
    params.ui = False
    params.verbosity = -1
    if adapter:
        lora = xllamacpp.CommonAdapterLoraInfo()
        lora.path, lora.scale = adapter, 1.0
        params.lora_adapters = [lora]
    try:
        server = xllamacpp.Server(params)
        # One token, so that its loop runs: a server that is ended before hangs for good.
        server.handle_completions({"prompt": "Hello", "max_tokens": 1})
    except RuntimeError as error:
        raise ModelError(
            f"The model file {str(weights)!r} cannot be loaded ({error}); set RAG_MODEL to another, or free memory."
        ) from error
    return server


def finish_reason(piece: BaseMessage) -> str | None:
    """Why the stream ended, None before its end."""
    return next((str(reason).lower() for key in _FINISH if (reason := piece.response_metadata.get(key))), None)


def is_cut(reason: str | None) -> bool:
    """Whether a stream that ended with this reason met a limit of length."""
    return reason in _LENGTH


def incomplete(model: BaseChatModel, reason: str | None) -> Incomplete:
    """Why a stream that ended with this reason is not whole, if it is not.

    A stream without a reason broke off, if the model's server is known to give reasons.
    """
    if is_cut(reason):
        return "length"
    missing = reason is None and LOGPROBS in (model.tags or [])
    return "broke off" if missing or reason == _REFUSED else ""


def _remote(settings: Settings) -> BaseChatModel:
    """The model of a provider (PROVIDER:NAME) or of an OpenAI-compatible server."""
    given = {"base_url": settings.base_url, "api_key": settings.api_key.get_secret_value()}
    options = {name: value for name, value in given.items() if value}
    provider, _, name = settings.model.partition(":")
    with explained(settings, _unusable):
        if not settings.base_url:
            return _client(settings, settings.model, None, **options)
        if name:
            try:
                return _client(settings, name, provider, **options)
            except ValidationError:
                raise
            except ValueError:  # There is no such provider: "llama3:8b" is the whole name.
                pass
        return _openai(settings, settings.base_url, given["api_key"] or "none", settings.model or "default")


def _openai(settings: Settings, base_url: str, key: str, name: str, *tags: str) -> BaseChatModel:
    import openai

    options: dict[str, Any] = {}
    if base_url.startswith(("http://127.0.0.1", "http://localhost")):
        # A proxy set for the web must not see requests to this machine.
        options["http_client"] = openai.DefaultHttpxClient(trust_env=False)
        options["http_async_client"] = openai.DefaultAsyncHttpxClient(trust_env=False)
    return _client(
        settings, name, "openai", base_url=base_url, api_key=key, stream_usage=False, tags=[LOGPROBS, *tags], **options
    )


def _client(settings: Settings, name: str, provider: str | None, **options: Any) -> BaseChatModel:
    """The provider's client; without one, `name` names it. May raise anything."""
    from langchain.chat_models import init_chat_model

    model: BaseChatModel = init_chat_model(
        name,
        model_provider=provider,
        temperature=0,
        max_tokens=settings.max_tokens,
        timeout=settings.timeout,
        max_retries=0,  # A silent model would be waited for once more for each.
        **options,
    )
    return model


def _unusable(settings: Settings, error: Exception) -> str:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return (
        f"The model {settings.model!r} cannot be used ({reason}); set RAG_MODEL to "
        "PROVIDER:NAME, for example openai:gpt-5-mini, install its LangChain package, and set RAG_API_KEY."
    )


def _failed(settings: Settings, error: Exception) -> str:
    who = "The embedded model" if is_embedded(settings) else "The model"
    status, kind = getattr(error, "status_code", None), type(error).__name__
    if status in {401, 403}:
        return f"{who} refused the key (status {status}); set RAG_API_KEY to a valid one."
    if status == 404:
        return f"{who} was not found (status 404); correct RAG_MODEL or RAG_BASE_URL."
    if status == 429:
        return f"{who} is busy or its quota is used up (status 429); ask again later."
    if "Timeout" in kind:
        return f"{who} said nothing for {settings.timeout:g} s; ask again, or raise RAG_TIMEOUT."
    if "context" in str(error) and status == 400:
        return f"The passages are too long for {who.lower()}; ask a shorter question, or lower RAG_PASSAGES."
    if "Connect" in kind or "Protocol" in kind or isinstance(error, OSError):
        return f"{who} cannot be reached or broke off; check that it runs, then ask again."
    return f"{who} failed; ask again."


def _detail(settings: Settings, error: Exception) -> str:
    """What only the operator is told: which model, where, and what its client raised."""
    where = f" at {settings.base_url}" if settings.base_url else ""
    status = getattr(error, "status_code", None)
    return f"{settings.model or 'default'!r}{where}: {type(error).__name__}{f' {status}' if status else ''}"


@contextmanager
def explained(settings: Settings, sentence: Callable[[Settings, Exception], str] = _failed) -> Iterator[None]:
    """Turn what a model's client raises into a ModelError of one sentence.

    Every provider has errors of its own and raises built-in ones too, so all are taken for
    the model's: nothing but the call belongs inside.
    """
    try:
        yield
    except RagError:
        raise
    except Exception as error:
        raise ModelError(sentence(settings, error), _detail(settings, error)) from error


def streamed(settings: Settings, pieces: Iterator[Piece]) -> Generator[Piece, None, None]:
    """The pieces of a model's stream, with its errors explained; closing it closes the stream."""
    with explained(settings):
        yield from pieces
