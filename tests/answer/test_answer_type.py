import pytest

from rag.answer.answer_type import AnswerType, answer_type, circular, mistyped, parts, polar


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who leads the club?", AnswerType.FACT),
        ("What is summary justice?", AnswerType.FACT),
        ("Who wrote the summary?", AnswerType.FACT),
        ("Is the pond deep?", AnswerType.POLAR),
        ("Did she say exactly when they would come?", AnswerType.POLAR),
        ("Is there a difference between a lake and a pond?", AnswerType.COMPARISON),
        ("Can you list all the ponds?", AnswerType.LIST),
        ("Summarise it", AnswerType.SUMMARY),
        ("Can you summarize the whole article, please?", AnswerType.SUMMARY),
        ("What is this document about?", AnswerType.SUMMARY),
        ("What are the key points of the text?", AnswerType.SUMMARY),
        ("tl;dr", AnswerType.SUMMARY),
        ("Summarize the article in three sentences", AnswerType.SUMMARY),
        ("Summarise this article for me, briefly.", AnswerType.SUMMARY),
        ("Give me a summary of the article in two sentences.", AnswerType.SUMMARY),
        ("What is the article about in general?", AnswerType.SUMMARY),
        ("Summarise the main points.", AnswerType.SUMMARY),
        ("Summarize Putin's position", AnswerType.LIST),
        ("Summarise the key facts about the club.", AnswerType.LIST),
        ("What are the main ideas behind the theory?", AnswerType.LIST),
        ("What is a summary judgment?", AnswerType.FACT),
        ("On what exact date did the United States enter the war?", AnswerType.FACT),
        ("What exactly happened after the president called for calm?", AnswerType.FACT),
        ("What exactly did he call it?", AnswerType.QUOTATION),
        ("What are the main elements of the plan?", AnswerType.LIST),
        ("What are the rules of the club?", AnswerType.LIST),
        ("Which rivers are navigable?", AnswerType.LIST),
        ("List all members.", AnswerType.LIST),
        ("What is the difference between a cat and a dog?", AnswerType.COMPARISON),
        ("How do the two proposals differ?", AnswerType.COMPARISON),
        ("What exactly did the judge say about the fine?", AnswerType.QUOTATION),
        ("Where exactly is the pond?", AnswerType.FACT),
        ("Summarise it, in short, in about five sentences  please.", AnswerType.SUMMARY),
        ("Give an overview of\nthe second\nfloor", AnswerType.LIST),
        ("How, tell me, do a cat\nand a dog differ?", AnswerType.FACT),
        ("Tell me how\nhow cats differ.", AnswerType.COMPARISON),
    ],
)
def test_the_words_tell_what_is_asked_for(question: str, expected: AnswerType) -> None:
    assert answer_type(question) is expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            "Who is Rosaline and how is she related to the Capulets?",
            ["Who is Rosaline?", "How is she related to the Capulets?"],
        ),
        ("What is it? And who made it?", ["What is it?", "Who made it?"]),
        ("When and where was it built?", ["When and where was it built?"]),
        ("The colonies of France and what other country?", ["The colonies of France and what other country?"]),
        ("What happens before and when a wall is built?", ["What happens before and when a wall is built?"]),
        ("Who sold bread and butter?", ["Who sold bread and butter?"]),
        ("Thanks. Who is she?", ["Thanks. Who is she?"]),
        ("Who is A ,  and  who is B?", ["Who is A?", "Who is B?"]),
        ("Who is A?" + " Who is B?" * 9, ["Who is A?"] + ["Who is B?"] * 9),
        ("Who is A?" + " Who is B?" * 10, ["Who is A?" + " Who is B?" * 10]),
        ("Who wrote it? Thanks in advance!", ["Who wrote it? Thanks in advance!"]),
        (
            "What is the difference between what the cat wants and what the dog wants?",
            ["What is the difference between what the cat wants and what the dog wants?"],
        ),
        (
            "What was the man called who founded the club and who was killed in 1990?",
            ["What was the man called who founded the club and who was killed in 1990?"],
        ),
        ("Who is Anna and who is Ben?", ["Who is Anna?", "Who is Ben?"]),
        (
            "Thanks. Who is she? Who made it? Where was it made?",
            ["Thanks. Who is she? Who made it? Where was it made?"],
        ),
        (
            "In which year was it built and which company owns it?",
            ["In which year was it built?", "Which company owns it?"],
        ),
        (
            "When was it built? And what is the difference between a cat and a dog?",
            ["When was it built?", "What is the difference between a cat and a dog?"],
        ),
    ],
)
def test_only_whole_questions_are_parted(question: str, expected: list[str]) -> None:
    assert parts(question) == expected


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("How many fish are there?", "There are 12 fish.", False),
        ("How many fish are there?", "There are twelve fish.", False),
        ("How many fish are there?", "The fish swim in the pond.", True),
        ("How many of the 12 fish are red?", "Of the 12 fish some are red.", True),
        ("When does the cat sleep?", "It sleeps on Thursday.", False),
        ("When does the cat sleep?", "The cat sleeps a lot.", True),
        ("What is the name of the dog?", "The dog is called Rex.", False),
        ("What is the name of the dog?", "One dog eats bones.", True),
        ("Who eats the bones?", "A dog does.", False),
        ("How many people were killed?", "Fifteen people were killed.", False),
        ("How many people died?", "Twenty-one people died.", False),
        ("How often does it appear?", "It appears daily.", False),
        ("How long did it last?", "It lasted an hour.", False),
        ("How many of the 12 members agreed?", "All 12 members agreed.", False),
    ],
)
def test_an_answer_has_the_type_that_is_asked_for(question: str, answer: str, expected: bool) -> None:
    assert mistyped(question, answer) is expected


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("What does the dog eat at night?", "The dog eats at night.", True),
        ("What does the dog eat at night?", "The dog eats bones.", False),
        ("Does the dog eat at night?", "Yes, the dog eats at night.", False),
        ("What does it eat?", "", False),
        ("Who won the election, Smith or Jones?", "Jones won the election.", False),
    ],
)
def test_an_answer_that_only_repeats_the_question_is_circular(question: str, answer: str, expected: bool) -> None:
    assert circular(question, answer) is expected


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
    assert polar(question) is expected
