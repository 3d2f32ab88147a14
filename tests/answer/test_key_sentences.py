"""Summaries by extraction: the length, the part and the sentences."""

import time
from pathlib import Path
from random import Random

import numpy as np
import pytest
from fakes import EMBEDDER, TopicEmbedder, divided, publish, source_sentences, write
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer.evidence import SourceSentence
from rag.answer.length import length_asked
from rag.answer.sections import Section, is_heading, outline, part_of
from rag.answer.summary import extract, key_sentences, topic_of
from rag.index.index import Index, open_index
from rag.types import Document

TOPICS = ["bees", "glaciers", "violins", "taxes", "trams", "orchids", "lighthouses", "cheese", "satellites", "chess"]
TOPICS += ["volcanoes", "canals"]
"""What the twelve chapters of the book are about."""


def sentences(text: str, words: int = 20) -> list[SourceSentence]:
    own = source_sentences()
    passages = divided(Document("d", "d.txt", "D", text), words=words)
    return [one for passage in passages for one in own.of(passage)]


def texts(chosen: list[SourceSentence]) -> list[str]:
    return [one.text for one in chosen]


def sections(text: str) -> list[Section]:
    return outline(divided(Document("d", "d.txt", "D", text)))


def book() -> str:
    """Twelve chapters, the seventh five times as long as the first, of about 60 pages."""
    random = Random(1)
    nouns = [
        "town",
        "river",
        "winter",
        "master",
        "road",
        "price",
        "letter",
        "garden",
        "school",
        "engine",
        "field",
        "harbour",
        "market",
        "doctor",
        "window",
        "bread",
        "winner",
        "summer",
        "castle",
        "forest",
        "planet",
        "museum",
        "island",
        "teacher",
    ]
    parts = []
    for number, topic in enumerate(TOPICS, 1):
        lines = [
            f"The {topic} of every {random.choice(nouns)} bring a {random.choice(nouns)}, a {random.choice(nouns)} and "
            f"the {random.choice(nouns)} to number {random.randint(1, 9999)} behind some {random.choice(nouns)}."
            for _ in range(40 if number == 1 else 200 if number == 7 else 100)
        ]
        paragraphs = [" ".join(lines[i : i + 6]) for i in range(0, len(lines), 6)]
        parts.append(f"Chapter {number}: All about {topic}\n\n" + "\n\n".join(paragraphs))
    return "\n\n".join(parts)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """An index of that book alone."""
    folder = tmp_path_factory.mktemp("book")
    write(folder / "data", {"book.txt": book()})
    publish(folder / "index", folder / "data")
    return open_index(folder / "index", EMBEDDER)


# The sentences

PETS = """The pets of our street

The black cat of our street sleeps all day on the wall.

The cat of our street eats fish from the harbour at night.

The postman once saw a rare owl beside a distant lighthouse.
"""


def test_the_sentences_with_the_most_frequent_words_are_chosen() -> None:
    assert texts(extract(sentences(PETS), 2)) == [
        "The black cat of our street sleeps all day on the wall.",
        "The cat of our street eats fish from the harbour at night.",
    ]


def test_each_section_gives_a_sentence() -> None:
    said = ["fly home with their honey at night", "melt a little faster every year", "sound warm in a small hall",
            "pay for roads, schools and soldiers"]  # fmt: skip
    text = "\n\n".join(
        f"## {topic.title()}\n\nOf the old {topic} few people know. Here {topic} {what} and nobody minds."
        for topic, what in zip(TOPICS, said, strict=False)
    )
    chosen = extract(sentences(text), 4)
    assert [next(topic for topic in TOPICS if topic in one.text) for one in chosen] == TOPICS[:4]


@pytest.mark.parametrize(
    "line",
    [
        "# The Cat of the Whole Street and All Its Long Days",
        "The Cat of the Whole Street and Its Days",
        "The cat sleeps here.",
        "Why does the cat of our street sleep all day on the wall?",
        "Figure 3: The cat of our street sleeps all day on the wall.",
        "| cat | street | wall | day | sleep | fish | night | all |",
        "and so the cat of our street sleeps all day on the wall.",
    ],
)
def test_headings_fragments_questions_captions_and_tables_are_left_out(line: str) -> None:
    text = f"{PETS}\n\n{line}\n\nThe dog of the next street barks at every cart that goes by."
    assert line.lstrip("# ") not in " ".join(texts(extract(sentences(text), 10)))
    assert len(extract(sentences(text), 10)) == 4


def test_points_of_a_list_count_as_sentences() -> None:
    text = "The rules:\n\n- The cat of the street may sleep on every wall\n- The dog of the street must stay behind the fence"
    assert len(extract(sentences(text), 5)) == 2


def test_what_was_said_is_not_said_again() -> None:
    again = "The black cat of our street sleeps all day long on the wall."
    assert len(extract(sentences(f"{PETS}\n\n{again}"), 4)) == 3


