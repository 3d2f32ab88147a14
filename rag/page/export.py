"""Conversations as Markdown and as JSON, to download for their owner alone, and one answer as plain text."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from rag.documents.text import replace_surrogates
from rag.errors import StoreError
from rag.page.markup import facts
from rag.replies import replies
from rag.server.gradio_calls import conversation_id
from rag.server.identity import owner_of
from rag.server.records import Turn
from rag.server.store import Store
from rag.types import Answer, Citation, Hit, Passage, Sentence

FORMAT = "article-chat/conversation"
VERSION = 1
UNSUPPORTED = "(not found in the documents)"
DRAFT = "(a draft, not checked against the documents)"
_MARKUP = re.compile(r"[\\`*_{}\[\]<>#&|~$]")
# Many programs make links of https://…, //…, www.… and example.org, too.
_ADDRESS = re.compile(r"[:/](?=/)|(?<=www)\.|(?<=\S)\.(?=[^\W\d_])", re.IGNORECASE)
_AT = re.compile(r"@(?=\S)")
_BEGINNING = re.compile(r"^(\d*)([-+=:.)])")
"""What begins a list or a table, or makes a heading of the line before."""


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
    """The conversation as Markdown: a heading for each question, its answer with [n], and the sources below.

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
    """The answer as plain text, with [n] in it and its sources below; "" where nothing was said."""
    said = "".join(
        text + "".join(f" [{number}]" for number in numbers) + ("" if supported else f" {UNSUPPORTED}")
        for text, numbers, supported in _pieces(turn)
    )
    sources = [f"[{one.number}] {_line(facts(one))}: “{_line(one.quote)}”" for one in _citations(turn)]
    return replace_surrogates("\n\n".join(part for part in (said, "\n".join(sources)) if part))


def _section(turn: Turn) -> Iterator[str]:
    """The blocks of a turn in Markdown."""
    yield f"## {_escaped(turn.question)}"
    if turn.answer and _line(turn.answer.question) != _line(turn.question):
        yield f"*Searched for:* {_escaped(turn.answer.question)}"
    said = "".join(
        _inline(text) + "".join(f" \\[{number}\\]" for number in numbers) + ("" if supported else f" *{UNSUPPORTED}*")
        for text, numbers, supported in _pieces(turn)
    )
    if said.strip():
        yield _lines(said)
    if turn.note:
        yield f"*Note:* {_escaped(turn.note)}"
    if cited := _citations(turn):
        if not (turn.answer and turn.answer.near):
            yield "Sources:"
        yield "\n".join(f"- \\[{one.number}\\] {_escaped(facts(one))}: “{_escaped(one.quote)}”" for one in cited)


def _escaped(text: str) -> str:
    """`text` in one line of Markdown that shows it."""
    return _lines(_inline(_line(text)))


def _inline(text: str) -> str:
    """`text` without anything that means something within a line of Markdown."""
    plain = replace_surrogates(text).replace("\0", "\ufffd")
    return _AT.sub("\\\\@\u2060", _ADDRESS.sub(r"\\\g<0>", _MARKUP.sub(r"\\\g<0>", plain)))


def _lines(text: str) -> str:
    """The lines of escaped text, each on a line of its own, and none of them the beginning of something."""
    lines = [line.strip() for line in text.splitlines()]
    return "\\\n".join(_BEGINNING.sub(r"\1\\\2", line) for line in lines if line)


def _line(text: str) -> str:
    return " ".join(text.split())


def _pieces(turn: Turn) -> Iterator[tuple[str, list[int], bool]]:
    """What was said, sentence by sentence with what is between them: the numbers cited, and whether it is supported."""
    if turn.answer is None:
        yield turn.text, [], True
        yield f" {DRAFT}" if turn.text else "", [], True
        return
    if turn.answer.near:  # Its quotations stand below with their sources.
        yield replies(turn.answer.language).nearest, [], True
        return
    text, at = turn.answer.text, 0
    for sentence in turn.answer.sentences:
        found = max(text.find(sentence.text, at), at)
        yield text[at:found], [], True
        yield sentence.text, _numbers(sentence), sentence.supported
        at = found + len(sentence.text)
    yield text[at:], [], True


def _numbers(sentence: Sentence) -> list[int]:
    return list(dict.fromkeys(one.number for one in sentence.citations))


def _citations(turn: Turn) -> list[Citation]:
    """Every citation of the answer, once, by its number, or what it quotes as the nearest."""
    if turn.answer is None:
        return []
    cited = [one for sentence in turn.answer.sentences for one in sentence.citations]
    return sorted(dict.fromkeys((*cited, *turn.answer.citations, *turn.answer.near)), key=lambda one: one.number)


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
            {"text": one.text, "supported": one.supported, "citations": _numbers(one)} for one in answer.sentences
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
