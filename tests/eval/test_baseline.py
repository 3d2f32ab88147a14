"""The tutorial's chain on a fake model, a hand-made embedder and a real Chroma in memory."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import openai
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage

from eval.baseline import NEAREST, Baseline
from eval.dataset import Question
from eval.run import run
from rag.errors import ModelError
from rag.settings import read_settings
from rag.types import Answer, Document, Hit

SETTINGS = read_settings(model="", base_url="")
WORDS = ("cat", "dog", "fish", "bird", "snake", "horse")


class WordEmbedder(Embeddings):
    """One dimension for each of WORDS, which counts it, and a constant one."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[*(float(text.lower().count(word)) for word in WORDS), 0.1] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class Listening(GenericFakeChatModel):
    """Says its script, and keeps what it was sent."""

    heard: list[str] = []  # noqa: RUF012

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        self.heard.extend(str(message.content) for message in messages)
        return super()._generate(messages, *args, **kwargs)


def paragraph(word: str) -> str:
    return " ".join([f"The {word} sleeps."] * 40)


ZOO = Document("zoo", "zoo.txt", "Zoo", "\n\n".join(paragraph(word) for word in WORDS))
PLANTS = Document("plants", "plants.txt", "Plants", "Moss {grows} slowly.")
DOCUMENTS = {"zoo": ZOO, "plants": PLANTS}


def stream(baseline: Baseline, question: str) -> tuple[list[Hit], list[str], Answer]:
    hits, *pieces, answer = baseline.stream(question, [("Who?", "Nobody.")])
    assert isinstance(hits, list) and isinstance(answer, Answer)
    return hits, [piece for piece in pieces if isinstance(piece, str)], answer


def test_the_nearest_passages_come_first_and_are_spans_of_their_documents() -> None:
    model = Listening(messages=iter([AIMessage("The fish sleeps.")]))
    with closing(Baseline(SETTINGS, model, WordEmbedder(), DOCUMENTS)) as baseline:
        hits, pieces, answer = stream(baseline, "Where is the fish?")
    assert len(hits) == NEAREST
    assert "fish" in hits[0].passage.text and "snake" not in hits[0].passage.text
    similarities = [hit.similarity for hit in hits if hit.similarity is not None]
    assert len(similarities) == 4 and similarities == sorted(similarities, reverse=True)
    assert similarities[0] == pytest.approx(0.995, abs=0.001)  # 40 fish and 0.1 against 1 fish and 0.1.
    assert [hit.dense_rank for hit in hits] == [1, 2, 3, 4]
    for hit in hits:
        assert len(hit.passage.text) <= 1000
        assert DOCUMENTS[hit.passage.doc_id].text[hit.passage.start : hit.passage.end] == hit.passage.text
    assert len(pieces) > 1
    assert "".join(pieces) == answer.text == "The fish sleeps."
    assert (answer.hits, answer.citations, answer.sentences) == (tuple(hits), (), ())
    assert (answer.abstained, answer.confidence, answer.question) == (False, 1.0, "Where is the fish?")
    assert answer.timings.first_token is not None
    assert 0 < answer.timings.retrieve <= answer.timings.first_token <= answer.timings.total


def test_the_prompt_is_the_tutorials() -> None:
    model = Listening(messages=iter([AIMessage("Slowly.")]), heard=[])
    with closing(Baseline(SETTINGS, model, WordEmbedder(), {"plants": PLANTS})) as baseline:
        stream(baseline, "How does {moss} grow?")
    assert model.heard == [
        "You are an assistant for question-answering tasks. Use the following pieces of retrieved context to answer "
        "the question. If you don't know the answer, just say that you don't know. Use three sentences maximum and "
        "keep the answer concise.\nQuestion: How does {moss} grow? \nContext: Moss {grows} slowly. \nAnswer:"
    ]


def test_two_baselines_do_not_share_passages() -> None:
    model = Listening(messages=iter([AIMessage("Slowly.")]))
    with (
        closing(Baseline(SETTINGS, model, WordEmbedder(), {"zoo": ZOO})),
        closing(Baseline(SETTINGS, model, WordEmbedder(), {"plants": PLANTS})) as second,
    ):
        hits, _, _ = stream(second, "How does moss grow?")
    assert [hit.passage.text for hit in hits] == [PLANTS.text]


def test_run_takes_the_baseline_and_records_its_failures() -> None:
    class Down(Listening):
        def _stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            yield from super()._stream(*args, **kwargs)
            raise openai.OpenAIError("Connection lost")

    fish = Question(id="1", kind="fact", question="Which fish?", answers=("The fish sleeps.",), evidence=("fish",))
    age = Question(id="2", kind="nearly said", question="How old?", answers=())
    model: BaseChatModel = Listening(messages=iter([AIMessage("The fish sleeps."), AIMessage("I don't know.")]))
    with closing(Baseline(SETTINGS, model, WordEmbedder(), DOCUMENTS)) as baseline:
        records = run(baseline, [fish, age], DOCUMENTS, "baseline")
    assert [(record.correct, record.abstained) for record in records] == [(True, False), (True, True)]
    assert records[0].f1 == 1
    with closing(
        Baseline(SETTINGS, Down(messages=iter([AIMessage("It"), AIMessage("It")])), WordEmbedder(), DOCUMENTS)
    ) as baseline:
        (failed,) = run(baseline, [fish], DOCUMENTS, "baseline")
        with pytest.raises(ModelError, match="embedded model"):
            list(baseline.stream("Which fish?", []))
    assert (failed.correct, failed.error_kind) == (False, "ModelError")
