"""The names in Office Open XML, and how its properties are read."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

_OFFICE = "http://schemas.openxmlformats.org"
W = f"{{{_OFFICE}/wordprocessingml/2006/main}}"
M = f"{{{_OFFICE}/officeDocument/2006/math}}"
A = f"{{{_OFFICE}/drawingml/2006/main}}"
CHART = f"{{{_OFFICE}/drawingml/2006/chart}}"
DIAGRAM = f"{{{_OFFICE}/drawingml/2006/diagram}}"
MC = f"{{{_OFFICE}/markup-compatibility/2006}}"
R = f"{{{_OFFICE}/officeDocument/2006/relationships}}"
W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
V = "{urn:schemas-microsoft-com:vml}"
OLE = "{urn:schemas-microsoft-com:office:office}OLEObject"

_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w{1,40})/")
_WHOLE = re.compile(r"-?\d{1,9}")


def transitional(part: bytes) -> bytes:
    """A part saved as "strict" Open XML, with the usual names instead."""
    return _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", part)


def child(element: Element | None, *names: str) -> Element | None:
    """The first child of that name, of that the first of the next name."""
    for name in names:
        if element is None:
            break
        element = next((one for one in element if one.tag == name), None)
    return element


def value(element: Element | None, *names: str) -> str | None:
    """The `w:val` of the child that is reached by these names."""
    found = child(element, *names)
    return None if found is None else found.get(f"{W}val")


def is_on(element: Element | None, space: str = W) -> bool:
    """Whether a switch, which is on if it says nothing else, is there and on."""
    return element is not None and element.get(f"{space}val", "true").lower() not in {"false", "0", "off", "none"}


def whole(text: str | None, default: int) -> int:
    """The whole number that `text` is, or `default`."""
    return int(text) if text and _WHOLE.fullmatch(text) else default


def alternative(element: Element) -> Element | None:
    """Of `mc:AlternateContent` the one branch to read: the first that holds words, else the first."""
    branches = [one for one in element if one.tag in {f"{MC}Choice", f"{MC}Fallback"}]
    return next((one for one in branches if any(_words(one))), branches[0] if branches else None)


def _words(element: Element) -> Iterator[bool]:
    said = {f"{W}t", f"{A}t", f"{M}t", f"{CHART}chart", f"{DIAGRAM}relIds", f"{W}fldChar", f"{W}numFmt"}
    return (True for one in element.iter() if one.tag in said)
