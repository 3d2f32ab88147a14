"""The paragraphs and tables of a Word document, as blocks of Markdown."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from xml.etree.ElementTree import Element

from rag.documents.docx.markdown import Block, Row, filled_rows, in_a_line
from rag.documents.docx.numbering import Numbering
from rag.documents.docx.ooxml import MC, M, W, alternative, child, is_on, value, whole
from rag.documents.docx.raised import lowered, note, raised
from rag.documents.docx.runs import PAGE_NUMBER, Paragraph, Piece, read_runs
from rag.documents.docx.story import Story
from rag.documents.docx.styles import Look, heading_level, look

_BLANKS = re.compile(r"[ \t]+")
_LINES = re.compile(r" ?\n[ \n]*")
_LETTERS = re.compile(r"[^\W\d_]+")
_CONTENTS = re.compile(r"toc (\d|heading)")
"""Styles of a table of contents, which only lists the headings."""
_NEAR = 80
"""Characters beside a raised text that tell what it is."""
_PAGE_WORDS = 2
"""In "Page 3 of 9"."""
_DELETED = {f"{W}del", f"{W}moveFrom"}
_SPAN = 63
"""Columns of the widest table that Word makes."""
_REPEATED = 200
"""Characters of a merged cell that is repeated where it goes on."""


@dataclass(frozen=True)
class Reading:
    """A story, and what its blocks need beside its runs."""

    story: Story
    numbering: Numbering
    drawing: Callable[["Reading", Element], list[Block]]
    """Reads a chart, a diagram or the text of a shape."""
    inserted: Callable[[Element], list[Block]]
    """Reads a file that is inserted at `w:altChunk`."""
    titles: list[str] = field(default_factory=list)


def read_blocks(reading: Reading, parent: Element) -> list[Block]:
    """The paragraphs and tables in `parent`, in its order."""
    blocks: list[Block] = []
    waiting: list[Piece] = []
    for one in _members(parent):
        if one.tag == f"{W}tbl":
            blocks += _table(reading, one)
        elif one.tag == f"{W}altChunk":
            blocks += reading.inserted(one)
        else:
            made, waiting = _paragraph(reading, one, waiting)
            blocks += made
    text = _line(joined(reading.story, waiting))
    return [*blocks, Block(text)] if text else blocks


def _members(parent: Element) -> Iterator[Element]:
    """The paragraphs, tables and inserted files in `parent`, whatever is around them."""
    for one in parent:
        if one.tag in {f"{W}p", f"{W}tbl", f"{W}altChunk", f"{M}oMathPara"}:
            yield one
        elif one.tag == f"{MC}AlternateContent":
            branch = alternative(one)
            yield from _members(branch) if branch is not None else ()
        elif one.tag not in _DELETED:
            yield from _members(one)


def _paragraph(reading: Reading, element: Element, before: list[Piece]) -> tuple[list[Block], list[Piece]]:
    """Its blocks, and the pieces that belong to the next paragraph.

    Those are of a paragraph whose end is deleted, or of a large first letter.
    """
    story = reading.story
    properties = child(element, f"{W}pPr")
    style = value(properties, f"{W}pStyle")
    own = look(properties)
    paragraph = {**story.styles.of(style or ""), **own}
    on_any_ground = replace(story, white_is_seen=True)
    found = Paragraph(on_any_ground if paragraph.get("ground") else story, paragraph, list(before))
    read_runs(found, _math(element))
    beside = replace(reading, story=on_any_ground)
    drawn = [block for one in found.drawn for block in reading.drawing(beside, one)]
    mark = child(properties, f"{W}rPr")
    frame = child(properties, f"{W}framePr")
    deleted = child(mark, f"{W}del") is not None or child(mark, f"{W}moveFrom") is not None
    if deleted or (frame is not None and frame.get(f"{W}dropCap", "none") != "none"):
        return drawn, found.pieces
    text = _line(joined(story, found.pieces))
    if not text and is_on(child(mark, f"{W}vanish")):
        return drawn, []
    label = _label(reading, paragraph)
    if not text or _CONTENTS.fullmatch(paragraph.get("name", "")):
        return drawn, []
    return [_block(reading, paragraph, label, text), *drawn], []


def _math(element: Element) -> Element:
    """`element`, in a paragraph if it is an equation between paragraphs."""
    if element.tag == f"{W}p":
        return element
    paragraph = Element(f"{W}p")
    paragraph.append(element)
    return paragraph


def _label(reading: Reading, paragraph: Look) -> str:
    number = paragraph.get("numId", "0")
    if number == "0":
        return ""
    at = reading.numbering.level_of(number, paragraph.get("numbered", ""))
    return reading.numbering.label(number, whole(paragraph.get("ilvl"), at))


def _block(reading: Reading, paragraph: Look, label: str, text: str) -> Block:
    level = heading_level(paragraph)
    if level is not None:
        text = text.replace("\n", " ")
        if paragraph.get("name") == "title":
            reading.titles.append(text)
        return Block(text, "#" * min(level, 6) + " ", label.removesuffix("-"))
    if label == "-":
        return Block(text, "  " * min(whole(paragraph.get("ilvl"), 0), 8) + "- ")
    return Block(text, label=label)


def joined(story: Story, pieces: list[Piece]) -> str:
    """The text of a paragraph's pieces; those that nobody sees are counted."""
    runs = [(kind, [text for _, text in group]) for kind, group in groupby(pieces, key=itemgetter(0))]
    seen = []
    for kind, texts in runs:
        if kind.endswith(" part"):
            story.left_out[kind] += 1
        else:
            seen.append((kind, texts))
    text, tail = [], ""
    for at, (kind, texts) in enumerate(seen):
        following = seen[at + 1] if at + 1 < len(seen) else ("", [])
        after = "".join(following[1])[:_NEAR] if {kind, following[0]} != {"raised", "lowered"} else ""
        text.append(_written(kind, texts, tail, after))
        tail = (tail + text[-1])[-_NEAR:]
    return "".join(text)


