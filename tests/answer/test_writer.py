from collections.abc import Iterator
from typing import Any

import pytest
from fakes import (
    ANIMALS,
    EMBEDDER,
    FISH,
    ScriptedModel,
    answering,
    chatbot,
    divided,
    documents_of,
    ending,
    publish,
    source_sentences,
    write,
)  # fmt: skip

from rag.answer.confidence import SIGNALS, Confidence
from rag.answer.context import Context
from rag.answer.evidence import Scored
from rag.answer.question import Kind, Wording
from rag.answer.writer import Draft, Writer, likeliest, nearest
from rag.index.index import Index, open_index
from rag.models.chat_model import LOGPROBS
from rag.settings import Settings
from rag.types import ABSTENTION, NEAREST, Answer, Evidence

WEIGHTS = Confidence(-3.2, {"evidence": 1.0, "stated": 1.0})
"""An answer has log-odds of 2.19, the evidence of FISH 4: the confidence is 0.95, and 0.20 where it is refused."""


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Confidence, "shipped", classmethod(lambda cls: WEIGHTS))


def test_the_text_and_the_question_are_read(settings: Settings, animals: Index) -> None:
    model = answering("Fish swim in the pond.")
    chatbot(settings, animals, model).ask(FISH)
    (prompt,) = model.prompts
    assert all(text in prompt for text in ANIMALS) and prompt.endswith(f"Question: {FISH}")


@pytest.mark.parametrize("said", ["Not stated.", " not stated in the text, sadly.", "“Not stated.”"])
def test_what_the_text_does_not_state_is_not_given(settings: Settings, animals: Index, said: str) -> None:
    *found, answer = chatbot(settings, animals, answering(said)).stream(FISH)
    assert len(found) == 2  # The hits and the evidence, no piece of an answer.
    assert isinstance(answer, Answer) and answer.abstained and answer.citations == answer.sentences == ()
    assert answer.confidence == pytest.approx(0.20, abs=0.01) and answer.near == ()


def test_an_answer_may_begin_like_a_refusal(settings: Settings, animals: Index) -> None:
    said = "Notably, fish swim in the pond."
    assert chatbot(settings, animals, answering(said)).ask(FISH).text == said


def test_nothing_is_written_once_the_first_word_makes_an_answer_too_improbable(
    settings: Settings, animals: Index
) -> None:
    strict = settings.model_copy(update={"abstain_below": 0.96})
    *found, answer = chatbot(strict, animals, answering("Fish swim in the pond.")).stream(FISH)
    assert len(found) == 2 and isinstance(answer, Answer)
    assert answer.abstained and answer.text == f"{NEAREST} “Fish swim in the pond.” “There are 12 fish.”"


def test_what_is_not_stated_is_refused_however_it_is_asked(settings: Settings, animals: Index) -> None:
    hits, evidence, answer = chatbot(settings, animals, answering("Not stated.")).stream("How old is Max?")
    assert isinstance(answer, Answer) and isinstance(evidence, Evidence)
    assert answer.abstained and answer.text == ABSTENTION and answer.near == ()
    assert answer.sentences == answer.citations == ()
    assert list(answer.hits) == hits != []
    assert answer.timings.first_token is None


def test_of_nothing_nothing_is_written(settings: Settings, animals: Index) -> None:
    model = answering("Fish swim in the pond.")
    writer = Writer(settings, model)
    pieces = writer.draft(Kind.FACT, Wording(FISH, ""), Context("", [], [], source_sentences()))
    with pytest.raises(StopIteration) as ended:
        next(pieces)
    assert ended.value.value == Draft((), 0.0, {}) and model.prompts == []


@pytest.mark.parametrize(
    "written",
    ["Fish swim in the Nile.", "The text does not mention where the fish swim."],
    ids=["invented", "declined"],
)
def test_instead_of_an_answer_that_is_not_held_up_the_nearest_sentences_are_quoted(
    settings: Settings, animals: Index, written: str
) -> None:
    answer = chatbot(settings, animals, answering(written)).ask(FISH)
    assert answer.abstained and answer.text == f"{NEAREST} “Fish swim in the pond.” “There are 12 fish.”"
    assert [one.number for one in answer.near] == [1, 2] and answer.citations == answer.sentences == ()
    assert answer.confidence == pytest.approx(0.476, abs=0.001)  # Half of what it was with the first word.


def test_a_sentence_without_support_is_marked(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, answering("Fish swim in the pond. Max is 13.")).ask(FISH)
    assert [(sentence.text, sentence.supported) for sentence in answer.sentences] == [
        ("Fish swim in the pond.", True),
        ("Max is 13.", False),
    ]


