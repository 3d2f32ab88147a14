"""The runs of a Word paragraph -> its pieces of text."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import Element

from rag.documents.docx.office_math import linear
from rag.documents.docx.ooxml import (
    CHART,
    DIAGRAM,
    MC,
    OLE,
    W14,
    A,
    M,
    R,
    V,
    W,
    alternative,
    child,
    is_on,
    value,
    whole,
)
from rag.documents.docx.story import Field, Story
from rag.documents.docx.styles import Look, unseen
from rag.documents.docx.symbols import has_meaning, is_font_of_symbols, symbol

TICKED, NOT_TICKED = "[x]", "[ ]"
PAGE_NUMBER = "\0"
"""Where a header or footer has the number of a page or of all pages; no XML holds this character."""
_PAGES = {"PAGE", "NUMPAGES", "SECTIONPAGES"}
_CHANGES = {*_PAGES, "STYLEREF"}
"""Fields that show another thing on each page: its number, or a heading, which is text already."""
_SILENT = {"ASK", "RD", "SET", "TA", "TC", "XE"}
"""Fields whose result is not shown."""
_COUNTED = {"EQ": "equation"} | dict.fromkeys(("AUTONUM", "AUTONUMLGL", "AUTONUMOUT", "LISTNUM"), "automatic number")
"""What fields show that keep no result."""
_NOTE_STYLES = {"footnote reference", "endnote reference"}
_LONGEST_INSTRUCTION = 1_000
_MOVED = 4
"""Half points; a number that is moved so far from its line is an exponent, a note or an index."""
_MARK = re.compile(r"[-−–+]?\d{1,4}")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{1,6}")
_SYMBOL_FIELD = re.compile(
    r"\s{0,9}SYMBOL\s{1,9}(\d{1,6}|0x[0-9a-f]{1,6})\b(?:.{0,99}?\\f\s{0,9}\"?([\w ]{1,30}))?", re.IGNORECASE
)
Piece = tuple[str, str]
"""A kind ("", "raised", "lowered", "note", "ruby", "equation", or why nobody sees it) and a text."""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph while it is read.

    `look` is that of what comes next, `drawn` are text boxes and charts beside it.
    """

    story: Story
    look: Look
    pieces: list[Piece] = field(default_factory=list)
    drawn: list[Element] = field(default_factory=list)

    @property
    def is_shown(self) -> bool:
        """Whether what comes now is seen: it is not the instruction of a field."""
        return not self.story.fields or self.story.fields[-1].shown

    def say(self, text: str, look: Look | None = None) -> None:
        """Add a text, which may be raised or lowered."""
        if not text or not self.is_shown:
            return
        if self.story.fields:
            self.story.fields[-1].wrote = True
        look = self.look if look is None else look
        kind = {"superscript": "raised", "subscript": "lowered"}.get(look.get("vertAlign", ""), "")
        position = whole(look.get("position"), 0)
        if not kind and abs(position) >= _MOVED and _MARK.fullmatch(text.strip()):
            kind = "raised" if position > 0 else "lowered"
        if kind == "raised" and look.get("name") in _NOTE_STYLES and text.strip():
            kind, text = "note", text.strip()
        self.pieces.append((kind, text))


def read_runs(paragraph: Paragraph, element: Element) -> None:
    """Add what the children of `element` show."""
    for one in element:
        reader = _READERS.get(one.tag)
        if reader is not None:
            reader(paragraph, one)
        elif not one.tag.endswith("Pr"):
            read_runs(paragraph, one)


def _run(paragraph: Paragraph, run: Element) -> None:
    look = paragraph.story.styles.run(paragraph.look, child(run, f"{W}rPr"))
    reason = unseen(look, paragraph.story.white_is_seen)
    text = "".join(one.text or "" for one in run if one.tag == f"{W}t")
    reference = next((one for one in run if one.get(f"{W}customMarkFollows", "0") in {"1", "true", "on"}), None)
    if reason is not None:
        _marks(paragraph, run)
        if text.strip() and paragraph.is_shown:
            paragraph.pieces.append((reason, text))
    elif reference is not None:
        paragraph.pieces.append(("note", paragraph.story.notes.label(_key(reference), text.strip() or "*")))
    else:
        read_runs(replace(paragraph, look=look), run)


