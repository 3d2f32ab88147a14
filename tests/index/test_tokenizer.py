from hypothesis import given
from hypothesis import strategies as st

from rag.index.tokenizer import tokenize


def test_words_are_lower_cased_and_stemmed_and_stop_words_left_out() -> None:
    assert tokenize("The Cats are sleeping, in 1995!") == ["cat", "sleep", "1995"]
    assert tokenize("I a 🙂 ?") == []


@given(st.text())
def test_any_text_has_words_or_none(text: str) -> None:
    assert all(len(word) > 0 for word in tokenize(text))
    assert tokenize(f"{text} sleeping")[-1] == "sleep"
