import pytest
from fakes import divided, documents_of, source_sentences

from rag.answer.citations import cite
from rag.answer.speakers import misattributed, speakers
from rag.answer.support import adds_nothing, contradicts, unfounded, why_unsupported
from rag.types import Passage


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Anna Smith said that it rains.", [{"anna", "smith"}]),
        ("The minister, Anna Smith, also stated: “It rains.”", [{"anna", "smith"}]),
        ("“It rains,” said Mark Brown.", [{"mark", "brown"}]),
        ("According to O’Brien, it rains.", [{"o'brien"}]),
        ("He has argued that it rains.", [set()]),
        ("While Brown noted the rain, she denied it.", [{"brown"}, set()]),
        ("Ukraine’s calls for help were heard.", []),
        ("It urges Western allies to act.", [set()]),
        ("It rains.", []),
        ("The Khazar state lasted for 300 years.", []),
        ("The poet al-Assad, a guest, has also later clearly said it.", [{"assad"}]),
        (
            "Former NATO Secretary General Jens Stoltenberg of Norway said it.",
            [{"former", "nato", "jens", "stoltenberg", "norway"} - {"of"} | {"of"}],
        ),
    ],
)
def test_the_subjects_of_saying_something_are_found(text: str, expected: list[set[str]]) -> None:
    assert [set(name) for name in speakers(text)] == expected


@pytest.mark.parametrize(
    ("answer", "source", "before", "expected"),
    [
        ("Smith said that it rains.", "“It rains,” said Anna Smith.", "", False),
        ("Brown said that it rains.", "“It rains,” said Anna Smith.", "Brown was there.", True),
        ("Brown said that it rains.", "She said that it rains.", "Mark Brown stated it. Anna Smith replied.", True),
        ("Smith said that it rains.", "She said that it rains.", "Mark Brown stated it. Anna Smith replied.", False),
        ("Smith said that it rains.", "It will rain.", "Smith announced the weather.", False),
        ("Brown said that it rains.", "It will rain.", "Smith announced the weather.", True),
        ("Norway said that it rains.", "They said that it rains.", "Brown denied it. Norway and Peru resisted.", False),
        ("Brown proposed a park.", "Brown’s plan is a park.", "", False),
        ("Someone said that it rains.", "It rains.", "", True),
        ("The park is green.", "“It rains,” said Anna Smith.", "", False),
        ("Researchers said that it rains.", "Researchers at Oslo University said that it rains.", "", False),
        ("Oslo University said that it rains.", "Researchers at Oslo University said that it rains.", "", False),
        ("Officials in Bergen said that it rains.", "Officials in Oslo said that it rains.", "", True),
        ("Doctors said that it rains.", "Researchers at Oslo University said that it rains.", "", True),
    ],
)
def test_nobody_is_said_to_have_said_what_another_said(answer: str, source: str, before: str, expected: bool) -> None:
    assert misattributed(answer, [(source, before)]) is expected


