"""Turns -> the messages of the conversation, each answer with what it rests on."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

from rag.documents.text import replace_surrogates
from rag.page.markup import (
    Mark,
    button,
    count,
    escape,
    marks_of,
    place,
    quotation_id,
    quotations_of,
    sentence_id,
    shorten,
)
from rag.replies import replies
from rag.server.cited_text import escaped, facts
from rag.server.export import with_sources
from rag.server.records import Turn
from rag.types import Answer, Citation, Documents

QUOTED = 400
"""Characters of a quotation that is shown beside a citation."""
BEGINNING = 90
"""Characters of a quotation that its line among the sources shows."""
DRAFT = "Draft, being checked against the documents"
LEFT = "Draft, not checked against the documents"
"""What stands above the words of the model that no check has passed."""
TITLE = "Ask the article"
WELCOME = "Answers come from the documents alone, each with the words it rests on. It runs on this machine."
_TITLES = 5
"""Documents that the first page names."""
_BOLD = re.compile(r"\*\*(?!\s)((?:(?!&#10;)[^*]){1,500})\*\*")
_ITEM = re.compile(r"(?m)^[-*] ")
_HTML: dict[str, Any] = {
    "type": "component", "component": "html", "constructor_args": {}, "props": {"apply_default_css": False},
}  # fmt: skip
"""Part of a message: what a gr.HTML would become, but for its value, which that would send twice."""
Message = dict[str, Any]


def messages(turns: Sequence[Turn], suggested: Sequence[str]) -> list[Message]:
    """Two messages for each turn; `suggested` questions stand under the last."""
    made: list[Message] = []
    for turn in turns:
        made.append({"role": "user", "content": {"type": "text", "text": _plain(turn.question)}})
        made.append({"role": "assistant", "content": _HTML | {"value": reply(turn)}})
    if made and turns[-1].state != "running":
        made[-1]["options"] = [{"value": text} for text in suggested]
    return made


def welcome(documents: Documents, key: Sequence[Citation]) -> str:
    """The first page, in Markdown: what this is, and what the documents say in short."""
    named = [f"**{escaped(shorten(one.title, 100))}**" for one in islice(documents.values(), _TITLES)]
    if len(documents) == 1:
        named[0] += f" ({count(documents.listed()[0].words, 'word')})"
    elif len(documents) > _TITLES:
        named.append(f"and {len(documents) - _TITLES:,} more")
    said = "".join(f"\n- {escaped(one.quote)}" for one in key)
    return f"## {TITLE}\n\n{WELCOME}\n\n{', '.join(named)}\n{said}"


def _plain(text: str) -> str:
    """Text that Gradio, which takes it for HTML, shows as it is.

    When it is edited, `html.unescape` gives it back.
    """
    return replace_surrogates(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def reply(turn: Turn) -> str:
    """The bot's side of a turn: what it says, quotes and rests on."""
    answer = turn.answer
    busy = turn.state == "running"
    parts = [
        _steps(turn) if busy else "",
        f'<p class="answer" dir="auto">{_answer(turn, answer)}</p>' if answer and turn.text else "",
        _draft(turn) if turn.text and not answer else "",
        f'<p class="note">{escape(turn.note)}</p>' if turn.note else "",
        _quotations(turn),
        _foot(turn, answer) if answer else "",
        _sources(turn) if answer else "",
    ]
    drafting = busy and bool(turn.text)  # What changes with each piece is not read aloud.
    named = (
        f'id="t{turn.number}-answer" data-turn="{turn.number}" data-busy="{str(busy).lower()}" '
        f'aria-busy="{str(drafting).lower()}"'
    )
    return f'<div class="reply" tabindex="-1" {named}>{"".join(parts)}</div>'


def _steps(turn: Turn) -> str:
    """What is done and what is being done, while one waits."""
    if turn.text:
        done, now = ["Searched", "Read"], "Writing"
    elif turn.hits is None:
        done, now = [], "Searching"
    else:
        done = ["Searched", "Evidence found"] if turn.evidence else ["Searched"]
        now = f"Waiting for the model, number {turn.ahead:,} in the queue" if turn.ahead else "Reading"
    said = "".join(f'<li class="done">{step}</li>' for step in done)
    return f'<ol class="steps">{said}<li class="now">{now}</li></ol>'


def _draft(turn: Turn) -> str:
    """What the model writes, before it is checked; it does not look like an answer."""
    busy = turn.state == "running"
    caret = '<span class="caret"></span>' if busy else ""
    return (
        f'<div class="draft"><p class="stage">{DRAFT if busy else LEFT}</p>'
        f'<p class="answer" dir="auto">{escape(turn.text)}{caret}</p></div>'
    )


