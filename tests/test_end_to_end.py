"""The real embedder, the real chat model, the shipped article: a handful of questions."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import ingest
from rag import Answer, Chatbot, Evidence, Hit, Settings
from rag.index.manifest import Corpus
from rag.models.chat_model import open_model

pytestmark = pytest.mark.model
ROOT = Path(ingest.__file__).parent


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    read = Settings(data=ROOT / "data", index=tmp_path_factory.mktemp("index"), model="", base_url="")
    assert ingest.ingest(read, Corpus((str(read.data),))) == 0
    return read


@pytest.fixture(scope="module")
def bot(settings: Settings) -> Iterator[Chatbot]:
    with Chatbot.open(settings) as opened:
        yield opened


@pytest.mark.parametrize(
    ("question", "words", "evidence"),
    [
        ("Who is the chief of NATO?", "Mark Rutte", "NATO’s chief, Mark Rutte"),
        ("Which cities did Zelensky visit to promote his plan?", "Rome", "Washington, Paris, Berlin, Rome, and London"),
        ("How many member states does NATO have?", "32", "NATO’s 32 member states"),
    ],
)
def test_an_answer_holds_the_words_and_cites_their_source(
    bot: Chatbot, question: str, words: str, evidence: str
) -> None:
    answer = bot.ask(question)
    assert not answer.abstained
    assert words in answer.text
    assert all(sentence.supported for sentence in answer.sentences)
    assert any(evidence in citation.quote for citation in answer.citations)
    for citation in answer.citations:
        assert bot.documents[citation.doc_id].text[citation.start : citation.end] == citation.quote


@pytest.mark.parametrize("question", ["What is the capital of Australia?", "How old is Mark Rutte?"])
def test_what_the_article_does_not_say_is_not_said(bot: Chatbot, question: str) -> None:
    answer = bot.ask(question)
    assert answer.abstained
    assert answer.citations == ()
    assert len(answer.hits) >= 4


def test_a_yes_or_no_question_gets_no_yes_that_the_article_denies(bot: Chatbot) -> None:
    answer = bot.ask("Does Germany support giving Ukraine immediate entry into the alliance?")
    assert not answer.text.startswith("Yes") and "in direct conflict with Russia" in answer.text
    assert bot.ask("Was the plan presented to Ukrainian lawmakers?").text.startswith("Yes")


def test_a_follow_up_keeps_its_thread(bot: Chatbot) -> None:
    answer = bot.ask("What did he say about Ukraine joining NATO?", [("Who is the chief of NATO?", "Mark Rutte.")])
    assert "Rutte" in answer.question
    assert "will be a member of NATO in the future" in answer.text


def test_the_passages_come_before_the_words(bot: Chatbot) -> None:
    hits, evidence, *pieces, answer = bot.stream("Who is the German Chancellor?")
    assert isinstance(hits, list) and isinstance(hits[0], Hit)
    assert isinstance(evidence, Evidence) and "Scholz" in evidence.citations[0].quote
    assert len(pieces) > 1
    assert isinstance(answer, Answer)
    assert answer.timings.retrieve < 1
    assert "Scholz" in answer.text


def test_a_server_that_speaks_openai_is_a_setting(settings: Settings) -> None:
    with open_model(settings) as served:
        url, key = served.openai_api_base, served.openai_api_key  # type: ignore[attr-defined]
        remote = settings.model_copy(update={"base_url": url, "api_key": key, "model": "any"})
        with Chatbot.open(remote) as bot:
            assert "Rutte" in bot.ask("Who is the chief of NATO?").text


def test_an_engine_can_be_ended_as_soon_as_it_is_there(settings: Settings) -> None:
    for _ in range(3):
        with open_model(settings):
            pass