def test_a_sentence_that_leans_on_the_one_before_stands_behind_others() -> None:
    text = "The cat of the street eats the fish of the street. It eats the fish of the street and the cat of the wall."
    assert texts(extract(sentences(text), 1)) == ["The cat of the street eats the fish of the street."]


def test_of_nothing_nothing_is_chosen() -> None:
    assert extract([], 3) == [] and extract(sentences(PETS), 0) == []
    assert texts(extract(sentences("Eggs\n\nMilk"), 3)) == ["Eggs", "Milk"]


WORD = st.sampled_from(["cat", "dogs", "fish", "river", "Town", "of", "eat", "black", "9", "swim", "house", "the"])
LINE = st.lists(WORD, max_size=14).map(" ".join)
TEXT = st.lists(
    st.tuples(st.sampled_from(["", "# ", "- ", "3. "]), LINE, st.sampled_from(["", ".", "?", ".\n"])), max_size=30
).map(lambda lines: "\n".join("".join(line) for line in lines))


@given(TEXT, st.integers(0, 12))
@settings(deadline=None, max_examples=150)
def test_what_is_chosen_is_a_part_of_the_text_in_its_order_and_nothing_twice(text: str, count: int) -> None:
    given_ones = sentences(text) if text.strip() else []
    chosen = extract(given_ones, count)
    assert len(chosen) <= count and bool(chosen) == bool(given_ones and count)
    assert all(one in given_ones for one in chosen)
    starts = [one.span.start for one in chosen]
    assert starts == sorted(set(starts)) and len({one.text for one in chosen}) == len(chosen)
    assert texts(extract(given_ones[::-1], count)) == texts(chosen)


@pytest.mark.slow
def test_five_thousand_sentences_take_a_second_or_two() -> None:
    many = sentences("\n\n".join([book()] * 4), words=110)
    assert len(many) > 4_500
    begun = time.thread_time()
    assert len(extract(many, 40)) == 40
    assert time.thread_time() - begun < 2


# The part

MANUAL = """The Morrow manual of the dehumidifier

1. Before you start

Let it stand for four hours after the transport home.

2. Cleaning and care

Wipe the housing with a damp cloth once a month.

2.1 The dust filter

Rinse the dust filter under lukewarm water every two weeks.

3. Costs and Pricing

The machine costs 200 crowns and the filter costs 20.
"""


@pytest.mark.parametrize(
    ("question", "heading"),
    [
        ("Summarise chapter 2", "2. Cleaning and care"),
        ("Sum up section 2.1 for me", "2.1 The dust filter"),
        ("What does section three say?", "3. Costs and Pricing"),
        ("what happens in the last chapter", "3. Costs and Pricing"),
        ("Summarize the section on pricing", "3. Costs and Pricing"),
        ("summarize the pricing section in two sentences", "3. Costs and Pricing"),
        ("What does the manual say about cleaning overall?", "2. Cleaning and care"),
        ("Give me an overview of the dust filter", "2.1 The dust filter"),
        ("Summarise chapter 9", ""),
        ("Summarise the manual", ""),
        ("Summarise the Morrow manual of the dehumidifier", ""),
        ("What is this document about?", ""),
        ("Summarise the machine's costs to me", ""),
    ],
)
def test_the_part_that_a_question_names(question: str, heading: str) -> None:
    topic = topic_of(question.rsplit("about", maxsplit=1)[-1])
    found = part_of(question, sections(MANUAL), topic)
    assert (found.heading if found else "") == heading


def test_a_part_goes_to_the_next_heading_that_is_no_deeper() -> None:
    found = {one.heading: MANUAL[one.start : one.end] for one in sections(MANUAL)}
    assert (
        found["2. Cleaning and care"].startswith("2. Cleaning") and "every two weeks." in found["2. Cleaning and care"]
    )
    assert "crowns" not in found["2. Cleaning and care"] and found["3. Costs and Pricing"].endswith("costs 20.")


@pytest.mark.parametrize("names", ["third", "3"])
def test_parts_without_numbers_are_counted(names: str) -> None:
    text = "# The book\n\n## Cats\n\nThey sleep.\n\n## Dogs\n\nThey bark.\n\n## Fish\n\nThey swim."
    question = f"Summarise the {names} section" if names == "third" else "Summarise section 3"
    assert (found := part_of(question, sections(text), frozenset())) and found.heading == "Fish"


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("# Title", True),
        ("Chapter 3", True),
        ("Chapter Three: What is it?", True),
        ("IV. Results", True),
        ("3.1.2 A deep one", True),
        ("**Costs and financing**", True),
        ("Highlights", True),
        ("Über uns", True),
        ("Dear Anton,", False),
        ("Section 3 applies.", False),
        ("- Revenue rose", False),
        ("12 apples", False),
        ("| Cat | Dog |", False),
        ("and the rest of it", False),
        ("It is raining.", False),
        ("3", False),
        ("", False),
    ],
)
def test_what_looks_like_a_heading(line: str, is_one: bool) -> None:
    assert is_heading(line) == is_one