@pytest.mark.parametrize(
    ("text", "ground", "expected"),
    [
        ("Joe Biden praised it.", "The plan was praised.", ["Joe", "Biden"]),
        ("They met in China.", "NATO's chief met them.", ["China"]),
        ("Both Canada and Norway signed.", "Canada and Norway signed.", []),
        ("Does Canada sign?", "Canada signed.", []),
        ("The D20's tank holds 4 litres, and O2 is 1.5 of it.", "D20: 4 litres, 1.5 of O2.", []),
        ("The Farmers' League walked out.", "It was the Farmers’ League.", []),
        ("It found asteroids near Earth and near-Earth comets.", "The search for near-Earth objects.", []),
        ("They met in May.", "They met in June.", ["May"]),
        ("In 2013. Does Canada sign?", "In 2013 Canada signed.", []),
        ("The US tested it.", "U.S. officials tested it.", []),
        ("They met Mr. Smith.", "They met Mr. Brown.", ["Smith"]),
        ("They met George W. Clinton.", "They met George W. Bush.", ["Clinton"]),
        ("They met in Austria.", "They met in Australia.", ["Austria"]),
        ("They met in Indiana.", "They met in India.", ["Indiana"]),
        ("The Ukrainian side came.", "Ukraine's side came.", []),
        ("It is liquid O2 at 90.", "It is liquid O and 2.", ["90", "O2"]),
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


def test_a_negation_reaches_to_the_end_of_what_it_negates() -> None:
    source = "While Rutte praised the plan, he also noted that he did not fully endorse the entirety of the plan."
    assert contradicts("Rutte endorsed the plan.", source)
    assert not contradicts(
        "An unjust truce would fail to bring security.", "A truce without fairness would not bring security."
    )


def test_an_address_must_be_in_the_source() -> None:
    assert unfounded("Write to fish@pond.example.", "Write to dog@pond.example.") == ["fish@pond.example"]
    assert unfounded("Write to fish@pond.example.", "Fish: fish@pond.example.") == []


def test_accents_do_not_make_another_name() -> None:
    assert unfounded("The dog Beno eats.", "The dog Beńo eats.") == []


def test_an_answer_that_only_repeats_the_question_adds_nothing() -> None:
    assert adds_nothing("The dog eats at night.", "What does the dog eat at night?")
    assert not adds_nothing("The dog eats bones.", "What does the dog eat at night?")
    assert not adds_nothing("", "What does it eat?")


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("Fish swim in the pond.", ""),
        ("Dogs and cats.", "No sentence of the documents is like it."),
        ("Fish swim in ponds of plain old yellow concrete.", "Its sources lack “plain”, “old”, “yellow”, “concrete”."),
        ("There are 13 fish.", "The documents lack “13”."),
        ("Fish do not swim in the pond.", "A source says the opposite."),
        ("Ann said that fish swim in the pond.", "A source lets somebody else say it."),
    ],
)
def test_the_reason_is_given(sentence: str, why: str) -> None:
    sentences = source_sentences()
    (document,) = documents_of(["Ann looked at Tom. Tom said much. Fish swim in the pond. There are 12 fish."])
    (passage,) = divided(document, words=40)
    (cited,) = cite(sentence, "?", sentences.of(passage), sentences)
    assert cited.why == why and cited.supported is not bool(why)


def test_a_name_may_stand_before_its_source() -> None:
    (document,) = documents_of(
        ["The hall was the idea of Anna Smith. She wants a park as well. Mark Brown is against it."]
    )
    sentences = source_sentences()
    every = [one for passage in divided(document, words=100) for one in sentences.of(passage)]
    for answer, supported in (("Anna Smith wants a park as well.", True), ("Olga Brown wants a park as well.", False)):
        (sentence,) = cite(answer, "Who wants a park?", every, sentences)
        assert sentence.supported is supported, sentence.why


def test_a_name_of_the_question_may_stand_anywhere_in_the_passages_that_were_read_of() -> None:
    (document,) = documents_of(["“It rains,” he said. The poet Anna Smith left. A dog ran."])
    sentences = source_sentences()
    read = [one for passage in divided(document, words=100) for one in sentences.of(passage)][:1]
    asked = "What did Anna Smith say about the rain?"
    (sentence,) = cite("“It rains,” said Smith.", asked, read, sentences)
    assert "“Smith”" not in sentence.why
    (sentence,) = cite("“It rains,” said Olga.", "What did Olga say?", read, sentences)
    assert sentence.why == "The documents lack “Olga”."


def test_a_first_name_may_come_from_anywhere_in_what_was_read() -> None:
    (document,) = documents_of(["Smith wants a park. Much later the poet Anna Smith left. Olga Brown came."])
    sentences = source_sentences()
    every = [one for passage in divided(document, words=100) for one in sentences.of(passage)]
    for answer, why in (("Anna Smith wants a park.", ""), ("Olga Smith wants a park.", "The documents lack “Olga”.")):
        (sentence,) = cite(answer, "Who wants a park?", every[:1], sentences)
        assert sentence.why == why


