"""Equations of Word (Office Math) as one line: x = (a + b)/2, sqrt(x^2)."""

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

from rag.documents.docx.ooxml import MC, M, W, alternative, child, is_on

_RELATION = re.compile(r" ?([=≠≈≅≡≤≥<>∝∼→⇒⇔∈]) ?")
_BINARY = re.compile(r"(?<=[\w)\]!′%°]) ?((?<![^\W\d_]{2})-|[+−±×·÷]) ?(?=[\w(\[√∂])")
_ATOM = re.compile(
    r"[-−]?\d{1,30}(?:[.,]\d{1,30})?%?|[-−]?[∂Δ]?[^\W\d_]′{0,3}|\w{1,30}\([^()]{0,300}\)|\([^()]{0,300}\)|[∞…*†′]"
)
_PLAIN = re.compile(r"[\w^.]{0,30}")
_NAME = re.compile(r"\w{1,30}")
_ROOTS = {"2": "sqrt", "": "sqrt", "3": "cbrt", "4": "fourthroot"}
_NARY = {
    "∑": "sum", "∏": "prod", "∫": "integral", "∬": "double integral", "∭": "triple integral", "∮": "contour integral",
    "⋃": "union", "⋂": "intersection",
}  # fmt: skip
_ACCENTS = {"̂": "hat", "̃": "tilde", "̄": "bar", "̅": "bar", "⃗": "vec", "→": "vec", "̇": "dot", "̈": "ddot", "¯": "bar"}
_FLAT = str.maketrans({"\u2061": "", "\u2062": " ", "\u2063": ",", "\u2064": "+", "\u00a0": " "})
"""Operators that are not seen."""


def linear(equation: Element) -> str:
    """The text of an `m:oMath`."""
    text = " ".join(_line(equation).split())
    return _BINARY.sub(r" \1 ", _RELATION.sub(r" \1 ", text)).strip()


def _line(element: Element | None) -> str:
    """The content of an element, its parts divided where their letters would run together."""
    text, before_built = "", False
    for one in element if element is not None else ():
        built = one.tag not in {f"{M}r", f"{W}r"}
        part = _part(one)
        if not part:
            continue
        if text and (built or before_built) and (text[-1].isalnum() or text[-1] == ")") and part[0].isalnum():
            text += " "
        text += part
        before_built = built
    return text


def _part(element: Element) -> str:
    if element.tag in {f"{M}r", f"{W}r"}:
        return "".join(one.text or "" for one in element if one.tag in {f"{M}t", f"{W}t"}).translate(_FLAT)
    if element.tag == f"{MC}AlternateContent":
        return _line(alternative(element))
    if element.tag in {f"{W}del", f"{W}moveFrom"} or element.tag.endswith("Pr"):
        return ""
    form = _FORMS.get(element.tag.removeprefix(M))
    return form(element) if form is not None else _line(element)


def _of(element: Element, name: str) -> str:
    return _line(child(element, f"{M}{name}")).strip()


def _property(element: Element, name: str) -> Element | None:
    kind = element.tag.removeprefix(M)
    return child(element, f"{M}{kind}Pr", f"{M}{name}")


def _sign(element: Element, name: str, default: str) -> str:
    found = _property(element, name)
    return default if found is None else found.get(f"{M}val", "")


def _grouped(text: str) -> str:
    return text if _ATOM.fullmatch(text) else f"({text})"


def _scripts(base: str, below: str, above: str) -> str:
    if not base:
        return (f"_{_grouped(below)}" if below else "") + (f"^{_grouped(above)}" if above else "")
    base = base if _ATOM.fullmatch(base) or _NAME.fullmatch(base) else f"({base})"
    joined = base + (f"_{_grouped(below)}" if below else "")
    return joined + (f"^{_grouped(above)}" if above else "")


def _fraction(element: Element) -> str:
    over, under = _of(element, "num"), _of(element, "den")
    if _sign(element, "type", "bar") == "noBar":  # A binomial coefficient, in brackets of its own.
        return f"{over} over {under}"
    return f"{_grouped(over)}/{_grouped(under)}"


def _root(element: Element) -> str:
    degree = "" if is_on(_property(element, "degHide"), M) else _of(element, "deg")
    radicand = _of(element, "e")
    return f"{_ROOTS[degree]}({radicand})" if degree in _ROOTS else f"root_{_grouped(degree)}({radicand})"


def _sum(element: Element) -> str:
    sign = _sign(element, "chr", "∫")
    bounds = _scripts("", _of(element, "sub"), _of(element, "sup"))
    return f"{_NARY.get(sign, sign)}{bounds} {_of(element, 'e')}".strip()


def _brackets(element: Element) -> str:
    opening, closing = _sign(element, "begChr", "("), _sign(element, "endChr", ")")
    parts = [_line(one).strip() for one in element if one.tag == f"{M}e"]
    return opening + f"{_sign(element, 'sepChr', '|')} ".join(parts) + closing


def _function(element: Element) -> str:
    name, argument = _of(element, "fName"), _of(element, "e")
    if argument.startswith("(") and argument.find(")") == len(argument) - 1:
        return f"{name}{argument}" if _NAME.fullmatch(name) and "_" not in name else f"{name} {argument}"
    return f"{name} {argument}" if _PLAIN.fullmatch(argument) else f"{name}({argument})"


def _rows(element: Element) -> str:
    rows = [_line(one).strip() for one in element if one.tag == f"{M}e"]
    return "; ".join(row.replace("&", "") for row in rows)


def _matrix(element: Element) -> str:
    rows = [[_line(e).strip() for e in row if e.tag == f"{M}e"] for row in element if row.tag == f"{M}mr"]
    return "; ".join(", ".join(row) for row in rows)


def _accent(element: Element) -> str:
    name = _ACCENTS.get(_sign(element, "chr", "̂"))
    return f"{name}({_of(element, 'e')})" if name else _of(element, "e")


def _unseen(element: Element) -> str:
    shown = _property(element, "show")
    return "" if shown is not None and not is_on(shown, M) else _of(element, "e")


_FORMS: dict[str, Callable[[Element], str]] = {
    "f": _fraction,
    "rad": _root,
    "nary": _sum,
    "d": _brackets,
    "func": _function,
    "eqArr": _rows,
    "m": _matrix,
    "acc": _accent,
    "bar": lambda element: f"bar({_of(element, 'e')})" if _sign(element, "pos", "bot") == "top" else _of(element, "e"),
    "phant": _unseen,
    "sSup": lambda element: _scripts(_of(element, "e"), "", _of(element, "sup")),
    "sSub": lambda element: _scripts(_of(element, "e"), _of(element, "sub"), ""),
    "sSubSup": lambda element: _scripts(_of(element, "e"), _of(element, "sub"), _of(element, "sup")),
    "sPre": lambda element: _scripts("", _of(element, "sub"), _of(element, "sup")) + _of(element, "e"),
    "limLow": lambda element: _scripts(_of(element, "e"), _of(element, "lim"), ""),
    "limUpp": lambda element: _scripts(_of(element, "e"), "", _of(element, "lim")),
}
"""For each structure, its line; another one is the line of what it holds."""
