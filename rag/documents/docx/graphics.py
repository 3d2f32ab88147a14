"""The words in what is drawn in a Word document: charts, diagrams, shapes."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from rag.documents.docx.ooxml import CHART, A, child, whole

_TEXT = {f"{A}t", f"{A}br"}
_LONG = re.compile(r"-?\d{1,15}\.\d{14,20}")
"""A number with the faults of its binary form: 4.4000000000000004."""
_CELLS = 20_000
"""The most that a chart's table may have."""


def paragraphs(drawing: Element) -> Iterator[str]:
    """The paragraphs of DrawingML in a shape or in the data of a diagram."""
    for paragraph in drawing.iter(f"{A}p"):
        text = "".join("\n" if one.tag == f"{A}br" else one.text or "" for one in paragraph.iter() if one.tag in _TEXT)
        if text.strip():
            yield text.strip()


def chart_rows(chart: Element) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """The title of a chart; a row for each category, a column for each series."""
    title = " ".join(paragraphs(_or_empty(child(chart, f"{CHART}chart", f"{CHART}title"))))
    series = [
        (_name(one), _points(one, "cat", "xVal"), _points(one, "val", "yVal")) for one in chart.iter(f"{CHART}ser")
    ]
    names: dict[int, str] = {}
    for _, categories, numbers in series:
        names |= dict.fromkeys(numbers.keys() - names.keys() - categories.keys(), "") | categories
    if not series or len(names) * len(series) > _CELLS:
        return title, ()
    header = ("", *(name for name, _, _ in series))
    return title, (header, *((names[at], *(numbers.get(at, "") for _, _, numbers in series)) for at in sorted(names)))


def _name(series: Element) -> str:
    return " ".join(one.text or "" for one in _or_empty(child(series, f"{CHART}tx")).iter(f"{CHART}v"))


def _points(series: Element, *names: str) -> dict[int, str]:
    data = next((one for one in series if one.tag in {CHART + name for name in names}), None)
    points = _or_empty(data).iter(f"{CHART}pt")
    return {whole(one.get("idx"), 0): _value(one) for one in points}


def _value(point: Element) -> str:
    """The value of a point."""
    found = child(point, f"{CHART}v")
    text = ("" if found is None else found.text or "").strip()
    return f"{float(text):.15g}" if _LONG.fullmatch(text) else text


def _or_empty(element: Element | None) -> Element:
    return element if element is not None else Element("none")