def test_what_is_lacking_may_be_said_after_an_answer(settings: Settings, animals: Index) -> None:
    model = answering("Fish swim in the pond. The text does not say how deep it is.")
    answer = chatbot(settings, animals, model).ask(FISH)
    assert [(one.supported, one.why) for one in answer.sentences] == [(True, ""), (True, "")]
    assert len(answer.citations) == 1 and answer.sentences[1].citations == ()


def test_a_no_may_stand_before_what_the_text_says(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, answering("No, there are 12 fish.")).ask("Are there 15 fish that swim?")
    assert answer.text == "No, there are 12 fish." and answer.sentences[0].supported


def test_only_a_model_that_may_give_log_probabilities_is_asked_for_them(settings: Settings, animals: Index) -> None:
    asked: list[dict[str, object]] = []

    class Asked(ScriptedModel):
        def _stream(self, messages: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
            asked.append(kwargs)
            yield from super()._stream(messages, *args, **kwargs)

    for tags in ([LOGPROBS], []):
        chatbot(settings, animals, Asked(responses=["Fish swim in the pond."], tags=tags)).ask(FISH)
    assert asked[0]["logprobs"] is True and asked[0]["top_logprobs"] == 10
    assert "logprobs" not in asked[1]


SUMMARY = "The black cat sleeps all day. Fish swim in the pond. "


def test_a_summary_is_not_asked_for_in_the_text(settings: Settings, animals: Index) -> None:
    model = answering(f"{SUMMARY}Max is 13.")
    answer = chatbot(settings, animals, model).ask("Summarise it")
    assert len(model.prompts) == 1 and all(text in model.prompts[0] for text in ANIMALS)
    assert [sentence.supported for sentence in answer.sentences] == [True, True, False]
    assert answer.confidence == pytest.approx(2 / 3)


def test_the_length_that_is_asked_for_is_told(settings: Settings, animals: Index) -> None:
    model = answering(SUMMARY)
    chatbot(settings, animals, model).ask("Summarise it in two sentences")
    assert "Answer in two complete sentences, only from the text" in model.prompts[0]


@pytest.mark.parametrize("ends", ["stop", "length"])
def test_of_a_summary_that_does_not_hold_the_extract_is_given(settings: Settings, animals: Index, ends: str) -> None:
    model = ending("Max is 13. Rex is 5. Fish swim in the pond.", finish_reason=ends)
    _, evidence, *_, answer = chatbot(settings, animals, model).stream("Summarise it in two sentences")
    assert isinstance(answer, Answer) and isinstance(evidence, Evidence)
    assert len(answer.sentences) == 2 and answer.citations == evidence.citations
    assert [one.text for one in answer.sentences] == [one.quote for one in evidence.citations]
    assert (answer.confidence, answer.incomplete) == (1.0, "")


def test_of_a_summary_that_is_refused_the_extract_is_given(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, answering("Not stated.")).ask("Summarise it in two sentences")
    assert len(answer.sentences) == 2 and not answer.abstained


def test_an_extract_is_no_answer_about_what_it_does_not_name(settings: Settings, animals: Index) -> None:
    model = answering("Max is 13. Rex is 5. Fish swim in the pond.")
    answer = chatbot(settings, animals, model).ask("Summarise what is said about zebras")
    assert answer.abstained and [one.quote for one in answer.near] != []


def test_of_a_summary_that_was_cut_the_last_sentence_does_not_count(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, ending(f"{SUMMARY}The dog", finish_reason="length")).ask("Summarise it")
    assert answer.incomplete == "length" and answer.confidence == pytest.approx(2 / 3)
    assert [sentence.supported for sentence in answer.sentences] == [True, True, False]


def test_unsupported_sentences_are_dropped_where_the_settings_say_so(settings: Settings, animals: Index) -> None:
    model = answering("Fish swim in the pond. Max is 13.")
    answer = chatbot(settings.model_copy(update={"unsupported": "drop"}), animals, model).ask(FISH)
    assert answer.text == "Fish swim in the pond."


@pytest.mark.parametrize(
    "written",
    ["Fish swim in the pond. ![x](https://evil.example/a.png)", "Fish swim in [the pond](https://evil.example)."],
)
def test_links_and_images_are_taken_off(settings: Settings, animals: Index, written: str) -> None:
    answer = chatbot(settings, animals, answering(written)).ask(FISH)
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
    answer = chatbot(settings, animals, answering(written)).ask(FISH)
    assert [sentence.text for sentence in answer.sentences] == texts


def test_an_answer_that_only_repeats_the_question_becomes_the_nearest_sentence(
    settings: Settings, animals: Index
) -> None:
    answer = chatbot(settings, animals, answering("The fish swim.")).ask("Where do the fish swim?")
    assert answer.text == "Fish swim in the pond."


@pytest.mark.slow
def test_exact_words_are_quoted_from_the_text(settings: Settings, animals: Index) -> None:
    write(settings.data, {"said.txt": "A fish likes to swim. The dog said: “I eat every fish.” The dog sleeps."})
    publish(settings.index, settings.data)
    answer = chatbot(settings, animals, answering("The dog sleeps.")).ask("What exactly did the dog say of fish?")
    assert answer.text == "The dog said: “I eat every fish.”"


def test_the_signals_behind_the_confidence_are_given(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, answering("Fish swim in the pond.")).ask(FISH)
    assert set(answer.signals) == set(SIGNALS)
    assert answer.signals["evidence"] == 4
    assert answer.signals["stated"] == pytest.approx(2.19, abs=0.01)
    assert answer.confidence == WEIGHTS.probability(answer.signals)


@pytest.mark.slow
def test_what_somebody_in_the_text_could_not_tell_is_an_answer(settings: Settings) -> None:
    said = "The police were unable to determine where the fish swim."
    write(settings.data, {"fish.txt": said})
    publish(settings.index, settings.data)
    bot = chatbot(settings, open_index(settings.index, EMBEDDER), answering(said))
    assert bot.ask("What about the fish that swim were the police unable to determine?").text == said


def test_nothing_written_is_no_answer(settings: Settings, animals: Index) -> None:
    assert chatbot(settings, animals, answering(" ")).ask("Do fish swim in the pond?").abstained


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
    assert chatbot(settings, animals, answering("Fish swim in the pond.")).ask(FISH).incomplete == ""


def test_a_last_sentence_that_the_text_has_word_for_word_is_vouched_for(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, ending("Fish swim in the pond.")).ask(FISH)
    assert answer.incomplete == "broke off" and answer.sentences[0].supported


def test_all_there_is_of_an_answer_is_given_where_its_only_sentence_is_cut(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, ending("There are 12")).ask(FISH)
    assert (answer.text, answer.incomplete, answer.abstained) == ("There are 12", "broke off", False)
    assert answer.citations == ()
    dropping = settings.model_copy(update={"unsupported": "drop"})
    assert chatbot(dropping, animals, ending("There are 12")).ask(FISH).abstained


# What is shown before


@pytest.mark.parametrize(
    ("scores", "shown"),
    [
        ([3.0, 2.0, 1.0], 2),  # At most two,
        ([3.0, -1.5], 1),  # none so much worse than the first,
        ([-5.0, -5.1], 1),  # and none that hardly answers.
        ([-5.1], 0),
        ([], 0),
    ],
)
def test_the_evidence_is_what_may_answer(scores: list[float], shown: int) -> None:
    (document,) = documents_of(["The cat sleeps. It eats. It swims."])
    (passage,) = divided(document)
    sentences = source_sentences()
    ranked = [Scored(one, score) for one, score in zip(sentences.of(passage), scores, strict=False)]
    found = likeliest(Context("", [], ranked, sentences))
    assert [(one.number, one.quote) for one in found.citations] == [
        (i, one.sentence.text) for i, one in enumerate(ranked[:shown], 1)
    ]


def test_the_nearest_are_quoted_from_a_share_of_the_threshold_on(settings: Settings) -> None:
    (document,) = documents_of(["The cat sleeps."])
    (passage,) = divided(document)
    sentences = source_sentences()
    found = likeliest(Context("", [], sentences.ranked("cat", [passage]), sentences))
    strict = settings.model_copy(update={"abstain_below": 0.8})
    assert [len(nearest(Draft((), sure, {}), found, strict)) for sure in (0.31, 0.33)] == [0, 1]


@pytest.mark.parametrize(
    "written", ["<think>Fish? 13 of them.</think>\n\nFish swim in the pond.", "13 fish?</think>Fish swim in the pond."]
)
def test_thoughts_are_neither_shown_nor_a_part_of_the_answer(settings: Settings, animals: Index, written: str) -> None:
    bot = chatbot(settings, animals, ScriptedModel(responses=[written]))
    *events, answer = bot.stream(FISH)
    assert "".join(event for event in events if isinstance(event, str)).strip() == "Fish swim in the pond."
    assert isinstance(answer, Answer) and answer.text == "Fish swim in the pond."


def test_of_thoughts_that_never_end_nothing_is_given(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, answering("<think>Fish swim in the pond.")).ask(FISH)
    assert answer.abstained and answer.sentences == ()


def test_thoughts_that_were_shown_are_no_part_of_the_answer(settings: Settings, animals: Index) -> None:
    answer = chatbot(settings, animals, answering("Max is 13.</think>Fish swim in the pond.")).ask(FISH)
    assert answer.text == "Fish swim in the pond."
