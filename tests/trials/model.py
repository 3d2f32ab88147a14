"""A model server of a set pace, by OpenAI's protocol: it gives back the beginning of what it was told to read."""

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.responses import Response

TOKENS_A_SECOND = 20.0
"""For each answer, whatever number of them is under way."""
_MOST = 30
_TEXT = re.compile(r"<text>\s*(.*?)\s*</text>", re.DOTALL)
app = FastAPI()


@app.post("/v1/chat/completions")
async def complete(body: dict[str, Any]) -> Response:
    """The first words of the text, one after the other."""
    said = " ".join(str(message["content"]) for message in body["messages"])
    found = _TEXT.search(said)
    sentence = (found.group(1) if found else "Hello.").partition("\n")[0].partition(". ")[0].rstrip(".") + "."
    tokens = re.findall(r"\S+\s*", sentence)[: min(_MOST, body.get("max_tokens") or _MOST)]
    if not body.get("stream"):
        await asyncio.sleep(len(tokens) / TOKENS_A_SECOND)
        message = {"role": "assistant", "content": "".join(tokens)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse({"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]})
    return StreamingResponse(_events(tokens), media_type="text/event-stream")


async def _events(tokens: list[str]) -> AsyncIterator[str]:
    began = time.monotonic()
    for number, token in enumerate([*tokens, None], 1):
        await asyncio.sleep(max(0.0, began + number / TOKENS_A_SECOND - time.monotonic()))
        delta = {"content": token} if token else {}
        choice = {"index": 0, "delta": delta, "finish_reason": None if token else "stop"}
        event = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
        yield f"data: {json.dumps(event)}\n\n"
    yield "data: [DONE]\n\n"


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="critical")
