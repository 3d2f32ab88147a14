"""The tree of an HTML page -> Markdown text, with numbers, tables and raised text."""

# ruff: noqa: ARG002 - the names and arguments of the methods are markdownify's.

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from bs4.element import Tag
from markdownify import MarkdownConverter

from rag.documents.html.seen import ONLY_WRAP, without
from rag.documents.html.tables import Cell, table_lines
from rag.documents.raised import lowered, raised

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from bs4.element import NavigableString

_RAISED, _NOTE, _LOWERED, _END, _BREAK = "\ue000", "\ue001", "\ue002", "\ue003", "\ue004"
"""Stand around raised text, the mark of a note and lowered text, and between the parts of a cell, until the end."""
_MARKS = re.compile("[\ue000-\ue004]")
_MARKED = re.compile("([\ue000-\ue003\n])")
_NOTED = re.compile("(?:^|\n)[^\\w\n\ue000-\ue004]{0,20}[\ue000\ue001]([^\ue000-\ue004\n]{1,4})\ue003(?=[^\n])")
_NEAR = 60
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_COMPLETE = (".", ":", "!", "?", ";", ",")
_NUMERALS = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
             (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_STYLES = {"decimal": "1", "lower-alpha": "a", "lower-latin": "a", "upper-alpha": "A", "upper-latin": "A",
           "lower-roman": "i", "upper-roman": "I", "none": ""}  # fmt: skip
_LIST_STYLE = re.compile(r"list-style(?:-type)?\s*:[^;]{0,80}?\b(decimal|(?:lower|upper)-(?:alpha|latin|roman)|none)\b")
_NUMBER = re.compile(r"[+-]?\d{1,9}")
_LABELLED = re.compile(r"[(\[]?([A-Za-z0-9][A-Za-z0-9.]{0,11}?)[.)\]:](?=\s)")


def to_markdown(page: "BeautifulSoup", nested_numbers: bool = False) -> str:
    """`page` as paragraphs, lists, tables and `#` headings, without links, pictures and emphasis."""
    labels = _labels(page, nested_numbers)
    without((), [tag for tag in page.find_all(True) if tag.name in ONLY_WRAP])
    return _resolved(str(_Converter(labels).convert_soup(page)))


class _Converter(MarkdownConverter):
    def __init__(self, labels: dict[int, str]) -> None:
        super().__init__(heading_style="ATX", bullets="-", strip=["img"], escape_asterisks=False,
                         escape_underscores=False, wrap=True, wrap_width=None)  # fmt: skip
        self._labels = labels
        self._cells: dict[int, list[Cell]] = defaultdict(list)
        self._rows: dict[int, list[list[Cell]]] = defaultdict(list)
        self._captions: dict[int, str] = {}

    def process_text(self, el: "NavigableString", parent_tags: set[str] | None = None) -> str:
        text = str(super().process_text(el, parent_tags=parent_tags))  # type: ignore[misc]
        before = el.previous_sibling
        if isinstance(before, Tag) and before.name == "br" and "pre" not in (parent_tags or ()):
            text = text.lstrip(" ")
        return text if text.isascii() else _MARKS.sub("", text)

    def convert_sup(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return _between(_NOTE if el.get("role") == "doc-noteref" else _RAISED, text)

    def convert_sub(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return _between(_LOWERED, text)

    def convert_br(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return f" {text}" if "_inline" in parent_tags else f"\n{text}"

    def convert_hN(self, n: int, el: Tag, text: str, parent_tags: set[str]) -> str:
        if not text.strip(f" \n{_BREAK}"):
            return ""
        if "_inline" in parent_tags:
            return _part(text)
        return f"\n\n{'#' * max(1, min(6, n))} {_line(text, ' ')}\n\n"

    def convert_p(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return _part(text) if "_inline" in parent_tags else f"\n\n{text.strip()}\n\n" if text.strip() else ""

    convert_figcaption = convert_p

    def convert_div(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        if "_inline" in parent_tags:
            return f" {text.strip(' ')} "
        return f"\n\n{text.strip()}\n\n" if text.strip() else ""

    convert_article = convert_section = convert_main = convert_aside = convert_header = convert_footer = convert_div
    convert_nav = convert_form = convert_fieldset = convert_figure = convert_address = convert_center = convert_div
    convert_details = convert_summary = convert_hgroup = convert_dialog = convert_legend = convert_noscript = (
        convert_div
    )
    convert_dl = convert_body = convert_search = convert_option = convert_noscript = convert_div

    def convert_dt(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        term = _line(text, "; ")
        if not term:
            return ""
        term = term if term.endswith(_COMPLETE) else f"{term}:"
        return f"{_BREAK}{term}" if "_inline" in parent_tags else f"\n- {term}"

    def convert_dd(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        text = text.strip()
        before = el.find_previous_sibling(True)
        again = isinstance(before, Tag) and before.name == "dd"
        if "_inline" in parent_tags:
            return f"{_BREAK if again else ' '}{text}"
        if not text:
            return ""
        lines = text.split("\n")
        text = "\n".join([lines[0], *(f"  {line}" if line else "" for line in lines[1:])])
        return f"\n  {text}" if again else f" {text}"

    def convert_li(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        label = self._labels.get(id(el), "-")
        if "_inline" in parent_tags:
            return _part(text if label == "-" else f"{label} {text.strip()}")
        text = text.strip()
        if not text:
            return "\n"
        lines = (f"{label} {text}" if label else text).split("\n")
        indent = " " * (len(label) + bool(label))
        return "\n".join([lines[0], *(f"{indent}{line}" if line else "" for line in lines[1:])]) + "\n"

    def convert_list(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        if "_inline" in parent_tags:
            return _part(text)
        return f"\n{text.rstrip()}\n" if "li" in parent_tags or "dd" in parent_tags else f"\n\n{text.strip()}\n\n"

    convert_ul = convert_ol = convert_menu = convert_list

    def convert_caption(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        table = el.find_parent("table")
        self._captions[id(table)] = _line(text, " ")
        return "" if table else _part(text)

    def convert_td(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        cell = Cell(_line(text, "; ") or _pictured(el), _span(el, "colspan"), _span(el, "rowspan"), el.name == "th")
        row = el.find_parent(["tr", "table"])
        if row is None:
            return _part(text)
        self._cells[id(row)].append(cell)
        return ""

    convert_th = convert_td

    def convert_tr(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        cells = self._cells.pop(id(el), [])
        table = el.find_parent("table")
        if table is None:
            return _part(" | ".join(cell.text for cell in cells))
        if el.find_parent(["thead", "table"]) is not table:
            for cell in cells:
                cell.heads = True
        self._rows[id(table)].append(cells)
        return _part(text) if text.strip() else ""

    def convert_table(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        rows = [row for row in [*self._rows.pop(id(el), []), self._cells.pop(id(el), [])] if row]
        caption = self._captions.pop(id(el), "")
        if "_inline" in parent_tags:
            lines = [", ".join(cell.text for cell in row if cell.text) for row in rows]
            return _part(_BREAK.join([caption, text, *lines]))
        caption, lines = table_lines(caption, rows)
        parts = [caption, _line(text, "\n\n"), "\n".join(lines)]
        return "".join(f"\n\n{part}\n\n" for part in parts if part)


def _between(mark: str, text: str) -> str:
    if "\n" in text or _BREAK in text or len(text) > _NEAR or not text.strip():
        return text
    return f"{mark}{text.strip()}{_END}{' ' if text[-1].isspace() else ''}"


def _part(text: str) -> str:
    return f"{_BREAK}{text}{_BREAK}"


def _line(text: str, between: str) -> str:
    """The parts of a cell, heading or term in one line, divided by `between`."""
    line = ""
    for part in text.split(_BREAK):
        words = " ".join(part.split())
        if words:
            line += (" " if line.endswith(_COMPLETE) and between == "; " else between if line else "") + words
    return line


def _pictured(cell: Tag) -> str:
    """What the pictures of a cell without words mean: a tick is "yes"."""
    return " ".join(" ".join(str(picture.get("alt") or "").split()) for picture in cell.find_all("img")).strip()


def _span(cell: Tag, name: str) -> int:
    return max(1, _number(cell, name, 1))


def _labels(page: "BeautifulSoup", nested: bool) -> dict[int, str]:
    """What stands before each item of an ordered list, by the identity of its tag."""
    items: dict[int, list[Tag]] = defaultdict(list)
    lists: dict[int, Tag] = {}
    for item in page.find_all("li"):
        owner = item.find_parent(["ol", "ul", "menu"])
        if owner is not None and owner.name == "ol":
            lists[id(owner)] = owner
            items[id(owner)].append(item)
    labels: dict[int, str] = {}
    for key, owner in lists.items():
        down = owner.has_attr("reversed")
        number = _number(owner, "start", len(items[key]) if down else 1)
        for item in items[key]:
            number = _number(item, "value", number)
            style = _style(item) or _style(owner) or "1"
            label = _label(number, style)
            above = labels.get(id(owner.find_parent("li")), "") if nested else ""
            label = f"{above}{label}" if above[:1].isdigit() else label
            said = _LABELLED.match(item.get_text(" ", strip=True)[:20])
            labels[id(item)] = "" if said and said[1].rstrip(".") == label else f"{label}." if label else "-"
            number += -1 if down else 1
    return labels


def _number(tag: Tag, name: str, default: int) -> int:
    said = str(tag.get(name) or "").strip()
    return int(said) if _NUMBER.fullmatch(said) else default


def _style(tag: Tag) -> str | None:
    given = str(tag.get("type") or "")
    if given in {"1", "a", "A", "i", "I"}:
        return given
    found = _LIST_STYLE.search(str(tag.get("style") or "")[:300])
    return _STYLES[found[1]] or "-" if found else None


def _label(number: int, style: str) -> str:
    if style == "-":
        return ""
    if style in "aA" and number > 0:
        letters = ""
        while number:
            number, rest = divmod(number - 1, 26)
            letters = chr(ord(style) + rest) + letters
        return letters
    if style in "iI" and 0 < number < 4000:
        roman = ""
        for value, letters in _NUMERALS:
            count, number = divmod(number, value)
            roman += letters * count
        return roman if style == "i" else roman.upper()
    return str(number)


def _resolved(text: str) -> str:
    """`text` with the raised and lowered parts written as their surroundings ask for."""
    noted = frozenset(_NOTED.findall(text))
    outer: list[tuple[str, list[str], str]] = []
    line, pieces = "", _MARKED.split(text)
    done: list[str] = []
    for at, piece in enumerate(pieces):
        if piece in {_RAISED, _NOTE, _LOWERED}:
            outer.append((piece, done, line))
            done, line = [], ""
        elif piece == _END and outer:
            mark, inner = "".join(done), outer.pop()
            kind, done, line = inner
            after = pieces[at + 1] if at + 1 < len(pieces) else ""
            fraction = after in {"/", "⁄"} and pieces[at + 2 : at + 3] == [_LOWERED]
            if kind == _LOWERED:
                given = lowered(line, mark)
            elif fraction and mark.isdigit():
                given = f" {mark}" if line[-1:].isdigit() else mark
            else:
                given = raised(line, mark, after[:_NEAR], kind == _NOTE, noted)
            done.append(given)
            line = (line + given)[-_NEAR:]
        else:
            done.append(piece)
            line = "" if piece == "\n" else (line + piece)[-_NEAR:]
    return "".join(done)
