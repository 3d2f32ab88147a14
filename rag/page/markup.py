"""Text -> safe HTML: foreign text is escaped, every cited span has one id."""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from rag.documents.fetch import is_address
from rag.server.records import Turn
from rag.types import Answer, Citation

_FOLDERS = re.compile(r"""(?<![^\s(:])(['"])(?!https?:)[^'"\n]*[/\\](?=[^'"/\\\n]+['"])""")
Place = tuple[str, int, int]
"""A span: document id, start, end."""


@dataclass(frozen=True)
class Mark:
    """A cited span of the documents.

    `anchor` is its id in the page, `sentences` are the ids of what rests on it or quotes it.
    """

    anchor: str
    citation: Citation
    sentences: tuple[str, ...]
    is_final: bool = True
    """Whether the number is that of the answer; that of evidence may change."""


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


def name_of(source: str) -> str:
    """What a document is called where it lies: an address, or a file's name."""
    return " ".join((source if is_address(source) else PurePath(source).name).split())


def without_folders(sentence: str) -> str:
    """A sentence in which files are named without their folders, which are the operator's."""
    return _FOLDERS.sub(r"\1", sentence)


def place(citation: Citation) -> Place:
    """Where the cited words are."""
    return citation.doc_id, citation.start, citation.end


def sentence_id(turn: Turn, number: int) -> str:
    """The id of the sentence `number` (from 1) of the turn's answer."""
    return f"t{turn.number}-s{number}"


def quotation_id(turn: Turn, number: int) -> str:
    """The id of the quotation `number` (from 1) that the turn shows."""
    return f"t{turn.number}-q{number}"


def quotations_of(turn: Turn) -> tuple[Citation, ...]:
    """What the turn quotes by itself: the nearest sentences, else the evidence."""
    answer = turn.answer
    if answer is None or (answer.abstained and not answer.near):
        return turn.evidence
    return answer.near


def marks_of(turn: Turn) -> Mapping[Place, Mark]:
    """Every span that the turn cites or quotes, once, in its order."""
    cited: dict[Place, Citation] = {}
    rest: dict[Place, list[str]] = {}
    for of, citation in _resting(turn):
        cited.setdefault(place(citation), citation)
        rest.setdefault(place(citation), []).extend([of] if of else [])
    return {
        where: Mark(
            f"t{turn.number}-c{number}", citation, tuple(dict.fromkeys(rest.get(where, ()))), turn.answer is not None
        )
        for number, (where, citation) in enumerate(cited.items(), start=1)
    }


def _resting(turn: Turn) -> Iterator[tuple[str, Citation]]:
    """Each citation of the turn with the id of what rests on it, perhaps empty."""
    answer: Answer | None = turn.answer
    for number, sentence in enumerate(answer.sentences if answer else (), start=1):
        yield from ((sentence_id(turn, number), citation) for citation in sentence.citations)
    yield from (("", citation) for citation in (answer.citations if answer else ()))
    for number, citation in enumerate(quotations_of(turn), start=1):
        yield quotation_id(turn, number), citation


def button(action: str, label: str, shown: str = "", kind: str = "", **data: object) -> str:
    """A button that tells the page's script what to do.

    `label` is read aloud, `shown` is seen, `kind` is a class.
    """
    values = "".join(f' data-{name}="{escape(str(value))}"' for name, value in data.items())
    title = f' title="{escape(label)}" aria-label="{escape(label)}"' if shown else ""
    face = escape(shown or label)
    return f'<button type="button" class="tool {kind}" data-action="{action}"{values}{title}>{face}</button>'