def test_a_source_far_off_is_cited_for_a_number_that_only_it_has() -> None:
    (document,) = documents_of(["The pasture was given to the farm in 1954. It rained. It was closed in 1979."])
    sentences = source_sentences()
    every = [one for passage in divided(document, words=100) for one in sentences.of(passage)]
    (sentence,) = cite("The pasture was given to the farm in 1954, closed 1979.", "When?", every, sentences)
    assert sentence.supported and [one.quote[-5:] for one in sentence.citations] == ["1954.", "1979."]


def test_half_of_what_is_affirmed_must_be_negated_to_be_the_opposite() -> None:
    assert contradicts("The fish swim in the pond.", "Fish do not swim in the pond.")
    assert not contradicts(
        "402 islanders were in favour of the station, 377 of the tower.", "The tower is no station of islanders."
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("On 2024-03-01 the 1850 fish were counted.", ""),
        ("On March 1, 2024 the 1,850 fish were counted.", ""),
        ("On 2 March 2024 the 1,850 fish were counted.", "The documents lack “2 March 2024”."),
        ("On 1 March 2024 three fish were counted.", "The documents lack “three”."),
        ("On 1 March 2024 the 1,850 fish were counted under Rule Seven.", ""),
        ("On 1 March 2024 the 1,850 fish were counted under Rule 8.", "The documents lack “Rule 8”."),
    ],
)
def test_numbers_are_compared_by_what_they_mean(text: str, why: str) -> None:
    (document,) = documents_of(["On 1 March 2024 the 1,850 fish were counted under rule 7."])
    sentences = source_sentences()
    (cited,) = cite(text, "?", sentences.of(divided(document)[0]), sentences)
    assert cited.why == why


def test_a_number_of_something_else_is_not_taken_from_another_sentence() -> None:
    (document,) = documents_of(["The black cat eats 12 mice a day. In the whole pond there are 30 fish."])
    sentences = source_sentences()
    for text, supported in (("The black cat eats 12 mice a day.", True), ("The black cat eats 30 mice a day.", False)):
        (cited,) = cite(text, "What does the cat eat?", sentences.of(divided(document)[0]), sentences)
        assert cited.supported is supported


def test_an_identifier_of_the_question_need_not_be_repeated_by_the_source() -> None:
    (document,) = documents_of(["The pump QN-7 is black. It eats less current than fish do."])
    sentences = source_sentences()
    source = sentences.of(divided(document)[0])[1:]
    (cited,) = cite("The QN-7 eats less current than fish do.", "What does the QN-7 eat?", source, sentences)
    assert cited.supported, cited.why


def test_words_are_compared_in_the_language_of_the_sources() -> None:
    german = Passage(0, "d", "d", "", 0, 48, "Die Gehälter werden am 27. des Monats überwiesen.", language="de")
    source = source_sentences().of(german)
    assert not why_unsupported("Das Gehalt wird am 27. überwiesen.", "Wann kommt das Gehalt?", source, 1.0, ())
    assert why_unsupported("Das Gehalt wird am 28. überwiesen.", "Wann kommt das Gehalt?", source, 1.0, ())


def test_what_a_source_stands_under_says_what_it_is_about() -> None:
    text = "It lasts 12 months and covers the motor."
    passage = Passage(0, "d", "d", "Tools", 0, len(text), text, headings=("## Falcon 200", "### Warranty"))
    source = source_sentences().of(passage)
    assert not why_unsupported("The warranty of the Falcon 200 lasts 12 months.", "How long?", source, 1.0, ())
    assert why_unsupported("The warranty of the Falcon 300 lasts 12 months.", "How long?", source, 1.0, ())


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ("Millgate closes at 18:30 on Wednesday.", True),
        ("Millgate closes at 20:00 on Wednesday.", False),
        ("On Wednesday Central is open until 20:00 and Millgate until 18:30.", True),
        ("On Wednesday it is open until 20:00.", True),
    ],
)
def test_what_a_row_tells_of_one_column_is_not_said_of_another(said: str, holds: bool) -> None:
    text = "| Wednesday | 9:30–20:00 | 10:00–18:30 |"
    headings = ("| Day | Central | Millgate |",)
    source = source_sentences().of(Passage(0, "d", "d", "Hours", 0, len(text), text, headings=headings))
    assert bool(why_unsupported(said, "When?", source, 1.0, ())) is not holds
