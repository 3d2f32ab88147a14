import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.tokenizer import tokenize


def test_words_are_lower_cased_and_stemmed_and_stop_words_left_out() -> None:
    assert tokenize("The Cats are sleeping, in 1995!") == ["cat", "sleep", "1995"]
    assert tokenize("I a 🙂 ?") == []


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("error E-4012", ["error", "4012", "e4012"]),
        ("E4012", ["e4012", "4012"]),
        ("version 3.2.1", ["version", "3.2.1", "3.2.1"]),
        ("web05.example.net", ["web05", "web", "05", "exampl", "net", "web05examplenet"]),
        ("C# and C++", ["c", "c#", "c", "c++"]),
        ("vitamin A", ["vitamin", "a"]),
        ("A dog. A cat", ["dog", "cat"]),
        ("the IT department", ["it", "depart"]),
        ("it departs", ["depart"]),
        ("long-term e-mail", ["long", "term", "longterm", "mail", "email"]),
        ("the U.S.", ["us"]),
        ("O'Brien's don't", ["brien", "don"]),
        ("Depot 07", ["depot", "07", "7"]),
    ],
)
def test_identifiers_are_words(text: str, terms: list[str]) -> None:
    assert tokenize(text) == terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,850", "1850"), ("1.850,5", "1,850.5"), ("1\u202f850", "1850"), ("1'850", "1850"), ("14.50", "14.5"),
        ("14,50", "14.5"), ("07", "7"), ("café", "cafe\u0301"), ("café", "cafe"), ("ﬁne", "fine"), ("ＡＢＣ１２", "abc12"),
        ("E‑4012", "E4012"), ("straße", "STRASSE"), ("food–chain", "food-chain"),
    ],
)  # fmt: skip
def test_what_says_the_same_shares_a_term(one: str, other: str) -> None:
    assert set(tokenize(one)) & set(tokenize(other))


def test_a_version_is_not_another_one() -> None:
    assert len(set(tokenize("2.1")) & set(tokenize("2.10"))) == 1 < tokenize("2.1").count("2.1")
    assert not set(tokenize("3.2.1")) & set(tokenize("3.2.2"))


def test_stems_are_those_of_the_languages_asked_for() -> None:
    assert tokenize("Häusern öffnet", "de") == tokenize("Haus öffnet", "de") == ["haus", "offn"]
    assert tokenize("Häuser", "de", "en") == ["haus", "hauser"]
    assert tokenize("sleeping", "zh") == ["sleeping"]


def test_scripts_without_blanks_are_cut_into_pairs() -> None:
    assert tokenize("食堂开门。門") == ["食堂", "堂开", "开门", "門"]
    assert tokenize("食堂ABC") == ["食堂", "abc"]


@given(st.text())
def test_any_text_has_words_or_none(text: str) -> None:
    assert all(len(word) > 0 for word in tokenize(text))
    assert tokenize(f"{text} sleeping")[-1] == "sleep"


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_composed_and_decomposed_letters_are_found_alike(text: str) -> None:
    assert tokenize(unicodedata.normalize("NFD", text)) == tokenize(unicodedata.normalize("NFC", text))
