import random

import pytest

from rag.quantities.plain import is_english, plain
from rag.quantities.reading import given, quantities

SAID = """
1850 seats | 1,850 seats
1'850 seats | 1,850 seats
10 000 000 seats | 10,000,000 seats
three cats | 3 cats
342 maps | three hundred and forty-two maps
2 million | 2,000,000
2.4bn | 2,400,000,000
4.5 | 4.50
1.5 cups | 1½ cups
a dozen eggs | 12 eggs
half of them | 50% of them
two thirds | 2/3
a fifth | 20 per cent
one third | It fell by a third. The rest stayed.
twice | 2 times
doubled | twofold
3rd | third
3rd try | a third try
the twentieth century | the 20th century
14-16 dogs | between 14 and 16 dogs
1939-45 | from 1939 to 1945
thousands of people | 7,240 people
minus five | -5
3 million litres | 3 × 10^6 litres
one key | a small key
one key | the key, 1 of many
nineteen eighty-four | 1984
the '80s | the 1980s
9 a.m. | 9:00
19:30 | 7.30 pm
12:00 | noon
8:30 | half past eight
5:45 | a quarter to six
12:50 | at ten to one
from 9:00 to 11:00 | 9 to 11 a.m.
6 a.m. | six o'clock in the morning
6 pm | 18.00 hrs
9:00 | open from 9 to 17
8:30 | 8:30 p.m.
2024-03-01 | 1 March 2024
4 July 1998 | July 4, 1998
31 December 2025 | 31.12.2025
25 December 2024 | 12/25/2024
March 2024 | the 3rd of March 2024
3 May | the 3rd of May
1 March 2024 | In 2024, on 1 March
1.5 km | 1,500 metres
12 euros | €12
1.9 million pounds | £1.9m
£0.50 | 50p
€0.99 | 99 cents
180 degrees Celsius | 180 °C
80 kilometres per hour | 80 km/h
60 mph | 60 miles an hour
18 square metres | 18 m²
20,000 square metres | 2 hectares
24 months | 2 years
two weeks | 14 days
1.5 hours | an hour and a half
60 minutes | an hour
15 minutes | a quarter of an hour
9.99 euros a month | €9.99 per month
12 euros | a price of 12
40% | 40 percent
E-4012 | Error E4012
ISO-9001 | ISO 9001
RFC 2119 | RFC2119
Room B12 | room B 12
v3.2.1 | version 3.2.1
Section 5 | § 5
Chapter Seven | chapter 7
Step 3 | 3. Wait for the beep.
the third floor | floor 3
number 45 | #45
0800-123-456 | 0800 123 456
A-380 | the A380
Python version 3.10 | Python 3.10
1200 Einwohner, wo der Fluss in den See geht | Das Dorf hat 1.200 Einwohner, wo der Fluss in den See geht
12 | ١٢
20 кг | 20кг
"""
UNSAID = """
1580 seats | 1,850 seats
four cats | 3 cats
10 001 seats | 10,000 seats
eighty-four people | The cable car carries 48 people per cabin; Rovers renewed cabins, cables, cars, signs
thirteen cats | 3 cats
two tools | a hammer and a saw
one tool | eight tools in a week
2 billion | 2 million
1250 kg | it has a weight of 1.250 kg
a third of them | 50% of them
three times | twice
tripled | doubled
2nd | third
the first one | the second and the third
4-16 dogs | between 14 and 16 dogs
1-3 | 3-1
40 boats | 40 members and 12 boats
5 °C | -5 °C
9 p.m. | 9:00
9 a.m. | 9 p.m.
9:00 | 21:00
8:15 | half past eight
2024-01-03 | 1 March 2024
1 March 2026 | from 1 March 2024 to 28 February 2026
3 April 2024 | 03/04/2024
1 March 2024 | March 2024
May 13 | May 3
1.5 miles | 1.5 km
12 dollars | €12
12 kg | 12 people
£50 | 50p
180 °F | 180 °C
80 mph | 80 km/h
18 square feet | 18 m²
3 weeks | 3 days
for a week | for two weeks
9.99 euros a year | €9.99 per month
5 percentage points | 5%
15% | 15 euros
E-4021 | E-4012
C12 | B12
Section 6 | § 5
Article 5 | Section 5
5 euros | see Section 5
three beeps | 3. Wait for the beep.
5 euros | # 5. Fees
it needs Python 3.1 | see Python 3.10
v3.2 | version 3.2.1
0800-132-456 | 0800 123 456
Falcon-300 | Falcon 200
24:75 | 24:57
1000000000000000000000000000000000000001 | 1000000000000000000000000000000000000002
"""


def says(source: str, text: str) -> bool:
    english = is_english(f"{text} {source}")
    counted = [one for one in quantities(plain(text), english) if one.claims]
    assert counted
    return all(one.is_said(given(source, english)) for one in counted)


def pairs(lines: str) -> list[tuple[str, str]]:
    made = [line.split(" | ") for line in lines.strip().splitlines()]
    return [(text, source) for text, source in made]


@pytest.mark.parametrize(("text", "source"), pairs(SAID))
def test_the_same_in_another_form_is_said(text: str, source: str) -> None:
    assert says(source, text)


@pytest.mark.parametrize(("text", "source"), pairs(UNSAID))
def test_another_value_is_not_said(text: str, source: str) -> None:
    assert not says(source, text)


@pytest.mark.parametrize(
    "text",
    [
        "No one knows one of them.",
        "The one that barks is the black one.",
        "One must not do it.",
        "Once the lid is closed, it may start.",
        "It is sold by a man on a day of rest.",
        "First, close the lid.",
        "They march in the house.",
    ],
)
def test_what_is_no_number_claims_nothing(text: str) -> None:
    assert [one.text for one in quantities(text) if one.claims] == []


def test_a_quantity_stands_where_it_is_written() -> None:
    text = "On 1 March 2024 half of the 1,850 seats of Section 5 cost €12 at 9 a.m. because of E-4012."
    found = [one for one in quantities(text) if one.claims]
    assert [text[one.start : one.end] for one in found] == [one.text for one in found] == [
        "1 March 2024", "half", "1,850", "Section 5", "12", "9 a.m", "E-4012",
    ]  # fmt: skip


def test_words_are_numbers_only_in_english() -> None:
    assert [one.text for one in quantities("six", english=False) if one.claims] == []
    assert is_english("The dog sleeps in the house.") and is_english("Six dogs sleep.")
    assert not is_english("Der Hund schläft heute wieder einmal sehr lange im Haus.")


def test_every_text_says_its_own_quantities() -> None:
    words = [word for line in (SAID + UNSAID).split("\n") for word in line.split(" ")] + [
        "\n",
        "^-1",
        "0",
        "1/0",
        ",dozen",
    ]
    drawn = random.Random(18)
    for _ in range(300):
        text = "".join(drawn.choice(words) + drawn.choice([" ", " ", "", "-"]) for _ in range(6))
        for english in (True, False):
            for one in quantities(plain(text), english):
                is_conditional = any(kind == "unless" for claim in one.claims for kind, _ in claim)
                assert is_conditional or one.is_said(given(text, english)), (text, one)
