"""The web application: the page, the doors for programs, signing in, health and figures, behind one gate."""

import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount

from rag.errors import RagError, SettingsError, for_readers
from rag.server.bodies import Bodies
from rag.server.calls import Calls, Sessions
from rag.server.connections import CONNECTIONS, Connection
from rag.server.desk import Desk
from rag.server.doors import add_doors, wrong
from rag.server.middleware import Gate, Guard, names
from rag.server.owner import Owners, Proxies, Recognise, named_by_proxy, owner_of
from rag.server.signin import Sessions as SessionStore
from rag.server.signin import SignIn, Users
from rag.server.tool import make_tool, tool_routes
from rag.server.uploads import MB, Uploads
from rag.settings import ServerSettings


def build_app(
    desk: Desk,
    store: SessionStore,
    blocks: gr.Blocks,
    settings: ServerSettings,
    *,
    routes: Sequence[BaseRoute] = (),
    **look: Any,
) -> FastAPI:
    """The whole application; `look` goes to gr.mount_gradio_app (theme, css, head, js), `routes` stand before the page.

    Raises SettingsError for a wrong file of users or wrong addresses of proxies.
    """
    tool = make_tool(desk)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        async with tool.session_manager.run():
            yield

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    proxies = Proxies(settings.proxies)
    sign_in = SignIn(Users(settings.users), store, proxies) if settings.users else None
    uploads = Uploads(blocks, settings.upload_mb, desk.visitors.counted)
    app.router.routes.extend([*routes, *uploads.routes(), *tool_routes(tool, settings)])
    app.router.routes.extend(sign_in.routes() if sign_in else ())
    add_doors(app, desk)
    _add_health(app, desk)
    _mount(app, blocks, settings, look)
    # The last one added is the first to see a request.
    app.add_middleware(Sessions, calls=Calls(blocks, uploads.has), counted=desk.visitors.counted)
    app.add_middleware(Bodies)
    recognise = _recognise(settings, proxies, sign_in)
    app.add_middleware(
        Owners, proxies=proxies, visitors=desk.visitors, recognise=recognise, has_login=sign_in is not None
    )
    app.add_middleware(Gate, settings=settings)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=names(settings), www_redirect=False)
    app.add_middleware(Guard, forms=sign_in is not None)
    return app


def _mount(app: FastAPI, blocks: gr.Blocks, settings: ServerSettings, look: dict[str, Any]) -> None:
    blocks.api_open = False  # Without its queue nothing is to be had that has one.
    blocks.has_launched = True  # Without it, Gradio takes any file of this machine for an upload.
    gr.mount_gradio_app(
        app, blocks, path="/", auth_dependency=owner_of, footer_links=[], run_history=False, ssr_mode=False,
        mcp_server=False, max_file_size=settings.upload_mb * MB, show_error=False, enable_monitoring=False,
        pwa=False, **look,
    )  # fmt: skip
    for route in app.routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):  # Its own answer repeats what was sent.
            route.app.add_exception_handler(RequestValidationError, wrong)


def _recognise(settings: ServerSettings, proxies: Proxies, sign_in: SignIn | None) -> Recognise | None:
    by_proxy = named_by_proxy(settings.user_header, proxies) if settings.user_header else None
    if by_proxy is None or sign_in is None:
        return by_proxy or (sign_in.recognise if sign_in else None)

    async def recognise(request: Request) -> str | None:
        return await by_proxy(request) or await sign_in.recognise(request)

    return recognise


def _add_health(app: FastAPI, desk: Desk) -> None:
    settings = desk.settings

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "The process answers."}

    @app.get("/ready")
    def ready() -> JSONResponse:
        try:
            desk.check()
        except RagError as error:
            return JSONResponse({"error": for_readers(error)}, 503)
        return JSONResponse({"status": "Questions can be asked."})

    if settings.shows_metrics:

        @app.get("/metrics")
        def metrics() -> Response:
            return Response(desk.watch.figures(), media_type=CONTENT_TYPE_LATEST)


class Server(uvicorn.Server):
    """A uvicorn server that says where the page is, once it answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():
            host, port = each.getsockname()[:2]
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
            print(f"Open http://{f'[{host}]' if ':' in host else host}:{port} in a browser.", flush=True)


def make_server(app: FastAPI) -> Server:
    """The server of an application made by `build_app`."""
    # The peer's address is wanted as it is: which headers of a proxy are believed is decided by RAG_PROXIES.
    return Server(
        uvicorn.Config(
            app, http=Connection, limit_concurrency=CONNECTIONS, log_level="critical", timeout_graceful_shutdown=1,
            proxy_headers=False, server_header=False, ws="none",
        )
    )  # fmt: skip


def listen(settings: ServerSettings) -> socket.socket:
    """A socket on the page's address. Raises SettingsError where that address cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise SettingsError(
            f"The page cannot listen on {settings.host}:{settings.port} ({error.strerror}); "
            "set RAG_PORT to a free port, or to 0 to take any, and RAG_HOST to an address of this machine."
        ) from error
