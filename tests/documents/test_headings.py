from hypothesis import given
from hypothesis import strategies as st

from rag.documents.headings import HEADING, above, heading, headings, marked, path, paths

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


def test_headings_are_those_of_markdown_outside_of_code() -> None:
    found = list(headings(TEXT))
    assert [(one.level, one.text) for one in found] == [(1, "Tools"), (2, "Falcon 200"), (3, "Warranty"), (2, "Heron")]
    assert [TEXT[one.start :].split("\n", maxsplit=1)[0] for one in found] == [
        "# Tools", "## Falcon 200", "### Warranty", "## Heron ##",
    ]  # fmt: skip


def test_a_fence_is_closed_by_a_mark_that_is_as_long() -> None:
    assert not list(headings("~~~~\n# a\n~~~\n```\n# b\n~~~~"))
    assert [one.text for one in headings("~~~~\n# a\n~~~~~\n# b")] == ["b"]


def test_a_place_stands_under_the_headings_that_are_open_there() -> None:
    found = list(headings(TEXT))
    places = [TEXT.index(words) for words in ("# Tools", "A drill", "### Warranty", "It lasts", "## Heron", "More")]
    assert [path(marked(one, "Tools")) for one in paths(found, places)] == [
        "", "Falcon 200", "Falcon 200", "Falcon 200 > Warranty", "", "Heron",
    ]  # fmt: skip
    assert path(marked(found[:3])) == "Tools > Falcon 200 > Warranty"


def test_what_stays_open_where_a_heading_begins() -> None:
    assert above(["# A", "## B", "### C"], "## D") == ("# A",)
    assert above(["# A", "## B"], "### C") == ("# A", "## B")
    assert above([], "# A") == ()


def test_a_heading_needs_words_and_is_told_up_to_a_length() -> None:
    assert heading("## ##") is None and heading("#tag") is None and heading("#") is None
    assert (heading("# C#") or heading("")).text == "C#"  # type: ignore[union-attr]
    [told] = marked(headings("# " + "x" * 500))
    assert told == "# " + "x" * HEADING


@given(st.lists(st.sampled_from(["# a", "## b", "### c", "words", "", "```", "~~~"])).map("\n".join))
def test_the_headings_over_a_place_get_deeper(text: str) -> None:
    found = list(headings(text))
    for over in paths(found, range(len(text))):
        levels = [one.level for one in over]
        assert levels == sorted(set(levels))
