import json
import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import EMBEDDER, TopicEmbedder, all_passages, publish, write
from serving import STRANGE, strange_server
from trials.library import HashEmbedder, vector

from rag.errors import DocumentError, StoreError
from rag.index.builder import BuildOptions, update
from rag.index.health import verify
from rag.index.index import Index, open_index
from rag.index.manifest import Corpus
from rag.index.snapshot import newest_sound, roll_back, snapshots, write_lock

TEXTS = {"cat.txt": "The black cat sleeps.", "sub/dog.md": "# Dogs\n\nA dog eats.", "fish.txt": "Fish swim."}


class Counting(TopicEmbedder):
    """Breaks after `most` calls."""

    def __init__(self, most: int = 1000) -> None:
        super().__init__()
        self.most = most

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.most == 0:
            raise KeyboardInterrupt
        self.most -= 1
        return super().embed_documents(texts)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "texts", TEXTS)
    return tmp_path / "texts"


@pytest.fixture
def index(tmp_path: Path, folder: Path) -> Path:
    publish(tmp_path / "index", folder)
    return tmp_path / "index"


def with_(embedder: TopicEmbedder, passage_words: int = 20, name: str = EMBEDDER) -> BuildOptions:
    return BuildOptions(passage_words, name, lambda: embedder)


def texts(index: Path, name: str = EMBEDDER) -> list[str]:
    return sorted(passage.text for passage in all_passages(open_index(index, name)))


def never() -> TopicEmbedder:
    raise AssertionError("nothing has to be embedded")


