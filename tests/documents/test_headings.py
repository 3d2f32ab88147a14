from hypothesis import given
from hypothesis import strategies as st

from rag.documents.headings import HEADING, described, heading, labelled, lines_over, opened, staying

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


def test_a_caption_within_a_table_is_no_row_of_headings() -> None:
    text = "| Week 23 |  |  |\n| --- | --- | --- |\n| Name | Mon | Tue |\n| Ann | N | E |"
    over = ("Week 23", "| Name | Mon | Tue |")
    assert list(lines_over(text, [text.index("| Ann")])) == [over]
    lines: tuple[str, ...] = ()
    for line in text.split("\n"):
        lines = opened(staying(lines, line), line)
    assert lines == over
    assert labelled("| Ann | N | E |", over[1]) == "Name: Ann; Mon: N; Tue: E"


def test_a_row_that_does_not_fit_its_headings_stays_as_it_is() -> None:
    assert labelled("| a | b |", "| x | y | z |") == "| a | b |"
    assert labelled("| Name | Ann |", "| Form | 7 |") == "| Name | Ann |"  # Of two columns nobody knows.
    assert labelled("| a \\| b |  | c |", "| x | y |  |") == "x: a | b; c"


def test_what_stays_where_a_line_begins() -> None:
    assert staying(["# A", "## B", "| row |"], "## D") == ("# A",)
    assert staying(["# A", "They pay:"], "(a) tax;") == ("# A", "They pay:")
    assert staying(["# A", "They pay:"], "Nothing else.") == ("# A",)
    assert opened(["# A"], "They pay:") == ("# A", "They pay:")
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
