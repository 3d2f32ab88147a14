"""Adding and removing documents in the page, without a browser."""

import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from fakes import EMBEDDER, ScriptedModel, TopicEmbedder, TopicReranker, all_passages, publish, write
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rag.chatbot import Chatbot
from rag.documents import fetch as web
from rag.errors import DocumentError, ModelError, RagError, SettingsError, StoreError
from rag.index.health import verify
from rag.index.index import list_documents, open_index
from rag.index.manifest import Corpus
from rag.index.snapshot import last_corpus, write_lock
from rag.server.document_changes import Changed, Step
from rag.server.document_editor import DocumentEditor
from rag.server.shared_update import PreloadingLoader, SharedEmbedder
from rag.server.uploads import FOLDER, is_added, safe_stem, save_file, save_text
from rag.settings import Settings

WAIT = 10  # seconds until a test that hangs fails


def make(settings: Settings, embedder: TopicEmbedder | None = None) -> DocumentEditor:
    return DocumentEditor(settings, lambda: embedder or TopicEmbedder(), verify)


@pytest.fixture
def editor(settings: Settings) -> DocumentEditor:
    """An editor of an index that has two documents, with the folder of the page's settings in it."""
    write(settings.data, {"cat.txt": "The black cat sleeps.", "dog.txt": "A dog eats."})
    publish(settings.index, settings.data)
    return make(settings)


def done(events: Iterable[Step | Changed]) -> Changed:
    *_, last = events
    assert isinstance(last, Changed)
    return last


def texts(settings: Settings) -> list[str]:
    return sorted(passage.text for passage in all_passages(open_index(settings.index, EMBEDDER)))


