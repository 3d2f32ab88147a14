"""The index over its life: a machine that ingests, edits, renames, deletes, reopens, crashes and damages at random."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fakes import EMBEDDER, TopicEmbedder, all_passages, publish, write
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rag.errors import RagError
from rag.index.builder import BuildOptions
from rag.index.index import Index, open_index
from rag.index.snapshot import newest_sound, roll_back, snapshots
from rag.index.tokenizer import tokenize
from rag.types import Passage

WORDS = ["cat", "dog", "fish", "sleeps", "eats", "swims", "black", "pond", "Rex", "é", "42", "🙂"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=60).map(lambda words: " ".join(words) + ".")
NAMES = st.sampled_from(["a.txt", "b.txt", "c.md", "sub/d.txt", "sub/e.txt"])


class Crash(BaseException):
    """Ends a build where it stands."""


class Fragile(TopicEmbedder):
    """Crashes instead of embedding."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise Crash


class IndexLife(RuleBasedStateMachine):
    """`files` is what the folder holds, `published` what each snapshot was made of, by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp())
        self.index = self.place / "index"
        self.files: dict[str, str] = {}
        self.published: dict[str, dict[str, str]] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.place)

    @initialize(text=TEXTS)
    def begin(self, text: str) -> None:
        self.edit("a.txt", text)
        self.ingest()

    @rule(name=NAMES, text=TEXTS)
    def edit(self, name: str, text: str) -> None:
        write(self.place / "texts", {name: text})
        self.files[name] = text

    @precondition(lambda self: len(self.files) > 1)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.files)))
        (self.place / "texts" / name).unlink()
        del self.files[name]

    @rule(data=st.data(), name=NAMES)
    def rename(self, data: st.DataObject, name: str) -> None:
        old = data.draw(st.sampled_from(sorted(self.files)))
        if old == name:
            return
        write(self.place / "texts", {name: ""})
        (self.place / "texts" / old).rename(self.place / "texts" / name)
        self.files[name] = self.files.pop(old)

    @rule()
    def ingest(self) -> None:
        publish(self.index, self.place / "texts")
        self.published[newest_sound(self.index).path.name] = dict(self.files)
        assert newest_sound(self.index).notice is None

    @rule()
    def crash_while_embedding(self) -> None:
        with suppress(Crash):
            publish(self.index, self.place / "texts", build_options=BuildOptions(20, EMBEDDER, Fragile))
            self.published[newest_sound(self.index).path.name] = dict(self.files)  # There was nothing to embed.

    @rule()
    def crash_before_publishing(self) -> None:
        def crash(_: Path) -> list[str]:
            raise Crash

        with suppress(Crash):
            publish(self.index, self.place / "texts", verify=crash)

    @precondition(lambda self: len(snapshots(self.index)) > 1)
    @rule()
    def go_back(self) -> None:
        with suppress(RagError):
            roll_back(self.index)

    @precondition(lambda self: len({path.name for path in snapshots(self.index)} & set(self.published)) > 1)
    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        current = newest_sound(self.index).path
        name = data.draw(st.sampled_from(sorted(newest_sound(self.index).manifest.files)))
        (current / name).write_bytes(b"garbage")
        self.published.pop(current.name)

    @invariant()
    def what_is_listed_is_found_and_nothing_else(self) -> None:
        if not self.published:
            return
        index = open_index(self.index, EMBEDDER)
        expected = self.published[index.path.name]
        listed = {source.source: source.passages for source in index.documents.listed()}
        assert set(listed) == {(self.place / "texts" / name).as_posix() for name in expected}
        assert {document.text for document in index.documents.values()} == set(expected.values())
        for passage in all_passages(index):
            assert index.documents[passage.doc_id].text[passage.start : passage.end] == passage.text
            assert passage.text in "\n".join(expected.values())
            assert index.documents.has_words(passage.passage_id, passage.text, passage.language)
            assert self.is_near(index, passage)
        gone = {word for text in self.texts_of_others(expected) for word in tokenize(text)}
        for word in gone - set(tokenize(" ".join(expected.values()))):
            assert list(index.by_words(word, 50)) == []

    def is_near(self, index: Index, passage: Passage) -> bool:
        """Whether its vector is that of its text; after a new name the title before may still be in it."""
        vector = TopicEmbedder().embed_query(f"{passage.title}\n{passage.text}")
        near = dict(index.by_meaning(vector, index.manifest.passages, (), [passage.passage_id]))
        return near.get(passage.passage_id, 0.0) > 0.999

    def texts_of_others(self, expected: dict[str, str]) -> Iterator[str]:
        for texts in [*self.published.values(), self.files]:
            yield from (text for text in texts.values() if text not in expected.values())


TestIndexLife = pytest.mark.slow(IndexLife.TestCase)
TestIndexLife.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
