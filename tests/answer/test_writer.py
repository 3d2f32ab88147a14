from collections.abc import Iterator
from typing import Any

import pytest
from fakes import ANIMALS, EMBEDDER, FISH, ScriptedModel, chatbot, publish, scripted, write
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from rag.answer.confidence import AFTER, PASSAGES, WHOLE, Confidence
from rag.index.index import Index, open_index
from rag.models.chat_model import LOGPROBS
from rag.settings import Settings
from rag.types import ABSTENTION, Answer


def long(settings: Settings) -> Settings:
    """The settings with which any text is too long to be read whole, so that the last check is never left out."""
    return settings.model_copy(update={"whole_article_words": 0})


def test_the_cited_sentences_are_checked_alone(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "Fish swim in the pond.", "Yes")
    chatbot(long(settings), animals, model).ask(FISH)
    *_, ground = model.prompts
    assert len(model.prompts) == 3
    assert ANIMALS[0] not in ground and "Text: Fish swim in the pond.\n" in ground


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


@pytest.mark.slow
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
    assert answer.confidence == Confidence.shipped(PASSAGES).after.probability(answer.signals)


@pytest.mark.slow
def test_what_somebody_in_the_text_could_not_tell_is_an_answer(settings: Settings) -> None:
    said = "The police were unable to determine where the fish swim."
    write(settings.data, {"fish.txt": said})
    publish(settings.index, settings.data)
    bot = chatbot(settings, open_index(settings.index, EMBEDDER), scripted("Yes", said, "Yes"))
    assert not bot.ask("What were the police unable to determine?").abstained


@pytest.mark.parametrize(
    ("question", "written", "verdict", "given"),
    [
        (
            "Do fish swim in the pond?",
            "The text says that fish swim in the pond.",
            "Yes",
            "Yes. Fish swim in the pond.",
        ),
        ("Do fish swim in the pond?", "Yes, fish swim in the pond.", "Yes", "Yes. Fish swim in the pond."),
        ("Are there 15 fish?", "The text says that there are 12 fish.", "No", "No. There are 12 fish."),
        ("Do fish swim?", "The text says that the fish swim.", "No", "No. Fish swim in the pond."),
    ],
    ids=["prefixed", "plain", "denied", "repeated"],
)
def test_a_yes_or_a_no_is_what_the_cited_sentences_say(
    settings: Settings, animals: Index, question: str, written: str, verdict: str, given: str
) -> None:
    model = scripted("Yes", written, "Yes", verdict)
    answer = chatbot(long(settings), animals, model).ask(question)
    assert answer.text == given
    assert all(citation.quote in ANIMALS[2] for citation in answer.citations)
    assert "beginning with “The text says that”" in model.prompts[1]
    assert "Is the answer Yes or No, according to the text?" in model.prompts[3]


def test_without_a_sure_yes_or_no_what_the_text_says_must_do(
    settings: Settings, animals: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.answer.writer._AFFIRMED", 7)
    for written in ("The text says that fish swim in the pond.", "The text says that the fish swim."):
        model = scripted("Yes", written, "Yes", "Yes")
        assert chatbot(long(settings), animals, model).ask("Do fish swim?").text == "Fish swim in the pond."


@pytest.mark.slow
def test_what_denies_the_question_is_a_no(settings: Settings) -> None:
    write(settings.data, {"fish.txt": "The fish do not swim in the pond at night."})
    publish(settings.index, settings.data)
    model = scripted("Yes", "The text says that the fish do not swim in the pond at night.", "Yes", "Yes")
    bot = chatbot(long(settings), open_index(settings.index, EMBEDDER), model)
    assert bot.ask("Do fish swim in the pond?").text == "No. The fish do not swim in the pond at night."


def test_an_answer_that_is_not_given_needs_no_yes_or_no(settings: Settings, animals: Index) -> None:
    model = scripted("Yes", "The text says that fish swim in the Nile.")
    answer = chatbot(long(settings), animals, model).ask("Do fish swim in the Nile?")
    assert answer.abstained and len(model.prompts) == 2


def test_nothing_written_is_no_answer_to_a_question_of_yes_or_no(settings: Settings, animals: Index) -> None:
    assert chatbot(long(settings), animals, scripted("Yes", " ")).ask("Do fish swim in the pond?").abstained


class EndingModel(ScriptedModel):
    """Ends its streams as `ending` says, the metadata of the last passage; without one they break off."""

    ending: dict[str, str]

    def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        yield from super()._stream(messages, *args, **kwargs)
        if self.ending:
            yield ChatGenerationChunk(message=AIMessageChunk(content="", response_metadata=self.ending))


def ending(written: str, **ending: str) -> EndingModel:
    """Of a server that speaks OpenAI's protocol."""
    return EndingModel(responses=["Yes", written, "Yes"], ending=ending, tags=[LOGPROBS])


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ({}, "broke off"),
        ({"finish_reason": "content_filter"}, "broke off"),
        ({"finish_reason": "length"}, "length"),
        ({"stop_reason": "max_tokens"}, "length"),
        ({"finish_reason": "MAX_TOKENS"}, "length"),
    ],
)
def test_the_last_sentence_of_an_answer_cut_short_is_not_vouched_for(
    settings: Settings, animals: Index, reason: dict[str, str], why: str
) -> None:
    answer = chatbot(settings, animals, ending("There are 12 fish. Fish swim in the", **reason)).ask(FISH)
    assert answer.incomplete == why and not answer.abstained
    assert [(sentence.text, sentence.supported) for sentence in answer.sentences] == [
        ("There are 12 fish.", True),
        ("Fish swim in the", False),
    ]
    assert [citation.quote for citation in answer.citations] == ["There are 12 fish."]


@pytest.mark.parametrize("reason", [{"finish_reason": "stop"}, {"stop_reason": "end_turn"}])
def test_an_answer_that_ends_as_it_should_is_whole(settings: Settings, animals: Index, reason: dict[str, str]) -> None:
    answer = chatbot(settings, animals, ending("Fish swim in the pond.", **reason)).ask(FISH)
    assert answer.incomplete == "" and answer.sentences[0].supported


def test_of_a_model_that_gives_no_reasons_an_answer_is_taken_for_whole(settings: Settings, animals: Index) -> None:
    assert chatbot(settings, animals, scripted("Yes", "Fish swim in the pond.", "Yes")).ask(FISH).incomplete == ""


def test_a_last_sentence_that_the_text_has_word_for_word_is_vouched_for(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, ending("Fish swim in the pond.")).ask(FISH)
    assert answer.incomplete == "broke off" and answer.sentences[0].supported


def test_all_there_is_of_an_answer_is_given_where_its_only_sentence_is_cut(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, ending("There are 12")).ask(FISH)
    assert (answer.text, answer.incomplete, answer.abstained) == ("There are 12", "broke off", False)
    assert answer.citations == ()
    dropping = settings.model_copy(update={"unsupported": "drop"})
    assert chatbot(dropping, animals, ending("There are 12")).ask(FISH).text == ABSTENTION