def test_unchanged_documents_are_neither_loaded_nor_embedded(
    index: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshots(index)
    monkeypatch.setattr("rag.documents.loader.Loader.load", lambda *_: pytest.fail("an unchanged file was loaded"))
    outcome = publish(index, folder, build_options=BuildOptions(20, EMBEDDER, never))
    assert (outcome.changed, outcome.embedded, outcome.manifest.documents) == (False, 0, 3)
    assert snapshots(index) == before


@pytest.mark.slow
def test_only_what_is_new_is_embedded_and_old_text_is_gone(index: Path, folder: Path) -> None:
    write(folder, {"cat.txt": "The white cat wakes.", "bird.txt": "A bird sings."})
    (folder / "fish.txt").unlink()
    embedder = Counting()
    outcome = publish(index, folder, build_options=with_(embedder))
    assert outcome.embedded == 2
    assert sorted(embedder.texts) == ["A bird sings.", "The white cat wakes."]
    assert texts(index) == ["# Dogs\n\nA dog eats.", "A bird sings.", "The white cat wakes."]
    opened = open_index(index, EMBEDDER)
    assert list(opened.by_words("black sleeping swimming", 9)) == []
    for path in opened.path.rglob("*"):
        assert path.is_dir() or b"Fish swim" not in path.read_bytes()


@pytest.mark.slow
def test_a_renamed_document_keeps_its_passages_and_is_found_by_its_new_name(index: Path, folder: Path) -> None:
    before = {document.text: document.doc_id for document in open_index(index, EMBEDDER).documents.values()}
    (folder / "cat.txt").rename(folder / "tom_jones.txt")
    outcome = publish(index, folder, build_options=BuildOptions(20, EMBEDDER, never))
    assert (outcome.changed, outcome.embedded) == (True, 0)
    opened = open_index(index, EMBEDDER)
    document = opened.documents[before["The black cat sleeps."]]
    assert (document.title, Path(document.source).name) == ("Tom jones", "tom_jones.txt")
    assert [passage.title for passage in opened.passages(list(opened.by_words("jones", 5)))] == ["Tom jones"]


@pytest.mark.slow
def test_a_new_title_of_its_own_is_embedded_anew(index: Path, folder: Path) -> None:
    write(folder, {"page.html": "<html><title>Cats</title><p>They sleep all day long, and eat at night.</p></html>"})
    publish(index, folder)
    write(folder, {"page.html": "<html><title>Dogs</title><p>They sleep all day long, and eat at night.</p></html>"})
    embedder = Counting()
    assert publish(index, folder, build_options=with_(embedder)).embedded == 1
    assert embedder.texts[0].startswith("Dogs\n")
    opened = open_index(index, EMBEDDER)
    assert [passage.title for passage in opened.passages(list(opened.by_words("dogs all day", 1)))] == ["Dogs"]
    assert verify(opened.path, full=True) == []


@pytest.mark.slow
def test_after_a_rollback_and_a_new_run_the_way_back_leads_to_what_was_current(index: Path, folder: Path) -> None:
    write(folder, {"cat.txt": "The second cat."})
    publish(index, folder)
    roll_back(index)
    write(folder, {"cat.txt": "The third cat."})
    publish(index, folder)
    roll_back(index)
    assert "The black cat sleeps." in texts(index)


@pytest.mark.slow
def test_after_a_repair_there_is_a_sound_snapshot_to_go_back_to(index: Path, folder: Path) -> None:
    write(folder, {"cat.txt": "The second cat."})
    publish(index, folder)
    (snapshots(index)[0] / "passages.sqlite").write_bytes(b"")
    publish(index, folder)
    roll_back(index)
    assert "The black cat sleeps." in texts(index)


@pytest.mark.slow
def test_words_that_are_mere_lines_or_in_other_scripts_pass_the_check(tmp_path: Path) -> None:
    write(tmp_path / "texts", {"form.txt": "Name: ________ Date: ____ snake_case", "a.txt": "𞤀𞤣𞤤𞤢𞤥 עברית ไทย हिन्दी"})
    publish(tmp_path / "index", tmp_path / "texts")
    opened = open_index(tmp_path / "index", EMBEDDER)
    for word in ("snake", "𞤀𞤣𞤤𞤢𞤥", "עברית", "ไทย"):
        assert len(list(opened.by_words(word, 5))) == 1


@pytest.mark.slow
def test_other_bytes_with_the_same_text_are_not_embedded(index: Path, folder: Path) -> None:
    (folder / "cat.txt").write_bytes("\ufeffThe black cat sleeps.".encode())
    assert publish(index, folder, build_options=BuildOptions(20, EMBEDDER, never)).embedded == 0


@pytest.mark.slow
def test_what_was_embedded_before_an_interruption_is_kept(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.index.embedding.BATCH", 1)
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path / "index", folder, build_options=with_(Counting(most=2)))
    assert [path.name for path in (tmp_path / "index").glob("*T*")] == []
    embedder = Counting()
    assert publish(tmp_path / "index", folder, build_options=with_(embedder)).embedded == len(embedder.texts) == 1


@pytest.mark.slow
def test_an_interruption_leaves_the_index_as_it_was(index: Path, folder: Path) -> None:
    write(folder, {"cat.txt": "Changed."})
    with pytest.raises(KeyboardInterrupt):
        publish(index, folder, build_options=with_(Counting(most=0)))
    assert "The black cat sleeps." in texts(index)
    assert not list(index.glob("*.building"))


@pytest.mark.slow
def test_a_result_that_fails_its_check_is_not_published(index: Path, folder: Path) -> None:
    write(folder, {"cat.txt": "Changed."})
    with pytest.raises(StoreError, match=r"did not pass its check \(a bad canary\), so the old one stays"):
        publish(index, folder, verify=lambda _: ["a bad canary"])
    assert "The black cat sleeps." in texts(index)


def test_what_an_interrupted_build_left_is_removed(index: Path, folder: Path) -> None:
    (index / "20200101T000000000000-abcd.building" / "vectors").mkdir(parents=True)
    (index / "CURRENT.1234abcd").write_text("x")
    publish(index, folder)
    assert not list(index.glob("*.building")) and not list(index.glob("CURRENT.*"))


@pytest.mark.slow
def test_what_an_update_left_that_was_killed_while_removing_is_removed(index: Path, folder: Path) -> None:
    write(folder, {"cat.txt": "The second cat."})
    publish(index, folder)
    current, before = snapshots(index)
    shutil.copytree(before, index / "20200101T000000000000-abcd")
    assert not publish(index, folder).changed
    assert snapshots(index) == [current, before]


@pytest.mark.slow
@pytest.mark.parametrize("made", [with_(Counting(), passage_words=30), with_(Counting(), name="other")])
def test_other_settings_make_a_new_index(index: Path, folder: Path, made: BuildOptions) -> None:
    outcome = publish(index, folder, build_options=made)
    assert outcome.changed
    assert (outcome.manifest.passage_words, outcome.manifest.embedder) == (made.passage_words, made.embedder)
    assert outcome.embedded == (3 if made.embedder == "other" else 0)
    assert texts(index, made.embedder) == sorted(["The black cat sleeps.", "# Dogs\n\nA dog eats.", "Fish swim."])


@pytest.mark.slow
def test_many_removals_store_the_vectors_anew(tmp_path: Path) -> None:
    write(tmp_path / "texts", {f"{number}.txt": f"Cat number {number}." for number in range(10)})
    publish(tmp_path / "index", tmp_path / "texts")
    stale: list[int] = []
    for number in range(4):
        (tmp_path / "texts" / f"{number}.txt").unlink()
        outcome = publish(tmp_path / "index", tmp_path / "texts", build_options=BuildOptions(20, EMBEDDER, never))
        stale.append(outcome.manifest.stale)
        assert len(texts(tmp_path / "index")) == 9 - number
    assert stale == [1, 0, 1, 0]


@pytest.mark.slow
def test_a_damaged_index_is_repaired_from_the_cache_and_the_documents(index: Path, folder: Path) -> None:
    for path in newest_sound(index).path.rglob("*.sqlite*"):
        path.write_bytes(b"garbage")
    outcome = publish(index, folder, build_options=BuildOptions(20, EMBEDDER, never))
    assert (outcome.changed, outcome.embedded, outcome.manifest.documents) == (True, 0, 3)
    assert newest_sound(index).notice is None


@pytest.mark.slow
def test_a_lost_cache_costs_only_what_changed(index: Path, folder: Path) -> None:
    write(folder, {f"{number}.txt": f"Cat number {number}." for number in range(10)})
    publish(index, folder)
    (index / "embeddings.sqlite").write_bytes(b"garbage" * 1000)
    write(folder, {"cat.txt": "Changed."})
    assert publish(index, folder).embedded == 1


@pytest.mark.slow
def test_unreadable_documents_are_named_each_time_and_those_in_part_too(tmp_path: Path) -> None:
    write(tmp_path / "texts", {"a.txt": "A cat.", "b.jsonl": '{"text": "A dog."}\nno JSON\n'})
    (tmp_path / "texts" / "c.txt").write_bytes(b"\0\0")
    for changed in (True, False):
        outcome = publish(tmp_path / "index", tmp_path / "texts")
        assert outcome.changed == changed
        first, second = sorted(outcome.problems)
        assert "b.jsonl" in first and "c.txt" in second
    (tmp_path / "texts" / "a.txt").write_bytes(b"\0\0")
    assert len(publish(tmp_path / "index", tmp_path / "texts").problems) == 3
    assert texts(tmp_path / "index") == ["A dog."]


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"rebuild": True}, {"build_options": with_(Counting(), passage_words=30)}])
def test_of_a_file_that_is_gone_no_problem_is_remembered(index: Path, folder: Path, options: dict[str, Any]) -> None:
    write(folder, {"many.jsonl": '{"text": "A dog."}\nno JSON\n'})
    assert len(publish(index, folder).problems) == 1
    (folder / "many.jsonl").unlink()
    assert publish(index, folder, **options).problems == ()


