"""Curves that can be worked out by hand, and plots of them, read back as XML."""

from xml.etree import ElementTree

import pytest

from eval.plots import Plot, distribution, reliability, risk_coverage, svg

SVG = "{http://www.w3.org/2000/svg}"


def test_risk_and_coverage() -> None:
    # Of 5 asked, four answered; the surest two are right, then two equally sure, one of them wrong.
    points = risk_coverage([0.7, 0.9, 0.5, 0.5], [True, True, True, False], 5)
    assert points == [(1 / 5, 0), (2 / 5, 0), (4 / 5, 1 / 4)]
    assert risk_coverage([], [], 5) == []


def test_reliability_has_a_point_for_each_tenth() -> None:
    points = reliability([0.11, 0.19, 0.95, 1.0], [True, False, True, True])
    assert [(round(x, 3), y) for x, y in points] == [(0.15, 0.5), (0.975, 1)]
    assert reliability([], []) == []


def test_distribution() -> None:
    assert distribution([3.0, 1.0]) == [(1.0, 0.5), (3.0, 1.0)]
    assert distribution([]) == []


@pytest.mark.slow
def test_a_plot_is_the_same_file_again_and_its_names_stay_as_they_are() -> None:
    lines = {"a < $b$ & “c”": [(0.0, 0.5), (7.0, 1.0)], "_hidden": [(1.0, 0.2)], "none": []}
    plot = Plot("Times", "seconds", "share", "How long it took.", lines, diagonal=True)
    root = ElementTree.fromstring(svg(plot))
    shown = {(one.text or "").strip() for one in root.iter(f"{SVG}text")}
    assert {"a < $b$ & “c”", "_hidden", "seconds", "share"} <= shown and "none" not in shown
    assert svg(plot) == svg(plot)


def test_a_plot_without_lines_is_a_plot() -> None:
    assert ElementTree.fromstring(svg(Plot("Recall", "k", "recall", "None.", {}))).tag == f"{SVG}svg"
