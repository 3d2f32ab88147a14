from dataclasses import replace

import numpy as np
import pytest
from fakes import ANIMALS, TopicEmbedder, TopicReranker, divided, documents_of, source_sentences

from rag.answer import evidence as evidence_module
from rag.answer.evidence import SourceSentence, SourceSentences, citation
from rag.types import Document, Passage


def passage_of(text: str, number: int = 0) -> Passage:
    """One passage of one document."""
    return Passage(number, f"d{number}", f"{number}.txt", f"Text {number}", 0, len(text), text)


def texts(found: list[SourceSentence]) -> list[str]:
    return [one.text for one in found]


def test_the_likeliest_sentence_comes_first_wherever_it_stands() -> None:
    passages = [passage_of(text, number) for number, text in enumerate(ANIMALS)]
    ranked = source_sentences().ranked("Where do the fish swim?", passages)
    assert len(ranked) == 6
    assert [(one.sentence.text, one.score) for one in ranked[:3]] == [
        ("Fish swim in the pond.", 4.0),  # Both words.
        ("There are 12 fish.", 0.0),
        ("The black cat sleeps all day.", -4.0),  # Of the rest those of the better passages are first.
    ]


def test_a_sentence_is_read_with_the_title_and_the_one_before_it() -> None:
    reranker = TopicReranker()
    long = "cat " * 200 + "end. A dog."
    SourceSentences(TopicEmbedder(), reranker).ranked("What is the dog called?", [passage_of(ANIMALS[1], 7)])
    assert reranker.seen == [
        (
            "What is the dog called?",
            ["The dog is called Rex. [SEP] Text 7. A dog eats two bones.", "A dog eats two bones. [SEP] Text 7. "],
        )
    ]
    SourceSentences(TopicEmbedder(), reranker).ranked("?", [replace(passage_of(long), title="T" * 999)])
    assert max(map(len, reranker.seen[-1][1])) <= 600 + 200 + 200 + len(" [SEP] . ")


def test_a_sentence_is_read_with_its_headings_and_chosen_by_their_words() -> None:
    reranker = TopicReranker()
    text = "The warranty is short.\n\n### Weight\n\nIt is light.\n\n## Cat 300\n\nIt is heavy."
    passage = replace(passage_of(text), headings=("## Cat 200", "### Warranty"))
    others = [passage_of(" ".join(f"The dog {number} sleeps." for number in range(30)), 1)]
    ranked = SourceSentences(TopicEmbedder(), reranker).ranked("Is cat 200 light?", [*others, passage])
    of_cat = {one.sentence.text: one.sentence.headings for one in ranked if one.sentence.passage == passage}
    assert of_cat == {
        "The warranty is short.": "Cat 200 > Warranty",
        "### Weight": "Cat 200",
        "It is light.": "Cat 200 > Weight",
        "## Cat 300": "",
        "It is heavy.": "Cat 300",
    }
    ((_, read),) = reranker.seen
    assert "It is light. [SEP] Text 0. Cat 200 > Weight. ### Weight" in read


def test_a_row_of_a_table_is_read_with_its_headings() -> None:
    text = "Cats\n\n| Name | Age |\n| --- | --- |\n| Tom | 3 |\n| Jim | 4 |\n\nEnd."
    rows = [(one.text, one.headings) for one in source_sentences().of(passage_of(text))]
    assert rows == [
        ("Cats", ""), ("| Name | Age |", ""), ("| --- | --- |", "| Name | Age |"), ("| Tom | 3 |", "| Name | Age |"),
        ("| Jim | 4 |", "| Name | Age |"), ("End.", ""),
    ]  # fmt: skip
    later = replace(passage_of("| Jim | 4 |\n\nEnd."), headings=("# Cats", "| Name | Age |"))
    assert [one.headings for one in source_sentences().of(later)] == ["Cats\n| Name | Age |", "Cats"]


@pytest.mark.parametrize(
    ("question", "right", "other"),
    [
        ("What does E-4019 mean?", "E4019 means the cat sleeps.", "E-4016 means the cat sleeps."),
        ("How old is Depot 7?", "Depot 07 has a cat.", "Depot 08 has a cat."),
        ("Is there a cat in version 2.1?", "Version 2.1 has a cat.", "Version 2.10 has a cat."),
    ],
)
def test_what_is_told_of_another_number_comes_behind(question: str, right: str, other: str) -> None:
    passages = [passage_of(other), passage_of("In 2019 a cat came to 9 houses.", 1), passage_of(right, 2)]
    ranked = source_sentences().ranked(question, passages)
    assert ranked[-1].sentence.text == other and ranked[-1].score <= ranked[-2].score - 6.0


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Where did the cat sleep in 2014?", "In 2010 the cat slept."),
        ("Where did the cat sleep on May 5?", "On 5 May 2019 the cat slept."),
    ],
)
def test_a_date_is_no_name(question: str, text: str) -> None:
    passages = [passage_of(text), passage_of("In 2014, on May 5, the dog slept.", 1)]
    assert source_sentences().ranked(question, passages)[0].sentence.text == text


