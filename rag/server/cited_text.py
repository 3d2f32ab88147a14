"""An answer as text with its citations, and foreign text as Markdown that shows it."""

import re
from collections.abc import Iterator

from rag.documents.text import replace_surrogates
from rag.replies import replies
from rag.types import Answer, Citation, Sentence

UNSUPPORTED = "(not found in the documents)"
_MARKUP = re.compile(r"[\\`*_{}\[\]<>#&|~$]")
# Many programs make links of https://…, //…, www.… and example.org, too.
_ADDRESS = re.compile(r"[:/](?=/)|(?<=www)\.|(?<=\S)\.(?=[^\W\d_])", re.IGNORECASE)
_AT = re.compile(r"@(?=\S)")
_BEGINNING = re.compile(r"^(\d*)([-+=:.)])")
"""What begins a list or a table, or makes a heading of the line before."""


def pieces(answer: Answer) -> Iterator[tuple[str, Sentence | None]]:
    """What was said, sentence by sentence, and what is between them.

    Of a reply that only quotes it is what stands before the quotations.
    """
    if answer.near:
        yield replies(answer.language).nearest, None
        return
    text, at = answer.text, 0
    for sentence in answer.sentences:
        found = max(text.find(sentence.text, at), at)
        yield text[at:found], None
        yield sentence.text, sentence
        at = found + len(sentence.text)
    yield text[at:], None


def numbers(sentence: Sentence) -> list[int]:
    """The numbers of its citations, each once."""
    return list(dict.fromkeys(one.number for one in sentence.citations))


def marks(sentence: Sentence | None) -> str:
    """What stands behind a sentence: [n] for each citation, or that it is not supported."""
    if sentence is None:
        return ""
    return "".join(f" [{number}]" for number in numbers(sentence)) + ("" if sentence.supported else f" {UNSUPPORTED}")


def citations(answer: Answer) -> list[Citation]:
    """Every citation, once, by its number; or what is quoted as the nearest."""
    cited = [one for sentence in answer.sentences for one in sentence.citations]
    return sorted(dict.fromkeys((*cited, *answer.citations, *answer.near)), key=lambda one: one.number)


def facts(citation: Citation) -> str:
    """Where the words stand: title, page."""
    return (citation.title or citation.source) + (f", page {citation.page}" if citation.page else "")


def quotation(citation: Citation) -> str:
    """The place and the words, in one line."""
    return f"{one_line(facts(citation))}: “{one_line(citation.quote)}”"


def one_line(text: str) -> str:
    """`text` with a blank for each white space."""
    return " ".join(text.split())


def escaped(text: str) -> str:
    """`text` in one line of Markdown that shows it."""
    return escaped_lines(inline(one_line(text)))


def inline(text: str) -> str:
    """`text` without anything that means something within a line of Markdown."""
    plain = replace_surrogates(text).replace("\0", "\ufffd")
    return _AT.sub("\\\\@\u2060", _ADDRESS.sub(r"\\\g<0>", _MARKUP.sub(r"\\\g<0>", plain)))


def escaped_lines(text: str) -> str:
    """Lines of what `inline` gives, each by itself, none the beginning of something."""
    lines = [line.strip() for line in text.splitlines()]
    return "\\\n".join(_BEGINNING.sub(r"\1\\\2", line) for line in lines if line)
