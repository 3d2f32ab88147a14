import itertools

from hypothesis import given
from hypothesis import strategies as st

from rag.documents.splitter import sentence_spans, split
from rag.types import Document

anything = st.text(st.characters(codec="utf-8"), max_size=400)
prose = st.lists(
    st.sampled_from(["One.", "Two words!", "“Said he. Again.”", "\n", "\n\n", "# Head\n", "漢字。", " ", "\t"])
)


def texts(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentence_spans(text)]


def document(text: str) -> Document:
    return Document("id", "a.md", "A", text)


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


def test_a_text_without_full_stops_is_cut_between_words() -> None:
    spans = texts(" ".join(["word"] * 130))
    assert [len(span.split()) for span in spans] == [60, 60, 10]


def test_passages_hold_about_the_words_asked_for() -> None:
    text = " ".join(f"Sentence number {i} has six words." for i in range(100))
    sizes = [len(passage.text.split()) for passage in split(document(text), words=60)]
    assert sum(sizes) == 600
    assert all(54 <= size <= 66 for size in sizes)


def test_passages_do_not_cross_a_heading() -> None:
    passages = split(document("# One\n\nFirst.\n\n# Two\n\nSecond."), words=20, first_id=7)
    assert [passage.text for passage in passages] == ["# One\n\nFirst.", "# Two\n\nSecond."]
    assert [passage.passage_id for passage in passages] == [7, 8]


@given(st.one_of(anything, prose.map(" ".join)))
def test_every_passage_is_an_exact_slice_and_no_word_is_lost(text: str) -> None:
    passages = split(document(text), words=20)
    assert all(passage.text == text[passage.start : passage.end] and passage.text for passage in passages)
    assert all(before.end <= after.start for before, after in itertools.pairwise(passages))
    assert "".join("".join(passage.text.split()) for passage in passages) == "".join(text.split())


@given(anything)
def test_sentences_are_ordered_and_have_no_white_space_around(text: str) -> None:
    spans = sentence_spans(text)
    assert all(text[span.start : span.end].strip() == text[span.start : span.end] != "" for span in spans)
    assert all(before.end <= after.start for before, after in itertools.pairwise(spans))
