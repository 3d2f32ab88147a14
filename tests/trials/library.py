"""A library of generated texts, every passage of which is known, and vectors that stand in for an embedder's."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings

from rag.index.index import Index

EMBEDDER = "all-MiniLM-L6-v2"
"""The name under which the fake vectors are published, which is the one of the settings."""
WORDS = 12
"""Words in a sentence, and in a passage: every line of a text is one passage."""
CANARIES = 50
_DIMENSIONS = 384
_SAME = 0.9999
"""Cosine above which a vector is taken for the one looked for."""


def vector(text: str) -> npt.NDArray[np.float32]:
    """A random unit vector of shape (384,) that only depends on the text."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    row = np.random.default_rng(seed).standard_normal(_DIMENSIONS, dtype=np.float32)
    return np.asarray(row / np.linalg.norm(row), dtype=np.float32)


class HashEmbedder(Embeddings):
    """Gives every text its `vector`."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        row: list[float] = vector(text).tolist()
        return row


@cache
def _vocabulary() -> list[str]:
    rng = random.Random(0)
    return [
        "".join(rng.choice("bdfgklmnprtvz") + rng.choice("aou") for _ in range(3)) + rng.choice("kmpr")
        for _ in range(4000)
    ]


@dataclass
class Library:
    """Texts as files below `folder`: `texts` by their names there, all different."""

    folder: Path
    rng: random.Random
    passages: int
    texts: dict[str, str] = field(default_factory=dict)
    _number: int = 0

    def add(self, count: int) -> list[str]:
        """Write `count` new documents; returns their names."""
        names = [self._new_name() for _ in range(count)]
        for name in names:
            self.put(name, "".join(self._sentence() for _ in range(self.passages)))
        return names

    def put(self, name: str, text: str) -> None:
        """Write one document."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.texts[name] = text

    def rewrite(self, names: Sequence[str]) -> None:
        """Give these documents texts with nothing of the old ones."""
        for name in names:
            self.put(name, "".join(self._sentence() for _ in range(self.passages)))

    def rename(self, name: str) -> str:
        """Move a document to another name, which is its title too; returns it."""
        new = self._new_name()
        self.put(new, self.texts[name])
        self.remove(name)
        return new

    def remove(self, name: str) -> None:
        """Delete a document."""
        (self.folder / name).unlink()
        del self.texts[name]

    def change(self, times: int) -> None:
        """`times` over: edit a line of a document, rewrite one, add one, rename one, delete one."""
        for _ in range(times):
            edited, rewritten, renamed, removed = self.rng.sample(sorted(self.texts), 4)
            lines = self.texts[edited].splitlines(keepends=True)
            lines[self.rng.randrange(len(lines))] = self._sentence()
            self.put(edited, "".join(lines))
            self.rewrite([rewritten])
            self.add(1)
            self.rename(renamed)
            self.remove(removed)

    def _new_name(self) -> str:
        self._number += 1
        return f"shelf {self._number % 10}/Text {self._number}.txt"

    def _sentence(self) -> str:
        words = self.rng.choices(_vocabulary(), k=WORDS - 1)
        return f"{' '.join(words).capitalize()} x{self.rng.getrandbits(48):012x}.\n"


def make_library(folder: Path, documents: int, passages: int, seed: int = 1) -> Library:
    """A library of `documents` texts of `passages` passages each."""
    library = Library(folder, random.Random(seed), passages)
    library.add(documents)
    return library


def differences(index: Index, library: Library, texts: Mapping[str, str], first: Sequence[str] = ()) -> list[str]:
    """What an index has or finds otherwise than it must with these texts; canaries of the `first` come first."""
    wrong = []
    expected = {(library.folder / name).as_posix() for name in texts}
    listed = {one.source for one in index.documents.listed()}
    if listed != expected:
        wrong.append(f"{len(listed - expected)} sources too many, {len(expected - listed)} missing")
    ids = {hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts.values()}
    if set(index.documents) != ids:
        wrong.append(f"{len(set(index.documents) ^ ids)} documents are not those that were written")
    passages = sum(text.count("\n") for text in texts.values())
    if index.manifest.passages != passages:
        wrong.append(f"{index.manifest.passages:,} passages instead of {passages:,}")
    for name, line in _canaries(texts, first, random.Random(index.path.name)):
        wrong += _lost(index, library, name, line)
    return wrong


def _canaries(texts: Mapping[str, str], first: Sequence[str], rng: random.Random) -> list[tuple[str, str]]:
    """Names and lines: half of the canaries from the `first` documents, the others from everywhere."""
    some = rng.choices([name for name in first if name in texts] or sorted(texts), k=CANARIES // 2)
    others = rng.choices(sorted(texts), k=CANARIES - len(some))
    return [(name, rng.choice(texts[name].splitlines())) for name in some + others]


def _lost(index: Index, library: Library, name: str, line: str) -> list[str]:
    """Why a canary was not found, if it was not."""
    source = (library.folder / name).as_posix()
    found = index.passages(list(index.by_words(line, 1)))
    if [(passage.text, passage.source, passage.title) for passage in found] != [(line, source, Path(name).stem)]:
        return [f"a passage of {name!r} is not found by its words"]
    ((nearest, cosine),) = index.by_meaning(vector(line).tolist(), 1)
    if nearest != found[0].passage_id or cosine < _SAME:
        return [
            f"passage {found[0].passage_id} of {name!r} is not found by its vector, but one with cosine {cosine:.4f}"
        ]
    return []
