"""Headings, and which lines are entries of their own."""

import time

import pytest

from rag.documents.layout import begins_entry, headings, is_entry
from rag.documents.parsed import first_heading, own_title
from rag.documents.splitter import passage_spans, sentence_spans


def titles(text: str) -> list[tuple[int, str]]:
    assert all(heading.title in text[heading.start : heading.end] for heading in headings(text))
    return [(heading.level, heading.title) for heading in headings(text)]


def test_comments_in_fenced_code_are_no_headings() -> None:
    text = (
        "# Install\n\n```sh\n# download it\ncurl x\n```\n\n## Use ##\n\n~~~ python\n# with `three` ```\n```\n# two\n~~~~\n"
        "1. Item\n\n   ```\n   # indented\n   ```\n\n### Last C#\n"
    )
    assert titles(text) == [(1, "Install"), (2, "Use"), (3, "Last C#")]
    assert first_heading("```\n# no\n```\n# Yes\n") == "Yes"


def test_a_fence_that_is_never_closed_is_none() -> None:
    assert titles("# One\n\n```\n# Two\n\n# Three\n") == [(1, "One"), (1, "Two"), (1, "Three")]
    assert titles("Type ```x``` for code.\n# Two\n") == [(1, "Two")]


def test_underlined_lines_are_headings() -> None:
    text = "Pumps\n=====\n\nText.\r\n\r\nFilters\r\n-------\r\nText.\n\n=========\n Valves\n=========\nText."
    assert titles(text) == [(1, "Pumps"), (2, "Filters"), (1, "Valves")]
    assert [text[one.start : one.end].splitlines()[0] for one in headings(text)] == ["Pumps", "Filters", "========="]


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: Pumps\n---\nText.",  # front matter
        "Text\nthat goes on\n---\n",
        "A paragraph that ends.\n---\n",
        "Name      Price\n---------------\nApples    3",
        "a | b\n---|---\n1 | 2",
        "- item\n---\n",
        "    # in indented code",
        "#hashtag",
        "x" * 1_000 + "\n---\n",
        "\n---\n",
        "--",
    ],
)
def test_other_lines_are_not(text: str) -> None:
    assert titles(text) == []


@pytest.mark.parametrize(
    "line",
    [
        "2031-04-02 10:02:11 ERROR pump 3 blocked",
        "[2031-04-02T10:02:11.123Z] started",
        "02/Apr/2031:10:02:11 GET /",
        "Apr  2 10:02:11 host sshd[12]: opened",
        "[   12.345678] usb 1-1: new device",
        "[WARN] low pressure",
        "ERROR pump 3 blocked",
        "WARNING:root:low pressure",
    ],
)
def test_an_entry_of_a_log_is_told_by_its_beginning(line: str) -> None:
    assert is_entry(line) and begins_entry("anything before it", line)


@pytest.mark.parametrize(
    ("line", "following"),
    [
        ("10:30 Opening of the new pump house by the mayor of the town", "11:15 Tour of the filters"),
        ("10.0.0.7 - - GET /index.html 200 1234 and so on and so on", "10.0.0.12 - - GET /a 404"),
        ("Capacity: 2,400 litres a minute at the highest level of water", "Emergency phone: 0555 0142"),
        ("3.2 Filters and how they are cleaned in the winter months", "3.3 Valves"),
    ],
)
def test_lines_that_begin_alike_are_entries(line: str, following: str) -> None:
    assert begins_entry(line, following)


@pytest.mark.parametrize(
    ("line", "following"),
    [
        ("The pump was installed by the town in the year", "2031 and has run without a fault since then"),
        ("The rule of the house is simple and older than any of us: who comes", "first: eats first"),
        ("WARNING: do not open the cover while the pump is running and the", "mains are connected"),
        ("1850 litres a minute are pumped at the highest level of the", "1900s"),
    ],
)
def test_a_wrapped_line_goes_on(line: str, following: str) -> None:
    assert not begins_entry(line, following)


LOG = """2031-04-02 10:02:11 INFO  Willow pump station started in normal mode
2031-04-02 10:02:15 WARN  Inlet pressure is low. Waiting for 30 s before the next try
2031-04-02 10:02:45 ERROR E-4012 inlet pressure still below 0.8 bar"""


def test_each_line_of_a_log_is_a_sentence() -> None:
    assert [LOG[span.start : span.end] for span in sentence_spans(LOG)] == LOG.splitlines()


def test_sections_are_divided_by_real_headings() -> None:
    body = "It has ten words, which is more than tiny is."
    text = f"One\n===\n\n{body}\n\n```\n# {body}\n```\n\n# Two\n\n{body}"
    assert [text[span.start : span.end].splitlines()[0] for span in passage_spans(text, 40)] == ["One", "# Two"]


@pytest.mark.parametrize(
    "title", ["about:blank", "(anonymous)", "Untitled Document", "New Page 1", "untitled", "- -", ""]
)
def test_default_titles_are_none(title: str) -> None:
    assert own_title(title) is None


@pytest.mark.parametrize("title", ["About blank forms", "Untitled works of 1920", "Page turners", "C#", "料金表"])
def test_other_titles_are_kept(title: str) -> None:
    assert own_title(f" {title}\n") == title


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["```\n", "~~~", "a\n---\n", "---\n", "=", "\r", "# a\n", "#", " ", "a\n\n===\n", "`", "\n"]
)
def test_the_time_of_finding_headings_grows_with_the_text(unit: str) -> None:
    began = time.process_time()
    headings(unit * (200_000 // len(unit)))
    headings("a" * 200_000 + "\n" + unit * (200_000 // len(unit)))
    assert time.process_time() - began < 2
