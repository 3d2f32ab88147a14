"""The HTML beside the documents: the bar at the top, the list of conversations, a conversation with its answers."""

from collections.abc import Iterable, Sequence

from rag.bounds import COMMENT
from rag.page.export import with_sources
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
from rag.server.cited_text import facts
from rag.server.records import REASONS, Turn
from rag.server.store import ConversationSummary
from rag.types import Answer

TITLE = "Ask the article"
SHOWN_QUESTION = 1000
"""Characters; the bot still gets the whole question."""
QUOTED = 400
"""Characters of a quotation that is shown beside a citation."""
_SURE = ((0.9, "high"), (0.7, "fair"), (0.0, "low; read the sources"))
"""The confidence in words, from these probabilities on."""
DRAFT = "Draft – being checked against the documents"
LEFT = "Draft – not checked against the documents"
"""What stands above the words of the model that no check has passed."""
WELCOME = "Ask about the documents. Each answer links to the words it rests on."


def conversation(turns: Sequence[Turn], identity: str, suggested: Sequence[str]) -> str:
    """The pane; `identity` names the conversation in the address, `suggested` are questions to ask next."""
    busy = bool(turns) and turns[-1].state == "running"
    drafting = busy and bool(turns[-1].text)  # What changes with each piece is not read aloud.
    body = [_turn(turn) for turn in turns] or [f'<p class="welcome">{WELCOME}</p>']
    named = escape(identity if turns else "")
    return (
        f'<div class="log" role="log" aria-label="Conversation" data-conversation="{named}" '
        f'data-busy="{str(busy).lower()}" aria-busy="{str(drafting).lower()}">{"".join(body)}</div>'
        f"{'' if busy else _suggestions(suggested)}"
    )


def _suggestions(suggested: Sequence[str]) -> str:
    if not suggested:
        return ""
    asked = "".join(f"<li>{button('suggest', text, question=text)}</li>" for text in suggested)
    return f'<ul class="suggestions" aria-label="Suggested questions">{asked}</ul>'


def _turn(turn: Turn) -> str:
    cut = len(turn.question) > SHOWN_QUESTION
    shown = turn.question[:SHOWN_QUESTION] + " …" * cut
    whole = f' data-question="{escape(turn.question)}"' if cut else ""
    return (
        f'<article class="turn" id="t{turn.number}" data-turn="{turn.number}" '
        f'aria-label="Question {turn.number}"><h2 class="question" dir="auto"{whole}>{escape(shown)}</h2>'
        f"{reply(turn)}{_tools(turn) if turn.state != 'running' else ''}</article>"
    )


def reply(turn: Turn) -> str:
    """The bot's side of a turn: what it searched for, what it says and quotes, how sure it is, what went wrong."""
    answer = turn.answer
    rewritten = answer is not None and answer.question.strip() != turn.question.strip()
    parts = [
        f'<p class="quiet">Searched for: {escape(answer.question)}</p>' if answer and rewritten else "",
        f'<p class="answer" dir="auto">{_answer(turn, answer)}</p>' if answer and turn.text else "",
        _draft(turn) if turn.text and not answer else "",
        _confidence(answer) if answer else "",
        f'<p class="quiet">{_doing(turn)} …</p>' if turn.state == "running" and not turn.text else "",
        f'<p class="note">{escape(turn.note)}</p>' if turn.note else "",
        _quotations(turn),
    ]
    return f'<div class="reply" tabindex="-1" id="t{turn.number}-answer">{"".join(parts)}</div>'


def _draft(turn: Turn) -> str:
    """What the model writes, before it is checked: it is no answer yet, and looks like none."""
    mark = DRAFT if turn.state == "running" else LEFT
    return f'<div class="draft"><p class="stage">{mark}</p><p class="answer" dir="auto">{escape(turn.text)}</p></div>'


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
        return f'<div class="evidence"><h3>In the documents:</h3>{quotes}</div>'
    if turn.answer.near:
        return f'<div class="evidence">{quotes}</div>'
    return f'<details class="evidence"><summary>The nearest sentences</summary>{quotes}</details>'


def _doing(turn: Turn) -> str:
    if turn.hits is None:
        return "Looking for passages"
    if turn.ahead:
        return f"Waiting for the model, number {turn.ahead:,} in the queue"
    return f"Reading {count(len(turn.hits), 'passage')}"


def _confidence(answer: Answer) -> str:
    if answer.near:  # They are quoted, and nothing is claimed.
        return ""
    if answer.abstained:
        return '<p class="quiet">The nearest passages are shown in the document.</p>' if answer.hits else ""
    if answer.incomplete:  # The note says what there is to say.
        return ""
    words = next(words for least, words in _SURE if round(answer.confidence, 2) >= least)
    return f'<p class="quiet confidence">Confidence: {words} ({answer.confidence:.0%}).</p>'


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
        parts.append(f"<span {given}>{escape(sentence.text)}</span>")
        parts += [_citation(turn, number, mark) for mark in own]
        if not sentence.supported:
            parts.append(f' <span class="warning" title="{escape(sentence.why)}">[not found in the documents]</span>')
        at = min(found + len(sentence.text), len(answer.text))
    return "".join([*parts, escape(answer.text[at:])])


