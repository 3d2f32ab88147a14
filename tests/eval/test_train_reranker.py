"""Training the reranker: rows of two small articles, the loss by hand, and two steps with the real weights."""

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import TopicEmbedder, write
from onnxruntime import InferenceSession

import eval.train_reranker
import eval.training_rows
from eval.__main__ import main
from eval.dataset import DatasetError
from eval.reranker_network import Network
from eval.train_reranker import Example, encoded, loss_of, places, train
from eval.training_rows import (
    Candidate,
    Row,
    divided,
    exchanged,
    load_articles,
    rows_of_articles,
    rows_of_set,
    sentences,
)
from rag.models.reranker import WEIGHTS, CrossEncoder, adapted, installed, make_tokenizer
from rag.settings import Settings

CAT = {
    "title": "Cats",
    "text": "The black cat sleeps. It has slept since 1999.",
    "questions": [
        {"q": "How long has the cat slept?", "a": "since 1999", "evidence": ["since 1999"]},
        {"q": "What does the cat eat?", "a": None, "evidence": []},
    ],
}
FISH = {
    "title": "Fish",
    "text": "A fish swims in the pond of Ada Low. It eats.",
    "questions": [{"q": "Does Ada Low own the pond?", "a": "Yes", "evidence": ["the pond of Ada Low"]}],
}


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    path = tmp_path / "articles.jsonl"
    path.write_text("\n".join(map(json.dumps, [CAT, FISH])), encoding="utf-8")
    return path


def rows_of(path: Path) -> list[Row]:
    return list(rows_of_articles(load_articles(path), sentences(TopicEmbedder()), 110))


def test_a_row_has_what_the_reranker_reads(articles: Path) -> None:
    first, second, third = rows_of(articles)
    slept = Candidate("It has slept since 1999. [SEP] Cats. The black cat sleeps.", True)
    assert first.answerable and set(first.candidates) == {slept, Candidate("The black cat sleeps. [SEP] Cats. ", False)}
    assert not second.answerable and not any(one.gold for one in second.candidates)
    assert [one.gold for one in third.candidates] == [True, False] and third.document == "Fish"


@pytest.mark.slow
def test_the_rows_of_a_set_are_about_the_passages_that_the_chatbot_finds(tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "set"
    write(
        folder,
        {"cats.txt": "Cats\n\nThe black cat sleeps. It has slept since 1999.", "fish.txt": "Fish swim in ponds."},
    )
    asked = [
        {"id": "1", "kind": "k", "question": "Where do fish swim?", "answers": ["x"], "evidence": ["swim in ponds"]},
        {"id": "2", "kind": "k", "question": "What does a dog eat?", "answers": [], "near_doc_ids": ["cats.txt"]},
        {"id": "3", "kind": "k", "question": "Unmarked?", "answers": ["x"]},
    ]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    embedder = TopicEmbedder()
    first, second = rows_of_set(folder, settings, embedder, sentences(embedder), tmp_path / "out")
    assert first.set == "set" and first.question == "Where do fish swim?"
    assert [one.text.split(" [SEP]")[0] for one in first.candidates if one.gold] == ["Fish swim in ponds."]
    assert not second.answerable and second.document != first.document

    (folder / "questions.jsonl").write_text(json.dumps(asked[2]), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"No question of .* marks evidence"):
        list(rows_of_set(folder, settings, embedder, sentences(embedder), tmp_path / "out"))


def test_evidence_that_the_text_lacks_is_named(articles: Path) -> None:
    wrong = CAT | {"questions": [{"q": "Why?", "a": "x", "evidence": ["no such words"]}]}
    articles.write_text(json.dumps(wrong), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"Line 1 .*the text does not have 'no such words'"):
        load_articles(articles)


def test_our_own_articles_are_whole() -> None:
    articles = load_articles()
    asked = [one for article in articles for one in article.questions]
    assert len(articles) == 281 and len(asked) == 8430 and sum(one.a is None for one in asked) == 2930


def row(question: str, document: str = "d", answerable: bool = True) -> Row:
    return Row("set", document, question, answerable, (Candidate("text", answerable),))


def test_every_eleventh_document_is_held_out() -> None:
    rows = [row("Q?", str(number // 2)) for number in range(46)]
    training, held_out = divided(rows)
    assert {one.document for one in held_out} == {"10", "21"} and len(training) == 42 and len(held_out) == 4


def test_a_name_is_exchanged_for_one_of_the_same_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eval.training_rows, "EXCHANGED", 1.0)
    rows = [row("Where did Ada go?"), row("Who met Tom Low?", answerable=False), row("Why did Eve go?", "other")]
    first, second = exchanged(rows, random.Random(0))
    assert first.question == "Where did Tom Low go?" and not first.answerable
    assert first.candidates == (Candidate("text", False),)
    # The other document has no other name, so that it is one of the set.
    assert second.question in {"Why did Ada go?", "Why did Tom Low go?"} and second.document == "other"
    assert exchanged([row("Who was there in 1999?"), row("Who met Ada?")], random.Random(0)) == []


def test_the_loss_is_that_of_each_question_and_of_each_sentence() -> None:
    scores = torch.tensor([2.0, 1.0, -1.0])
    gold = torch.tensor([1.0, 0.0, 0.0])
    none = [1.0, math.exp(2), math.exp(1)]  # "None", the sentence that answers, the other one.
    first = math.log(sum(none)) - 2
    second = math.log(1 + math.exp(-1))  # No sentence answers: "none" is right.
    each = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1)) + math.log(1 + math.exp(-1))) / 3
    assert float(loss_of(scores, gold, [2, 1])) == pytest.approx((first + second) / 2 + 1.2 * each)


