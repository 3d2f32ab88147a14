import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.links import addresses, prose, without_links

HELD = "The ministry writes at https://ministry.example/report.html and info@ministry.example."


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("The tower is 12 m tall.", "The tower is 12 m tall."),
        ("See ![map](https://evil.example/a.png?q=1) now.", "See map now."),
        ("See [the map](https://evil.example/a).", "See the map."),
        ("See [the map][1].\n\n[1]: https://evil.example", "See the map."),
        ("See [![map](http://a.test/x.png)](http://a.test).", "See map."),
        ("See [a map](http://a.test/b_(c)/d e).", "See a map."),
        ("[a](b c (d)) e", "[a](b c (d)) e"),
        ("Write to x.y+z@mail-a.example.org/now, please.", "Write to /now, please."),
        ("Ask éevil.com or a..evil.net, x-.org.", "Ask é or a..,."),
        ("Say xhttps://evil.example/a now.", "Say now."),
        ("It is\t\t 5 \t. See www.a .", "It is 5. See."),
        ("It is 5. Visit https://evil.example/a, please.", "It is 5. Visit, please."),
        ("It is 5. Visit www.evil.example.", "It is 5. Visit."),
        ("It is 5 (evil-shop.com).", "It is 5 ()."),
        ("Write to a.b@evil.example.", "Write to."),
        ("<b>It</b> is 5.<img src=x onerror=alert(1)>", "It is 5."),
        ("It is 5.<!-- hidden -->", "It is 5."),
        ("[click](javascript:alert(1))", "click"),
        ("It opened in 1889.[1][2] It is tall.", "It opened in 1889.[1][2] It is tall."),
        ("//evil.example/x.js", ""),
        ("They write at https://ministry.example/report.html.", "They write at https://ministry.example/report.html."),
        ("[here](https://ministry.example/report.html)", "here https://ministry.example/report.html"),
        ("Mail info@ministry.example.", "Mail info@ministry.example."),
        ("For a < b and c > d, it is 3.5:1 at 10:30.", "For a < b and c > d, it is 3.5:1 at 10:30."),
        ("The U.S. said 1.5 million e.g. in 2020.", "The U.S. said 1.5 million e.g. in 2020."),
    ],
)
def test_only_what_the_documents_hold_leads_anywhere(written: str, shown: str) -> None:
    assert without_links(written, HELD) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('{"answer": "Ms Ilona Dressler", "mood": "sleepy"}', "Ms Ilona Dressler"),
        ('```json\n{"answer": "He said \\"no\\".", "mood', 'He said "no".'),
        ('[{"value": ["It is 5.", "x"]}]', "It is 5."),
        ('"Ukraine is ready": so he said, "at last".', '"Ukraine is ready": so he said, "at last".'),
        ("[The map] shows it.", "[The map] shows it."),
        ("json is a format.", "json is a format."),
    ],
)
def test_an_answer_as_json_is_its_first_value(written: str, shown: str) -> None:
    assert prose(written) == shown


@given(st.text("ab[]()!<>:/. \nhtps", max_size=60))
def test_nothing_that_loads_or_leads_is_left(written: str) -> None:
    left = without_links(written, "")
    assert not re.search(r"\[[^\[\]]*\]\([^()\s]+\)|</?[a-z][^<>]*>|(^|[^:])//\w", left)
    assert without_links(left, "") == left


@pytest.mark.parametrize(
    ("opened", "closed"), [("[", "](x)"), ("<a ", ">"), ("a<", "www.x>@b.c"), ("[<a ", ">](x)"), ("/", "a@b.c/")]
)
def test_of_what_is_nested_very_deeply_nothing_is_left_that_leads_anywhere(opened: str, closed: str) -> None:
    left = without_links(opened * 50 + "x" + closed * 50, "")
    assert without_links(left, "") == left
    assert not re.search(r"\]\(|<a[^<>]*>|//|@\w", left)


def test_of_very_many_addresses_only_the_first_are_looked_for() -> None:
    text = " ".join(f"www.a{number}.b" for number in range(300))
    assert without_links(text, text).split() == text.split()[:200]


def test_addresses_are_told_from_other_words() -> None:
    assert addresses("See <https://a.example/b>, www.c.example/d. Or mail e@f.example! At 3.5:1, e.g.") == [
        "https://a.example/b",
        "www.c.example/d",
        "e@f.example",
    ]
