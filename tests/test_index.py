import json
import os
from pathlib import Path

import pytest
from conftest import ANIMALS, TopicEmbedder, documents_of
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rag.errors import StoreError
from rag.index import Index, build, open_index, read_manifest


def publish(folder: Path, texts: list[str] = ANIMALS, key: str = "key") -> None:
    build(folder, documents_of(texts), TopicEmbedder(), "topics", key, 20)


def test_what_was_built_is_there_when_opened(animals: Index) -> None:
    assert animals.manifest.documents == animals.manifest.chunks == 3
    assert [chunk.text for chunk in animals.all_chunks()] == ANIMALS
    assert animals.documents["d1"].title == "Text 1"


def test_a_new_generation_replaces_the_old_one_and_the_one_before_is_kept(tmp_path: Path) -> None:
    for number in range(4):
        publish(tmp_path, [f"Cat number {number}."], key=str(number))
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2
    assert open_index(tmp_path, TopicEmbedder(), "topics").all_chunks()[0].text == "Cat number 3."


def test_a_reader_keeps_its_generation_while_another_is_published(animals: Index, tmp_path: Path) -> None:
    publish(tmp_path / "index", ["Only a dog."], key="other")
    assert [chunk.text for chunk in animals.all_chunks()] == ANIMALS


def test_a_build_that_fails_leaves_the_current_index(tmp_path: Path) -> None:
    class Broken(TopicEmbedder):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            raise KeyboardInterrupt

    publish(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, documents_of(["New."]), Broken(), "topics", "new", 20)
    assert [chunk.text for chunk in open_index(tmp_path, TopicEmbedder(), "topics").all_chunks()] == ANIMALS
    assert not list(tmp_path.glob("*.building"))


def test_no_index_names_the_command(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    with pytest.raises(StoreError, match=r"python ingest\.py"):
        open_index(tmp_path, TopicEmbedder(), "topics")


def test_another_embedder_is_refused(tmp_path: Path) -> None:
    publish(tmp_path)
    with pytest.raises(StoreError, match="built with the embedder 'topics', not 'other'"):
        open_index(tmp_path, TopicEmbedder(), "other")


@pytest.mark.parametrize("damage", ["manifest", "format", "documents", "words", "chroma", "CURRENT"])
def test_damage_is_said_plainly(tmp_path: Path, damage: str) -> None:
    publish(tmp_path)
    generation = next(path for path in tmp_path.iterdir() if path.is_dir())
    if damage == "manifest":
        (generation / "manifest.json").write_text("{")
    elif damage == "format":
        manifest = json.loads((generation / "manifest.json").read_text())
        (generation / "manifest.json").write_text(json.dumps(manifest | {"format": 0}))
    elif damage == "documents":
        (generation / "documents.jsonl").write_text('{"doc_id": 1')
    elif damage == "words":
        (generation / "words" / "params.index.json").unlink()
    elif damage == "chroma":
        (generation / "chroma" / "chroma.sqlite3").unlink()
    else:
        (tmp_path / "CURRENT").write_bytes(b"\xff\xfe")
    with pytest.raises(StoreError, match="--rebuild"):
        open_index(tmp_path, TopicEmbedder(), "topics")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written in"):
        publish(tmp_path / "file")


def test_a_document_without_a_word_of_two_letters_can_be_indexed(tmp_path: Path) -> None:
    publish(tmp_path, ["I a 🙂"])
    assert open_index(tmp_path, TopicEmbedder(), "topics").manifest.chunks == 1


def test_a_build_beside_this_one_is_left_alone_and_a_dead_one_is_removed(tmp_path: Path) -> None:
    for name in ("1.building", "2.building"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "1.building", (0, 0))
    publish(tmp_path)
    assert [path.name for path in tmp_path.glob("*.building")] == ["2.building"]


def test_documents_without_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no words"):
        publish(tmp_path, [])


@hypothesis_settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=80).filter(str.strip), min_size=1, max_size=3))
def test_any_text_comes_back_as_it_was(tmp_path: Path, texts: list[str]) -> None:
    publish(tmp_path, texts)
    index = open_index(tmp_path, TopicEmbedder(), "topics")
    for chunk in index.all_chunks():
        assert chunk.text == index.documents[chunk.doc_id].text[chunk.start : chunk.end]
