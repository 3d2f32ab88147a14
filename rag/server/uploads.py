"""Files that readers send: uploads until the page takes them, and then documents."""

import io
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import gradio as gr
from anyio import to_thread
from gradio.utils import get_upload_folder
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag import bounds
from rag.documents.parsers import SUFFIXES
from rag.documents.text import clean
from rag.errors import BusyError, DocumentError, StoreError
from rag.server.identity import owner_of
from rag.server.middleware import UPLOAD

FOLDER = "documents"
"""Where documents that were added lie, in the folder of the settings' `store`."""
MB = 1024 * 1024
FILES = 100
"""Files of one upload."""
OWN, ALL = 5, 25
"""How much of a visitor, and of all, may lie unused: so many files of the largest size, FILES times as many of any."""
_LONGEST_NAME = 120
"""Bytes; systems take 255, and a number may be added."""
_SEPARATOR = re.compile(r"[/\\]")
_UNSAFE = re.compile(r'[\x00-\x1f<>:"/\\|?*#]+')
"""What Windows does not take in a name, and what divides a file from its parts in a source."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
"""Windows takes these for devices."""


class Uploads:
    """Uploads that were not taken yet; replaces Gradio's own route, which bounds nothing.

    Gradio deletes what lies there for the hour that `Blocks.delete_cache` says.
    """

    def __init__(self, blocks: gr.Blocks, megabytes: int, visitor: Callable[[str], str]) -> None:
        """`megabytes` bound a file; `visitor` gives what the uploads of an owner are counted under."""
        self._blocks = blocks
        self._largest = megabytes * MB
        self._visitor = visitor
        self._folder = Path(get_upload_folder())
        self._kept: dict[str, tuple[str, str, int]] = {}
        """Paths -> the owner, its visitor, the size."""
        self._coming: list[tuple[str, int]] = []

    def routes(self) -> list[Route]:
        """POST /gradio_api/upload, GET /gradio_api/upload_progress."""
        progress = Route(f"{UPLOAD}_progress", self._progress, methods=["GET"])
        return [Route(UPLOAD, self._upload, methods=["POST"]), progress]

    def has(self, owner: str, path: str) -> bool:
        """Whether the file of this path is an upload of the owner's."""
        return path in self._kept and self._kept[path][0] == owner

    async def _upload(self, request: Request) -> Response:
        owner = owner_of(request)
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            return JSONResponse({"error": "The files are not sent as a form; send multipart/form-data."}, 400)
        try:
            with self._reserved(self._visitor(owner), int(request.headers.get("content-length", "0"))):
                async with request.form(max_files=FILES, max_fields=1) as form:
                    return await self._keep(owner, form)
        except BusyError as error:
            return JSONResponse({"error": str(error)}, 429, headers={"Retry-After": "60"})
        except (OSError, StoreError):
            return JSONResponse({"error": "The file cannot be kept here, perhaps the disk is full; try later."}, 503)

    async def _progress(self, _: Request) -> Response:
        # Gradio's own remembers every identity that it is asked for; the page shows that something is on its way.
        return Response('data: {"msg": "done"}\n\n', media_type="text/event-stream")

    async def _keep(self, owner: str, form: FormData) -> Response:
        files = [one for one in form.getlist("files") if isinstance(one, UploadFile)]
        if not files:
            return JSONResponse({"error": 'No file was sent; send them as form fields of the name "files".'}, 400)
        if any((file.size or 0) > self._largest for file in files):
            sentence = f"A file is larger than {self._largest // MB} MB, which is the most; divide it."
            return JSONResponse({"error": sentence}, 413)
        paths = []
        for file in files:
            path = await to_thread.run_sync(self._write, file.file, file.filename or "")
            self._kept[path] = owner, self._visitor(owner), file.size or 0
            self._blocks.upload_file_set.add(path)
            paths.append(path)
        return JSONResponse(paths)

    def _write(self, file: BinaryIO, name: str) -> str:
        # In a folder of a name that nobody can guess, because whoever knows the path may read the file.
        folder = self._folder / secrets.token_hex(16)
        stem, suffix = _divided(name)
        try:
            return str(_save(folder, safe_stem(stem), suffix, file))
        except StoreError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @contextmanager
    def _reserved(self, visitor: str, size: int) -> Iterator[None]:
        """Room for an upload that is coming. Raises BusyError if too much lies unused."""
        self._kept = {path: kept for path, kept in self._kept.items() if Path(path).exists()}
        lying = [(whose, held) for _, whose, held in self._kept.values()] + self._coming
        own = [held for whose, held in lying if whose == visitor]
        every = [held for _, held in lying]
        if len(own) >= OWN * FILES or sum(own) + size > OWN * self._largest:
            raise BusyError("Too many uploads of yours have not been taken in yet; wait until they are.")
        if len(every) >= ALL * FILES or sum(every) + size > ALL * self._largest:
            raise BusyError("Too many uploads have not been taken in yet; try again in a while.")
        coming = visitor, size
        self._coming.append(coming)
        try:
            yield
        finally:
            self._coming.remove(coming)


