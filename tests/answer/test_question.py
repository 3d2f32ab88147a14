import pytest

from rag.answer.question import Kind, is_yes_no, kind_of, points_back, stand_alone
from rag.types import ABSTENTION


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who leads the club?", Kind.FACT),
        ("What is summary justice?", Kind.FACT),
        ("Who wrote the summary?", Kind.FACT),
        ("Is the pond deep?", Kind.YES_NO),
        ("Did she say exactly when they would come?", Kind.YES_NO),
        ("Is there a difference between a lake and a pond?", Kind.COMPARISON),
        ("Can you list all the ponds?", Kind.LIST),
        ("Summarise it", Kind.SUMMARY),
        ("Can you summarize the whole article, please?", Kind.SUMMARY),
        ("What is this document about?", Kind.SUMMARY),
        ("What are the key points of the text?", Kind.SUMMARY),
        ("tl;dr", Kind.SUMMARY),
        ("Summarize the article in three sentences", Kind.SUMMARY),
        ("Summarise this article for me, briefly.", Kind.SUMMARY),
        ("Give me a summary of the article in two sentences.", Kind.SUMMARY),
        ("What is the article about in general?", Kind.SUMMARY),
        ("Summarise the main points.", Kind.SUMMARY),
        ("Summarize Putin's position", Kind.LIST),
        ("Summarise the key facts about the club.", Kind.LIST),
        ("What are the main ideas behind the theory?", Kind.LIST),
        ("What is a summary judgment?", Kind.FACT),
        ("On what exact date did the United States enter the war?", Kind.FACT),
        ("What exactly happened after the president called for calm?", Kind.FACT),
        ("What exactly did he call it?", Kind.QUOTATION),
        ("What are the main elements of the plan?", Kind.LIST),
        ("What are the rules of the club?", Kind.LIST),
        ("Which rivers are navigable?", Kind.LIST),
        ("List all members.", Kind.LIST),
        ("What is the difference between a cat and a dog?", Kind.COMPARISON),
        ("How do the two proposals differ?", Kind.COMPARISON),
        ("What exactly did the judge say about the fine?", Kind.QUOTATION),
        ("Where exactly is the pond?", Kind.FACT),
        ("Summarise it, in short, in about five sentences  please.", Kind.SUMMARY),
        ("Give an overview of\nthe second\nfloor", Kind.LIST),
        ("How, tell me, do a cat\nand a dog differ?", Kind.FACT),
        ("Tell me how\nhow cats differ.", Kind.COMPARISON),
    ],
)
def test_the_words_tell_what_is_asked_for(question: str, expected: Kind) -> None:
    assert kind_of(question) is expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Is the pond deep?", True),
        ("And did he sign?", True),
        ("Isn't it cold?", True),
        ("Don’t they sleep?", True),
        ("Can't they swim?", True),
        ("Won’t he sign?", True),
        ("Can you cancel it?", True),
        ("Could you tell me who signed?", False),
        ("Do you know when he signed?", False),
        ("May I ask who signed?", False),
        ("May 5: what was signed?", False),
        ("Have a look and tell me who signed.", False),
        ("Do tell me who signed.", False),
        ("Is it a lake or a pond?", False),
        ("Who did it?", False),
        ("Fishes of the pond?", False),
    ],
)
def test_a_yes_or_a_no_is_asked_for(question: str, expected: bool) -> None:
    assert is_yes_no(question) is expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What does he eat?", True),
        ("And at night?", True),
        ("Since when?", True),
        ("Is its name Rex?", True),
        ("What do you mean by that?", True),
        ("Who else?", True),
        ("Why not?", True),
        ("Did Tom say that Rex eats bones?", False),
        ("What did Rex do after his summer at the pond?", False),
        ("Where did she go with Rex?", True),
        ("What are the main points of this article?", False),
        ("When was brotherhood?", False),
        ("What does the cat eat at night?", False),
        ("How many fish swim in the pond?", False),
        ("Ask Rex whether he or she or it eats.", False),
        ("Ask Re he.", False),
        ("Ask R he.", True),
        ("Ask he whether Rex eats.", True),
        ("Is it Rex-he?", True),
    ],
)
def test_a_question_points_back_by_its_words(question: str, expected: bool) -> None:
    assert points_back(question) is expected


def test_a_question_that_stands_alone_is_left_alone() -> None:
    question = "What does the cat eat at night?"
    assert stand_alone(question, [("Who is Rex?", "A dog.")])[0].earlier == ""
    assert stand_alone("What does he eat?", [])[0].earlier == ""


def test_a_question_that_points_back_gets_the_turn_before_it() -> None:
    history = [("Who is Tom?", "A cat."), ("Who is Rex?", "Rex is a dog. He is old.")]
    assert stand_alone("What does he eat?", history)[0].earlier == "Who is Rex? Rex is a dog."


def test_of_a_long_answer_the_beginning_is_looked_through() -> None:
    said = "  Rex is a dog." + " He is old." * 10_000
    assert stand_alone("What does he eat?", [(f" Who is Rex? {'x' * 5_000}", said)])[0].earlier.endswith(
        "x Rex is a dog."
    )


@pytest.mark.parametrize("said", [ABSTENTION, "", "a" * 400])
def test_an_abstention_or_a_long_answer_is_not_repeated(said: str) -> None:
    assert stand_alone("What does he eat?", [("Who is Rex?", said)])[0].earlier == "Who is Rex?"
