"""Conversations as files: /conversations/ID.md and ID.json, for their owner alone."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from rag.errors import StoreError
from rag.page.export import as_json, as_markdown
from rag.server.gradio_calls import conversation_id
from rag.server.identity import owner_of
from rag.server.store import Store

_FORMATS = {"md": ("text/markdown", as_markdown), "json": ("application/json", as_json)}


def download_routes(store: Store) -> list[BaseRoute]:
    """The routes; what another owns, or nobody, is not found."""

    def download(request: Request) -> Response:
        identity, _, ending = request.path_params["name"].rpartition(".")
        identity = conversation_id(identity)
        try:
            turns = store.read(owner_of(request), identity) if ending in _FORMATS and identity else None
        except StoreError as error:
            return PlainTextResponse(str(error), 503)
        if not turns:
            return PlainTextResponse("There is no such conversation.", 404)
        kind, export = _FORMATS[ending]
        headers = {"Content-Disposition": f'attachment; filename="conversation.{ending}"'}
        return Response(export(turns), media_type=f"{kind}; charset=utf-8", headers=headers)

    return [Route("/conversations/{name}", download)]
