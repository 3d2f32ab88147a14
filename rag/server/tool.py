"""The door for assistants: the tool `ask` over MCP, by streamable HTTP without sessions."""

import json
from typing import Any

from fastapi import Request
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import TypeAdapter, ValidationError
from starlette.routing import BaseRoute

from rag.errors import RagError, for_readers
from rag.server.desk import Desk
from rag.server.doors import Question, answer_to, as_json, sentence
from rag.server.middleware import names
from rag.server.owner import owner_of
from rag.settings import ServerSettings
from rag.types import Answer

NAME = "ask"
DESCRIPTION = (
    "Ask the documents a question. The answer is made from their text alone, each of its sentences with the "
    "quotation that says it; where the documents do not answer, it says so."
)


def make_tool(desk: Desk) -> "Server[Any]":
    """The MCP server with its one tool."""

    async def listed(_: "ServerRequestContext[Any]", __: PaginatedRequestParams | None) -> ListToolsResult:
        tool = Tool(
            name=NAME,
            description=DESCRIPTION,
            input_schema=Question.model_json_schema(),
            output_schema=TypeAdapter(Answer).json_schema(mode="serialization"),
            annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
        )
        return ListToolsResult(tools=[tool])

    async def called(context: "ServerRequestContext[Any]", params: CallToolRequestParams) -> CallToolResult:
        if params.name != NAME:
            return _failed(f"There is no tool {params.name[:100]!r}; the only one is {NAME!r}.")
        request = context.request
        assert isinstance(request, Request)
        try:
            asked = Question.model_validate(params.arguments or {})
            owner, identity = owner_of(request), request.headers["x-request-id"]
            answer = await answer_to(desk, asked, "mcp", owner, identity, request.is_disconnected)
        except ValidationError as error:
            return _failed(sentence(error.errors()))
        except RagError as error:
            return _failed(for_readers(error))
        found = as_json(answer) if answer else {}
        return CallToolResult(
            content=[TextContent(type="text", text=json.dumps(found, ensure_ascii=False))], structured_content=found
        )

    return Server("ask-the-article", on_list_tools=listed, on_call_tool=called)


def tool_routes(server: "Server[Any]", settings: ServerSettings) -> list[BaseRoute]:
    """The route /mcp; `server.session_manager` has to run while it is served."""
    served = names(settings)
    security = TransportSecuritySettings(
        allowed_hosts=[*served, *(f"{name}:*" for name in served)],
        allowed_origins=[
            f"{kind}://{name}{port}" for kind in ("http", "https") for name in served for port in ("", ":*")
        ],
    )
    app = server.streamable_http_app(
        streamable_http_path="/mcp", json_response=True, stateless_http=True, transport_security=security
    )
    return list(app.routes)


def _failed(why: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=why)], is_error=True)
