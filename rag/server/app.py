"""The web application: page, APIs, signing in, health and metrics, behind the middleware."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import gradio as gr
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount

from rag.errors import RagError, for_readers
from rag.server.api import add_api, invalid_request
from rag.server.gradio_calls import GradioCalls
from rag.server.identity import Authenticate, Identify, Proxies, owner_of
from rag.server.mcp import make_mcp_server, mcp_routes
from rag.server.middleware import JsonBodies, RequestFilter, SafeResponses, host_names
from rag.server.openai_api import add_openai_api
from rag.server.openai_errors import OpenAIErrors
from rag.server.service import Service
from rag.server.signin import SignIn
from rag.server.store import Store
from rag.server.uploads import MB, Uploads
from rag.server.users import Users
from rag.settings import ServerSettings


def build_app(
    service: Service,
    store: Store,
    blocks: gr.Blocks,
    settings: ServerSettings,
    *,
    routes: Sequence[BaseRoute] = (),
    **look: Any,
) -> FastAPI:
    """The whole application; `routes` come before those of the page.

    `look` goes to gr.mount_gradio_app (theme, css, head, js). Raises SettingsError for a wrong file of users or wrong
    addresses of proxies.
    """
    mcp = make_mcp_server(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        async with mcp.session_manager.run():
            yield

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    proxies, visitors = Proxies(settings.proxies), service.visitors
    sign_in = SignIn(Users(settings.users), store, proxies, service.cluster) if settings.users else None
    uploads = Uploads(blocks, settings.upload_mb, visitors.key)
    app.router.routes.extend([*routes, *uploads.routes(), *mcp_routes(mcp)])
    app.router.routes.extend(sign_in.routes() if sign_in else ())
    add_api(app, service)
    add_openai_api(app, service)
    _add_health(app, service)
    _mount(app, blocks, settings, look)
    # The last one added is the first to see a request.
    app.add_middleware(GradioCalls, blocks=blocks, is_upload=uploads.has, visitor=visitors.key)
    app.add_middleware(JsonBodies)
    authenticate = _authenticate(settings, proxies, sign_in)
    app.add_middleware(
        Identify, proxies=proxies, visitors=visitors, authenticate=authenticate, has_login=sign_in is not None
    )
    app.add_middleware(RequestFilter, settings=settings)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=host_names(settings), www_redirect=False)
    app.add_middleware(SafeResponses, has_forms=sign_in is not None)
    app.add_middleware(OpenAIErrors)
    return app


def _authenticate(settings: ServerSettings, proxies: Proxies, sign_in: SignIn | None) -> Authenticate | None:
    by_proxy = proxies.user_from(settings.user_header) if settings.user_header else None
    if by_proxy is None or sign_in is None:
        return by_proxy or (sign_in.authenticate if sign_in else None)

    async def authenticate(request: Request) -> str | None:
        return await by_proxy(request) or await sign_in.authenticate(request)

    return authenticate


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "The process answers."}

    @app.get("/ready")
    def ready() -> JSONResponse:
        try:
            service.check()
        except RagError as error:
            return JSONResponse({"error": for_readers(error)}, 503)
        return JSONResponse({"status": "Questions can be asked."})

    if service.settings.shows_metrics:

        @app.get("/metrics")
        def metrics() -> Response:
            return Response(service.monitor.metrics(), media_type=CONTENT_TYPE_LATEST)


def _mount(app: FastAPI, blocks: gr.Blocks, settings: ServerSettings, look: dict[str, Any]) -> None:
    blocks.api_open = False  # Events that have a queue cannot be called around it.
    blocks.has_launched = True  # Without it, Gradio takes any file of this machine for an upload.
    gr.mount_gradio_app(
        app, blocks, path="/", auth_dependency=owner_of, footer_links=[], run_history=False, ssr_mode=False,
        mcp_server=False, max_file_size=settings.upload_mb * MB, show_error=False, enable_monitoring=False,
        pwa=False, **look,
    )  # fmt: skip
    for route in app.routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):  # Its own answer repeats what was sent.
            route.app.add_exception_handler(RequestValidationError, invalid_request)