def _key(reference: Element) -> tuple[str, str]:
    return reference.tag.removeprefix(W).removesuffix("Reference"), reference.get(f"{W}id", "")


def _reference(paragraph: Paragraph, reference: Element) -> None:
    if paragraph.is_shown:
        paragraph.pieces.append(("note", paragraph.story.notes.label(_key(reference))))


def _text(paragraph: Paragraph, element: Element) -> None:
    text = (element.text or "").replace("\n", " ").replace("\t", " ")
    font = paragraph.look.get("font", "")
    if is_font_of_symbols(font):
        text = "".join(symbol(font, ord(sign)) or sign for sign in text)
    paragraph.say(text)


def _symbol(paragraph: Paragraph, element: Element) -> None:
    code = element.get(f"{W}char", "")
    _say_symbol(paragraph, element.get(f"{W}font", ""), int(code, 16) if _HEXADECIMAL.fullmatch(code) else 0)


def _say_symbol(paragraph: Paragraph, font: str, code: int) -> None:
    sign = symbol(font, code) if is_font_of_symbols(font) else chr(code) if has_meaning(code) else None
    if sign is None:
        paragraph.story.left_out["symbol"] += 1
    else:
        paragraph.say(sign)


def _always(text: str) -> "_Reader":
    return lambda paragraph, _: paragraph.say(text)


def _deleted(paragraph: Paragraph, element: Element) -> None:
    """Deleted, or moved to where it is read."""
    _marks(paragraph, element)
    if element.tag == f"{W}del" and next(element.iter(f"{W}delText"), None) is not None:
        paragraph.pieces.append(("deleted part", ""))


def _marks(paragraph: Paragraph, element: Element) -> None:
    """Follow the fields through what is not shown."""
    for mark in element.iter(f"{W}fldChar"):
        _mark(paragraph, mark)


def _mark(paragraph: Paragraph, mark: Element) -> None:
    kind, fields = mark.get(f"{W}fldCharType"), paragraph.story.fields
    if kind == "separate" and fields:
        _result(paragraph, fields[-1])
    elif kind == "begin" and id(mark) in paragraph.story.complete:
        fields.append(Field(child(mark, f"{W}ffData"), enclosed=paragraph.is_shown))
    elif kind == "end" and id(mark) in paragraph.story.complete and fields:
        _ended(paragraph, fields.pop())


def _instruction(paragraph: Paragraph, element: Element) -> None:
    fields = paragraph.story.fields
    if fields and len(fields[-1].instruction) < _LONGEST_INSTRUCTION:
        fields[-1].instruction += element.text or ""


def _result(paragraph: Paragraph, begun: Field) -> None:
    """From here on, what stands in the field is what it shows."""
    begun.shown = begun.enclosed and begun.name not in _SILENT
    if begun.shown and paragraph.story.running and begun.name in _CHANGES:
        paragraph.pieces.append(("", PAGE_NUMBER if begun.name in _PAGES else ""))
        begun.shown, begun.wrote = False, True


def _ended(paragraph: Paragraph, ended: Field) -> None:
    """What a field shows that holds no result."""
    if ended.wrote or not ended.enclosed:
        if paragraph.story.fields:
            paragraph.story.fields[-1].wrote |= ended.wrote
    elif ended.name == "FORMCHECKBOX":
        paragraph.say(TICKED if _is_ticked(child(ended.data, f"{W}checkBox")) else NOT_TICKED, {})
    elif ended.name == "FORMDROPDOWN":
        paragraph.say(_chosen(child(ended.data, f"{W}ddList")), {})
    elif ended.name == "FORMTEXT":
        paragraph.say(value(ended.data, f"{W}textInput", f"{W}default") or "", {})
    elif ended.name == "SYMBOL" and (given := _SYMBOL_FIELD.match(ended.instruction)):
        _say_symbol(paragraph, (given[2] or "").strip(), int(given[1], 0 if given[1][:2].lower() == "0x" else 10))
    elif ended.name in {"MACROBUTTON", "GOTOBUTTON"}:
        paragraph.say(" ".join(ended.instruction.split()[2:]))
    elif ended.name in _PAGES and paragraph.story.running:
        paragraph.say(PAGE_NUMBER, {})
    elif ended.name in _COUNTED:
        paragraph.story.left_out[_COUNTED[ended.name]] += 1


