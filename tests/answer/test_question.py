import pytest

from rag.answer.question import is_choice, is_greeting, points_back, stand_alone
from rag.types import ABSTENTION, NEAREST


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Is it a lake or a pond?", True),
        ("Is it a lake, or, say, a pond?", True),
        ("OR?", True),
        ("Is the pond for sale?", False),
    ],
)
def test_a_choice_is_named(question: str, expected: bool) -> None:
    assert is_choice(question) is expected


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello", True),
        ("Hi there!", True),
        ("Good morning, everyone.", True),
        ("ok, thank you very much", True),
        ("Thanks a lot", True),
        ("Good?", False),
        ("Thanks, how much is it?", False),
        ("Hello Rex", False),
        ("", False),
    ],
)
def test_a_greeting_is_nothing_but_words_of_greeting(text: str, expected: bool) -> None:
    assert is_greeting(text) is expected


@pytest.mark.parametrize("turn", [("hello", "Ask a question about the documents."), ("Who is Tim?", ABSTENTION)])
def test_a_greeting_or_a_refused_question_is_nothing_to_point_back_at(turn: tuple[str, str]) -> None:
    assert stand_alone("What does he eat?", [turn])[0].earlier == ""
    assert stand_alone("What does he eat?", [("Who is Rex?", "A dog."), turn])[0].earlier == "Who is Rex? A dog."


def test_of_a_reply_that_only_quotes_the_first_quotation_is_leant_on() -> None:
    said = f"{NEAREST} “Rex is a dog.” “Tom is a cat.”"
    assert stand_alone("What does he eat?", [("Who is Rex?", said)])[0].earlier == "Who is Rex? Rex is a dog."


@pytest.mark.parametrize("said", ["", "a" * 400])
def test_a_long_answer_is_not_repeated(said: str) -> None:
    assert stand_alone("What does he eat?", [("Who is Rex?", said)])[0].earlier == "Who is Rex?"
