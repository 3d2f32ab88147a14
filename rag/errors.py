"""Errors meant for people: the message says what happened, with the value, and the next step."""


class RagError(Exception):
    """The root of every error that an entry point shows as one sentence, with exit code 1.

    `detail` is for the operator alone: addresses, paths, names of classes; never a text from outside.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


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


def with_detail(error: RagError) -> str:
    """The sentence with what only the operator is told, and what the cause said in its first line."""
    if not error.detail:
        return str(error)
    said = str(error.__cause__ or "").splitlines()[:1]
    return f"{error} ({': '.join([error.detail, *said])})"


def for_readers(error: RagError) -> str:
    """The sentence for those who ask: those about the index and the store name folders, which are the operator's."""
    if isinstance(error, StoreError):
        return "What is kept here cannot be read or written at the moment; try again later, or tell who runs this."
    return str(error)
