"""A question -> its kind, by a linear classifier that was fitted to labelled wordings."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from rag.answer.question import Kind
from rag.bounds import QUESTION

WEIGHTS = "kinds.npz"
KINDS = tuple(Kind)
"""In the order of the weights."""
_TOKEN = re.compile(r"\w+|[^\w\s]")
_WORD = re.compile(r"\w")
_ENDINGS = ("s", "ed", "ing", "er")
"""What a word that is not common still tells: a plural, a past, a comparative."""
_FURTHEST = 12
"""Words apart that two words may be and still be looked at as a pair."""

_SURELY = 0.2
"""By so much a summary must be likelier than any other kind: it is the one kind that is never refused."""


@dataclass(frozen=True)
class KindClassifier:
    """Weights for how a question is worded; the kind with the highest sum is told.

    `common` are the words whose place among the others counts; `rarity` and the columns of
    `weights` belong to the buckets that the features of a question fall into.
    """

    common: Set[str]
    rarity: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def shipped(cls) -> Self:
        """The classifier that comes with this package, written by `python -m eval fit-kinds`."""
        with files("rag.answer").joinpath(WEIGHTS).open("rb") as file, np.load(file, allow_pickle=False) as held:
            weights = held["weights"].astype(np.float32) * held["scale"][:, None]
            return cls(frozenset(held["common"].tolist()), held["rarity"].astype(np.float32), weights, held["bias"])

    def save(self, path: Path) -> None:
        """Write it as a small file, each weight as one of 255 steps."""
        scale = np.maximum(np.abs(self.weights).max(axis=1), 1e-9) / 127
        np.savez_compressed(
            path,
            common=np.array(sorted(self.common), dtype=np.str_),
            rarity=self.rarity.astype(np.float16),
            weights=np.rint(self.weights / scale[:, None]).astype(np.int8),
            scale=scale.astype(np.float32),
            bias=self.bias.astype(np.float32),
        )

    def kind_of(self, question: str) -> Kind:
        """The kind that `question` asks for by its words; a fact if it has none."""
        if not _WORD.search(question[:QUESTION]):
            return Kind.FACT
        places, values = vector(question, self.common, self.rarity)
        sums = self.weights[:, places] @ values + self.bias
        sums[KINDS.index(Kind.SUMMARY)] -= _SURELY
        return KINDS[int(np.argmax(sums))]


def vector(
    question: str, common: Set[str], rarity: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The buckets that the question's features fall into, and how much each counts there.

    Each group of features has the length 1, and in it the rare ones count for more.
    """
    places, values = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for group in features(question, common):
        counts = Counter(crc32(one.encode("utf-8", "replace")) % len(rarity) for one in group)
        place = np.fromiter(counts, np.int64, len(counts))
        value = (1 + np.log(np.fromiter(counts.values(), np.float32, len(counts)))) * rarity[place]
        places.append(place)
        values.append(value / max(float(np.linalg.norm(value)), 1e-9))
    return np.concatenate(places), np.concatenate(values)


def features(question: str, common: Set[str]) -> Iterator[list[str]]:
    """Groups of what a question is worded with.

    Runs of words, parts of words, runs of the frame that the common words make, and pairs in that frame.
    """
    words = tokens(question)
    frame = [_framed(word, common) for word in words]
    yield [f"w {one}" for one in _runs(words, 4)]
    yield [
        f"c {padded[i : i + n]}"
        for padded in (f" {word} " for word in words[1:-1])
        for n in range(1, 6)
        for i in range(len(padded) - n + 1)
    ]
    yield [f"f {one}" for one in _runs(frame, 5)]
    yield [f"p {first} … {second}" for i, first in enumerate(frame) for second in frame[i + 2 : i + _FURTHEST]]


def tokens(question: str) -> list[str]:
    """Words and signs in lower case, between marks of the beginning and the end."""
    return ["^", *_TOKEN.findall(question[:QUESTION].lower().replace("’", "'")), "$"]


def _framed(word: str, common: Set[str]) -> str:
    if word in common or not word[0].isalnum():
        return word
    return "#" if word.isdigit() else "_" + next((end for end in _ENDINGS if word.endswith(end)), "")


def _runs(words: Sequence[str], longest: int) -> Iterator[str]:
    for n in range(1, longest + 1):
        for i in range(len(words) - n + 1):
            yield " ".join(words[i : i + n])
