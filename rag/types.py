"""The data that the packages pass to each other: frozen and plain."""

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Incomplete = Literal["", "broke off", "length"]
"""Why an answer is not whole: its stream ended without saying that it is, or a limit of length cut it."""
INCOMPLETE: dict[Incomplete, str] = {
    "": "",
    "broke off": "The answer broke off. Ask again.",
    "length": "The answer was cut at the length limit.",
}
"""What a reader is told of an answer that is not whole."""
ABSTENTION = "The documents do not answer this question."
GREETING = "Ask a question about the documents."
"""What is said to a greeting or to thanks."""
NEAREST = "The documents do not say this outright. Nearest to it:"
"""What stands before the quotations where they may answer, or may not."""


@dataclass(frozen=True)
class Document:
    """A text as it was read. Every offset in this package counts characters of `text`.

    `doc_id` is made of the text, so that a file that only moved is the same document.
    `pages` holds the offset at which each page starts, page 1 first; empty if there are
    none. `titled` tells a title of its own from one made of the file's name. `language` is an
    ISO 639-1 code.
    """

    doc_id: str
    source: str
    title: str
    text: str
    pages: tuple[int, ...] = ()
    titled: bool = True
    language: str = "en"

    def page(self, offset: int) -> int | None:
        """The number of the page (from 1) that holds `offset`, None without pages."""
        return bisect_right(self.pages, offset) or None


@dataclass(frozen=True)
class Listed:
    """A document in a list.

    A text that came from two places is there twice, with the same id. `left_out` tells what its
    file holds that could not become text, by kind and number: "2 pictures". `words` and `pages`
    are 0 where that is not known.
    """

    source: str
    title: str
    passages: int
    doc_id: str
    left_out: tuple[str, ...] = ()
    words: int = 0
    pages: int = 0


class Documents(Mapping[str, Document]):
    """Documents by id, each read when it is asked for."""

    @abstractmethod
    def listed(self) -> list[Listed]:
        """Every source with its document, by name."""


@dataclass(frozen=True)
class Span:
    """The half-open range `start`..`end` of a document's text."""

    start: int
    end: int


@dataclass(frozen=True)
class Loaded:
    """A document as it was read, where its passages are, and what was left out."""

    document: Document
    spans: tuple[Span, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passage:
    """A run of whole sentences: `text` is `document.text[start:end]`.

    `page` is the number of the page it starts on, None if the document has no pages;
    `page_breaks` are the offsets within it at which a further page starts. `headings` are
    the Markdown lines that it stands under: headings, the highest first, and if it begins within a
    table, the caption and the row of headings.
    """

    passage_id: int
    doc_id: str
    source: str
    title: str
    start: int
    end: int
    text: str
    page: int | None = None
    page_breaks: tuple[int, ...] = ()
    headings: tuple[str, ...] = ()
    language: str = "en"

    def page_at(self, offset: int) -> int | None:
        """The number of the page that holds the character at `offset` of the document."""
        return None if self.page is None else self.page + bisect_right(self.page_breaks, offset)


@dataclass(frozen=True)
class Hit:
    """A passage found for a question.

    `score` is fused of the two lists (0..1, more with two wordings); `dense_rank` and `word_rank` are the places
    (from 1) in the two lists, None if that list does not hold the passage;
    `similarity` is the cosine of question and passage (-1..1), None if only the
    words were found.
    """

    passage: Passage
    score: float
    similarity: float | None
    dense_rank: int | None
    word_rank: int | None


@dataclass(frozen=True)
class Citation:
    """A numbered source span.

    `quote` is exactly `document.text[start:end]`, `page` the page it starts on, if any.
    """

    number: int
    doc_id: str
    source: str
    title: str
    start: int
    end: int
    quote: str
    page: int | None = None


@dataclass(frozen=True)
class Evidence:
    """The sentences that most likely answer, known before the model says a word.

    The likeliest is first.
    """

    citations: tuple[Citation, ...]


@dataclass(frozen=True)
class Sentence:
    """A sentence of the answer with the spans that say it.

    Without any, `supported` is False, and `why` says why, unless it says what the documents lack.
    """

    text: str
    citations: tuple[Citation, ...]
    supported: bool
    why: str = ""


@dataclass(frozen=True)
class Timings:
    """Seconds since the question was put; `first_token` is None if the model wrote nothing."""

    rewrite: float
    retrieve: float
    first_token: float | None
    total: float
    evidence: float | None = None


@dataclass(frozen=True)
class Answer:
    """What `Chatbot.ask` returns.

    `question` is the question as searched, after any rewriting. `confidence` is the
    estimated probability (0..1) that what was read answers it. When `abstained`, `sentences` and
    `citations` are empty; then `text` is ABSTENTION, for mere greetings GREETING, or, where the confidence is
    middling, NEAREST with the quotations of `near`, the sentences nearest to the question (else `near` is empty).
    `signals` are what the confidence is made of, by name (rag/answer/confidence.py). `incomplete` says why the
    model's words are not all there, if they are not: the last sentence is then not vouched for.
    `language` is the ISO 639-1 code of what is said in place of an answer (rag/replies.py).
    """

    question: str
    text: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    hits: tuple[Hit, ...]
    abstained: bool
    confidence: float
    timings: Timings
    signals: Mapping[str, float] = field(default_factory=dict, hash=False)
    incomplete: Incomplete = ""
    near: tuple[Citation, ...] = ()
    language: str = "en"


Event = list[Hit] | Evidence | str | Answer
"""What a chatbot's stream gives: the hits, the evidence, the pieces as they are written, the Answer."""
