"""Drafting questions, with a model that follows a script."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fakes import ANIMALS, EMBEDDER, ScriptedModel, documents_of, write
from hypothesis import given
from hypothesis import strategies as st

from eval.dataset import build, load, mapped
from eval.draft import drafts, parsed, passages_of, spread
from rag.documents.splitter import cut, passage_spans
from rag.errors import DocumentError, ModelError
from rag.index.index import open_index
from rag.settings import Settings

CAT, DOG, FISH = (cut(document, passage_spans(document.text, 20))[0] for document in documents_of(ANIMALS))


def test_a_draft_has_the_sentence_that_holds_its_answer() -> None:
    item = parsed("Question: When does the cat eat?\nAnswer: at night.", CAT, answerable=True)
    assert item == {
        "question": "When does the cat eat?",
        "source": "0.txt",
        "kind": "draft",
        "answers": ["at night."],
        "evidence": ["It eats at night."],
    }


@pytest.mark.parametrize(
    "written",
    [
        "Question: When does the cat eat?\nAnswer: at noon",  # Not in the text.
        "Question: When does the cat eat?\nAnswer: all day. It eats",  # In no one sentence.
        "Question: When does the cat eat?",
        "Question: When does the cat eat?\nAnswer: .",
        "Question: It eats at night\nAnswer: at night",  # No question.
        "I cannot do that.",
    ],
)
def test_a_draft_that_the_passage_does_not_answer_is_dropped(written: str) -> None:
    assert parsed(written, CAT, answerable=True) is None


def test_what_a_model_puts_around_its_lines_is_left_out() -> None:
    item = parsed("Sure!\n**Question:** Who is called Rex? \n- Answer: The dog", DOG, answerable=True)
    assert item is not None
    assert (item["question"], item["answers"], item["evidence"]) == (
        "Who is called Rex?", ["The dog"], ["The dog is called Rex."],
    )  # fmt: skip


def test_every_fourth_draft_is_unanswerable(settings: Settings) -> None:
    model = ScriptedModel(
        responses=["Question: When does it eat?\nAnswer: at night"] * 3 + ["Question: How old is the cat?"]
    )
    made = list(drafts([CAT, FISH, CAT, CAT], model, settings, {CAT.doc_id: "cat.txt"}))
    assert [(one["id"], one["kind"]) for one in made] == [
        ("draft-1", "draft"), ("draft-3", "draft"), ("draft-4", "draft-unanswerable"),
    ]  # fmt: skip
    assert made[-1]["answers"] == made[-1]["evidence"] == []
    assert [one.get("doc_ids") for one in made] == [["cat.txt"], ["cat.txt"], None]
    assert made[-1]["near_doc_ids"] == ["cat.txt"]  # What only seems to answer is no evidence.
    assert ANIMALS[2] in model.prompts[1] and "does not give" in model.prompts[3]


@pytest.mark.slow
@pytest.mark.parametrize("lines", [False, True], ids=["files", "corpus"])
def test_the_names_in_drafts_are_those_of_the_folder(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: bool
) -> None:
    texts = {"b/x.txt": ANIMALS[1], "a.txt": ANIMALS[0], "z.txt": ANIMALS[0]}  # Two files are the same document.
    corpus = [json.dumps({"id": name, "text": text}) for name, text in texts.items()]
    write(tmp_path / "set", {"corpus.jsonl": "\n".join(corpus), "a.txt": ANIMALS[2]} if lines else texts)
    model = ScriptedModel(responses=["Question: Who eats?\nAnswer: eats"])
    passages, called = passages_of(["set"], settings)
    path = tmp_path / "set.draft.jsonl"
    path.write_text("\n".join(map(json.dumps, drafts(passages, model, settings, called))), encoding="utf-8")
    documents = open_index(build(Path("set"), settings, tmp_path / "out").index, EMBEDDER).documents
    questions = mapped(load(path), Path("set"), documents)
    assert len(questions) == 3
    assert all(documents[one.doc_ids[0]].text.count(one.evidence[0]) for one in questions)


@given(st.integers(1, 60), st.integers(1, 70))
def test_passages_are_spread_evenly(there: int, count: int) -> None:
    passages: list[Any] = list(range(there))
    chosen: list[Any] = list(spread(passages, count))
    assert len(chosen) == len(set(chosen)) == min(there, count)
    assert chosen == sorted(chosen)
    gaps = [b - a for a, b in zip([-chosen[0] - 1, *chosen], [*chosen, 2 * there - 1 - chosen[-1]], strict=True)]
    assert max(gaps) - min(gaps) <= 2


@pytest.mark.slow
def test_passages_come_from_files_and_folders_but_not_from_questions(settings: Settings, tmp_path: Path) -> None:
    write(tmp_path / "notes", {"a.txt": ANIMALS[0], "questions.jsonl": '{"text": "no document"}'})
    write(tmp_path / "set", {"corpus.jsonl": json.dumps({"id": "x", "text": ANIMALS[2]}), "other.txt": "left out"})
    write(tmp_path, {"b.txt": ANIMALS[1]})
    found, called = passages_of([str(tmp_path / name) for name in ("notes", "set", "b.txt")], settings)
    assert [passage.text for passage in found] == [ANIMALS[0], ANIMALS[2], ANIMALS[1]]
    assert [called.get(passage.doc_id) for passage in found] == ["a.txt", "x", None]


def test_what_cannot_be_read_is_named(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"notes/a.txt": ANIMALS[0], "notes/empty.txt": " ", "none/empty.txt": " "})
    found, _ = passages_of([str(tmp_path / "notes")], settings)
    assert len(found) == 1
    assert "empty.txt' is empty" in capsys.readouterr().err
    with pytest.raises(DocumentError, match="No document could be read"):
        passages_of([str(tmp_path / "none")], settings)


@pytest.mark.slow
def test_the_command_writes_a_set_that_can_be_asked(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from eval.__main__ import main

    @contextmanager
    def opened(*_: object) -> Iterator[ScriptedModel]:
        yield ScriptedModel(responses=["Question: When does the cat eat?\nAnswer: at night"])

    monkeypatch.setattr("eval.draft.open_model", opened)
    write(tmp_path, {"a.txt": ANIMALS[0]})
    assert main(["draft", "a.txt"]) == 0
    read = capsys.readouterr()
    assert read.out == "Drafts: questions.draft.jsonl (1 of 1)\n"
    assert "a person must correct every question" in read.err
    (question,) = load(Path("questions.draft.jsonl"))
    assert (question.question, question.evidence) == ("When does the cat eat?", ("It eats at night.",))
    assert main(["draft", "a.txt"]) == 1
    assert "is there already; name another --out file." in capsys.readouterr().err
    assert main(["draft", "a.txt", "--out", "new/folder/a.jsonl"]) == 0
    assert len(load(Path("new/folder/a.jsonl"))) == 1
    capsys.readouterr()
    monkeypatch.setattr("eval.draft.parsed", lambda *_: None)
    assert main(["draft", "a.txt", "--out", "other.jsonl"]) == 1
    assert "The model gave no question that fits" in capsys.readouterr().err
    assert not Path("other.jsonl").exists()
    assert main(["draft", "none.txt", "--out", "other.jsonl"]) == 1
    assert "There is no file or folder 'none.txt'" in capsys.readouterr().err


def test_what_was_drafted_stays_when_the_model_fails(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from eval.__main__ import main

    @contextmanager
    def opened(*_: object) -> Iterator[ScriptedModel]:
        yield ScriptedModel(responses=[])

    def failing(*_: object) -> Iterator[dict[str, Any]]:
        yield {"id": "draft-1", "kind": "draft", "question": "Who eats?", "answers": ["The cat"]}
        raise ModelError("The model is down; start it.")

    monkeypatch.setattr("eval.draft.open_model", opened)
    monkeypatch.setattr("eval.draft.drafts", failing)
    write(tmp_path, {"a.txt": ANIMALS[0]})
    assert main(["draft", "a.txt"]) == 1
    assert "The model is down" in capsys.readouterr().err
    assert [one.id for one in load(Path("questions.draft.jsonl"))] == ["draft-1"]
