"""What the page shows, as HTML. Foreign text is always escaped, and only our own anchors are links."""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, NamedTuple

from rag.types import Answer, Chunk, Citation, Document, Hit

SHOWN_QUESTION = 1000  # characters; the bot still gets the whole question
NAMED_DOCUMENTS = 5
NO_PASSAGES = '<p class="quiet">The passages found for a question appear here.</p>'
Event = list[Hit] | str | Answer
Place = tuple[str, int, int]


class Mark(NamedTuple):
    """A range of a text to highlight, with the id that citations link to."""

    start: int
    end: int
    anchor: str
    number: int


@dataclass(frozen=True)
class Turn:
    """One question and what has become of it. `note` says why there is no whole answer."""

    number: int
    question: str
    hits: tuple[Hit, ...] | None = None
    text: str = ""
    answer: Answer | None = None
    state: Literal["running", "done", "stopped", "failed"] = "running"
    note: str = ""


def advance(turn: Turn, event: Event) -> Turn:
    """The turn after one event of the bot's stream."""
    if isinstance(event, Answer):
        return replace(turn, answer=event, text=event.text, hits=event.hits, state="done")
    if isinstance(event, str):
        return replace(turn, text=turn.text + event)
    return replace(turn, hits=tuple(event))


def end(turn: Turn, stopped: bool) -> Turn:
    """The turn after the stream, which may have ended before its Answer."""
    if turn.answer:
        return turn
    if stopped:
        return replace(turn, state="stopped", note="Stopped.")
    return replace(turn, state="failed", note="The answer broke off. Ask again.")


def escape(text: str) -> str:
    """`text` as HTML that shows it letter for letter.

    Line breaks and tabs become references because gr.Chatbot trims and expands raw
    ones; a lone surrogate becomes U+FFFD because it cannot be sent.
    """
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return html.escape(whole).replace("\n", "&#10;").replace("\t", "&#9;")


def highlight(text: str, marks: Iterable[Mark]) -> tuple[str, list[Mark]]:
    """`text` as HTML with the marks that fit, and those marks.

    A mark that is empty, leaves the text or overlaps an earlier one does not fit.
    """
    parts: list[str] = []
    placed: list[Mark] = []
    at = 0
    for mark in sorted(marks):
        if at <= mark.start < mark.end <= len(text):
            parts += escape(text[at : mark.start]), _mark(mark, text[mark.start : mark.end])
            placed.append(mark)
            at = mark.end
    return "".join([*parts, escape(text[at:])]), placed


def _mark(mark: Mark, text: str) -> str:
    return f'<mark id="{mark.anchor}" data-number="{mark.number}">{escape(text)}</mark>'


def chat_messages(turns: Sequence[Turn]) -> list[dict[str, str]]:
    """The conversation for gr.Chatbot."""
    messages: list[dict[str, str]] = []
    for turn in turns:
        messages += {"role": "user", "content": _question(turn)}, {"role": "assistant", "content": reply(turn)}
    return messages


def reply(turn: Turn) -> str:
    """The bot's side of a turn: what it searched for, what it says, what went wrong."""
    parts = []
    if turn.answer and turn.answer.question.strip() != turn.question.strip():
        parts.append(f'<p class="quiet">Searched for: {escape(turn.answer.question)}</p>')
    if turn.answer:
        parts.append(f'<p class="answer" dir="auto">{_answer(turn, turn.answer)}</p>')
    elif turn.text:
        parts.append(f'<p class="answer" dir="auto">{escape(turn.text)}</p>')
    if turn.answer and turn.answer.abstained and turn.answer.hits:
        parts.append('<p class="quiet">The nearest passages are shown beside.</p>')
    if turn.state == "running" and not turn.text:
        doing = "Looking for passages" if turn.hits is None else f"Reading {_count(len(turn.hits), 'passage')}"
        parts.append(f'<p class="quiet">{doing} …</p>')
    if turn.note:
        parts.append(f'<p class="note">{escape(turn.note)}</p>')
    return f'<div class="reply" id="t{turn.number}-answer">{"".join(parts)}</div>'


def _question(turn: Turn) -> str:
    shown = turn.question[:SHOWN_QUESTION] + " …" * (len(turn.question) > SHOWN_QUESTION)
    return f'<div class="question" dir="auto">{escape(shown)}</div>'


def _answer(turn: Turn, answer: Answer) -> str:
    """The sentences with their markers, and what the text has before, between and after them."""
    anchors = _anchors(turn)
    parts: list[str] = []
    at = 0
    for sentence in answer.sentences:
        found = answer.text.find(sentence.text, at)
        if found < 0:  # not the text's own words: show the sentences alone
            found = at = len(answer.text)
            parts.append(" ")
        parts += escape(answer.text[at:found]), escape(sentence.text)
        at = min(found + len(sentence.text), len(answer.text))
        for mark in dict.fromkeys(anchors[_place(citation)] for citation in sentence.citations):
            parts.append(f' <a class="cite" href="#{mark.anchor}">[{mark.number}]</a>')
        if not sentence.supported:
            parts.append(' <span class="unsupported">[not found in the document]</span>')
    return "".join([*parts, escape(answer.text[at:])])


def _place(citation: Citation) -> Place:
    return citation.doc_id, citation.start, citation.end


def _citations(turn: Turn) -> dict[Place, Citation]:
    """Every span the answer cites, once, in the order of the answer."""
    if turn.answer is None:
        return {}
    from_sentences = (citation for sentence in turn.answer.sentences for citation in sentence.citations)
    cited: dict[Place, Citation] = {}
    for citation in (*from_sentences, *turn.answer.citations):
        cited.setdefault(_place(citation), citation)
    return cited