def test_the_place_of_the_evidence() -> None:
    def judged(*gold: bool) -> Example:
        return Example(row("Q?"), [([], [], one) for one in gold])

    found = [(judged(True, False), [1.0, 0.0]), (judged(False, False, True), [1.0, 0.5, 0.0])]
    assert places([*found, (judged(False), [5.0])]) == [0.5, 0.5, 1.0]


@pytest.mark.model
@pytest.mark.slow
def test_two_steps_make_an_adapter_that_the_reranker_reads(articles: Path, tmp_path: Path) -> None:
    folder = installed()
    tokenizer = make_tokenizer(folder)
    torch.manual_seed(0)
    network = Network(folder / WEIGHTS)
    examples = encoded(tokenizer, rows_of(articles))
    before = network.adapter()
    losses = list(train(network, examples, 2, random.Random(0), batch=3))
    after = network.adapter()
    assert len(losses) == 2 and all(map(math.isfinite, losses))
    assert any((before[name] != after[name]).any() for name in before)

    # The same pairs, read by the network and by the product with the adapter in its weights.
    np.savez_compressed(tmp_path / "some.npz", allow_pickle=False, **after)
    content = adapted(folder / WEIGHTS, np.load(tmp_path / "some.npz"))
    reranker = CrossEncoder(InferenceSession(content, providers=["CPUExecutionProvider"]), tokenizer)
    one = rows_of(articles)[0]
    expected = network.evaluated([(ids, types) for ids, types, _ in examples[0].read])
    found = reranker.score(one.question, [candidate.text for candidate in one.candidates])
    assert found == pytest.approx(expected, abs=0.7)  # In 8 bits.


@pytest.mark.model
@pytest.mark.slow
def test_the_command_writes_the_adapter(
    articles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(eval.training_rows, "HELD_OUT", 2)
    monkeypatch.setattr(eval.train_reranker, "load_articles", lambda: load_articles(articles))
    monkeypatch.setattr(eval.train_reranker, "make_embedder", lambda _: TopicEmbedder())
    assert main(["train-reranker", "--epochs", "1", "--out", "some.npz"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines[1:4:2]] == [
        ["0", "articles", "1", lines[1].split()[3]],
        ["1", *lines[3].split()[1:4]],
    ]
    assert lines[-1] == "Adapter: some.npz"
    assert set(np.load("some.npz")) == set(np.load(Path(eval.__path__[0]).parent / "rag/models/reranker.npz"))
