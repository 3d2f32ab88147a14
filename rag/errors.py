"""Errors meant for people: the message says what happened, with the value, and the next step."""

from rag.bounds import NAME
from rag.clean import replace_surrogates


class RagError(Exception):
    """The root of every error that an entry point shows as one sentence, with exit code 1."""


class SettingsError(RagError):
    """A setting has a value that cannot be used."""


class DocumentError(RagError):
    """A file or folder cannot be read as text."""


class StoreError(RagError):
    """There is no index, or it cannot be used with these settings."""


class NoIndexError(StoreError):
    """Nothing was ever published in the index folder."""


class DamagedError(StoreError):
    """Files of the index are not as they were written."""


class ModelError(RagError):
    """The chat model or the embedder is missing, damaged, down or silent."""


class QuestionError(RagError):
    """The question cannot be asked: it is empty or too long."""


class BusyError(RagError):
    """Too many questions at the moment, of all or of one user."""


def quoted(name: str) -> str:
    """The name of a file or an address as messages show it: in quotation marks, and not endless."""
    return repr(replace_surrogates(name[:NAME]) + ("…" if len(name) > NAME else ""))
