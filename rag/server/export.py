"""Conversations as Markdown and JSON, to download for their owner, and one answer as text."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from rag.documents.text import replace_surrogates
from rag.errors import StoreError
from rag.server.cited_text import (
    UNSUPPORTED,
    citations,
    escaped,
    escaped_lines,
    inline,
    marks,
    numbers,
    one_line,
    pieces,
    quotation,
)
from rag.server.gradio_calls import conversation_id
from rag.server.identity import owner_of
from rag.server.records import Turn
from rag.server.store import Store
from rag.types import Answer, Citation, Hit, Passage, Sentence

FORMAT = "article-chat/conversation"
VERSION = 1
DRAFT = "(a draft, not checked against the documents)"


def download_routes(store: Store) -> list[BaseRoute]:
    """/conversations/ID.md and ID.json; what another owns, or nobody, is not found."""
    formats = {"md": ("text/markdown", as_markdown), "json": ("application/json", as_json)}

    def download(request: Request) -> Response:
        identity, _, ending = request.path_params["name"].rpartition(".")
        identity = conversation_id(identity)
        try:
            turns = store.read(owner_of(request), identity) if ending in formats and identity else None
        except StoreError as error:
            return PlainTextResponse(str(error), 503)
        if not turns:
            return PlainTextResponse("There is no such conversation.", 404)
        kind, export = formats[ending]
        headers = {"Content-Disposition": f'attachment; filename="conversation.{ending}"'}
        return Response(export(turns), media_type=f"{kind}; charset=utf-8", headers=headers)

    return [Route("/conversations/{name}", download)]


def as_markdown(turns: Sequence[Turn]) -> str:
    """The conversation as Markdown.

    A heading for each question, its answer with [n], and the sources below.

    Whatever was asked, answered or quoted is escaped: it reads as it was written and makes no
    heading, list, link, image or HTML. An invisible U+2060 follows an @, because GitHub
    makes links of addresses of mail even where they are escaped.
    """
    return "\n\n".join(part for turn in turns for part in _section(turn)) + "\n"


def as_json(turns: Sequence[Turn]) -> str:
    """The conversation as JSON: an object with `format` (FORMAT), `version` (VERSION) and `turns`.

    A turn has `number`, `question`, `state` ("done", "stopped", "failed" or "running"), `note`
    (why there is no whole answer), `rated` ("", "good" or "bad"), `text` (the answer, or what
    there is of it), `answer` (null where there is no whole one) and `passages`. An answer has
    `searched` (the question as it was searched), `abstained`, `confidence` (0 to 1), `sentences`
    (each with `text`, `supported` and `citations`, which are numbers), `citations` (each with
    `number`, `doc_id`, `source`, `title`, `page` or null, `start` and `end` in characters of the
    document, and `quote`) and `near` (the same of what is quoted in the place of an answer). A
    passage has `doc_id`, `source`, `title`, `page`, `start`, `end`,
    `text`, `score` and `similarity` (-1 to 1, or null). A lone surrogate becomes U+FFFD.
    """
    whole = {"format": FORMAT, "version": VERSION, "turns": [_turn(turn) for turn in turns]}
    return replace_surrogates(json.dumps(whole, ensure_ascii=False, indent=1)) + "\n"


def with_sources(turn: Turn) -> str:
    """The answer as plain text, with [n] in it and its sources below; perhaps empty."""
    said = "".join(text + marks(sentence) for text, sentence in _pieces(turn))
    sources = [f"[{one.number}] {quotation(one)}" for one in _citations(turn)]
    return replace_surrogates("\n\n".join(part for part in (said, "\n".join(sources)) if part))


def _section(turn: Turn) -> Iterator[str]:
    """The blocks of a turn in Markdown."""
    yield f"## {escaped(turn.question)}"
    if turn.answer and one_line(turn.answer.question) != one_line(turn.question):
        yield f"*Searched for:* {escaped(turn.answer.question)}"
    said = "".join(inline(text) + _marks(sentence) for text, sentence in _pieces(turn))
    if said.strip():
        yield escaped_lines(said)
    if turn.note:
        yield f"*Note:* {escaped(turn.note)}"
    if cited := _citations(turn):
        if not (turn.answer and turn.answer.near):
            yield "Sources:"
        yield "\n".join(f"- \\[{one.number}\\] {escaped(quotation(one))}" for one in cited)


def _marks(sentence: Sentence | None) -> str:
    """The marks behind a sentence, in Markdown."""
    if sentence is None:
        return ""
    cited = "".join(f" \\[{number}\\]" for number in numbers(sentence))
    return cited + ("" if sentence.supported else f" *{UNSUPPORTED}*")


def _pieces(turn: Turn) -> Iterator[tuple[str, Sentence | None]]:
    """What was said, sentence by sentence with what is between them."""
    if turn.answer is None:
        yield turn.text, None
        yield f" {DRAFT}" if turn.text else "", None
        return
    yield from pieces(turn.answer)


def _citations(turn: Turn) -> list[Citation]:
    return citations(turn.answer) if turn.answer else []


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "number": turn.number,
        "question": turn.question,
        "state": turn.state,
        "note": turn.note,
        "rated": turn.rated,
        "text": turn.text,
        "answer": turn.answer and _answer(turn, turn.answer),
        "passages": [_passage(hit) for hit in turn.hits or ()],
    }


def _answer(turn: Turn, answer: Answer) -> dict[str, Any]:
    return {
        "searched": answer.question,
        "abstained": answer.abstained,
        "confidence": answer.confidence,
        "sentences": [
            {"text": one.text, "supported": one.supported, "citations": numbers(one)} for one in answer.sentences
        ],
        "citations": [] if answer.near else [_cited(one) for one in _citations(turn)],
        "near": [_cited(one) for one in answer.near],
    }


def _cited(one: Citation) -> dict[str, Any]:
    return {"number": one.number, **_place(one), "quote": one.quote}


def _passage(hit: Hit) -> dict[str, Any]:
    return {**_place(hit.passage), "text": hit.passage.text, "score": hit.score, "similarity": hit.similarity}


def _place(of: Passage | Citation) -> dict[str, Any]:
    return {
        "doc_id": of.doc_id,
        "source": of.source,
        "title": of.title,
        "page": of.page,
        "start": of.start,
        "end": of.end,
    }
