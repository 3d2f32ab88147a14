"""Sets in the plain format, on small indexes made by the fake embedder."""

import functools
import json
from pathlib import Path

import pytest
from conftest import ANIMALS, EMBEDDER, TopicEmbedder, write

from eval.dataset import DatasetError, Question
from eval.folder import build, check_evidence, mapped, question_file
from eval.metrics import Place, covered, locate
from rag.errors import DocumentError
from rag.index.builder import update
from rag.index.index import Index, open_index
from rag.index.verify import verify
from rag.settings import Settings


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.folder.make_embedder", lambda settings: TopicEmbedder())
    monkeypatch.setattr("eval.folder.update", functools.partial(update, verify=verify))


def corpus(folder: Path, *texts: str) -> Path:
    """A set whose documents are called a, b, c, ... in this order."""
    lines = [json.dumps({"id": name, "title": name, "text": text}) for name, text in zip("abcdef", texts, strict=False)]
    write(folder, {"corpus.jsonl": "\n".join(lines), "readme.txt": "No document of the set.", "questions.jsonl": "{}"})
    return folder


def opened(folder: Path, settings: Settings, out: Path) -> Index:
    return open_index(build(folder, settings, out).index, EMBEDDER)


def ask(**changes: tuple[str, ...]) -> Question:
    return Question(id="q", kind="k", question="?", answers=("x",), **changes)  # type: ignore[arg-type]


def test_the_lines_of_the_corpus_are_the_documents(settings: Settings, tmp_path: Path) -> None:
    made = build(corpus(tmp_path / "set", *ANIMALS), settings, tmp_path / "out")
    assert made.index == tmp_path / "out" / "set" / "index"
    assert {one.text for one in open_index(made.index, EMBEDDER).documents.values()} == set(ANIMALS)


def test_ids_become_those_of_the_index_and_identical_texts_one(settings: Settings, tmp_path: Path) -> None:
    folder = corpus(tmp_path / "set", *ANIMALS, ANIMALS[0])
    documents = opened(folder, settings, tmp_path / "out").documents
    by_text = {one.text: doc_id for doc_id, one in documents.items()}
    (found,) = mapped([ask(doc_ids=("d", "b", "a"), near_doc_ids=("c",), evidence=("dog",))], folder, documents)
    assert found.doc_ids == (by_text[ANIMALS[0]], by_text[ANIMALS[1]])
    assert found.near_doc_ids == (by_text[ANIMALS[2]],)
    assert locate(found, documents)[0][0] == Place(by_text[ANIMALS[1]], 2, 5)


def test_without_any_spans_the_documents_are_the_evidence(settings: Settings, tmp_path: Path) -> None:
    folder = corpus(tmp_path / "set", *ANIMALS)
    documents = opened(folder, settings, tmp_path / "out").documents
    first, second = mapped([ask(doc_ids=("a", "c")), ask()], folder, documents)
    assert (first.evidence, second.evidence) == ((ANIMALS[0], ANIMALS[2]), ())
    assert covered([Place(first.doc_ids[1], 3, 4)], locate(first, documents)) == [False, True]
    spans, rest = mapped([ask(evidence=("cat",)), ask(doc_ids=("a",))], folder, documents)
    assert (spans.evidence, rest.evidence) == (("cat",), ())


def test_a_folder_of_any_documents_goes_by_the_names_of_the_files(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    write(folder, {"a.txt": ANIMALS[0], "deep/b.md": ANIMALS[1], "questions.jsonl": '{"text": "no document"}'})
    write(folder, {"questions.draft.jsonl": '{"text": "none either"}', "deep/a.draft.jsonl": '{"text": "nor this"}'})
    documents = opened(folder, settings, tmp_path / "out").documents
    assert sorted(one.text for one in documents.values()) == sorted(ANIMALS[:2])
    (found,) = mapped([ask(doc_ids=("deep/b.md",), evidence=("dog",))], folder, documents)
    assert documents[found.doc_ids[0]].text == ANIMALS[1]


def test_an_unknown_document_is_named(settings: Settings, tmp_path: Path) -> None:
    folder = corpus(tmp_path / "set", ANIMALS[0])
    documents = opened(folder, settings, tmp_path / "out").documents
    with pytest.raises(
        DatasetError, match="'q' names the document 'z', which is not in the index of the folder; correct it"
    ):
        mapped([ask(doc_ids=("z",))], folder, documents)


def test_what_cannot_be_read_is_named_and_left_out(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = corpus(tmp_path / "set", ANIMALS[0], " ", ANIMALS[1])
    documents = opened(folder, settings, tmp_path / "out").documents
    assert len(documents) == 2
    assert "corpus.jsonl#2' is empty" in capsys.readouterr().err
    (found,) = mapped([ask(doc_ids=("c",), evidence=("dog",))], folder, documents)
    assert documents[found.doc_ids[0]].text == ANIMALS[1]


def test_a_folder_without_questions_or_documents_is_an_error(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"or draft some with: python -m eval draft {tmp_path}"):
        question_file(tmp_path)
    write(tmp_path / "empty", {"questions.jsonl": "{}"})
    assert question_file(tmp_path / "empty") == tmp_path / "empty" / "questions.jsonl"
    with pytest.raises(DocumentError, match="No document was found"):
        build(tmp_path / "empty", settings, tmp_path / "out")


def test_an_index_of_other_texts_is_told_from_a_miss(settings: Settings, tmp_path: Path) -> None:
    documents = opened(corpus(tmp_path / "set", ANIMALS[0], ANIMALS[1]), settings, tmp_path).documents
    here, elsewhere = ask(evidence=("It eats at night.",)), ask(evidence=("The moon is far.",))
    check_evidence([here, elsewhere], documents)
    check_evidence([ask()], documents)
    with pytest.raises(DatasetError, match=r"none of the evidence .*'q'.*ingest.py, or name the set with --data"):
        check_evidence([elsewhere, ask()], documents)
