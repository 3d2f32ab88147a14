"""All settings in one frozen object, read from RAG_* variables and a .env file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from rag.errors import SettingsError


def _user_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("article-chat")


class Settings(BaseSettings):
    """The settings of the chatbot and its index.

    `Settings()` reads RAG_* from the environment, then from `.env`. Only entry points and callers
    make one; the packages take it as an argument.
    """

    model_config = SettingsConfigDict(env_prefix="RAG_", env_file=".env", extra="ignore", frozen=True)

    data: Path = Field(Path("data"), description="The article: a document, or a folder of them.")
    online: bool = Field(
        False,
        description="Allow going online: for documents that are web addresses, and a model that is not installed.",
    )
    index: Path = Field(Path("index"), description="The folder that holds the published index.")
    shared: str = Field(
        "",
        description="Where the index is shared with other machines: a folder, or an address that fsspec knows, "
        "such as s3://bucket/index. Empty: nowhere.",
    )
    chroma_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="The address of a Chroma server that holds the vectors. Empty: they are in the index.",
    )
    chroma_token: SecretStr = Field(SecretStr(""), description="The token that a proxy before that server asks for.")
    embedder: str = Field("", description="A sentence-transformers folder; empty: the installed all-MiniLM-L6-v2.")
    passage_words: int = Field(110, ge=20, le=400, description="Words in a passage, about.")

    model: str = Field(
        "", description="Empty: the installed 1.5B model. A path ending in .gguf. Or PROVIDER:NAME for LangChain."
    )
    base_url: str = Field("", description="The address of an OpenAI-compatible server, with its /v1.")
    api_key: SecretStr = Field(SecretStr(""), description="The key for that server or provider.")
    timeout: float = Field(120.0, gt=0, description="Seconds to wait for the model to say something.")
    max_tokens: int = Field(160, ge=16, le=4096, description="The longest answer, in tokens.")
    context: int = Field(
        4096,
        ge=1024,
        description="Tokens that the model can take: what it reads for a question is cut to it.",
    )
    cache: Path = Field(default_factory=_user_cache, description="Where the assembled model file is kept.")

    passages: int = Field(
        4,
        ge=1,
        le=20,
        description="Passages found for a question; twice as many are looked through for sentences that answer.",
    )
    abstain_below: float = Field(
        0.5, ge=0, le=1, description="Say that the documents do not answer when the confidence is lower."
    )
    read_ahead: bool = Field(True, description="Let the installed model read while a question is being typed.")
    unsupported: Literal["mark", "drop"] = Field(
        "mark", description="Sentences of an answer that the documents do not say: mark or drop."
    )


ALONE = {"shared": "", "chroma_url": ""}
"""The settings of an index that is for nobody else, such as one that is measured."""


class ServerSettings(Settings):
    """The settings of the chatbot with those of the page and its server."""

    host: str = Field("127.0.0.1", description="The address that the page listens on.")
    port: int = Field(7860, ge=0, le=65535, description="The port of the page; 0 takes any free one.")
    hosts: str = Field("", description="Further names under which the page is served, separated by commas.")
    store: Path = Field(
        Path("store"), description="The folder of conversations, ratings and documents added in the page."
    )
    database: SecretStr = Field(
        SecretStr(""),
        description="A PostgreSQL database that several copies of the page share, in place of the store's file: "
        "postgresql+psycopg://USER:PASSWORD@HOST/NAME.",
    )
    add_documents: bool | None = Field(
        None, description="Whether documents may be added and removed in the page; unset: only on this machine."
    )
    upload_mb: int = Field(20, ge=1, le=1000, description="The largest document that can be uploaded, in MB.")
    at_once: int = Field(4, ge=1, le=100, description="Questions that the model answers at the same time.")
    queue: int = Field(40, ge=0, le=10_000, description="Questions that may wait for that; further ones are refused.")
    per_minute: int = Field(30, ge=0, description="Questions a user may ask in a minute; 0: any number.")
    users: Path | None = Field(
        None, description="A file of users, NAME:HASH a line, as htpasswd -B writes it: only they may ask."
    )
    user_header: str = Field("", description="The header in which a proxy names the user that it has signed in.")
    proxies: str = Field("127.0.0.1,::1", description="Addresses whose RAG_USER_HEADER is believed, with commas.")
    log_questions: bool = Field(False, description="Write the text of questions to the log, too.")
    metrics: bool | None = Field(None, description="Serve /metrics for Prometheus; unset: only on this machine.")

    @property
    def is_local(self) -> bool:
        """Whether the page serves this machine alone, without a proxy before it."""
        return self.host in {"127.0.0.1", "localhost", "::1"} and not self.hosts and not self.user_header

    @property
    def takes_documents(self) -> bool:
        """Whether documents may be added and removed in the page."""
        return self.is_local if self.add_documents is None else self.add_documents

    @property
    def shows_metrics(self) -> bool:
        """Whether /metrics is served."""
        return self.is_local if self.metrics is None else self.metrics


def read_settings(**overrides: Any) -> Settings:
    """Settings from the environment and `.env`, with `overrides` on top.

    Raises SettingsError, naming the first bad setting and its value.
    """
    with _faults_named():
        return Settings(**overrides)


def read_server_settings(**overrides: Any) -> ServerSettings:
    """The same with those of the server."""
    with _faults_named():
        return ServerSettings(**overrides)


@contextmanager
def _faults_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(f"The file .env cannot be read ({error.strerror}); check its permissions.") from error
    except UnicodeDecodeError as error:
        raise SettingsError("The file .env is not UTF-8 text; save it as UTF-8.") from error
    except ValidationError as error:
        first = error.errors()[0]
        name = f"RAG_{'_'.join(str(part) for part in first['loc'])}".upper()
        raise SettingsError(
            f"The setting {name} cannot be {first['input']!r} ({first['msg']}); "
            "correct it in the environment or in .env."
        ) from error
