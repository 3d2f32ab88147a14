import itertools
import time

import pytest
import sentencex
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rag.documents.splitter import cut, passage_spans, sentence_spans
from rag.types import Document, Passage, Span

anything = st.text(st.characters(codec="utf-8"), max_size=400)
prose = st.lists(
    st.sampled_from(["One.", "Two words!", "“Said he. Again.”", "\n", "\n\n", "# Head\n", "漢字。", " ", "\t"])
)


def texts(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentence_spans(text)]


def divided(text: str, words: int, first_id: int = 0) -> list[Passage]:
    return cut(Document("id", "a.md", "A", text), passage_spans(text, words), first_id)


def test_abbreviations_and_quotations_stay_whole() -> None:
    text = "U.S. Ambassador Smith spoke. He said, “This is it. We go on.” All left."
    assert texts(text) == ["U.S. Ambassador Smith spoke.", "He said, “This is it. We go on.”", "All left."]


def test_wrapped_lines_are_joined_and_titles_are_not() -> None:
    text = "A title\nThis line was wrapped by an editor after some\r\nforty letters. Next one.\n- an item\n- another"
    assert texts(text) == [
        "A title",
        "This line was wrapped by an editor after some\r\nforty letters.",
        "Next one.",
        "- an item",
        "- another",
    ]


def test_items_with_letters_are_not_joined() -> None:
    items = ["(a) the tenant pays for the water and the sewers;", "b. the landlord pays for the insurance of the house"]
    assert texts("\n".join(items)) == items
    assert (
        texts("the tenant pays for the water and the sewers\niv) and for the insurance")[1]
        == "iv) and for the insurance"
    )


def test_a_text_without_full_stops_is_cut_between_words() -> None:
    spans = texts(" ".join(["word"] * 130))
    assert [len(span.split()) for span in spans] == [60, 60, 10]


def test_passages_hold_about_the_words_asked_for() -> None:
    text = " ".join(f"Sentence number {i} has six words." for i in range(100))
    sizes = [len(passage.text.split()) for passage in divided(text, 60)]
    assert sum(sizes) == 600
    assert all(54 <= size <= 66 for size in sizes)


def test_passages_do_not_cross_a_heading() -> None:
    passages = divided("# One\n\nFirst.\n\n# Two\n\nSecond.", 20, first_id=7)
    assert [passage.text for passage in passages] == ["# One\n\nFirst.", "# Two\n\nSecond."]
    assert [passage.passage_id for passage in passages] == [7, 8]


BODY = "It has ten words, which is more than tiny is."


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        (f"# Part\n\n## One\n\n{BODY}\n\n## Two\n\n{BODY}", [f"# Part\n\n## One\n\n{BODY}", f"## Two\n\n{BODY}"]),
        (f"# One\n\n{BODY}\n\n# Part\n\n# Two\n\n{BODY}", [f"# One\n\n{BODY}", f"# Part\n\n# Two\n\n{BODY}"]),
        (f"# One\n\n{BODY}\n\n# The end", [f"# One\n\n{BODY}", "# The end"]),
        ("# a b\n# c d\n# e f\n# g h\n# i j", ["# a b\n# c d\n# e f\n# g h\n# i j"]),
        ("# a b\n" * 40, ["# a b\n" * 12 + "# a b"] * 3 + ["# a b"]),
        (f"# a b\n# c d\n# One\n\n{BODY}", ["# a b\n# c d", f"# One\n\n{BODY}"]),
    ],
)
def test_tiny_sections_share_a_passage(text: str, passages: list[str]) -> None:
    """Of 40 words, so that 5 are not tiny any more."""
    assert [text[span.start : span.end] for span in passage_spans(text, 40)] == passages


@pytest.mark.parametrize(
    "section", ["# h\n", "# h\n\nA b.\n\n", "## a\n\n# b\n\nOne.\n\n", f"# a\n\n# b\n\n{BODY}\n\n"]
)
def test_there_are_at_most_eight_times_as_many_passages_as_the_words_ask_for(section: str) -> None:
    text = section * 500
    assert len(passage_spans(text, 40)) <= 8 * len(text.split()) / 40 + 1


def test_a_run_without_a_blank_is_cut_and_weighs_as_much_as_it_is_long() -> None:
    text = "x" * 30_000
    spans = sentence_spans(text)
    assert "".join(text[span.start : span.end] for span in spans) == text
    assert [span.end - span.start for span in spans] == [900, 900, 200] * 15
    assert max(span.end - span.start for span in passage_spans(text, 60)) <= 1_200


def test_what_is_segmented_in_parts_is_segmented_as_the_whole_is() -> None:
    kinds = [
        "He said, “It is. We go.” All left.",
        "U.S. Ambassador Smith spoke.",
        "Dr. No (b. 1950) met Mr. Yes!",
        "Why?",
    ]
    for number in range(30):
        text = " ".join(kinds[(number * i + i * i // 3) % 4] + " x" * (i % 7) for i in range(400))
        whole = [piece.strip() for piece in sentencex.segment("en", text)]
        assert len(text) > 8_000 and texts(text) == whole


def test_a_passage_knows_its_pages() -> None:
    text = "One two.\fThree four.\fFive six."
    first, second = cut(Document("id", "a", "A", text, (0, 9, 21)), [Span(0, 20), Span(21, 30)], 3)
    assert (first.passage_id, first.page, first.page_breaks) == (3, 1, (9,))
    assert (second.passage_id, second.page, second.page_breaks) == (4, 3, ())


HOSTILE = [
    "“", '"', "'", "(", "«", "漢字。", "字", "a", "A", "A.", "1", "1.", ".", ". ", "! ", " ", "\n", "\t", "\r\n", "# h\n",
    "#", "# ", "- ", "|", "ab\n", ")", '."', ". \"", "<|", "x" * 50 + "\n", "Mr. ", "\u2028", "é. ", "“a” ", "1) ", "\x85",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("unit", HOSTILE)
def test_the_time_of_dividing_grows_with_the_text(unit: str) -> None:
    """What grows with the square takes 9 s (quotation marks) to 30 s (Chinese); what is linear took 0.6 s at most."""
    text = unit * (200_000 // len(unit))
    began = time.process_time()
    sentence_spans(text)
    passage_spans(text, 110)
    assert time.process_time() - began < 4


@pytest.mark.slow
@hypothesis_settings(deadline=None)
@given(st.one_of(anything, prose.map(" ".join), prose.map("\n".join), anything.map(lambda text: text * 20)))
def test_every_passage_is_an_exact_slice_and_no_word_is_lost(text: str) -> None:
    passages = divided(text, 20)
    assert all(passage.text == text[passage.start : passage.end] and passage.text for passage in passages)
    assert all(before.end <= after.start for before, after in itertools.pairwise(passages))
    assert "".join("".join(passage.text.split()) for passage in passages) == "".join(text.split())


@hypothesis_settings(deadline=None)
@given(anything)
def test_sentences_are_ordered_and_have_no_white_space_around(text: str) -> None:
    spans = sentence_spans(text)
    assert all(text[span.start : span.end].strip() == text[span.start : span.end] != "" for span in spans)
    assert all(before.end <= after.start for before, after in itertools.pairwise(spans))
