import pytest
from conftest import ANIMALS, TopicEmbedder, documents_of
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rag.answer.citations import cite, contradicts, settle, unfounded
from rag.answer.evidence import Evidence
from rag.documents.splitter import cut, passage_spans
from rag.types import Document, Passage, Sentence

anything = st.text(st.characters(codec="utf-8"), max_size=200)


def divided(document: Document, first_id: int = 0) -> list[Passage]:
    return cut(document, passage_spans(document.text, 20), first_id)


def cited(answer: str, question: str = "?", texts: list[str] = ANIMALS) -> tuple[Sentence, ...]:
    documents = documents_of(texts)
    evidence = Evidence(TopicEmbedder())
    passages = [
        passage for number, document in enumerate(documents) for passage in divided(document, first_id=10 * number)
    ]
    return cite(answer, question, evidence.sentences(passages), evidence)


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


@pytest.mark.parametrize(
    ("text", "ground", "expected"),
    [
        ("Joe Biden praised it.", "The plan was praised.", ["Joe", "Biden"]),
        ("They met in China.", "NATO's chief met them.", ["China"]),
        ("Both Canada and Norway signed.", "Canada and Norway signed.", []),
        ("Does Canada sign?", "Canada signed.", []),
        ("They met in May.", "They met in June.", ["May"]),
        ("In 2013. Does Canada sign?", "In 2013 Canada signed.", []),
        ("The US tested it.", "U.S. officials tested it.", []),
        ("They met Mr. Smith.", "They met Mr. Brown.", ["Smith"]),
        ("They met George W. Clinton.", "They met George W. Bush.", ["Clinton"]),
        ("They met in Austria.", "They met in Australia.", ["Austria"]),
        ("They met in Indiana.", "They met in India.", ["Indiana"]),
        ("The Ukrainian side came.", "Ukraine's side came.", []),
        ("It is liquid O2 at 90.", "It is liquid O\n2.", ["O2", "90"]),
        ("The Ukrainian plan and the Russians.", "Ukraine and Russia", []),
        ('It is a "victory plan".', "It is a “victory\nplan”.", []),
        ("They met Xxxxxed.", "They met Xxxxxers.", ["Xxxxxed"]),
        ("They met Xxxxxers'.", "They met Xxxxx's.", []),
        ("It is old. May signs. Will May sign?", "May", []),
        ("They met cafe\u0301 owner Re\u0301ne\u0316\u0301.", "Rene", []),
    ],
)
def test_what_is_unfounded(text: str, ground: str, expected: list[str]) -> None:
    assert unfounded(text, ground) == expected


def test_a_misquotation_is_not_supported() -> None:
    assert unfounded("He said “we must be bold”.", "He said, “we must be strong.”") == ["we must be bold"]
    assert unfounded('He said "we must be strong."', "He said, “we must be strong,” and left.") == []


def test_typography_and_possessives_do_not_matter() -> None:
    assert unfounded("It is NATO's 32 members and the U. S. vote.", "NATO’s 32 member states; the U.S. vote") == []


def test_what_a_source_negates_or_is_negated_by_is_not_supported() -> None:
    said = "The black cat does not sleep all day."
    for answer, texts in ((said, ANIMALS), ("The black cat does sleep all day.", [said])):
        assert not cited(answer, texts=texts)[0].supported
    assert cited(said, texts=[said])[0].supported


def test_a_negation_reaches_to_the_end_of_what_it_negates() -> None:
    source = "While Rutte praised the plan, he also noted that he did not fully endorse the entirety of the plan."
    assert contradicts("Rutte endorsed the plan.", source)
    assert not contradicts(
        "An unjust truce would fail to bring security.", "A truce without fairness would not bring security."
    )


def test_what_the_question_names_need_not_be_in_the_source_but_in_what_was_read() -> None:
    assert cited("The dog Rex eats two bones.", "What does Rex eat?")[0].supported


TALKS = ["The alliance was not discussing an invitation. Rutte called it strong but did not endorse the plan."]


@pytest.mark.parametrize(
    ("answer", "settled"),
    [
        ("Yes, the alliance was discussing an invitation.", "The alliance was not discussing an invitation."),
        ("The alliance was not discussing an invitation.", "The alliance was not discussing an invitation."),
        ("No, the alliance was not discussing an invitation.", "No, the alliance was not discussing an invitation."),
        ("Yes, the alliance was not discussing it.", "The alliance was not discussing it."),
        ("Yes, the plan dismisses concessions.", "The plan dismisses concessions."),
        ("Rutte called it strong.", "Rutte called it strong."),
        ("", ""),
    ],
)
def test_an_answer_that_its_source_denies_gives_way_to_the_source(answer: str, settled: str) -> None:
    (document,) = documents_of(TALKS)
    evidence = Evidence(TopicEmbedder())
    assert settle(answer, evidence.sentences(divided(document)), evidence) == settled


def test_nothing_cites_nothing() -> None:
    assert cited("") == ()
    assert [sentence.supported for sentence in cited("!!!")] == [False]
    assert [sentence.supported for sentence in cited("Fish swim.", texts=[])] == [False]


@hypothesis_settings(deadline=None)
@given(anything, anything)
def test_every_citation_is_an_exact_slice(text: str, answer: str) -> None:
    document = Document("d0", "0.txt", "Text 0", text)
    for sentence in cited(f"{answer} {text}", texts=[text]):
        assert sentence.supported == bool(sentence.citations)
        for citation in sentence.citations:
            assert citation.quote == document.text[citation.start : citation.end] != ""


def test_an_address_must_be_in_the_source() -> None:
    assert unfounded("Write to fish@pond.example.", "Write to dog@pond.example.") == ["fish@pond.example"]
    assert unfounded("Write to fish@pond.example.", "Fish: fish@pond.example.") == []


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


def test_accents_do_not_make_another_name() -> None:
    assert unfounded("The dog Beno eats.", "The dog Beńo eats.") == []


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


def test_lines_stay_apart_when_answers_are_settled() -> None:
    evidence = Evidence(TopicEmbedder())
    sources = evidence.sentences(divided(documents_of(ANIMALS)[2]))
    assert settle("Fish swim\nThere are 12 fish", sources, evidence) == "Fish swim\nThere are 12 fish"
