"""Uploads: kept in Gradio's folder until an event of the page takes them, and never many that lie there unused."""

import secrets
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

from rag.errors import BusyError
from rag.server.bodies import UPLOAD
from rag.server.files import place_upload
from rag.server.owner import owner_of

MB = 1024 * 1024
FILES = 100
"""Files of one upload."""
OWN, ALL = 5, 25
"""How much of a visitor, and of all, may lie unused: so many files of the largest size, FILES times as many of any."""


class Uploads:
    """What was uploaded and not yet taken. In the place of Gradio's own route, which bounds nothing.

    Gradio deletes what lies there for the hour that `Blocks.delete_cache` says.
    """

    def __init__(self, blocks: gr.Blocks, megabytes: int, counted: Callable[[str], str]) -> None:
        """`megabytes` bound a file; `counted` gives the key under which the uploads of an owner are counted."""
        self._blocks = blocks
        self._most = megabytes * MB
        self._counted = counted
        self._folder = Path(get_upload_folder())
        self._kept: dict[str, tuple[str, str, int]] = {}
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
            with self._room(self._counted(owner), int(request.headers.get("content-length", "0"))):
                async with request.form(max_files=FILES, max_fields=1) as form:
                    return await self._keep(owner, form)
        except BusyError as error:
            return JSONResponse({"error": str(error)}, 429, headers={"Retry-After": "60"})
        except OSError:
            return JSONResponse({"error": "The file cannot be kept here, perhaps the disk is full; try later."}, 503)

    async def _progress(self, _: Request) -> Response:
        # Gradio's own remembers every identity that it is asked for; the page shows that something is on its way.
        return Response('data: {"msg": "done"}\n\n', media_type="text/event-stream")

    async def _keep(self, owner: str, form: FormData) -> Response:
        files = [one for one in form.getlist("files") if isinstance(one, UploadFile)]
        if not files:
            return JSONResponse({"error": 'No file was sent; send them as form fields of the name "files".'}, 400)
        if any((file.size or 0) > self._most for file in files):
            sentence = f"A file is larger than {self._most // MB} MB, which is the most; divide it."
            return JSONResponse({"error": sentence}, 413)
        paths = []
        for file in files:
            path = await to_thread.run_sync(self._write, file.file, file.filename or "")
            self._kept[path] = owner, self._counted(owner), file.size or 0
            self._blocks.upload_file_set.add(path)
            paths.append(path)
        return JSONResponse(paths)

    def _write(self, file: BinaryIO, name: str) -> str:
        # A folder of a name that nobody can guess, because whoever knows the path may read the file.
        return str(place_upload(self._folder / secrets.token_hex(16), name, file))

    @contextmanager
    def _room(self, key: str, size: int) -> Iterator[None]:
        """Room for an upload that is coming. Raises BusyError where too much lies unused."""
        self._kept = {path: kept for path, kept in self._kept.items() if Path(path).exists()}
        lying = [(whose, held) for _, whose, held in self._kept.values()] + self._coming
        own = [held for whose, held in lying if whose == key]
        every = [held for _, held in lying]
        if len(own) >= OWN * FILES or sum(own) + size > OWN * self._most:
            raise BusyError("Too many uploads of yours have not been taken in yet; wait until they are.")
        if len(every) >= ALL * FILES or sum(every) + size > ALL * self._most:
            raise BusyError("Too many uploads have not been taken in yet; try again in a while.")
        coming = key, size
        self._coming.append(coming)
        try:
            yield
        finally:
            self._coming.remove(coming)