@pytest.mark.slow
def test_an_index_that_is_published_counts_whatever_then_cannot_be_removed(
    index: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_folder: Path, keep: set[str]) -> None:
        if newest_sound(index).path.name in keep and "Changed." in texts(index):
            raise StoreError("The index cannot be read.")

    monkeypatch.setattr("rag.index.shared.remove_others", fails)
    write(folder, {"cat.txt": "Changed."})
    assert publish(index, folder).changed


@pytest.mark.slow
def test_nothing_to_read_leaves_the_index_and_gives_a_reason(index: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    write(folder, {"a.txt": ""})
    with pytest.raises(DocumentError, match=r"so the index stays as it was .* the first reason: .*a\.txt"):
        publish(index, folder)
    assert "The black cat sleeps." in texts(index)


@pytest.mark.slow
def test_a_web_address_out_of_reach_is_kept_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rag.documents.loader import Loader

    page, address = tmp_path / "page.txt", "https://example.org/page.txt"
    page.write_bytes(
        b"A cat sleeps.\n\n" + b"It eats one more fish every single day. " * 6 + "Olé, olé. ".encode() + b"\xff"
    )
    write(tmp_path / "texts", {"dog.txt": "A dog eats."})
    digest, load = Loader.digest, Loader.load
    monkeypatch.setattr(Loader, "digest", lambda self, source: digest(self, str(page) if "://" in source else source))
    monkeypatch.setattr(
        Loader, "load", lambda self, source, words, *_: load(self, str(page) if "://" in source else source, words)
    )
    publish(tmp_path / "index", tmp_path / "texts", address)
    monkeypatch.setattr(Loader, "digest", digest)
    write(tmp_path / "texts", {"dog.txt": "A dog sleeps."})
    outcome = publish(tmp_path / "index", tmp_path / "texts", address)
    assert outcome.problems == ()  # Nobody asked to go online this time.
    first = texts(tmp_path / "index")
    assert len(first) > 2 and first[0].startswith("A cat sleeps.") and "A dog sleeps." in first
    publish(tmp_path / "index", tmp_path / "texts", address, rebuild=True)
    assert texts(tmp_path / "index") == first
    other = with_(TopicEmbedder(), passage_words=100)
    publish(tmp_path / "index", tmp_path / "texts", address, build_options=other)
    outcome = publish(tmp_path / "index", tmp_path / "texts", address, build_options=other)
    assert texts(tmp_path / "index") == [page.read_text(errors="replace"), "A dog sleeps."]
    assert outcome.left_out == (f"{page.as_posix()}: 1 byte that is no letter",)


@pytest.mark.slow
def test_whatever_web_servers_send_the_update_goes_on(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag.documents import fetch as web
    from rag.documents.loader import Loader

    sound = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=%s\r\n\r\n"
    french = "Ça va très bien, merci. Déjà vu à l'hôtel – « bien sûr »."
    charsets = (b"undefined", b"rot13", b"idna", b"unicode_escape", b"x" * 5_000, b"us-ascii")
    pages = {
        f"page {number}": sound % one + f"{french} {number}".encode("cp1252") for number, one in enumerate(charsets)
    }
    monkeypatch.setattr(web, "fetch", partial(web.fetch, allowed=lambda _: True))
    with ExitStack() as stack:
        strange, good = (
            {name: stack.enter_context(strange_server(sent)) for name, sent in servers.items()}
            for servers in (STRANGE, pages)
        )
        loader = stack.enter_context(Loader(online=True))
        corpus = Corpus((str(folder), "http://xn--/", *strange.values(), *good.values()))
        outcome = update(tmp_path / "index", corpus, with_(TopicEmbedder()), loader, verify=verify)
    named = [problem.split("'")[1] for problem in outcome.problems]
    assert sorted(named) == sorted(["http://xn--/", *strange.values()])
    assert texts(tmp_path / "index") == sorted(
        [*TEXTS.values(), *(f"{french} {number}" for number in range(len(pages)))]
    )


@pytest.mark.slow
def test_equal_passages_of_a_document_hide_no_other_and_pass_the_check(tmp_path: Path, folder: Path) -> None:
    """One word a million times: 8,300 equal passages, and few others were found by their vectors."""
    write(folder, {"word.txt": "word " * 1_000_000} | {f"{number}.txt": f"Number {number}." for number in range(60)})
    outcome = publish(tmp_path / "index", folder, build_options=BuildOptions(110, EMBEDDER, HashEmbedder))
    assert outcome.problems == () and outcome.manifest.passages > 8_000
    assert outcome.embedded < 100
    opened = open_index(tmp_path / "index", EMBEDDER)
    for number in range(60):
        (found, cosine) = opened.by_meaning(vector(f"Number {number}.").tolist(), 1)[0]
        assert opened.passages([found])[0].text == f"Number {number}." and cosine > 0.999
    assert verify(opened.path, full=True) == []


@pytest.mark.slow
def test_a_passage_of_many_documents_has_one_vector_that_goes_with_the_last(tmp_path: Path) -> None:
    same = "All rights of the pond are reserved, and no frog may be copied without the heron."
    lines = [json.dumps({"text": f"{same}\n\n# {number}\n\nFrog {number} sings. {same}"}) for number in range(300)]
    write(tmp_path / "texts", {"many.jsonl": "\n".join(lines), "cat.txt": f"{same}\n\n# Cat\n\nThe cat sleeps."})
    assert publish(tmp_path / "index", tmp_path / "texts", build_options=with_(TopicEmbedder(), 10)).embedded < 700
    counts = open_index(tmp_path / "index", EMBEDDER).manifest
    assert (counts.documents, counts.stale) == (301, 0)
    (tmp_path / "texts" / "many.jsonl").unlink()
    outcome = publish(tmp_path / "index", tmp_path / "texts", build_options=BuildOptions(10, EMBEDDER, never))
    assert (outcome.manifest.documents, outcome.embedded, outcome.manifest.stale) == (1, 0, 0)
    assert verify(open_index(tmp_path / "index", EMBEDDER).path, full=True) == []


@pytest.mark.slow
def test_removed_sources_stay_out(index: Path, folder: Path) -> None:
    corpus = Corpus((str(folder),), removed=(f"{folder.as_posix()}/cat.txt",))
    assert publish(index, corpus=corpus).changed
    assert texts(index) == ["# Dogs\n\nA dog eats.", "Fish swim."]


@pytest.mark.slow
def test_removed_lines_stay_out_and_come_back(index: Path, folder: Path) -> None:
    write(folder, {"many.jsonl": '{"text": "A cat."}\n{"text": "A dog."}\n'})
    source = f"{(folder / 'many.jsonl').as_posix()}"
    publish(index, folder)
    out = Corpus((str(folder),), removed=(f"{source}#2",))
    assert publish(index, corpus=out).changed
    assert "A dog." not in texts(index) and "A cat." in texts(index)
    assert not publish(index, corpus=out).changed
    publish(index, folder)
    assert "A dog." in texts(index)


@pytest.mark.slow
def test_a_second_writer_is_refused(index: Path, folder: Path) -> None:
    with write_lock(index), pytest.raises(StoreError, match=f"is being written by process {os.getpid()} "):
        publish(index, folder)


def test_progress_is_told_to_the_end(tmp_path: Path, folder: Path) -> None:
    told: dict[str, tuple[int, int]] = {}
    address = "https://example.org/last-and-out-of-reach"
    publish(tmp_path / "index", folder, address, progress=lambda what, *counts: told.update({what: counts}))
    assert told == {"Looking for changes": (4, 4), "Reading documents": (3, 3), "Embedding passages": (3, 3)}


def test_the_stored_vectors_are_those_of_the_embedder(index: Path) -> None:
    opened: Index = open_index(index, EMBEDDER)
    number = opened.documents.vector_ids(opened.documents.passage_ids())
    for passage in all_passages(opened):
        titled = opened.documents[passage.doc_id].titled
        vector: Sequence[float] = TopicEmbedder().embed_query(
            f"{passage.title}\n{passage.text}" if titled else passage.text
        )
        assert np.allclose(
            opened._vectors.get([number[passage.passage_id]])[number[passage.passage_id]], vector, atol=1e-3
        )
