"""Turn -> the pane: documents with the cited words marked, passages as cards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from rag.page.markup import Mark, button, count, escape, marks_of, name_of, quotations_of, shorten
from rag.server.records import Turn
from rag.types import Document, Hit

WHOLE = 60_000
"""Up to this many characters a document is shown whole."""
AROUND = 8_000
"""Of a longer one, the characters before and after each passage."""
START = 20_000
"""And these at its beginning, where nothing was asked yet."""
BEGINNING = 90
"""Characters of a passage that its card shows."""
_BETWEEN = 3
"""Characters between two passages that are no text."""
_ORDINAL = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True)
class Region:
    """A range of a document's text: a passage, or the words of a mark.

    `anchor` is its id in the page.
    """

    start: int
    end: int
    anchor: str
    mark: Mark | None = None


def opening(documents: Mapping[str, Document]) -> str:
    """The pane before a question: the document, or the titles of all."""
    if len(documents) == 1:
        document = next(iter(documents.values()))
        return _pane("", f"{_document(document, [])}")
    return _pane("", f'<p class="quiet">The words that an answer rests on are shown here. {loaded(documents)}</p>')


def beginning(document: Document) -> str:
    """The pane with one document from its beginning."""
    return _pane("", _document(document, []))


def loaded(documents: Mapping[str, Document], most: int = 5) -> str:
    """The sentence that says which documents can be asked."""
    titles = [shorten(document.title or document.source, 80) for document in islice(documents.values(), most)]
    more = [f"and {len(documents) - most:,} more"] if len(documents) > most else []
    return escape(f"{count(len(documents), 'document')} loaded: {', '.join(titles + more)}")


def source(turn: Turn, documents: Mapping[str, Document]) -> str:
    """The pane of a turn: each document that holds a hit, then the cards."""
    hits = turn.hits or ()
    if not hits:
        return _pane(str(turn.number), '<p class="quiet">No passage was found.</p>')
    cards = "".join(_card(turn, rank, hit) for rank, hit in enumerate(hits, start=1))
    regions = _regions(turn)
    texts = "".join(_shown(doc_id, own, turn, documents) for doc_id, own in regions.items())
    return _pane(str(turn.number), f"{texts}{_why_these(turn, cards, len(hits))}")


def _why_these(turn: Turn, cards: str, found: int) -> str:
    """What was searched for, and how each passage was found."""
    searched = turn.answer.question if turn.answer else turn.question
    other = (
        f'<p class="quiet">Searched for: {escape(searched)}</p>' if searched.strip() != turn.question.strip() else ""
    )
    summary = f"<summary>{count(found, 'passage')} found; why these?</summary>"
    return f'<details class="why">{summary}{other}<ol class="cards">{cards}</ol></details>'


def _pane(turn: str, body: str) -> str:
    ways = [("previous", "Citation before this one", "‹"), ("next", "Citation after this one", "›")]
    bar = "".join(button(action, said, shown) for action, said, shown in ways)
    bar = f'<div class="sheet">{bar}{button("close", "Back to the conversation")}</div>'
    return f'<div class="source" data-turn="{turn}">{bar}{body}</div>'


def _card(turn: Turn, rank: int, hit: Hit) -> str:
    passage = hit.passage
    cited = any(_inside(hit, mark) for mark in marks_of(turn).values())
    how = "Quoted. " if quotations_of(turn) else "Cited. "
    facts = [shorten(passage.title, 60), *[f"page {passage.page}"] * bool(passage.page), _why(hit)]
    return (
        f'<li class="card{" cited" if cited else ""}"><a href="#t{turn.number}-p{rank}" data-action="passage" '
        f'data-anchor="t{turn.number}-p{rank}" dir="auto">{escape(shorten(passage.text, BEGINNING))}</a>'
        f'<span class="quiet">{how if cited else ""}{escape(", ".join(facts))}.</span></li>'
    )


def _why(hit: Hit) -> str:
    """How the passage was found: its places in both lists, cosine and score."""
    by = [
        f"{_nth(place)} by {name}"
        for name, place in (("meaning", hit.dense_rank), ("words", hit.word_rank))
        if place is not None
    ]
    near = f", similarity {hit.similarity:.2f}" if hit.similarity is not None else ""
    return f"{' and '.join(by) or 'found'}{near}, score {hit.score:.3f}"


def _nth(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else _ORDINAL.get(number % 10, "th")
    return f"{number}{ending}"


def _inside(hit: Hit, mark: Mark) -> bool:
    cited, passage = mark.citation, hit.passage
    return cited.doc_id == passage.doc_id and passage.start <= cited.start and cited.end <= passage.end


def _regions(turn: Turn) -> dict[str, list[Region]]:
    """The passages and marks of the turn, by document, in the order of the hits."""
    regions: dict[str, list[Region]] = {}
    for rank, hit in enumerate(turn.hits or (), start=1):
        passage = hit.passage
        regions.setdefault(passage.doc_id, []).append(Region(passage.start, passage.end, f"t{turn.number}-p{rank}"))
    for mark in marks_of(turn).values():
        own = regions.setdefault(mark.citation.doc_id, [])
        own.append(Region(mark.citation.start, mark.citation.end, mark.anchor, mark))
    return regions


def _shown(doc_id: str, regions: list[Region], turn: Turn, documents: Mapping[str, Document]) -> str:
    """The document, or if it is gone, its passages as they were found."""
    try:
        return _document(documents[doc_id], regions)
    except KeyError:
        hits = [hit for hit in turn.hits or () if hit.passage.doc_id == doc_id]
        quotes = [(region.start, region.mark.citation.quote) for region in regions if region.mark]
        text = _laid_out([*((hit.passage.start, hit.passage.text) for hit in hits), *quotes])
        known = next((hit.passage for hit in hits), None) or next(r.mark.citation for r in regions if r.mark)
        gone = Document(doc_id, known.source, known.title, text)
        note = '<p class="quiet">This document has changed or was removed since; its passages as they were found:</p>'
        return _document(gone, regions, note, around=0)


def _laid_out(pieces: Iterable[tuple[int, str]]) -> str:
    """A text with each piece where it starts, and blanks between them."""
    parts: list[str] = []
    at = 0
    for start, words in sorted(pieces):
        parts += " " * (start - at), words[max(0, at - start) :]
        at = max(at, start + len(words))
    return "".join(parts)


def _document(document: Document, regions: Sequence[Region], note: str = "", around: int = AROUND) -> str:
    length = len(document.text)
    if not note and length <= WHOLE:
        windows = [(0, length)]
    elif regions:
        windows = _windows([(region.start, region.end) for region in regions], around, length)
    else:
        windows = [(0, min(START, length))]
    parts: list[str] = []
    at = 0
    for start, end in windows:
        parts += _gap(start - at), _marked(document.text, start, end, regions)
        at = end
    parts.append(_gap(length - at))
    place = escape(name_of(document.source))
    return (
        f'<section class="document" aria-label="{escape(shorten(document.title, 100))}">'
        f'<h2 dir="auto">{escape(shorten(document.title, 120))}</h2><p class="quiet">{place}</p>{note}'
        f'<div class="text" dir="auto">{"".join(parts)}</div></section>'
    )


def _gap(length: int) -> str:
    if length <= _BETWEEN:  # A line break between two passages.
        return escape("\n") * (length > 0)
    return f'<span class="gap">[{count(length, "character")} not shown]</span>'


def _windows(spans: Iterable[tuple[int, int]], around: int, length: int) -> list[tuple[int, int]]:
    """The spans with `around` characters before and after, merged where they meet."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted((max(0, start - around), min(length, end + around)) for start, end in spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _marked(text: str, start: int, end: int, regions: Sequence[Region]) -> str:
    """`text[start:end]` in pieces, each with the shortest mark and the first passage over it.

    A region's id stands on its first piece, and that of a mark which shorter ones hide entirely where it begins.
    """
    edges = {start, end, *(edge for r in regions for edge in (r.start, r.end) if start < edge < end)}
    pieces = list(pairwise(sorted(edges)))
    over = [[r for r in regions if r.start <= left and right <= r.end] for left, right in pieces]
    marks = [min((r for r in own if r.mark), key=lambda r: r.end - r.start, default=None) for own in over]
    shown = {mark.anchor for mark in marks if mark}
    hidden = [r for r in regions if r.mark and r.anchor not in shown]
    parts: list[str] = []
    placed: set[str] = set()
    for (left, right), own, mark in zip(pieces, over, marks, strict=True):
        piece = escape(text[left:right])
        if mark:
            piece = _mark(mark, piece, mark.anchor not in placed)
            placed.add(mark.anchor)
        piece = "".join(f'<mark id="{r.anchor}"></mark>' for r in hidden if r.start == left) + piece
        if passage := next((r for r in own if r.mark is None), None):
            given = "" if passage.anchor in placed else f' id="{passage.anchor}"'
            placed.add(passage.anchor)
            piece = f'<span class="passage" tabindex="-1"{given} data-of="{passage.anchor}">{piece}</span>'
        parts.append(piece)
    return "".join(parts)


def _mark(region: Region, piece: str, first: bool) -> str:
    """A piece of the cited words, with a link to what rests on them."""
    mark = region.mark
    assert mark
    target = mark.sentences[0] if mark.sentences else f"{region.anchor.partition('-')[0]}-answer"
    given = f' id="{region.anchor}" data-number="{mark.citation.number if mark.is_final else ""}"' if first else ""
    return (
        f'<mark{given} data-of="{region.anchor}"><a href="#{target}" data-action="resting" '
        f'data-sentences="{" ".join(mark.sentences)}" title="Show what rests on this">{piece}</a></mark>'
    )