def test_of_many_sentences_those_that_share_words_with_the_question_are_read() -> None:
    reranker = TopicReranker()
    many = [passage_of(" ".join(f"Dogs run {number}." for number in range(30))), passage_of("It is a cat. Fish.", 1)]
    ranked = SourceSentences(TopicEmbedder(), reranker).ranked("Where is the cat?", many)
    ((_, read),) = reranker.seen
    assert len(read) == len(ranked) == 20  # One of them is likely.
    assert read[0].startswith("It is a cat.") and not any(one.startswith("Fish.") for one in read)


def test_if_none_of_them_is_likely_as_many_more_are_read() -> None:
    reranker = TopicReranker()
    many = [passage_of(" ".join(f"The dog sleeps {number}." for number in range(50)))]
    ranked = SourceSentences(TopicEmbedder(), reranker).ranked("Where is the cat?", many)
    assert [len(read) for _, read in reranker.seen] == [20, 20] and len(ranked) == 40


def test_a_rare_word_weighs_more_than_a_frequent_one_and_a_better_passage_more_than_a_worse() -> None:
    reranker = TopicReranker()
    sentences = SourceSentences(TopicEmbedder(), reranker)
    sentences.ranked("Does the dog or the cat rest?", [passage_of("The dog runs. A cat sleeps. The dog eats.")])
    assert [one.split(".")[0] for one in reranker.seen[-1][1]] == ["A cat sleeps", "The dog runs", "The dog eats"]
    texts = ["It runs.", "It eats.", "It sits.", "It sings.", "It naps.", "A cat hides."]
    sentences.ranked("Do cats, dogs, birds, mice, bees rest?", [passage_of(text) for text in texts])
    # The share of the cat is 1.54 of 14.73 of the words' rarity and a 12th for its place; the others have 1/2, 1/4, 1/6.
    assert [texts.index(one.split(" [SEP]")[0]) for one in reranker.seen[-1][1]] == [0, 1, 5, 2, 3, 4]


def test_what_has_no_word_is_no_evidence() -> None:
    sentences = source_sentences()
    assert sentences.ranked("Where do fish swim?", []) == []
    assert sentences.ranked("Where do fish swim?", [passage_of("!!! ??? …")]) == []
    assert [one.sentence.text for one in sentences.ranked("?", [passage_of("Fish. !!!")])] == ["Fish."]


def test_the_sentences_of_the_passages_used_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_module, "_KEPT", 2)
    sentences = source_sentences()
    cat, dog, fish = (passage_of(text, number) for number, text in enumerate(ANIMALS))
    of_cat, of_dog = sentences.of(cat), sentences.of(dog)
    assert sentences.of(replace(cat)) is of_cat
    sentences.of(fish)  # The dog was used least lately.
    assert sentences.of(cat) is of_cat
    assert sentences.of(dog) is not of_dog and texts(sentences.of(dog)) == texts(of_dog)


def test_a_sentence_knows_its_place_and_what_stands_before_it() -> None:
    text = "# Cats\n\nThe cat sleeps. It eats.\fAll day."
    document = Document("d", "cat.pdf", "Cats", text, pages=(0, text.index("All")))
    (passage,) = divided(document)
    found = source_sentences().of(passage)
    assert [one.place for one in found] == list(range(len(found)))
    assert all(text[one.span.start : one.span.end] == one.text for one in found)
    last = found[-1]
    assert last.before == text[: last.span.start]
    assert (citation(3, last).quote, citation(3, last).page, citation(3, last).number) == (last.text, 2, 3)
    assert citation(1, found[1]).page == 1


def test_vectors_have_unit_length(monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = TopicEmbedder()
    monkeypatch.setattr(embedder, "embed_documents", lambda texts: [[3.0, 4.0], [0.0, 0.0]])
    assert np.allclose(SourceSentences(embedder, TopicReranker()).vectors(["a", "b"]), [[0.6, 0.8], [0, 0]])


def test_documents_are_kept_apart_by_their_passages() -> None:
    same = [divided(document, number)[0] for number, document in enumerate(documents_of(["A cat.", "A cat."]))]
    ranked = source_sentences().ranked("cat?", same)
    assert [one.sentence.passage.doc_id for one in ranked] == ["d0", "d1"]


def test_a_follow_up_is_ranked_as_typed_and_with_what_it_leans_on() -> None:
    sentences = SourceSentences(TopicEmbedder(), TopicReranker())
    ranked = sentences.ranked("The dog. Where do they swim?", [passage_of(ANIMALS[2])], "Do fish swim?")
    assert [one.score for one in ranked] == [4.0, 0.0]
    assert [one.score for one in sentences.ranked("The dog.", [passage_of(ANIMALS[2])])] == [-4.0, -4.0]