def kept(settings: Settings) -> list[str]:
    folder = settings.store / FOLDER
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def upload(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "uploaded"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.slow
def test_an_uploaded_file_is_in_the_index_with_the_next_question(
    editor: DocumentEditor, settings: Settings, tmp_path: Path
) -> None:
    bot = Chatbot(
        settings,
        open_index(settings.index, EMBEDDER),
        ScriptedModel(responses=["No"]),
        TopicEmbedder(),
        TopicReranker(),
    )
    changed = done(editor.add_file(upload(tmp_path, "Fish swim in the pond."), "pond.txt"))
    assert changed.messages == () and changed.added == changed.rows[-1:]
    assert (changed.added[0].words, changed.added[0].pages) == (5, 0)
    assert abs(changed.added[0].added - time.time()) < WAIT and changed.rows[0].added == 0
    assert [(row.title, row.passages, row.removable) for row in changed.rows] == [
        ("Cat", 1, True),
        ("Dog", 1, True),
        ("Pond", 1, True),
    ]
    assert changed.rows[-1].source == "store/documents/pond.txt" and kept(settings) == ["pond.txt"]
    assert bot.ask("Where do fish swim?", documents=[changed.rows[-1].doc_id]).hits[0].passage.title == "Pond"
    assert editor.listed(bot.documents) == changed.rows


@pytest.mark.slow
def test_the_progress_counts_passages(editor: DocumentEditor, tmp_path: Path) -> None:
    many = " ".join(f"Fish number {number} swims in the pond and then it eats and sleeps." for number in range(80))
    steps = list(editor.add_file(upload(tmp_path, many), "many.txt"))[:-1]
    assert steps[0] == Step("Reading the document", 0, 0) and steps[-1] == Step("Checking the new index", 0, 0)
    told = [(step.done, step.total) for step in steps if isinstance(step, Step) and step.stage.startswith("Emb")]
    total = told[-1][1]
    assert total >= 40 and list(dict.fromkeys(told)) == [*((n, total) for n in range(0, total, 16)), (total, total)]


def test_progress_never_goes_back_over_what_the_cache_had() -> None:
    told: list[tuple[int, int]] = []
    embedder = SharedEmbedder(TopicEmbedder, lambda _, count, total: told.append((count, total)))
    embedder.progress("Embedding passages", 512, 600)
    assert len(embedder.embed_documents(["a"] * 20)) == 20
    embedder.progress("Embedding passages", 600, 600)
    assert told == [(512, 600), (512, 600), (528, 600), (600, 600)]


@pytest.mark.slow
def test_a_pasted_text_has_its_title(editor: DocumentEditor, settings: Settings) -> None:
    changed = done(editor.add_text(" NATO \n summit ", "Fish swim.\n"))
    assert (changed.rows[-1].title, kept(settings)) == ("NATO summit", ["NATO summit.md"])
    assert "# NATO summit\n\nFish swim." in texts(settings)
    done(editor.add_text("", "A horse runs and runs."))
    assert kept(settings) == ["A horse runs and runs.md", "NATO summit.md"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.exe", b"x", r"^'a.exe' is not of a type that can be read; add a file of \.txt, .*\.epub\.$"),
        ("../../.bashrc", b"x", r"^'\.bashrc' is not of a type that can be read"),
        ("big.txt", b"x" * (1024 * 1024 + 1), r"^'big.txt' has 1\.0 MB, and at most 1 MB can be added; divide it"),
        ("empty.txt", b" \n", r"empty\.txt' is empty; put text in it"),
        ("broken.pdf", b"x", r"broken\.pdf' does not look like PDF inside"),
        ("bad.jsonl", b"{}\nno\n", r"bad\.jsonl#1' "),
    ],
)
def test_what_cannot_be_read_is_said_and_leaves_nothing_behind(
    editor: DocumentEditor, settings: Settings, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    small = make(settings.model_copy(update={"upload_mb": 1}))
    with pytest.raises(DocumentError, match=message):
        list(small.add_file(upload(tmp_path, content), name))
    assert kept(settings) == [] and texts(settings) == ["A dog eats.", "The black cat sleeps."]
    done(small.add_text("Later", "Fish swim."))
    assert len(texts(settings)) == 3


def test_a_blank_text_is_refused(editor: DocumentEditor) -> None:
    with pytest.raises(DocumentError, match="The text is empty; paste some"):
        editor.add_text("Title", " \n\u200b")


@pytest.mark.slow
def test_the_lines_that_cannot_be_read_are_named_and_the_rest_is_taken(
    editor: DocumentEditor, settings: Settings, tmp_path: Path
) -> None:
    changed = done(editor.add_file(upload(tmp_path, '{"text": "Fish swim."}\nno\n{"text": "Fish eat."}'), "many.jsonl"))
    (message,) = changed.messages
    assert message.startswith("'store/documents/many.jsonl#2' ")
    assert [row.source for row in changed.rows[2:]] == [f"store/documents/many.jsonl#{line}" for line in (1, 3)]
    first, third = (row.doc_id for row in changed.added)
    done(editor.remove(first))
    assert kept(settings) == ["many.jsonl"] and "Fish eat." in texts(settings)
    done(editor.bring_back(first))
    assert {"Fish swim.", "Fish eat."} < set(texts(settings))
    done(editor.remove(first))
    done(editor.remove(third))
    assert kept(settings) == [".removed many.jsonl"] and len(texts(settings)) == 2
    done(editor.add_text("After", "Fish swim."))
    assert kept(settings) == ["After.md"]


def test_what_the_patterns_leave_out_is_said(settings: Settings, tmp_path: Path) -> None:
    write(settings.data, {"cat.md": "The black cat sleeps."})
    only = Corpus((str(settings.data),), include=("*.md",), named=True, place=os.getcwd())
    publish(settings.index, corpus=only)
    with pytest.raises(DocumentError, match="change the patterns"):
        list(make(settings).add_file(upload(tmp_path, "Fish."), "fish.txt"))
    assert kept(settings) == []


@pytest.mark.slow
def test_a_removed_document_is_gone_from_the_index_and_the_folder(
    editor: DocumentEditor, settings: Settings, tmp_path: Path
) -> None:
    pond = done(editor.add_file(upload(tmp_path, "Fish swim."), "pond.txt")).rows[-1]
    cat, dog = done(editor.remove(pond.doc_id)).rows
    (last,) = done(editor.remove(cat.doc_id)).rows
    assert kept(settings) == []
    assert (last.source, last.removable) == (dog.source, False) and (settings.data / "cat.txt").exists()
    with pytest.raises(DocumentError, match="is the last document; add another one before you remove it"):
        list(editor.remove(dog.doc_id))
    with pytest.raises(DocumentError, match="is not in the index any more; reload the page"):
        list(editor.remove(cat.doc_id))
    assert done(editor.add_file(upload(tmp_path, "Fish eat."), "pond.txt")).rows[-1].source == pond.source
    assert texts(settings) == ["A dog eats.", "Fish eat."]


@pytest.mark.slow
def test_a_removal_is_undone(editor: DocumentEditor, settings: Settings, tmp_path: Path) -> None:
    before = done(editor.add_file(upload(tmp_path, "Fish swim."), "pond.txt")).rows
    corpus = last_corpus(settings.index)
    cat, _, pond = before
    for gone in (pond, cat):
        assert gone not in done(editor.remove(gone.doc_id)).rows
        assert [path for path in kept(settings) if not path.startswith(".")] == ["pond.txt"] * (gone is cat)
        changed = done(editor.bring_back(gone.doc_id))
        assert (changed.rows, changed.added) == (before, (gone,)) and kept(settings) == ["pond.txt"]
        assert last_corpus(settings.index) == corpus
        with pytest.raises(DocumentError, match="cannot be brought back any more; add it again"):
            list(editor.bring_back(gone.doc_id))


@pytest.mark.slow
def test_a_text_with_two_sources_goes_and_comes_back_whole(
    editor: DocumentEditor, settings: Settings, tmp_path: Path
) -> None:
    before = done(editor.add_file(upload(tmp_path, "A dog eats."), "dog.txt")).rows
    assert len(before) == 3
    assert len(done(editor.remove(before[-1].doc_id)).rows) == 1
    assert done(editor.bring_back(before[-1].doc_id)).rows == before


@pytest.mark.slow
def test_a_removed_file_is_deleted_with_the_next_change_or_when_its_time_is_over(
    editor: DocumentEditor, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed() -> str:
        doc_id = done(editor.add_file(upload(tmp_path, "Fish swim."), "pond.txt")).added[0].doc_id
        done(editor.remove(doc_id))
        assert kept(settings) == [".removed pond.txt"]
        return doc_id

    gone = removed()
    add = editor.add_file(upload(tmp_path, "Fish eat."), "pond.txt")  # Of the same name, and not yet a change.
    done(add)
    assert kept(settings) == ["pond.txt"]
    with pytest.raises(DocumentError, match="cannot be brought back any more"):
        list(editor.bring_back(gone))
    done(editor.remove(editor.listed(open_index(settings.index, EMBEDDER).documents)[-1].doc_id))
    make(settings)  # As when the server starts again.
    assert kept(settings) == []

    monkeypatch.setattr("rag.server.document_editor.UNDO", 0.5)
    gone = removed()
    while any(thread.name == "undo" for thread in threading.enumerate()):
        next(thread for thread in threading.enumerate() if thread.name == "undo").join(WAIT)
    assert kept(settings) == []
    with pytest.raises(DocumentError, match="cannot be brought back any more"):
        list(editor.bring_back(gone))


@pytest.mark.slow
def test_what_could_not_be_brought_back_can_be_tried_again(
    editor: DocumentEditor, settings: Settings, tmp_path: Path
) -> None:
    gone = done(editor.add_file(upload(tmp_path, "Fish swim."), "pond.txt")).added[0]
    done(editor.remove(gone.doc_id))
    with write_lock(settings.index), pytest.raises(StoreError, match="is being written"):
        list(editor.bring_back(gone.doc_id))
    assert kept(settings) == [".removed pond.txt"] and "Fish swim." not in texts(settings)
    assert done(editor.bring_back(gone.doc_id)).added == (gone,) and kept(settings) == ["pond.txt"]


@pytest.mark.slow
def test_the_same_name_gets_a_number(editor: DocumentEditor, settings: Settings, tmp_path: Path) -> None:
    done(editor.add_file(upload(tmp_path, "Fish swim."), "pond.txt"))
    done(editor.add_file(upload(tmp_path, "Fish eat."), "/elsewhere/pond.txt"))
    assert kept(settings) == ["pond 2.txt", "pond.txt"] and {"Fish swim.", "Fish eat."} < set(texts(settings))


@pytest.mark.slow
def test_two_who_add_at_the_same_time_both_succeed(settings: Settings, editor: DocumentEditor, tmp_path: Path) -> None:
    first_embeds, second_waits = threading.Event(), threading.Event()

    class Slow(TopicEmbedder):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            first_embeds.set()
            assert second_waits.wait(WAIT)
            return super().embed_documents(texts)

    shared = make(settings, Slow())
    first = shared.add_text("First", "Fish swim.")
    assert first_embeds.wait(WAIT)
    second = shared.add_text("Second", "Fish eat.")
    assert next(second) == Step("Waiting for another change of the documents", 0, 0)
    third = shared.add_file(upload(tmp_path, "no"), "broken.pdf")
    second_waits.set()
    assert len(done(first).rows) == 3
    assert {"First", "Second"} < {row.title for row in done(second).rows}
    with pytest.raises(DocumentError, match="does not look like PDF"):
        list(third)
    assert kept(settings) == ["First.md", "Second.md"] and len(texts(settings)) == 4


@pytest.mark.slow
def test_many_threads_lose_nothing(settings: Settings, editor: DocumentEditor) -> None:
    threads = [
        threading.Thread(target=lambda n=number: done(editor.add_text(f"Text {n}", f"Fish number {n} swims.")))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert len(list_documents(settings.index)) == 6


@pytest.mark.slow
def test_what_another_process_adds_meanwhile_is_not_lost(
    editor: DocumentEditor, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two editors do not know of each other, as two processes do not."""
    read = PreloadingLoader.preload

    def read_slowly(loader: PreloadingLoader, source: str, words: int) -> None:
        monkeypatch.setattr(PreloadingLoader, "preload", read)
        done(make(settings).add_text("Meanwhile", "Fish eat."))
        read(loader, source, words)

    monkeypatch.setattr(PreloadingLoader, "preload", read_slowly)
    done(editor.add_text("First", "Fish swim."))
    assert {row.title for row in editor.listed(open_index(settings.index, EMBEDDER).documents)} >= {
        "Meanwhile",
        "First",
    }


@pytest.mark.slow
def test_another_writer_is_named_and_nothing_is_left_behind(editor: DocumentEditor, settings: Settings) -> None:
    with (
        write_lock(settings.index),
        pytest.raises(StoreError, match=f"is being written by process {os.getpid()} since .*; wait until"),
    ):
        list(editor.add_text("Title", "Fish swim."))
    assert kept(settings) == []
    done(editor.add_text("Title", "Fish swim."))


@pytest.mark.slow
def test_an_embedder_that_fails_leaves_everything_as_it_was(editor: DocumentEditor, settings: Settings) -> None:
    def fail() -> TopicEmbedder:
        raise ModelError("The embedder is missing; install it.")

    with pytest.raises(ModelError, match="install it"):
        list(DocumentEditor(settings, fail, verify).add_text("Title", "Fish swim."))
    assert kept(settings) == [] and len(texts(settings)) == 2


@pytest.mark.slow
def test_a_change_goes_on_when_nobody_looks(editor: DocumentEditor, settings: Settings) -> None:
    editor.add_text("First", "Fish swim.")  # its events are never read
    done(editor.add_text("Second", "Fish eat."))
    assert len(texts(settings)) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("update", "is_open"),
    [
        ({}, True),
        ({"add_documents": False}, False),
        ({"host": "box.example"}, False),
        ({"host": "box.example", "add_documents": True}, True),
    ],
)
def test_it_is_enabled_on_this_machine_or_where_the_setting_says_so(
    editor: DocumentEditor, settings: Settings, tmp_path: Path, update: dict[str, object], is_open: bool
) -> None:
    other = make(settings.model_copy(update=update))
    documents = open_index(settings.index, EMBEDDER).documents
    assert other.is_enabled == is_open and [row.removable for row in other.listed(documents)] == [is_open] * 2
    changes = [
        lambda: other.add_file(upload(tmp_path, "Fish."), "fish.txt"),
        lambda: other.add_text("Title", "Fish."),
        lambda: other.add_address("https://example.org"),
        lambda: other.remove("gone"),
        lambda: other.bring_back("gone"),
    ]
    for number, change in enumerate(changes if not is_open else []):
        with pytest.raises(SettingsError, match="cannot be added or removed in this page; set RAG_ADD_DOCUMENTS=true"):
            change()
        assert kept(settings) == [], number
    if is_open:
        done(other.add_text("Title", "Fish."))


@pytest.mark.slow
def test_an_address_is_fetched_once_and_only_with_consent(
    editor: DocumentEditor, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []

    def fetch(address: str, *, online: bool, **_: object) -> web.Page:
        assert online
        fetched.append(address)
        if "gone" in address:
            raise DocumentError(f"{address!r} did not answer; try again later.")
        return web.Page("text", "utf-8", b"Fish swim.")

    monkeypatch.setattr(web, "fetch", fetch)
    with pytest.raises(DocumentError, match=r"is not fetched without consent; start the page with RAG_ONLINE=true\."):
        editor.add_address("https://example.org/fish")
    online = make(settings.model_copy(update={"online": True}))
    with pytest.raises(DocumentError, match="'notes' is not a web address; it begins with https://"):
        online.add_address("notes")
    with pytest.raises(DocumentError, match="is not a web address") as caught:
        online.add_address("https://example.org/" + "x" * 100_000)
    assert len(str(caught.value)) < 1200
    with pytest.raises(DocumentError, match="did not answer"):
        list(online.add_address("https://example.org/gone"))
    assert "Fish swim." not in texts(settings)
    changed = done(online.add_address(" https://example.org/fish#part "))
    assert changed.rows[-1].source == "https://example.org/fish" and "Fish swim." in texts(settings)
    assert fetched == ["https://example.org/gone", "https://example.org/fish"]
    done(online.remove(changed.rows[-1].doc_id))
    assert len(texts(settings)) == 2


def test_a_folder_that_cannot_be_written_is_named(editor: DocumentEditor, settings: Settings, tmp_path: Path) -> None:
    write(tmp_path, {"file": "x"})
    other = make(settings.model_copy(update={"store": tmp_path / "file"}))
    with pytest.raises(StoreError, match=r"cannot be stored in .*file.documents.*set RAG_STORE to another folder"):
        other.add_text("Title", "Fish swim.")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Report: final?", "Report final"),
        ("..hidden", "hidden"),
        ("  ", "document"),
        ("...", "document"),
        ("a#b", "a b"),
        ("a\u202eb\x00c", "abc"),
        ("CON", "CON file"),
        ("lpt1.x", "lpt1.x file"),
        ("e\u0301t\u00e9", "\u00e9t\u00e9"),
        ("x" * 300, "x" * 120),
        ("\udce9", "\ufffd"),
    ],
)
def test_names_are_made_safe(name: str, stem: str) -> None:
    assert safe_stem(name) == stem


@pytest.mark.slow
@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=300), title=st.text(max_size=300))
def test_no_name_leads_out_of_the_folder_or_hides_the_file(tmp_path: Path, name: str, title: str) -> None:
    folder = tmp_path / "documents"
    upload(tmp_path, "x")
    try:
        placed = [save_file(folder, tmp_path / "uploaded", f"{name}.TXT", 1)]
    except RagError:
        placed = []
        assert (name + ".TXT").replace("\\", "/").rsplit("/")[-1].startswith(".")
    placed.append(save_text(folder, title, "some text", 1))
    assert len({path.name for path in folder.iterdir()}) == len(placed)
    for path in placed:
        assert is_added(folder, path.as_posix()) and path.is_file()
        assert not path.name.startswith((".", " ")) and "#" not in path.name and path.suffix in {".txt", ".md"}
        path.unlink()
    assert not is_added(folder, (tmp_path / "uploaded").as_posix())


@pytest.mark.slow
def test_what_is_left_out_of_an_added_file_is_told(editor: DocumentEditor, settings: Settings, tmp_path: Path) -> None:
    changed = done(editor.add_file(upload(tmp_path, "Fish swim in the café. ".encode() * 9 + b"\xff"), "pond.txt"))
    assert [row.left_out for row in changed.added] == [("1 byte that is no letter",)]
    changed = done(editor.add_text("Later", "Frogs swim, too."))
    assert [row.title for row in changed.added] == ["Later"] and changed.added[0].left_out == ()
    assert [row.left_out for row in changed.rows if row.title == "Pond"] == [("1 byte that is no letter",)]