def _written(kind: str, texts: list[str], before: str, after: str) -> str:
    if kind == "note":
        return "".join(note(label, after if label is texts[-1] else "") for label in texts)
    if kind == "ruby":
        parts = [text.split(PAGE_NUMBER, 1) for text in texts]
        reading = "".join(reading for _, reading in parts)
        return "".join(base for base, _ in parts) + (f"({reading})" if reading else "")
    text = (" " if kind == "equation" else "").join(texts)
    if kind == "raised":
        return raised(before, text, after)
    return lowered(before, text, after) if kind == "lowered" else text


def _line(text: str) -> str:
    """`text` without blanks that layout made, and without the numbers of pages."""
    if PAGE_NUMBER in text:
        text = "\n".join("\t".join(_unnumbered(line)) for line in text.split("\n"))
    text = _BLANKS.sub(_blank, text.replace("\xa0", " "))
    return _LINES.sub("\n", text).strip()


def _unnumbered(line: str) -> Iterator[str]:
    """The parts of a line between tabs, without "Page 3 of 9"."""
    for part in line.split("\t"):
        if PAGE_NUMBER not in part:
            yield part
        elif len(_LETTERS.findall(part)) > _PAGE_WORDS:
            yield part.replace(PAGE_NUMBER, "")


def _blank(blanks: re.Match[str]) -> str:
    """A blank; but a tab between digits, which would read as one number."""
    before, after = blanks.string[blanks.start() - 1 : blanks.start()], blanks.string[blanks.end() : blanks.end() + 1]
    return "\t" if "\t" in blanks[0] and before.isdigit() and after.isdigit() else " "


def _table(reading: Reading, table: Element) -> list[Block]:
    """Its rows, or the blocks that it only frames.

    That is what a table does that has one cell, or one row or column with headings.
    """
    properties = child(table, f"{W}tblPr")
    styled = child(properties, f"{W}tblStyle") is not None or "ground" in look(properties)
    rows: list[Row] = []
    framed: list[Block] = []
    above: dict[int, str] = {}
    for row in _inside(table, f"{W}tr"):
        settings = child(row, f"{W}trPr")
        deleted = child(settings, f"{W}del") is not None
        if deleted or is_on(child(settings, f"{W}hidden")):
            reading.story.left_out["deleted part" if deleted else "hidden part"] += 1
            continue
        cells, blocks = _row(reading, row, above, styled)
        rows.append(cells)
        framed += blocks
    headings = any(block.marks.startswith("#") for block in framed)
    longest = max((sum(cell is not None for cell in row) for row in rows), default=0)
    if (longest <= 1 and len(rows) == 1) or (headings and (longest <= 1 or len(rows) == 1)):
        return framed
    filled = filled_rows(rows)
    return [Block("", rows=filled)] if filled else []


def _row(reading: Reading, row: Element, above: dict[int, str], styled: bool) -> tuple[Row, list[Block]]:
    """The texts of a row in their columns, and its blocks.

    `above` are the texts of the merged cells that may go on, by their columns.
    """
    texts: Row = [""] * _columns(child(row, f"{W}trPr"), f"{W}gridBefore", 0)
    blocks: list[Block] = []
    for cell in _inside(row, f"{W}tc"):
        properties = child(cell, f"{W}tcPr")
        seen = styled or reading.story.white_is_seen or look(properties).get("ground", "") != ""
        inside = read_blocks(replace(reading, story=replace(reading.story, white_is_seen=seen)), cell)
        blocks += inside
        text = in_a_line(inside)
        merge = child(properties, f"{W}vMerge")
        if merge is not None and merge.get(f"{W}val", "continue") == "continue":
            text = text or above.get(len(texts), "")
        if merge is None or len(text) > _REPEATED:
            above.pop(len(texts), None)
        else:
            above[len(texts)] = text
        texts += [text, *[None] * (_columns(properties, f"{W}gridSpan", 1) - 1)]
    return texts, blocks


def _columns(properties: Element | None, name: str, default: int) -> int:
    return min(max(whole(value(properties, name), default), default), _SPAN)


def _inside(parent: Element, name: str) -> Iterator[Element]:
    """The rows of a table or cells of a row, whatever is around them."""
    for one in parent:
        if one.tag == name:
            yield one
        elif one.tag not in _DELETED:
            yield from _inside(one, name)
