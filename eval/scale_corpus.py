"""A made corpus of any size: real sentences in new order, vectors mixed of theirs.

The same sentences, seed and size give the same corpus. Each document belongs to a world; in all worlds but the
first the words that are not general have an ending of their own, so that the vocabulary grows with the corpus as
that of real ones does, and a question in the real words finds its passages in the first world. A passage's vector is
the mean of those of its sentences, moved towards its world and a little at random, both by mixtures of real vectors.
"""

import json
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings

from rag.documents.splitter import sentence_spans
from rag.index.vectors import Floats

PASSAGES_IN_DOCUMENT = 10
DOCUMENTS_IN_FILE = 1000
PASSAGE_WORDS = 110
_SHORTEST, _LONGEST = 30, 400
"""Characters of a sentence that is used."""
_STRANGER = 0.3
"""The share of sentences that come from elsewhere, not from the text that the document follows."""
_PASSAGES_A_WORLD = 1000
"""In a corpus with one world; the number of worlds grows with the root of the corpus."""
_GENERAL = 1 / 200
"""Words in a larger share of the sentences are the same in all worlds."""
_MIXED, _WORLD, _SHIFT = 4, 0.5, 0.4
"""How many vectors make a mixture, and how far it moves a vector for its world, and for itself."""
_PLACE = re.compile(r"No\. (\d+)/(\d+): ")
"""What stands before a sentence: its number, and that of its world."""
_WORD = re.compile(r"[^\W\d_]{3,}")
_SYLLABLES = [consonant + vowel for consonant in "bcdfghjklmnpqrstvwxz" for vowel in "aeiou"]


def sentences_of(texts: Iterable[str], most: int) -> list[str]:
    """At most so many sentences of these texts, each once, spread evenly."""
    found: dict[str, None] = {}
    for text in texts:
        for span in sentence_spans(text):
            sentence = " ".join(text[span.start : span.end].split())
            if _SHORTEST <= len(sentence) <= _LONGEST:
                found[sentence] = None
    step = max(1.0, len(found) / most)
    wanted = {round(number * step) for number in range(most)}
    return [sentence for number, sentence in enumerate(found) if number in wanted]


def write_corpus(folder: Path, sentences: Sequence[str], passages: int, seed: int = 0) -> None:
    """Write about so many passages' documents as JSONL files of DOCUMENTS_IN_FILE each."""
    folder.mkdir(parents=True)
    documents = _documents(sentences, passages, seed)
    number = 0
    while lines := list(islice(documents, DOCUMENTS_IN_FILE)):
        (folder / f"{number:04d}.jsonl").write_text("".join(lines), encoding="utf-8")
        number += 1


def _documents(sentences: Sequence[str], passages: int, seed: int) -> Iterator[str]:
    rng = np.random.default_rng(seed)
    general = _general(sentences)
    worlds = max(1, round((passages / _PASSAGES_A_WORLD) ** 0.5))
    for number in range(max(1, passages // PASSAGES_IN_DOCUMENT)):
        world, start, words = int(rng.integers(worlds)), int(rng.integers(len(sentences))), 0
        lines: list[str] = []
        while words < PASSAGES_IN_DOCUMENT * PASSAGE_WORDS:
            elsewhere = rng.random() < _STRANGER
            at = int(rng.integers(len(sentences))) if elsewhere else (start + len(lines)) % len(sentences)
            lines.append(f"No. {at}/{world}: {_in_world(sentences[at], world, general)}")
            words += len(lines[-1].split())
        yield json.dumps({"title": f"Report {number}", "text": "\n".join(lines)}) + "\n"


def _general(sentences: Sequence[str]) -> frozenset[str]:
    """The words, in small letters, that stand in a large share of the sentences."""
    count = Counter(word for sentence in sentences for word in set(_WORD.findall(sentence.lower())))
    return frozenset(word for word, number in count.items() if number > _GENERAL * len(sentences))


def _in_world(sentence: str, world: int, general: Collection[str]) -> str:
    """The sentence in the words of a world; in the first it is unchanged."""
    ending = "".join(_SYLLABLES[digit] for digit in divmod(world, len(_SYLLABLES)))
    if not world:
        return sentence
    return _WORD.sub(lambda word: word[0] if word[0].lower() in general else word[0] + ending, sentence)


class MixingEmbedder(Embeddings):
    """Gives a passage of a made corpus the mean of its sentences' vectors, moved."""

    def __init__(self, vectors: Floats) -> None:
        """`vectors` has a unit vector for each sentence of the corpus."""
        self._vectors = vectors

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of shape (len(texts), dimensions)."""
        rows: list[list[float]] = np.stack([self._vector(text) for text in texts]).tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text."""
        return self.embed_documents([text])[0]

    def _vector(self, text: str) -> Floats:
        places = [(int(number), int(world)) for number, world in _PLACE.findall(text)]
        moved = _SHIFT * self._mixture(zlib.crc32(text.encode()))
        if places:
            moved += _unit(self._vectors[[number for number, _ in places]].mean(axis=0))
            moved += _WORLD * self._mixture(world) if (world := places[0][1]) else 0.0
        return _unit(moved)

    def _mixture(self, seed: int) -> Floats:
        rng = np.random.default_rng(seed)
        some = self._vectors[rng.integers(len(self._vectors), size=_MIXED)]
        return _unit(rng.normal(size=_MIXED) @ some)


def _unit(vector: npt.NDArray[np.floating[Any]]) -> Floats:
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