def _anchors(turn: Turn) -> dict[Place, Mark]:
    """The mark of each cited span. The ids are counted, so no two are ever the same."""
    return {
        place: Mark(place[1], place[2], f"t{turn.number}-c{count}", citation.number)
        for count, (place, citation) in enumerate(_citations(turn).items(), start=1)
    }


def passages_pane(turns: Sequence[Turn]) -> str:
    """The passages of all turns, newest first, with the cited words highlighted."""
    return "".join(_section(turn) for turn in reversed(turns) if turn.hits is not None) or NO_PASSAGES


def _section(turn: Turn) -> str:
    waiting, anchors = _citations(turn), _anchors(turn)
    cards: list[str] = []
    for rank, hit in enumerate(turn.hits or (), start=1):
        start = hit.chunk.start
        quoted = [anchors[place] for place, citation in waiting.items() if _quoted_in(hit, citation)]
        body, placed = highlight(
            hit.chunk.text, [mark._replace(start=mark.start - start, end=mark.end - start) for mark in quoted]
        )
        shown = {mark.anchor for mark in placed}
        waiting = {place: citation for place, citation in waiting.items() if anchors[place].anchor not in shown}
        cards.append(_card(f"Passage {rank}", hit.chunk, body))
    cards += [_card("Cited words", citation, _mark(anchors[p], citation.quote)) for p, citation in waiting.items()]
    heading = f'<h3 dir="auto">{escape(_shorten(turn.question, 160))}</h3>'
    back = f'<a class="back" href="#t{turn.number}-answer">Back to the answer</a>'
    body = "".join(cards) or '<p class="quiet">No passage was found.</p>'
    return f'<section id="t{turn.number}-passages">{heading}{body}{back}</section>'


def _quoted_in(hit: Hit, citation: Citation) -> bool:
    start = citation.start - hit.chunk.start
    inside = citation.doc_id == hit.chunk.doc_id and start >= 0
    return inside and hit.chunk.text[start : citation.end - hit.chunk.start] == citation.quote


def _card(name: str, of: Chunk | Citation, body: str) -> str:
    page = f", page {of.page}" if of.page else ""
    return (
        f'<article class="passage"><h4 dir="auto">{name}: {escape(of.title)}</h4>'
        f'<p class="quiet">{escape(of.source)}{page}, characters {of.start + 1:,} to {of.end:,}</p>'
        f'<p class="text" dir="auto">{body}</p></article>'
    )


def loaded_line(documents: Mapping[str, Document]) -> str:
    """The line that says which documents can be asked."""
    first, count = islice(documents.values(), NAMED_DOCUMENTS), len(documents)
    titles = [escape(_shorten(document.title or document.source, 80)) for document in first]
    more = [f"and {count - NAMED_DOCUMENTS:,} more"] if count > NAMED_DOCUMENTS else []
    return f'<p class="quiet">{_count(count, "document")} loaded: {", ".join(titles + more)}</p>'


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _shorten(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[:limit].rstrip() + " …"


# The pane keeps its place while an answer grows and starts at the top for a new question.
SHOW_NEWEST = """let newest = null; watch("value", () => {
    const id = element.querySelector("section")?.id;
    if (id !== newest) { element.closest("#passages").scrollTop = 0; }
    newest = id;
});"""
CSS = """
:root { --cited: #fff0a8; --cited-now: #ffd23e; --cited-text: #1b1b1b; --warn: #a33b00; --quiet: #5b6068; }
.dark { --cited: #5a4b00; --cited-now: #8f7600; --cited-text: #fff; --warn: #ffb27a; --quiet: #b4b8c0; }
.gradio-container { width: 100%; max-width: 1400px !important; margin: 0 auto !important; padding: 0 !important; }
.gradio-container > .main { padding: 12px !important; }
#top h1, #top p { margin: 0 0 2px; } .quiet { color: var(--quiet) !important; font-size: .875rem; }
.reply, .question, #passages, #top { overflow-wrap: anywhere; }
.reply p, #passages p { margin: 0 0 6px; } .reply p:last-child { margin: 0; }
.answer, .question, #passages .text { white-space: pre-wrap; }
.cite { white-space: nowrap; text-decoration: underline; color: var(--link-text-color) !important; }
.unsupported, .note { color: var(--warn); font-weight: 600; }
#chat .placeholder-content { padding: 12px 16px; text-align: center; justify-content: center; }
#chat .placeholder { flex-grow: 0; } #chat .icon-button-wrapper { display: none; }
#passages > * { padding: 0 4px 8px; }
#passages section + section { margin-top: 24px; border-top: 1px solid var(--border-color-primary); }
#passages h3 { margin: 8px 0; font-size: 1.05rem; } #passages h4 { margin: 0; font-size: .95rem; }
#passages .passage { margin: 0 0 10px; padding: 10px 12px; border: 1px solid var(--border-color-primary);
  border-radius: 8px; background: var(--block-background-fill); }
#passages mark { background: var(--cited); color: var(--cited-text); scroll-margin: 80px 0; padding: 1px 0; }
#passages mark::before { content: "[" attr(data-number) "] "; font-size: .8em; font-weight: 600; }
#passages mark:target { background: var(--cited-now); outline: 2px solid var(--warn); }
@media (min-width: 768px) {
  #top p { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  #panes { height: calc(100dvh - 120px); min-height: 420px; flex-wrap: nowrap; }
  #left, #right { height: 100%; min-height: 0; flex-wrap: nowrap; }
  #chat, #passages { flex: 1 1 0; min-height: 0; } #passages { overflow-y: auto !important; }
  .back { display: none; } }
@media (max-width: 767px) { #chat { min-height: 340px; } #chat .bubble-wrap { max-height: 70dvh; } }
"""
