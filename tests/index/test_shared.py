"""An index that machines share, in a folder and in an object store (that of fsspec's memory)."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fakes import EMBEDDER, WAIT, TopicEmbedder, all_passages, publish, write

from rag.errors import NoIndexError, SettingsError, StoreError, UnreachableError, with_detail
from rag.index import shared as shared_module
from rag.index.builder import BuildOptions, Outcome
from rag.index.index import Index, Reader, is_sound, open_index
from rag.index.shared import Remote, Shared
from rag.index.snapshot import current_name, newest_sound, snapshots, write_lock
from rag.settings import Settings

pytestmark = pytest.mark.slow
FOLDER, STORE = "a folder", "an object store"
EACH = pytest.mark.parametrize("shared", [FOLDER, STORE], indirect=True)


@pytest.fixture
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shared]:
    kind = getattr(request, "param", STORE)
    place = Shared.at(str(tmp_path / "shared") if kind == FOLDER else f"memory://{uuid4().hex}/index")
    yield place
    if place.files.exists(place.root):
        place.files.rm(place.root, recursive=True)


class Machine:
    """One of those that share: its index folder, and what it builds from."""

    def __init__(self, folder: Path, shared: Shared) -> None:
        self.index, self.texts = folder / "index", folder.parent / "texts"
        self.remote = Remote(shared=shared)

    def publish(self, text: str, **options: Any) -> Outcome:
        write(self.texts, {"a.txt": text})
        made = BuildOptions(20, EMBEDDER, TopicEmbedder, self.remote)
        return publish(self.index, self.texts, build_options=made, **options)

    def open(self) -> Index:
        return open_index(self.index, EMBEDDER, self.remote)


@pytest.fixture
def machine(tmp_path: Path, shared: Shared) -> Callable[[str], Machine]:
    return lambda name: Machine(tmp_path / name, shared)


def text(index: Index) -> str:
    return all_passages(index)[0].text


@EACH
def test_what_one_machine_publishes_others_open(machine: Callable[[str], Machine]) -> None:
    builder, reader = machine("builder"), machine("reader")
    assert not is_sound(reader.index, reader.remote)
    with pytest.raises(NoIndexError):
        reader.open()
    builder.publish("A cat sleeps.")
    assert is_sound(reader.index, reader.remote)
    opened = reader.open()
    assert text(opened) == "A cat sleeps." and opened.path.parent == reader.index
    assert opened.by_meaning(TopicEmbedder().embed_query("cat"), 1)[0][0] == 1
    assert builder.publish("A cat sleeps.").changed is False


@EACH
def test_an_open_reader_has_a_publication_within_seconds_and_fetches_it_once(
    machine: Callable[[str], Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_module, "EVERY", 0.02)
    builder, machine_of_readers = machine("builder"), machine("reader")
    builder.publish("A cat sleeps.")
    fetched: list[str] = []
    fetch = Shared._download
    monkeypatch.setattr(Shared, "_download", lambda *args: [fetched.append(args[1]), fetch(*args)])
    readers = [Reader(machine_of_readers.open(), text) for _ in range(2)]
    with machine_of_readers.remote.following(machine_of_readers.index):
        builder.publish("A dog eats.")
        end = time.monotonic() + WAIT
        while {reader.newest() for reader in readers} != {"A dog eats."}:
            assert time.monotonic() < end
            time.sleep(0.02)
    assert len(fetched) == len(set(fetched)) == 2


def test_the_next_builder_on_another_machine_goes_on_from_what_is_shared(machine: Callable[[str], Machine]) -> None:
    first, second = machine("first"), machine("second")
    for number, said in enumerate(["A cat sleeps.", "A dog eats.", "Fish swim."]):
        (first, second)[number % 2].publish(said)
    assert text(first.open()) == text(second.open()) == "Fish swim."
    assert second.publish("Fish swim.").changed is False
    shared = first.remote.shared
    assert shared and len(shared.names()) == 2


def test_who_was_overtaken_is_told_and_leaves_everything_as_it_is(machine: Callable[[str], Machine]) -> None:
    slow, quick = machine("slow"), machine("quick")
    slow.publish("A cat sleeps.")

    def overtaken(_: Path) -> list[str]:
        quick.publish("A dog eats.")
        return []

    with pytest.raises(StoreError, match="Another machine has published meanwhile; do it again"):
        slow.publish("Fish swim.", verify=overtaken)
    assert text(machine("reader").open()) == "A dog eats."
    slow.publish("Fish swim.")
    assert text(machine("reader").open()) == "Fish swim."


@pytest.mark.parametrize("shared", [FOLDER], indirect=True)
def test_in_a_folder_a_second_builder_is_refused_at_once(machine: Callable[[str], Machine], shared: Shared) -> None:
    with shared.lock(), pytest.raises(StoreError, match=r"is being written by process \d+"):
        machine("second").publish("A cat sleeps.")
    assert shared.current() is None


@EACH
def test_all_go_back_together(machine: Callable[[str], Machine]) -> None:
    builder, other, reader = machine("builder"), machine("other"), machine("reader")
    builder.publish("A cat sleeps.")
    builder.publish("A dog eats.")
    assert text(reader.open()) == "A dog eats."
    shared = other.remote.shared
    assert shared and shared.go_back(other.index).passages == 1
    assert text(reader.open()) == text(builder.open()) == "A cat sleeps."


def test_what_was_here_before_is_shared_by_the_next_update_without_embedding(
    machine: Callable[[str], Machine], tmp_path: Path
) -> None:
    builder = machine("builder")
    write(builder.texts, {"a.txt": "A cat sleeps."})
    publish(builder.index, builder.texts)
    outcome = builder.publish("A cat sleeps.")
    assert outcome.changed and outcome.embedded == 0
    assert text(machine("reader").open()) == "A cat sleeps."


def test_a_copy_that_is_damaged_here_is_fetched_again(machine: Callable[[str], Machine]) -> None:
    builder, reader = machine("builder"), machine("reader")
    builder.publish("A cat sleeps.")
    (reader.open().path / "passages.sqlite").write_bytes(b"garbage")
    assert text(reader.open()) == "A cat sleeps."
    assert newest_sound(reader.index).notice is None


@EACH
def test_what_arrives_damaged_is_not_opened(
    machine: Callable[[str], Machine], caplog: pytest.LogCaptureFixture
) -> None:
    builder, reader = machine("builder"), machine("reader")
    builder.publish("A cat sleeps.")
    reader.open()
    builder.publish("A dog eats.")
    shared = builder.remote.shared
    assert shared
    for name, path in (("garbage", "passages.sqlite"), ("lost", "manifest.json")):
        place = f"{shared.root}/{current_name(builder.index)}/{path}"
        shared.files.rm(place) if name == "lost" else shared.files.pipe_file(place, b"garbage")
        with caplog.at_level(logging.WARNING):
            assert text(reader.open()) == "A cat sleeps."
        assert "The index is opened as it is here" in caplog.text
        with pytest.raises(UnreachableError):
            machine(name).open()


def test_a_place_out_of_reach_is_told_plainly_and_later_found_again(
    machine: Callable[[str], Machine], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    builder, reader = machine("builder"), machine("reader")
    builder.publish("A cat sleeps.")
    reader.open()
    builder.publish("A dog eats.")
    shared = builder.remote.shared
    assert shared
    with monkeypatch.context() as cut:

        def refuse(*_: object) -> bytes:
            raise PermissionError("the key of the bucket")

        cut.setattr(type(shared.files), "cat_file", refuse)
        assert text(reader.open()) == "A cat sleeps."
        for ask in (machine("new").open, lambda: builder.publish("Fish swim.")):
            with pytest.raises(UnreachableError, match="RAG_SHARED cannot be read or written; see that") as raised:
                ask()
            assert "key" not in str(raised.value) and "PermissionError: the key" in with_detail(raised.value)
    assert "The index is opened as it is here" in caplog.text
    assert text(reader.open()) == "A dog eats."


def test_while_another_process_writes_here_what_is_here_is_opened(machine: Callable[[str], Machine]) -> None:
    builder, reader = machine("builder"), machine("reader")
    builder.publish("A cat sleeps.")
    reader.open()
    builder.publish("A dog eats.")
    with write_lock(reader.index):
        assert text(reader.open()) == "A cat sleeps."
    assert text(reader.open()) == "A dog eats."
    assert len(snapshots(reader.index)) == 2


def test_a_name_that_leads_out_of_the_snapshot_is_not_fetched(
    machine: Callable[[str], Machine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    builder = machine("builder")
    builder.publish("A cat sleeps.")
    real = shared_module.read_manifest

    def lying(snapshot: Path) -> Any:
        manifest = real(snapshot)
        return (
            manifest
            if snapshot.parent == builder.index
            else type(manifest)(**vars(manifest) | {"files": {"../../outside": (1, "")}})
        )

    monkeypatch.setattr(shared_module, "read_manifest", lying)
    with pytest.raises(UnreachableError, match="not inside the snapshot"):
        machine("reader").open()
    assert not (tmp_path / "outside").exists()


def test_places_that_cannot_be_are_refused(tmp_path: Path) -> None:
    settings = Settings(index=tmp_path / "index", shared=str(tmp_path / "elsewhere" / ".." / "index"))
    with pytest.raises(SettingsError, match="cannot be the same folder"):
        Remote.of(settings)
    with pytest.raises(SettingsError, match="RAG_SHARED cannot be 'nowhere://x'"):
        Remote.of(settings.model_copy(update={"shared": "nowhere://x"}))
    assert Remote.of(settings.model_copy(update={"shared": ""})) == Remote()
