"""The MCP server: the tool `ask`, by streamable HTTP without sessions."""

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
from rag.server.api import Question, answer_of, as_json, start, validation_sentence
from rag.server.identity import owner_of
from rag.server.service import Service
from rag.types import Answer


def make_mcp_server(service: Service) -> "Server[Any]":
    """The server with its one tool."""
    tool = Tool(
        name="ask",
        description=(
            "Ask the documents a question. The answer is made from their text alone, each of its sentences with the "
            "quotation that says it. If the documents do not answer, it says so; where they may, it answers nothing "
            "and quotes the nearest sentences (`near`)."
        ),
        input_schema=Question.model_json_schema(),
        output_schema=TypeAdapter(Answer).json_schema(mode="serialization"),
        annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
    )

    async def list_tools(_: "ServerRequestContext[Any]", __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[tool])

    async def call_tool(context: "ServerRequestContext[Any]", params: CallToolRequestParams) -> CallToolResult:
        if params.name != tool.name:
            return _failed(f"There is no tool {params.name[:100]!r}; the only one is {tool.name!r}.")
        request = context.request
        assert isinstance(request, Request)
        try:
            asking = start(service, Question.model_validate(params.arguments or {}), "mcp", owner_of(request), request)
            answer = await answer_of(asking, request.is_disconnected)
        except ValidationError as error:
            return _failed(validation_sentence(error.errors()))
        except RagError as error:
            return _failed(for_readers(error))
        found = as_json(answer) if answer else {}
        text = TextContent(type="text", text=json.dumps(found, ensure_ascii=False))
        return CallToolResult(content=[text], structured_content=found)

    return Server("ask-the-article", on_list_tools=list_tools, on_call_tool=call_tool)


def mcp_routes(server: "Server[Any]") -> list[BaseRoute]:
    """The route /mcp; `server.session_manager` has to run while it is served."""
    # Names and origins have been checked by the middleware.
    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = server.streamable_http_app(
        streamable_http_path="/mcp", json_response=True, stateless_http=True, transport_security=security
    )
    return list(app.routes)


def _failed(why: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=why)], is_error=True)
