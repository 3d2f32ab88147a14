import numpy as np

from rag.answer.evidence import SourceSentence, content_words, rank_sentences
from rag.types import Passage, Span


def sentence(text: str, *vector: float) -> SourceSentence:
    passage = Passage(0, "d", "d.txt", "D", 0, len(text), text)
    return SourceSentence(passage, Span(0, len(text)), text, content_words(text), np.array(vector, dtype=np.float32))


def test_where_meaning_does_not_tell_a_rare_word_weighs_more_than_a_frequent_one() -> None:
    sentences = [sentence("The dog runs.", 1, 0), sentence("A cat sleeps.", 1, 0), sentence("The dog eats.", 1, 0)]
    question = np.array([1, 0], dtype=np.float32)
    assert rank_sentences("Does the dog or the cat rest?", question, sentences) == [1, 0, 2]


def test_meaning_weighs_twice_as_much_as_all_the_words() -> None:
    near, worded = sentence("It purrs.", 1, 0), sentence("The cat is here.", 0.4, 0)
    question = np.array([1, 0], dtype=np.float32)
    assert rank_sentences("Where is the cat?", question, [worded, near]) == [1, 0]


def test_without_a_shared_word_the_meaning_alone_decides() -> None:
    sentences = [sentence("One.", 0, 1), sentence("Two.", 1, 0)]
    assert rank_sentences("?", np.array([1, 0], dtype=np.float32), sentences) == [1, 0]
    assert rank_sentences("?", np.array([1, 0], dtype=np.float32), []) == []
