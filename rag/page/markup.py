"""Text -> safe HTML: foreign text is always escaped, and every cited span has one id."""

import html
from collections.abc import Mapping
from dataclasses import dataclass

from rag.server.records import Turn
from rag.types import Citation

Place = tuple[str, int, int]
"""A span: document id, start, end."""


@dataclass(frozen=True)
class Mark:
    """A cited span of the documents: its id in the page, its number in the answer, the sentences that rest on it."""

    anchor: str
    citation: Citation
    sentences: tuple[str, ...]


def escape(text: str) -> str:
    """`text` as HTML that shows it letter for letter.

    Line breaks and tabs become references because gradio trims raw ones; a lone surrogate
    becomes U+FFFD because it cannot be sent.
    """
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return html.escape(whole).replace("\n", "&#10;").replace("\t", "&#9;")


def shorten(text: str, limit: int) -> str:
    """`text` in one line of at most about `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[:limit].rstrip() + " …"


def count(number: int, noun: str) -> str:
    """`number` with the noun, which gets an s unless it is one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def place(citation: Citation) -> Place:
    """Where the cited words are."""
    return citation.doc_id, citation.start, citation.end


def sentence_id(turn: Turn, number: int) -> str:
    """The id of the sentence `number` (from 1) of the turn's answer."""
    return f"t{turn.number}-s{number}"


def marks_of(turn: Turn) -> Mapping[Place, Mark]:
    """Every span that the answer cites, once, in its order. The ids are counted, so no two are the same."""
    if turn.answer is None:
        return {}
    cited: dict[Place, Citation] = {}
    rest: dict[Place, list[str]] = {}
    for number, sentence in enumerate(turn.answer.sentences, start=1):
        for citation in sentence.citations:
            cited.setdefault(place(citation), citation)
            rest.setdefault(place(citation), []).append(sentence_id(turn, number))
    for citation in turn.answer.citations:
        cited.setdefault(place(citation), citation)
    return {
        where: Mark(f"t{turn.number}-c{number}", citation, tuple(dict.fromkeys(rest.get(where, ()))))
        for number, (where, citation) in enumerate(cited.items(), start=1)
    }


def button(action: str, label: str, shown: str = "", kind: str = "", **data: object) -> str:
    """A button that tells the page's script what to do; `label` is read aloud, `shown` is seen, `kind` is a class."""
    values = "".join(f' data-{name}="{escape(str(value))}"' for name, value in data.items())
    title = f' title="{escape(label)}" aria-label="{escape(label)}"' if shown else ""
    face = escape(shown or label)
    return f'<button type="button" class="tool {kind}" data-action="{action}"{values}{title}>{face}</button>'


def facts(citation: Citation) -> str:
    """Where the words stand: title, page."""
    return (citation.title or citation.source) + (f", page {citation.page}" if citation.page else "")
