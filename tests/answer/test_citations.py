import pytest
from fakes import ANIMALS, divided, documents_of, source_sentences
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rag.answer.citations import cite
from rag.types import Document, Sentence

anything = st.text(st.characters(codec="utf-8"), max_size=200)


def cited(answer: str, question: str = "?", texts: list[str] = ANIMALS) -> tuple[Sentence, ...]:
    documents = documents_of(texts)
    sentences = source_sentences()
    passages = [
        passage for number, document in enumerate(documents) for passage in divided(document, first_id=10 * number)
    ]
    return cite(answer, question, [one for passage in passages for one in sentences.of(passage)], sentences)


@pytest.mark.slow
def test_each_sentence_cites_the_sentence_that_says_it() -> None:
    first, second = cited("Fish swim in the pond. The black cat sleeps all day.")
    assert [citation.quote for citation in first.citations] == ["Fish swim in the pond."]
    assert [citation.quote for citation in second.citations] == ["The black cat sleeps all day."]
    assert [citation.number for citation in (*first.citations, *second.citations)] == [1, 2]
    assert (first.citations[0].doc_id, first.citations[0].start) == ("d2", 0)


def test_the_same_span_keeps_its_number() -> None:
    first, second = cited("Fish swim in the pond. In the pond swim fish.")
    assert first.citations == second.citations


def test_a_sentence_of_two_sources_cites_both() -> None:
    (sentence,) = cited("The black cat sleeps all day and the dog eats two bones.")
    assert [citation.quote for citation in sentence.citations] == [
        "The black cat sleeps all day.",
        "A dog eats two bones.",
    ]


def test_a_number_that_is_not_in_the_text_is_not_supported() -> None:
    (right,) = cited("There are 12 fish.")
    (wrong,) = cited("There are 13 fish.")
    assert right.supported
    assert not wrong.supported
    assert wrong.citations == ()


def test_a_name_that_is_not_in_the_text_is_not_supported() -> None:
    assert not cited("The dog is called Max.")[0].supported
    assert cited("The dog is called Rex.")[0].supported


def test_what_a_source_negates_or_is_negated_by_is_not_supported() -> None:
    said = "The black cat does not sleep all day."
    for answer, texts in ((said, ANIMALS), ("The black cat does sleep all day.", [said])):
        assert not cited(answer, texts=texts)[0].supported
    assert cited(said, texts=[said])[0].supported


def test_what_the_question_names_need_not_be_in_the_source_but_in_what_was_read() -> None:
    assert cited("The dog Rex eats two bones.", "What does Rex eat?")[0].supported


def test_nothing_cites_nothing() -> None:
    assert cited("") == ()
    assert [sentence.supported for sentence in cited("!!!")] == [False]
    assert [sentence.supported for sentence in cited("Fish swim.", texts=[])] == [False]


@pytest.mark.slow
@hypothesis_settings(deadline=None)
@given(anything, anything)
def test_every_citation_is_an_exact_slice(text: str, answer: str) -> None:
    document = Document("d0", "0.txt", "Text 0", text)
    for sentence in cited(f"{answer} {text}", texts=[text]):
        assert sentence.supported == bool(sentence.citations)
        for citation in sentence.citations:
            assert citation.quote == document.text[citation.start : citation.end] != ""


def test_nobody_is_cited_for_what_another_said() -> None:
    texts = ["Rex said that the cat sleeps. Tom said that the dog eats."]
    (right,) = cited("Rex said that the cat sleeps.", "What did Tom say?", texts)
    (wrong,) = cited("Tom said that the cat sleeps.", "What did Tom say?", texts)
    assert right.supported and not wrong.supported


def test_a_name_of_the_question_is_not_put_into_a_text_that_lacks_it() -> None:
    question = "What does Bello eat?"
    assert cited("Rex eats two bones.", "What does Rex eat?")[0].supported
    assert not cited("Bello eats two bones.", question)[0].supported


def test_a_yes_that_only_repeats_the_question_must_be_in_the_sources() -> None:
    assert cited("Yes, fish swim in the pond.", "Do fish swim in the pond?")[0].supported
    assert not cited("Yes, fish like music and dancing.", "Do fish like music and dancing?")[0].supported


def test_a_number_of_the_question_is_no_part_of_a_longer_one() -> None:
    texts = ["The club was founded in 2013 by three friends."]
    assert cited("The club was founded in 2013 by three friends.", "Name 3 facts about the club.", texts)[0].supported


def test_a_number_of_the_question_must_be_in_the_source() -> None:
    texts = ["The bridge was opened in 1999. The tower was built in 2001."]
    assert not cited("Yes, the tower was built in 1999.", "Was the tower built in 1999?", texts)[0].supported
    assert cited("The tower was built in 2001.", "Was the tower built in 1999?", texts)[0].supported


def test_who_cannot_does_not() -> None:
    texts = ["Tenants cannot keep dogs in the building."]
    (sentence,) = cited("Yes, tenants can keep dogs in the building.", "Can tenants keep dogs?", texts)
    assert not sentence.supported


@pytest.mark.parametrize(
    "text",
    [
        "## The tools of a black cat\n\nA dog eats two bones and swims in the pond all day.",
        "It swims.\n\nThe tools of a black cat\n\nA dog eats two bones and swims in the pond all day.",
    ],
)
def test_a_heading_proves_nothing_but_itself(text: str) -> None:
    (sentence,) = cited("The black cat has many tools.", texts=[text])
    assert not sentence.supported
    (sentence,) = cited("The tools of a black cat.", texts=[text])
    assert sentence.supported and sentence.citations[0].quote.endswith("The tools of a black cat")


def test_a_short_line_of_a_list_is_no_heading() -> None:
    (sentence,) = cited("The black cat sleeps.", texts=["The black cat sleeps\n\nThe dog eats"])
    assert sentence.supported
