from hypothesis import given
from hypothesis import strategies as st

from rag.documents.headings import HEADING, above, described, heading, lines_over
from rag.documents.layout import headings

TEXT = """# Tools

## Falcon 200

A drill.

### Warranty

It lasts 12 months.

```
# no heading
```

## Heron ##

More."""


def test_a_place_stands_under_the_headings_that_are_open_there() -> None:
    places = [TEXT.index(words) for words in ("# Tools", "A drill", "### Warranty", "It lasts", "## Heron", "More")]
    assert list(lines_over(TEXT, places, "Tools")) == [
        (),
        ("## Falcon 200",),
        ("## Falcon 200",),
        ("## Falcon 200", "### Warranty"),
        (),
        ("## Heron",),
    ]
    assert list(lines_over(TEXT, places[3:4])) == [("# Tools", "## Falcon 200", "### Warranty")]


def test_a_row_of_a_table_stands_under_its_caption_and_headings() -> None:
    text = "# Depots\n\nStaff in 2024\n\n| Depot | Staff |\n| --- | --- |\n| A | 1 |\n| B | 2 |\n\nEnd."
    places = [text.index(words) for words in ("| Depot", "| A", "| B", "End")]
    rows = ("# Depots", "Staff in 2024", "| Depot | Staff |")
    assert list(lines_over(text, places)) == [("# Depots",), rows, rows, ("# Depots",)]
    assert described(rows) == "Depots\nStaff in 2024\n| Depot | Staff |"
    for none in ("| a | b |\n| c | d |\n| e | f |", "|  |  |\n| --- | --- |\n| A | 1 |", "| a |\n| --- |"):
        assert set(lines_over(none, range(len(none)))) == {()}


def test_what_stays_open_where_a_heading_begins() -> None:
    [begun] = headings("## D")
    assert above(["# A", "## B", "| row |"], begun) == ("# A",)
    assert described(["# A", "## B"]) == "A > B" and described([]) == ""


def test_a_heading_needs_words_and_is_told_up_to_a_length() -> None:
    assert heading("## ##") is None and heading("#tag") is None and heading("#") is None
    text = "# " + "x" * 500 + "\n\nwords"
    assert list(lines_over(text, [len(text) - 1])) == [("# " + "x" * HEADING,)]


@given(st.lists(st.sampled_from(["# a", "## b", "### c", "words", "", "```", "~~~", "| d |", "|---|"])).map("\n".join))
def test_the_headings_over_a_place_get_deeper(text: str) -> None:
    for over in lines_over(text, range(len(text))):
        levels = [one.level for line in over if (one := heading(line))]
        assert levels == sorted(set(levels))