def _quotations(turn: Turn) -> str:
    """What the turn quotes by itself, each with the link to its place."""
    marks = marks_of(turn)
    quotes = "".join(
        f'<blockquote class="sentence" tabindex="-1" id="{quotation_id(turn, number)}" dir="auto">'
        f"“{escape(' '.join(one.quote.split()))}” {_link(turn, marks[place(one)])} "
        f'<span class="from">{escape(shorten(facts(one), 80))}</span></blockquote>'
        for number, one in enumerate(quotations_of(turn), start=1)
    )
    if not quotes:
        return ""
    if turn.answer is None:
        return f'<div class="evidence"><h2>In the documents</h2>{quotes}</div>'
    if turn.answer.near:
        return f'<div class="evidence">{quotes}</div>'
    return f'<details class="evidence"><summary>The nearest sentences</summary>{quotes}</details>'


def _foot(turn: Turn, answer: Answer) -> str:
    """How far the answer is trusted, and the button that copies it."""
    said = answer.sentences or answer.near
    copy = button("copy", "Copy with sources", "Copy", kind="copy", text=with_sources(turn)) if said else ""
    return f'<div class="foot">{_trust(answer)}{copy}</div>'


def _trust(answer: Answer) -> str:
    """How far the answer is in the text; its probability is the tooltip."""
    if answer.incomplete or not (answer.sentences or answer.near):
        return ""
    wrong, every = sum(not one.supported for one in answer.sentences), len(answer.sentences)
    if answer.near:
        said, kind = "Nearest words only", "fair"
    elif wrong:
        said, kind = f"{wrong} of {count(every, 'sentence')} {'is' if wrong == 1 else 'are'} not in the text", "low"
    else:
        said, kind = "Every sentence is in the text" if every > 1 else "It is in the text", "sure"
    return f'<p class="trust {kind}" title="Probability that the text answers: {answer.confidence:.0%}">{said}</p>'


def _sources(turn: Turn) -> str:
    """A line for each citation: number, title, page, its beginning."""
    sentences = turn.answer.sentences if turn.answer else ()
    marks = marks_of(turn)
    lines = "".join(
        f"<li>{_link(turn, marks[place(one)])} "
        f'<span class="from">{escape(shorten(facts(one), 60))}</span> <q dir="auto">{escape(_beginning(one))}</q></li>'
        for one in dict.fromkeys(one for sentence in sentences for one in sentence.citations)
    )
    return f'<ul class="sources" aria-label="Sources">{lines}</ul>' if lines else ""


def _beginning(citation: Citation) -> str:
    """The quotation, cut at a word."""
    line = " ".join(citation.quote.split())
    return line if len(line) <= BEGINNING else f"{line[:BEGINNING].rpartition(' ')[0]} …"


def _answer(turn: Turn, answer: Answer) -> str:
    """The sentences with their markers, and what the text has before, between and after them.

    Of a reply that only quotes, what stands before the quotations.
    """
    if answer.near:
        return escape(replies(answer.language).nearest)
    marks = marks_of(turn)
    parts: list[str] = []
    at = 0
    for number, sentence in enumerate(answer.sentences, start=1):
        found = answer.text.find(sentence.text, at)
        if found < 0:  # not the text's own words: show the sentences alone
            found = at = len(answer.text)
            parts.append(" ")
        kind = "supported" if sentence.supported else "unsupported"
        own = [marks[where] for where in dict.fromkeys(place(citation) for citation in sentence.citations)]
        parts.append(escape(answer.text[at:found]))
        given = f'class="sentence {kind}" tabindex="-1" id="{sentence_id(turn, number)}"'
        parts.append(f"<span {given}>{_rich(sentence.text)}</span>")
        parts += [_citation(turn, number, mark) for mark in own]
        if not sentence.supported:
            parts.append(f' <span class="warning" title="{escape(sentence.why)}">not in the text</span>')
        at = min(found + len(sentence.text), len(answer.text))
    return "".join([*parts, escape(answer.text[at:])])


def _rich(text: str) -> str:
    """Text as HTML, with the bold words and list items of a larger model."""
    return _BOLD.sub(r"<strong>\1</strong>", escape(_ITEM.sub("• ", text)))


def _citation(turn: Turn, sentence: int, mark: Mark) -> str:
    """The number, which leads to the words; hovering or focusing it shows them."""
    said = f"{mark.anchor}-s{sentence}"
    quote = escape(shorten(mark.citation.quote, QUOTED))
    return (
        f'<span class="citing">{_link(turn, mark, said)}'
        f'<span class="quotation" role="tooltip" id="{said}" dir="auto">“{quote}” '
        f'<span class="from">{escape(shorten(facts(mark.citation), 80))}</span></span></span>'
    )


def _link(turn: Turn, mark: Mark, described: str = "") -> str:
    by = f' aria-describedby="{described}"' if described else ""
    return (
        f'<a class="cite" href="#{mark.anchor}" data-action="source" data-turn="{turn.number}" '
        f'data-anchor="{mark.anchor}"{by}>{mark.citation.number if mark.is_final else "show"}</a>'
    )
