"""The measure of the retrieval, on an index of three passages."""

import json
from codecs import BOM_UTF8
from pathlib import Path

import pytest
from fakes import EMBEDDER, TopicEmbedder, TopicReranker, publish, source_sentences, write

from eval.__main__ import main
from eval.dataset import Question, locate
from eval.retrieve import ranking_row, rows_of
from rag.index.index import Index, open_index
from rag.index.retriever import HybridRetriever
from rag.settings import Settings


def rows(index: Index, *questions: Question, documents: bool = False) -> dict[str, list[str]]:
    """The figures (recall at 1 and 3, MRR) by wording and finder."""
    asked = [(one, locate(one, index.documents)) for one in questions]
    found = rows_of(asked, index, TopicEmbedder(), [1, 3], documents)
    assert {row[0] for row in found} == {str(len(questions))}
    return {f"{wording}, {finder}": figures for _, wording, finder, *figures in found}


def ask(question: str, *evidence: str, history: tuple[tuple[str, str], ...] = ()) -> Question:
    return Question(id=question, kind="k", question=question, answers=("x",), evidence=evidence, history=history)


def test_each_way_to_find_has_its_figures(animals: Index) -> None:
    # By meaning the cat's passage comes first, of the two others that of the fish; no word is shared.
    found = rows(animals, ask("Catlike?", "The black cat"), ask("Catlike?", "Fish swim"))
    assert found["last turn, meaning"] == ["0.500", "1.000", "0.750"]
    assert found["last turn, words"] == ["0.000", "0.000", "0.000"]
    assert found["last turn, both"] == found["last turn, meaning"]


def test_the_recall_of_a_question_is_the_share_of_its_spans(animals: Index) -> None:
    found = rows(animals, ask("Rex", "The black cat", "called Rex"))
    assert found["last turn, words"] == ["0.500", "0.500", "1.000"]


def test_follow_ups_are_asked_in_both_ways(animals: Index) -> None:
    history = (("Which fish swim?", "Twelve."),)
    found = rows(animals, ask("Where is it?", "Fish swim in the pond", history=history))
    assert found["last turn, words"] == ["0.000", "0.000", "0.000"]
    assert found["with the turn before, words"] == ["1.000", "1.000", "1.000"]
    assert found["both wordings, both"] == ["1.000", "1.000", "1.000"]
    assert len(found) == 7


def test_the_ranking_of_sentences_has_its_figures(animals: Index) -> None:
    retriever = HybridRetriever(index=animals, embedder=TopicEmbedder(), k=3)
    questions = [ask("Where do the fish swim?", "Fish swim"), ask("Where do the fish swim?", "There are 12 fish")]
    asked = [(one, locate(one, animals.documents)) for one in questions]
    count, *shares, median, p95 = ranking_row(asked, retriever, source_sentences())
    assert (count, shares) == ("2", ["0.500", "1.000", "1.000"]) and 0 <= float(median) <= float(p95)
    assert ranking_row([], retriever, source_sentences()) == ["0", "–", "–", "–", "–", "–"]


@pytest.mark.slow
def test_documents_are_ranked_by_their_first_passage(tmp_path: Path) -> None:
    long = " ".join(f"The dog number {number} eats bones with {number} other dogs." for number in range(12))
    write(tmp_path / "texts", {"a.txt": long, "b.txt": "Cats watch the dog now and then, but mostly they sleep."})
    publish(tmp_path / "index", tmp_path / "texts")
    index = open_index(tmp_path / "index", EMBEDDER)
    question = ask("dog", "Cats watch")
    assert rows(index, question)["last turn, meaning"] == ["0.000", "0.000", "0.000"]
    assert rows(index, question, documents=True)["last turn, meaning"] == ["0.000", "1.000", "0.500"]


@pytest.mark.slow
def test_the_command_measures_sets_with_titles_and_without(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eval.retrieve.make_reranker", TopicReranker)
    documents = [
        {"id": "a", "title": "Zebras", "text": "They sleep standing."},
        {"id": "b", "title": "Dogs", "text": "They bark."},
    ]
    questions = [
        {"id": "1", "kind": "k", "question": "Zebras?", "answers": ["x"], "doc_ids": ["a"]},
        {"id": "2", "kind": "k", "question": "Nothing?", "answers": []},
    ]
    for name, lines in (("corpus", documents), ("questions", questions)):
        write(tmp_path / "set", {f"{name}.jsonl": "\n".join(map(json.dumps, lines))})
    assert main(["retrieve", "--data", "set", "--k", "1", "--untitled", "--out", "out"]) == 0
    lines, ranking = (part.splitlines() for part in capsys.readouterr().out.split("\n\n"))
    assert ranking[-1].split()[:2] == ["set", "1"]
    assert lines[0].split() == ["set", "questions", "asked", "found", "by", "recall@1", "MRR@1"]
    found = {" ".join(line.split()[4:-2]): line.split()[-2] for line in lines[1:]}
    assert (found["words"], found["words, untitled"]) == ("1.000", "0.000")
    assert all(line.startswith("set  1 ") for line in lines[1:])
    text = (tmp_path / "set" / "corpus.jsonl").read_text()
    (tmp_path / "set" / "corpus.jsonl").write_bytes(BOM_UTF8 + f"{text}\n{{broken\n[1]\n".encode() + b"\xff\n")
    assert main(["retrieve", "--data", "set", "--k", "1", "--untitled", "--out", "other"]) == 0
    assert "Skipped" in capsys.readouterr().err
    write(tmp_path / "notes", {"a.txt": "They sleep.", "questions.jsonl": json.dumps(questions[1])})
    assert main(["retrieve", "--data", "notes", "--untitled", "--out", "out"]) == 1
    assert "--untitled needs a set with corpus.jsonl; name one with --data." in capsys.readouterr().err
