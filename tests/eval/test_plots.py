"""Plots: where the points are drawn, and that they are XML whatever they are called."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.plots import Plot, _round_up, svg

SHARES = st.floats(0, 1)


def plot(lines: dict[str, list[tuple[float, float]]], shares: bool = True, **options: bool) -> Plot:
    return Plot("Title", "x", "y", "About.", lines, shares=shares, **options)


def test_the_corners_are_the_ends_of_the_axes() -> None:
    text = svg(plot({"line": [(0, 0), (1, 1)]}))
    assert '<path d="M48.0 210.0L404.0 12.0"/>' in text
    assert text.count("<circle") == 2
    assert '<path class="grid" d="M48 210L404 12"/>' not in text
    assert '<path class="grid" d="M48 210L404 12"/>' in svg(plot({}, diagonal=True))


def test_an_axis_of_seconds_ends_at_a_round_number() -> None:
    text = svg(plot({"line": [(0.0, 0.5), (7.0, 1.0)]}, shares=False))
    assert '<path d="M48.0 111.0L359.5 12.0"/>' in text  # 48 + 356 * 7 / 8
    assert all(f">{tick}</text>" in text for tick in (0, 2, 4, 6, 8))


@pytest.mark.parametrize(("value", "end"), [(0, 1e-6), (0.03, 0.04), (1, 1), (3, 4), (4.1, 8), (9, 10), (45, 80)])
def test_round_up(value: float, end: float) -> None:
    assert _round_up(value) == pytest.approx(end)


def test_a_plot_with_a_style_is_a_file_by_itself() -> None:
    root = ElementTree.fromstring(svg(plot({"a < b": [(0, 0), (1, 1)]}), ".grid { stroke: #888; }"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert [(one.tag.rpartition("}")[2], one.text) for one in root][:2] == [
        ("desc", "About."), ("style", ".grid { stroke: #888; }"),
    ]  # fmt: skip
    assert "xmlns" not in svg(plot({}))


def test_many_points_have_no_dots_and_empty_lines_no_legend() -> None:
    text = svg(plot({"many": [(n / 30, 0.5) for n in range(30)], "none": []}))
    assert "<circle" not in text and ">many<" in text and ">none<" not in text


@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"])),
        st.lists(st.tuples(SHARES, SHARES)),
        max_size=3,
    )
)
def test_a_plot_is_xml_and_the_same_again(lines: dict[str, list[tuple[float, float]]]) -> None:
    drawn = plot(lines, shares=False)
    root = ElementTree.fromstring(svg(drawn))
    assert {name for name, line in lines.items() if line} <= {one.text or "" for one in root.iter("text")}
    assert svg(drawn) == svg(drawn)