def _is_ticked(box: Element | None) -> bool:
    checked = child(box, f"{W}checked")
    return is_on(checked if checked is not None else child(box, f"{W}default"))


def _chosen(choices: Element | None) -> str:
    if choices is None:
        return ""
    entries = [one.get(f"{W}val", "") for one in choices if one.tag == f"{W}listEntry"]
    at = whole(value(choices, f"{W}result") or value(choices, f"{W}default"), 0)
    return entries[at] if 0 <= at < len(entries) else ""


def _simple_field(paragraph: Paragraph, element: Element) -> None:
    begun = Field(None, paragraph.is_shown, element.get(f"{W}instr", ""))
    fields = paragraph.story.fields
    fields.append(begun)
    _result(paragraph, begun)
    read_runs(paragraph, element)
    if fields and fields[-1] is begun:
        _ended(paragraph, fields.pop())


def _control(paragraph: Paragraph, control: Element) -> None:
    box = child(control, f"{W}sdtPr", f"{W14}checkbox")
    if box is None:
        read_runs(paragraph, control)
    else:
        paragraph.say(TICKED if is_on(child(box, f"{W14}checked"), W14) else NOT_TICKED, {})


def _ruby(paragraph: Paragraph, ruby: Element) -> None:
    """A word and how it is pronounced; neighbours will be joined."""
    base, reading = (
        "".join(one.text or "" for part in ruby if part.tag == W + name for one in part.iter(f"{W}t"))
        for name in ("rubyBase", "rt")
    )
    if paragraph.is_shown:
        paragraph.pieces.append(("ruby", f"{base}{PAGE_NUMBER}{reading}"))


def _alternative(paragraph: Paragraph, element: Element) -> None:
    branch = alternative(element)
    if branch is not None:
        read_runs(paragraph, branch)


def _equation(paragraph: Paragraph, equation: Element) -> None:
    if paragraph.is_shown:
        paragraph.pieces.append(("equation", linear(equation)))


def _equations(paragraph: Paragraph, element: Element) -> None:
    lines = [linear(one) for one in element if one.tag == f"{M}oMath"]
    paragraph.say("\n".join(["", *lines, ""]), {})


def _picture(paragraph: Paragraph, element: Element) -> None:
    if any(element.get(R + name) for name in ("embed", "link", "id")):
        paragraph.story.left_out["picture"] += 1


def _object(paragraph: Paragraph, element: Element) -> None:
    """What another program shows, or drawings."""
    embedded = child(element, OLE)
    if embedded is None and child(element, f"{W}control") is None:
        read_runs(paragraph, element)
        return
    equation = embedded is not None and embedded.get("ProgID", "").startswith("Equation")
    paragraph.story.left_out["equation" if equation else "embedded object"] += 1


_Reader = Callable[[Paragraph, Element], None]
_READERS: dict[str, _Reader] = {
    f"{W}r": _run,
    f"{W}t": _text,
    f"{W}tab": _always("\t"),
    f"{W}ptab": _always("\t"),
    f"{W}br": _always("\n"),
    f"{W}cr": _always("\n"),
    f"{W}noBreakHyphen": _always("-"),
    f"{W}sym": _symbol,
    f"{W}fldChar": _mark,
    f"{W}instrText": _instruction,
    f"{W}fldSimple": _simple_field,
    f"{W}sdt": _control,
    f"{W}ruby": _ruby,
    f"{W}footnoteReference": _reference,
    f"{W}endnoteReference": _reference,
    f"{W}commentReference": lambda paragraph, _: paragraph.story.left_out.update(["comment"]),
    f"{W}del": _deleted,
    f"{W}moveFrom": _deleted,
    f"{W}object": _object,
    f"{MC}AlternateContent": _alternative,
    f"{M}oMath": _equation,
    f"{M}oMathPara": _equations,
    f"{A}blip": _picture,
    f"{V}imagedata": _picture,
    **dict.fromkeys(
        [f"{W}txbxContent", f"{A}txBody", f"{V}textpath", f"{CHART}chart", f"{DIAGRAM}relIds"],
        lambda paragraph, element: paragraph.drawn.append(element),
    ),
}
"""For each element, how it is read; of another one, its children are."""
