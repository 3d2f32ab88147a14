from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from conftest import ANIMALS, EMBEDDER, ScriptedModel, TopicEmbedder, publish, write
from langchain_core.language_models import BaseChatModel

from rag.chat import LONGEST_QUESTION, Chatbot
from rag.confidence import AFTER, PASSAGES, WHOLE, WRITTEN, Confidence
from rag.errors import QuestionError, StoreError
from rag.index import Index, is_sound, open_index
from rag.prompts import ABSTENTION
from rag.settings import Settings
from rag.types import Answer

FISH = "Where do the fish swim?"


def chatbot(settings: Settings, index: Index, model: BaseChatModel) -> Chatbot:
    return Chatbot(settings, index, model, TopicEmbedder())


def long(settings: Settings) -> Settings:
    """The settings with which any text is too long to be read whole, so that the last check is never left out."""
    return settings.model_copy(update={"whole_article_words": 0})


def scripted(*responses: str) -> ScriptedModel:
    """A model that says these in turn: whether the text states it, the answer, whether what is cited states it."""
    return ScriptedModel(responses=list(responses))


def test_the_hits_come_first_then_the_pieces_then_the_answer(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    hits, *pieces, answer = chatbot(settings, animals, model).stream(FISH)
    assert isinstance(hits, list) and hits[0].chunk.text == ANIMALS[2]
    assert "".join(map(str, pieces)) == "Fish swim in the pond."
    assert isinstance(answer, Answer)
    assert answer.text == "Fish swim in the pond."
    assert not answer.abstained and answer.confidence > 0.9
    assert [citation.quote for citation in answer.citations] == ["Fish swim in the pond."]
    assert answer.sentences[0].citations == answer.citations
    times = answer.timings
    assert times.first_token is not None
    assert 0 <= times.rewrite <= times.retrieve <= times.first_token <= times.total


def test_before_the_first_piece_nothing_but_the_hits_is_waited_for(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    stream = chatbot(settings, animals, model).stream(FISH)
    assert isinstance(next(stream), list)
    assert model.prompts == []


def test_the_model_reads_a_short_article_whole_and_the_best_sentences_again(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    chatbot(settings, animals, model).ask(FISH)
    check, answer = model.prompts
    assert all(text in check and text in answer for text in ANIMALS)
    assert "- Fish swim in the pond.\n" in answer and FISH in answer
    assert check.split("Does the text")[0] == answer.split("Answer in one")[0]


def test_the_cited_sentences_are_checked_alone(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    chatbot(long(settings), animals, model).ask(FISH)
    *_, ground = model.prompts
    assert len(model.prompts) == 3
    assert ANIMALS[0] not in ground and "Text: Fish swim in the pond.\n" in ground


def test_of_a_long_text_only_the_passages_found_are_read(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    chatbot(settings.model_copy(update={"whole_article_words": 5, "passages": 1}), animals, model).ask(FISH)
    assert ANIMALS[2] in model.prompts[1]
    assert ANIMALS[0] not in model.prompts[1]


def test_a_citation_outside_the_hits_brings_its_passage_along(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "The dog is called Rex.", "Yes")
    answer = chatbot(settings.model_copy(update={"passages": 1}), animals, model).ask("Where do fish swim and eat?")
    assert [hit.chunk.text for hit in answer.hits] == [ANIMALS[2], ANIMALS[1]]


def test_what_the_text_does_not_state_is_not_written(settings: Settings, animals: Index) -> None:
    model = scripted("No")
    hits, answer = chatbot(settings, animals, model).stream("How old is Rex?")
    assert isinstance(answer, Answer)
    assert answer.abstained and answer.text == ABSTENTION
    assert answer.sentences == answer.citations == ()
    assert list(answer.hits) == hits != []
    assert answer.timings.first_token is None


@pytest.mark.parametrize(
    "responses",
    [
        ("Yes", "Fish swim in the Nile."),
        ("Yes", "The text does not mention where the fish swim."),
        ("Yes", "Fish swim in the pond.", "No"),
    ],
    ids=["invented", "declined", "doubted"],
)
def test_an_answer_that_is_not_held_up_is_withdrawn(
    settings: Settings, animals: Index, responses: tuple[str, ...]
) -> None:
    strict = long(settings).model_copy(update={"abstain_below": 0.8})
    answer = chatbot(strict, animals, scripted(*responses)).ask(FISH)
    assert answer.abstained and answer.text == ABSTENTION
    assert answer.confidence < 0.8
    assert not chatbot(strict, animals, scripted("Yes", "Fish swim in the pond.", "Yes")).ask(FISH).abstained


def test_a_sentence_without_support_is_marked(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, scripted("Yes", "Fish swim in the pond. Max is 13.", "Yes")).ask(FISH)
    assert [(sentence.text, sentence.supported) for sentence in answer.sentences] == [
        ("Fish swim in the pond.", True),
        ("Max is 13.", False),
    ]


def test_a_follow_up_is_searched_and_asked_with_the_turn_before(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "A dog eats two bones.", "Yes")
    answer = chatbot(settings, animals, model).ask("What does he eat?", [("Who is Rex?", "The dog is called Rex.")])
    assert answer.question == "Who is Rex? The dog is called Rex. What does he eat?"
    assert "What does he eat? (This was asked after: Who is Rex? The dog is called Rex.)" in model.prompts[1]
    assert answer.hits[0].chunk.text == ANIMALS[1]


def test_the_question_before_does_not_set_the_type_of_the_answer(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "The dog is called Rex.", "Yes")
    answer = chatbot(settings, animals, model).ask("Who is he?", [("How many bones does the dog eat?", "Two bones.")])
    assert not answer.abstained and answer.confidence > 0.9


def test_questions_put_at_once_are_answered_one_after_the_other(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "A dog eats two bones.", "Yes", "Fish swim in the pond.")
    _, *pieces, answer = chatbot(settings, animals, model).stream("What does the dog eat and where do fish swim?")
    assert isinstance(answer, Answer)
    assert "".join(map(str, pieces)) == answer.text == "A dog eats two bones. Fish swim in the pond."
    assert [citation.number for sentence in answer.sentences for citation in sentence.citations] == [1, 2]
    assert "Question: What does the dog eat?" in model.prompts[1]
    assert "Question: Where do fish swim?" in model.prompts[3]
    assert answer.question == "What does the dog eat and where do fish swim?"


def test_of_questions_put_at_once_the_one_without_an_answer_is_named(settings: Settings, animals: Index) -> None:
    model = scripted("No", "Yes", "Fish swim in the pond.", "Yes")
    answer = chatbot(settings, animals, model).ask("How old is Max Miller and where do fish swim?")
    assert not answer.abstained
    assert answer.text == "The documents do not answer “How old is Max Miller?” Fish swim in the pond."
    assert [(sentence.supported, len(sentence.citations)) for sentence in answer.sentences] == [(False, 0), (True, 1)]
    assert answer.citations[0].number == 1


def test_when_no_part_is_answered_the_reply_is_the_one_abstention(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, scripted("No", "No")).ask("How old is Max Miller and when was he born?")
    assert answer.abstained and answer.text == ABSTENTION and answer.sentences == ()


def test_a_summary_is_not_asked_for_in_the_text(settings: Settings, animals: Index) -> None:
    model = scripted("The black cat sleeps all day. Fish swim in the pond. Max is 13.")
    answer = chatbot(settings, animals, model).ask("Summarise it")
    assert len(model.prompts) == 1 and all(text in model.prompts[0] for text in ANIMALS)
    assert [sentence.supported for sentence in answer.sentences] == [True, True, False]
    assert answer.confidence == pytest.approx(2 / 3)


def test_unsupported_sentences_are_dropped_where_the_settings_say_so(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond. Max is 13.", "Yes")
    answer = chatbot(settings.model_copy(update={"unsupported": "drop"}), animals, model).ask(FISH)
    assert answer.text == "Fish swim in the pond."


@pytest.mark.parametrize(
    "written",
    ["Fish swim in the pond. ![x](https://evil.example/a.png)", "Fish swim in [the pond](https://evil.example)."],
)
def test_links_and_images_are_taken_off(settings: Settings, animals: Index, written: str) -> None:
    answer = chatbot(settings, animals, scripted("Yes", written, "Yes")).ask(FISH)
    assert "evil" not in answer.text and "](" not in answer.text
    assert answer.sentences[0].text == "Fish swim in the pond."


@pytest.mark.parametrize(
    ("written", "texts"),
    [
        ("1. Fish swim in the pond. 2. There are 12 fish.", ["Fish swim in the pond.", "There are 12 fish."]),
        ("1. Fish swim in the pond.\n2. There are 12 fish.", ["Fish swim in the pond.", "There are 12 fish."]),
        ("The fish number: 12. Fish swim in the pond.", ["The fish number: 12.", "Fish swim in the pond."]),
        ("- Fish swim in the pond,\n- There are 12 fish!", ["Fish swim in the pond.", "There are 12 fish!"]),
    ],
)
def test_the_numbers_of_a_list_are_no_sentences(
    settings: Settings, animals: Index, written: str, texts: list[str]
) -> None:
    answer = chatbot(settings, animals, scripted("Yes", written, "Yes")).ask(FISH)
    assert [sentence.text for sentence in answer.sentences] == texts


def test_an_answer_that_only_repeats_the_question_becomes_the_nearest_sentence(
    settings: Settings, animals: Index
) -> None:
    answer = chatbot(settings, animals, scripted("Yes", "The fish swim.", "Yes")).ask("Where do the fish swim?")
    assert answer.text == "Fish swim in the pond."


def test_exact_words_are_quoted_from_the_text(settings: Settings, animals: Index) -> None:
    write(settings.data, {"said.txt": "A fish likes to swim. The dog said: “I eat every fish.” The dog sleeps."})
    publish(settings.index, settings.data)
    answer = chatbot(settings, animals, scripted("Yes", "The dog sleeps.", "Yes")).ask(
        "What exactly did the dog say of fish?"
    )
    assert answer.text == "The dog said: “I eat every fish.”"


def test_the_signals_behind_the_confidence_are_given(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    answer = chatbot(long(settings), animals, model).ask(FISH)
    assert set(answer.signals) == {WHOLE, *AFTER} and answer.signals[WHOLE] == 0
    assert answer.confidence == Confidence.shipped(PASSAGES).late.probability(answer.signals)


def test_a_clear_answer_from_a_short_text_is_not_checked_again(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.")
    answer = chatbot(settings, animals, model).ask(FISH)
    assert len(model.prompts) == 2
    assert set(answer.signals) == {WHOLE, *WRITTEN} and answer.signals[WHOLE] == 1
    assert answer.confidence == Confidence.shipped(WHOLE).written.probability(answer.signals)


def test_a_text_that_does_not_fit_the_context_is_cut_to_what_does(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    bot = chatbot(settings.model_copy(update={"context": 880}), animals, model)
    assert bot.ask(FISH).text == "Fish swim in the pond."
    assert ANIMALS[2] in model.prompts[0] and ANIMALS[0] not in model.prompts[0]


def test_undecodable_bytes_in_a_question_do_no_harm(settings: Settings, animals: Index) -> None:
    assert chatbot(settings, animals, scripted("No")).ask("Fish\udce9?").question == "Fish\ufffd?"


@pytest.mark.parametrize("question", ["", " \n\t", "x" * (LONGEST_QUESTION + 1), "word " * 20_000])
def test_a_question_that_cannot_be_asked_is_refused(settings: Settings, animals: Index, question: str) -> None:
    with pytest.raises(QuestionError, match=r"type one|shorten it"):
        chatbot(settings, animals, scripted()).ask(question)


def test_closing_the_stream_stops_the_model(settings: Settings, animals: Index) -> None:
    closed: list[bool] = []

    class Endless(ScriptedModel):
        def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                while True:
                    yield from super()._stream(messages, *args, **kwargs)
                    self.i = 1
            finally:
                closed.append(True)

    stream = chatbot(settings, animals, Endless(responses=["Yes", "Fish "])).stream(FISH)
    assert [next(stream) for _ in range(4)][1:] == ["F", "i", "s"]
    stream.close()  # type: ignore[attr-defined]
    assert closed == [True]


def test_opening_without_an_index_names_the_command(settings: Settings) -> None:
    assert not is_sound(settings.index)
    with pytest.raises(StoreError, match=r"python ingest\.py"):
        Chatbot.open(settings, model=scripted(), embedder=TopicEmbedder())


def test_the_next_question_is_answered_from_the_index_published_meanwhile(settings: Settings, animals: Index) -> None:
    bot = chatbot(settings, animals, scripted("Yes", "Fish swim in the pond.", "Yes", "Fish fly."))
    assert bot.ask(FISH).text == "Fish swim in the pond."
    write(settings.data, {"new.txt": "Fish fly."})
    publish(settings.index, settings.data)
    answer = bot.ask(FISH)
    assert answer.text == "Fish fly."
    assert answer.citations[0].source.endswith("new.txt")
    assert [document.text for document in bot.documents.values()] == ["Fish fly."]


def test_an_answer_is_plain_data(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, scripted("Yes", "Fish swim in the pond.", "Yes")).ask(FISH)
    assert replace(answer) == answer and hash(answer) == hash(replace(answer))


def test_only_the_chosen_documents_are_read_and_cited(settings: Settings, animals: Index) -> None:
    cat, dog, fish = animals.documents
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    answer = chatbot(settings, animals, model).ask(FISH, documents=[cat, fish])
    assert {hit.chunk.doc_id for hit in answer.hits} == {cat, fish}
    assert [citation.doc_id for citation in answer.citations] == [fish]
    assert ANIMALS[0] in model.prompts[0] and ANIMALS[1] not in model.prompts[0]
    _, answer = chatbot(settings, animals, scripted("No")).stream(FISH, (), [dog])
    assert isinstance(answer, Answer) and answer.abstained
    assert [hit.chunk.doc_id for hit in answer.hits] == [dog]


def test_a_choice_of_documents_that_are_all_gone_is_refused(settings: Settings, animals: Index) -> None:
    with pytest.raises(QuestionError, match="choose others"):
        chatbot(settings, animals, scripted()).ask(FISH, documents=["gone"])


def test_a_list_of_the_documents_knows_what_was_published_before_any_question(
    settings: Settings, animals: Index
) -> None:
    bot = chatbot(settings, animals, scripted())
    write(settings.data, {"new.txt": "Fish fly."})
    publish(settings.index, settings.data)
    assert [document.text for document in bot.documents.values()] == ["Fish fly."]


def test_what_somebody_in_the_text_could_not_tell_is_an_answer(settings: Settings) -> None:
    said = "The police were unable to determine where the fish swim."
    write(settings.data, {"fish.txt": said})
    publish(settings.index, settings.data)
    bot = chatbot(settings, open_index(settings.index, EMBEDDER), scripted("Yes", said, "Yes"))
    assert not bot.ask("What were the police unable to determine?").abstained