# The index


def summary(index: Index, question: str, count: int, *doc_ids: str) -> list[SourceSentence]:
    return key_sentences(index, source_sentences(), doc_ids, question, count)


@pytest.mark.slow
def test_of_a_long_book_each_chapter_gives_a_sentence(library: Index) -> None:
    chosen = summary(library, "Summarise the book", 12, *library.documents)
    assert [next(topic for topic in TOPICS if topic in one.text) for one in chosen] == TOPICS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("Summarise chapter 3", "violins"),
        ("summarise the last chapter", "canals"),
        ("Give me an overview of the chapter about cheese", "cheese"),
        ("What does it say about trams overall?", "trams"),
    ],
)
def test_a_part_of_a_long_book_is_summarised_alone(library: Index, question: str, topic: str) -> None:
    chosen = summary(library, question, 5)
    assert len(chosen) == 5 and all(topic in one.text for one in chosen)


@pytest.mark.slow
def test_a_summary_of_a_long_book_is_there_at_once(library: Index) -> None:
    begun = time.thread_time()
    summary(library, "Summarise the book", 12)
    assert time.thread_time() - begun < 1


def test_of_several_documents_each_gives_a_sentence(animals: Index) -> None:
    chosen = summary(animals, "Summarise them", 3)
    assert len({one.passage.doc_id for one in chosen}) == len(chosen)
    first = next(iter(animals.documents))
    assert {one.passage.doc_id for one in summary(animals, "Summarise it", 3, first)} == {first}
    assert summary(animals, "Summarise it", 3, "none") == []


def test_vectors_of_passages_have_unit_length_and_the_given_order(animals: Index) -> None:
    ids = animals.documents.passage_ids()[::-1]
    rows = animals.vectors(ids)
    again = TopicEmbedder().embed_documents([one.text for one in animals.passages(ids)])
    assert np.allclose(np.linalg.norm(rows, axis=1), 1) and np.allclose(rows, again, atol=0.01)


# The length


@pytest.mark.parametrize(
    ("question", "count", "wording"),
    [
        ("Summarise the article", 5, "in three to five complete sentences"),
        ("Summarise it in one sentence", 1, "in one complete sentence"),
        ("a one-sentence version of this fairy tale", 1, "in one complete sentence"),
        ("Say in two or three sentences what it is about", 3, "in three complete sentences"),
        ("Summarise it in 3 bullet points", 3, "in three bullet points, each a complete sentence on a line of its own"),
        ("the 4 key points please", 4, "in four bullet points, each a complete sentence on a line of its own"),
        ("Put it into bullet points", 5, "in five bullet points, each a complete sentence on a line of its own"),
        ("whole book in 50 words, go", 2, "in at most 50 words"),
        ("a 100-word summary", 5, "in at most 100 words"),
        ("in a few words", 2, "in one or two complete sentences"),
        ("Summarise it briefly", 2, "in one or two complete sentences"),
        ("What is it about, in short?", 2, "in one or two complete sentences"),
        ("the plot of the short story?", 5, "in three to five complete sentences"),
        ("Sum this up in a few lines", 3, "in three complete sentences"),
        ("Condense it to a paragraph", 4, "in one paragraph of about four complete sentences"),
        ("in two paragraphs", 8, "in two paragraphs of about four complete sentences each"),
        ("Summarise it in detail", 12, "in ten to twelve complete sentences"),
        ("Summarise chapter 3", 5, "in three to five complete sentences"),
        ("in 9999 sentences", 40, "in 9999 complete sentences"),
        ("in 0 sentences", 1, "in one complete sentence"),
        ("", 5, "in three to five complete sentences"),
    ],
)
def test_the_length_that_is_asked_for(question: str, count: int, wording: str) -> None:
    assert (length_asked(question).sentences, length_asked(question).wording) == (count, wording)


def test_words_that_are_asked_for_are_told() -> None:
    assert length_asked("in 50 words").words == 50 and length_asked("briefly").words is None


@given(st.text(max_size=300))
def test_any_question_has_a_length_and_a_topic(question: str) -> None:
    assert 1 <= length_asked(question).sentences <= 40 and isinstance(topic_of(question), frozenset)


def test_what_a_question_names_beside_asking_for_a_summary() -> None:
    assert topic_of("Please summarise the main points of this article in 3 sentences") == frozenset()
    assert topic_of("What does the report say about Housing overall?") == {"hous"}


def test_the_article_is_summarised_from_its_beginning_to_its_end() -> None:
    text = (Path(__file__).parents[2] / "data" / "article.txt").read_text(encoding="utf-8")
    chosen = extract(sentences(text, words=110), 5)
    assert "importance of strength" in chosen[0].text and chosen[-1].span.start > len(text) / 2