def save_file(folder: Path, path: Path, name: str, megabytes: int) -> Path:
    """Copy an uploaded file into `folder` under a safe form of its `name`.

    Raises DocumentError if its type cannot be read or it is larger than `megabytes`, StoreError if it cannot be
    written.
    """
    stem, suffix = _divided(name)
    plain = _SEPARATOR.split(name)[-1]
    if not suffix:
        raise DocumentError(f"{plain!r} is not of a type that can be read; add a file of {', '.join(SUFFIXES)}.")
    _check_size(plain, path.stat().st_size, megabytes)

    with path.open("rb") as file:
        return _save(folder, safe_stem(stem), suffix, file)


def save_text(folder: Path, title: str, text: str, megabytes: int) -> Path:
    """Write a pasted text into `folder` as Markdown under its title; returns where it is.

    Without a title the first words are its name. Raises DocumentError if the text is blank or larger than
    `megabytes`, StoreError if it cannot be written.
    """
    _check_size(title[: bounds.TITLE], len(text), megabytes)
    title, text = " ".join(clean(title[: bounds.TITLE]).split()), clean(text)
    if not text.strip():
        raise DocumentError("The text is empty; paste some.")
    content = (f"# {title}\n\n{text}" if title else text).encode()
    name = title or " ".join(text.split()[:8])
    _check_size(name, len(content), megabytes)
    return _save(folder, safe_stem(name), ".md", io.BytesIO(content))


def is_added(folder: Path, file: str) -> bool:
    """Whether `file` is one of those in `folder`."""
    return os.path.dirname(os.path.abspath(file)) == os.path.abspath(folder)


def safe_stem(name: str) -> str:
    """`name`, without its suffix, as a file name that every system takes."""
    plain = _UNSAFE.sub(" ", unicodedata.normalize("NFC", clean(name)))
    short = " ".join(plain.split()).encode()[:_LONGEST_NAME].decode(errors="ignore")
    stem = short.strip(" .") or "document"
    return f"{stem} file" if _RESERVED.fullmatch(stem.partition(".")[0]) else stem


def _divided(name: str) -> tuple[str, str]:
    """The stem of a name, and its suffix, empty if no parser reads it."""
    plain = _SEPARATOR.split(name)[-1]
    suffix = next((each for each in SUFFIXES if plain.lower().endswith(each)), "")
    return plain[: len(plain) - len(suffix)], suffix


def _check_size(name: str, size: int, megabytes: int) -> None:
    if size > megabytes * MB:
        raise DocumentError(
            f"{name!r} has {size / MB:,.1f} MB, and at most {megabytes} MB can be added; "
            "divide it, or raise RAG_UPLOAD_MB."
        )


def _save(folder: Path, stem: str, suffix: str, content: BinaryIO) -> Path:
    """A new file of this name, numbered if there is one. Raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem} {number}{suffix}")
            try:
                file = path.open("xb")  # Fails if there is one, also one that was made this moment.
            except FileExistsError:
                number += 1
                continue
            try:
                with file:
                    shutil.copyfileobj(content, file)
            except BaseException:
                path.unlink()
                raise
            return path
    except OSError as error:
        raise StoreError(
            f"The document cannot be stored in {str(folder)!r} ({error.strerror or error}); "
            "see that there is room and that you may write there, or set RAG_STORE to another folder."
        ) from error
