"""Errors meant for people: the message says what happened and the next step."""


class RagError(Exception):
    """The root of all errors that an entry point shows as one sentence.

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
    """The index, or the store of the server (RAG_STORE), is missing or cannot be used."""


class NoIndexError(StoreError):
    """Nothing was ever published in the index folder."""


class DamagedError(StoreError):
    """Files of the index are not as they were written."""


class UnreachableError(StoreError):
    """A server or a shared place of the index cannot be reached at the moment."""


class ModelError(RagError):
    """The chat model or the embedder is missing, damaged, down or silent."""


class QuestionError(RagError):
    """The question cannot be asked: it is empty or too long."""


class BusyError(RagError):
    """Too many questions at the moment, of all or of one user."""


def with_detail(error: RagError) -> str:
    """The sentence with `detail` and the first line of the cause, for the operator."""
    if not error.detail:
        return str(error)
    said = str(error.__cause__ or "").splitlines()[:1]
    return f"{error} ({': '.join([error.detail, *said])})"


def for_readers(error: RagError) -> str:
    """The sentence for those who ask.

    That of a StoreError names folders, which are the operator's.
    """
    if isinstance(error, StoreError):
        return "What is kept here cannot be read or written at the moment; try again later, or tell who runs this."
    return str(error)
