"""MathML -> one line of text: x = (a + b)/(2 c), x^2, sqrt(x_1)."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import Tag

_ATOM = re.compile(r"[+-]?[^\W_]*(?:\.[^\W_]*)?|.")
_SPACED = set("=+−-±×·⋅∗≤≥<>≠≈≡∼→⇒⇔∈∉⊂⊆∪∩∧∨∝") | {"&lt;", "&gt;"}
_INVISIBLE = {"\u2061": "", "\u2062": " ", "\u2063": "", "\u2064": " ", "\xa0": " "}
_ROWS = {"mrow", "mstyle", "math", "semantics", "mpadded", "merror", "maction", "menclose", "mtd"}
_UNSEEN = {"annotation", "annotation-xml", "mphantom", "mprescripts", "none"}
_DEEPEST = 40
"""Levels of an equation; what is nested deeper is given as it stands."""


def linear(math: "Tag") -> str:
    """The equation in one line; its TeX or text if it has no structure."""
    text = " ".join(_given(math, 0).split()).replace("( ", "(").replace(" )", ")")
    if text:
        return text
    source = math.find("annotation")
    return " ".join((source.get_text() if source else str(math.get("alttext") or "")).split())


def _name(tag: "Tag") -> str:
    return tag.name.rsplit(":", 1)[-1].lower()


def _given(tag: "Tag", depth: int) -> str:
    name = _name(tag)
    if name in _UNSEEN:
        return ""
    children = [] if depth > _DEEPEST else [c for c in tag.find_all(True, recursive=False) if _name(c) not in _UNSEEN]
    if not children:
        return _leaf(name, tag.get_text(strip=True))
    if name == "semantics":
        children = children[:1]
    parts = [_given(child, depth + 1) for child in children]
    if name in _SHAPES and len(parts) == _SHAPES[name][0]:
        return _SHAPES[name][1].format(*parts, *map(_grouped, parts))
    if name == "msqrt":
        return f"sqrt({_row(children, parts).strip()})"
    if name == "mtable":
        return f"[{'; '.join(part.strip() for part in parts)}]"
    if name in {"mtr", "mlabeledtr"}:
        return ", ".join(part.strip() for part in parts)
    if name == "mfenced":
        separator = str(tag.get("separators") or ",")[:1]
        return f"{tag.get('open', '(')}{f'{separator} '.join(parts)}{tag.get('close', ')')}"
    return _row(children, parts)


_SHAPES = {
    "mfrac": (2, "{2}/{3}"),
    "msup": (2, "{2}^{3}"),
    "msub": (2, "{2}_{3}"),
    "msubsup": (3, "{3}_{4}^{5}"),
    "mroot": (2, "root({0}, {1})"),
    "mover": (2, "{2}^{3}"),
    "munder": (2, "{2}_{3}"),
    "munderover": (3, "{3}_{4}^{5}"),
}
"""How many parts each has, and how they are written: as they are, then as grouped ones."""


def _leaf(name: str, text: str) -> str:
    for sign, given in _INVISIBLE.items():
        text = text.replace(sign, given)
    if name == "mspace":
        return " "
    if name == "mo" and text in _SPACED:
        return f" {text.replace('−', '-')} "
    if name == "mo" and text in {",", ";"}:
        return f"{text} "
    if name == "ms":
        return f'"{text}"'
    return f" {text} " if name == "mtext" else text


def _row(children: "list[Tag]", parts: list[str]) -> str:
    """The parts of a row; a blank divides two words or numbers."""
    row = ""
    for child, part in zip(children, parts, strict=True):
        sign = _name(child) == "mo" and part.strip() in {"-", "+", "±"}
        if sign and (not row.strip() or row.rstrip()[-1:] in "=(<>+-×·,[{|^"):
            row += part.strip()
        else:
            row += f" {part}" if row[-1:].isalnum() and part[:1].isalnum() else part
    return row


def _grouped(part: str) -> str:
    """In brackets unless it is one sign, word or number, or has brackets around it."""
    part = part.strip()
    if _ATOM.fullmatch(part) or (part.startswith("(") and part.find(")") == len(part) - 1):
        return part
    return f"({part})"