def _citation(turn: Turn, sentence: int, mark: Mark) -> str:
    """[n], which leads to the words; hovering or focusing it shows them."""
    said = f"{mark.anchor}-s{sentence}"
    quote = escape(shorten(mark.citation.quote, QUOTED))
    return (
        f' <span class="citing">{_link(turn, mark, said)}'
        f'<span class="quotation" role="tooltip" id="{said}" dir="auto">“{quote}” '
        f'<span class="from">{escape(shorten(facts(mark.citation), 80))}</span></span></span>'
    )


def _link(turn: Turn, mark: Mark, described: str = "") -> str:
    by = f' aria-describedby="{described}"' if described else ""
    return (
        f'<a class="cite" href="#{mark.anchor}" data-action="source" data-turn="{turn.number}" '
        f'data-anchor="{mark.anchor}"{by}>[{mark.citation.number}]</a>'
    )


def _tools(turn: Turn) -> str:
    number = turn.number
    rate = ""
    if turn.answer:
        pressed = {verdict: str(turn.rated == verdict).lower() for verdict in ("good", "bad")}
        good = _toggle("good", "Good answer", "Good", number, pressed["good"])
        rate = good + _toggle("bad", "Bad answer", "Bad", number, pressed["bad"])
    tools = [
        button("copy", "Copy with sources", "Copy", text=with_sources(turn)) if turn.text else "",
        button("retry", "Ask this again, and remove what follows", "Retry", turn=number),
        button("edit", "Edit the question, ask again, and remove what follows", "Edit", turn=number),
        button("delete", "Delete this question and its answer", "Delete", turn=number),
        rate,
    ]
    return f'<div class="tools">{"".join(tools)}</div>{_complaint(number) if turn.answer else ""}'


def _toggle(verdict: str, label: str, shown: str, number: int, pressed: str) -> str:
    return (
        f'<button type="button" class="tool" data-action="rate" data-verdict="{verdict}" data-turn="{number}" '
        f'aria-pressed="{pressed}" aria-label="{label}" title="{label}">{shown}</button>'
    )


def _complaint(number: int) -> str:
    """What a reader can say of a bad answer; the page's script shows it."""
    reasons = "".join(f'<option value="{escape(reason)}">{escape(reason.capitalize())}</option>' for reason in REASONS)
    return (
        f'<div class="complaint" hidden data-turn="{number}">'
        f'<label>What is bad about it? <select name="reason">{reasons}</select></label>'
        f'<label>Comment <textarea name="comment" rows="2" maxlength="{COMMENT}"></textarea></label>'
        "<label>The right answer, if you know it "
        f'<textarea name="right" rows="2" maxlength="{COMMENT}"></textarea></label>'
        f"{button('complain', 'Send', turn=number)}{button('cancel', 'Cancel', turn=number)}</div>"
    )


def top_bar(loaded: str) -> str:
    """The bar: what opens the drawers, the colours; `loaded` says which documents can be asked."""
    return (
        f'<div class="bar"><h1>{TITLE}</h1>{_drawer("list", "Conversations")}{button("new", "New conversation", "New")}'
        f"{_drawer('right', 'Document', 'narrow')}{_drawer('documents', 'Documents')}"
        f"{button('theme', 'Light or dark', '◐')}</div>"
        f'<p class="quiet">{loaded}</p><p id="status" role="status"></p>'
    )


def _drawer(drawer: str, label: str, kind: str = "") -> str:
    return (
        f'<button type="button" class="tool {kind}" data-action="drawer" data-drawer-of="{drawer}" '
        f'aria-expanded="false" aria-controls="{drawer}">{label}</button>'
    )


def conversation_list(conversations: Iterable[ConversationSummary], current: str, user: str = "") -> str:
    """The conversations, newest first, with what one can do with each, and the way out for a `user` who signed in."""
    items = "".join(_list_item(one, one.id == current) for one in conversations)
    body = f"<ul>{items}</ul>" if items else '<p class="quiet">None yet. They are kept here for you alone.</p>'
    out = (
        f'<form method="post" action="logout"><button class="tool">Sign out</button> '
        f'<span class="quiet">Signed in as {escape(user)}.</span></form>'
        if user
        else ""
    )
    return f'<nav aria-label="Conversations"><h2>Conversations</h2>{button("close", "Close")}{body}{out}</nav>'


def _list_item(one: ConversationSummary, current: bool) -> str:
    address = f"conversations/{escape(one.id)}"
    return (
        f"<li{' aria-current=true' if current else ''}>"
        f'<button type="button" class="tool opener" data-action="open" data-conversation="{escape(one.id)}" dir="auto">'
        f"{escape(one.title)}</button>"
        f'<span class="quiet">{count(one.turns, "question")}</span>'
        f'<a href="{address}.md" download aria-label="Markdown of {escape(one.title)}">Markdown</a>'
        f'<a href="{address}.json" download aria-label="JSON of {escape(one.title)}">JSON</a>'
        f"{button('remove', f'Delete {one.title}', 'Delete', conversation=one.id)}</li>"
    )
