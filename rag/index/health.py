"""What the index holds, and whether it is sound.

A snapshot is sound if it is what its manifest says: files, counts, and canaries found by word and by vector.
`python -m rag.index.health SNAPSHOT` checks it in a process of its own, which a damaged file may end.
"""

import argparse
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import chain, repeat
from pathlib import Path

from chromadb.errors import ChromaError

from rag.documents.fetch import is_address
from rag.documents.sources import survey
from rag.errors import DamagedError, DocumentError, StoreError, with_detail
from rag.index.index import EMBEDDINGS_FILE, PASSAGES_FILE, VECTORS_FOLDER, list_documents, open_files
from rag.index.manifest import Corpus, Manifest, check_files, count, read_manifest
from rag.index.passages import Counts, Passages, searched_text
from rag.index.shared import LOCAL, Remote
from rag.index.snapshot import REPAIR, current_name, newest_sound, others, some_snapshots, writer
from rag.index.vectors import Floats, Vectors

LINES = 20
"""Lines that are shown of what was left out."""
CANARIES = 50
"""Passages that are looked for, spread evenly, with the newest among them."""
_AMONG = 10
_SAME = 0.9999
"""Cosine above which two vectors are taken for the same."""
_MISSED = 0.1
"""The share of vectors that a search may miss. Among thousands that are nearly alike it misses some (up to 3%), and in
damaged files most."""


def status_lines(folder: Path, remote: Remote = LOCAL) -> tuple[list[str], bool]:
    """What the index holds, a fact a line, and whether the current snapshot is sound.

    Raises NoIndexError if there is none, DamagedError if nothing is sound.
    """
    sound = newest_sound(folder)
    manifest = sound.manifest
    try:
        notice = sound.notice or "; ".join(some(served_problems(sound.path, remote)))
    except StoreError as error:
        notice = with_detail(error)
    back = sum(path.name != sound.path.name for path, _ in others(folder))
    size = sum(size for size, _ in manifest.files.values())
    cached = (folder / EMBEDDINGS_FILE).stat().st_size if (folder / EMBEDDINGS_FILE).exists() else 0
    facts = {
        "Snapshot": sound.path.name + (f" (and {back} to go back to)" if back else ""),
        "Published": manifest.created,
        "Made of": ", ".join(manifest.corpus.paths),
        "Kept out": ", ".join(manifest.corpus.removed),
        "Documents": f"{manifest.documents:,}",
        "Passages": f"{manifest.passages:,} of about {manifest.passage_words} words",
        "Embedder": manifest.embedder,
        "Vectors": manifest.collection and "in a Chroma server",
        "Size": f"{size / 1e6:,.1f} MB, and {cached / 1e6:,.1f} MB of cached vectors",
        "Health": notice or "sound",
        "Written by": writer(folder) or "nobody now",
    }
    lines = [f"{name:<11} {_one_line(fact)}" for name, fact in facts.items() if fact]
    left_out = zip(chain(["Left out"], repeat("")), some(_left_out(sound.path, manifest.corpus)), strict=False)
    return [*lines, *(f"{name:<11} {_one_line(line)}" for name, line in left_out)], not notice


def _left_out(snapshot: Path, corpus: Corpus) -> list[str]:
    """What the documents lack, and what else is in the folders now."""
    with closing(Passages.read(snapshot / PASSAGES_FILE)) as passages:
        lines = passages.left_out()
    paths = [path if is_address(path) else os.path.join(corpus.place, path) for path in corpus.paths]
    with suppress(DocumentError):  # They have gone since.
        lines += survey(paths, corpus.include, corpus.exclude).left_out
    return lines


def some(lines: Sequence[str]) -> list[str]:
    """The first of many lines, and how many more there are."""
    more = len(lines) - LINES
    return [*lines[:LINES], f"and {more:,} more"] if more > 1 else list(lines)


def check(folder: Path, remote: Remote = LOCAL) -> str:
    """Check every file, passage and vector of the current snapshot.

    Raises DamagedError with all that is wrong, UnreachableError if the server of the vectors is out of reach.
    """
    current = some_snapshots(folder)[0]
    wrong = [] if current_name(folder) == current.name else ["CURRENT does not name a snapshot"]
    wrong += verify_apart(current, full=True)
    if wrong := wrong or served_problems(current, remote, full=True):
        raise DamagedError(f"The index {current.name} is damaged ({'; '.join(wrong)}); {REPAIR}")
    return f"The index {current.name} is sound: {read_manifest(current).summary()}."


def list_lines(folder: Path) -> list[str]:
    """The documents: source, title, number of passages, separated by tabs. Raises StoreError."""
    return [
        "\t".join([_one_line(one.source), _one_line(one.title), count(one.passages, "passage")])
        for one in list_documents(folder)
    ]


def _one_line(text: str) -> str:
    """`text` on one line, whatever a file's name holds."""
    return " ".join(text.split())


def verify_apart(snapshot: Path, full: bool = False) -> list[str]:
    """What is wrong with a snapshot, as another process finds it."""
    command = [sys.executable, "-m", "rag.index.health", str(snapshot.resolve()), *(["--full"] if full else [])]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, encoding="utf-8", check=False
    )
    found = done.stdout.splitlines()
    if done.returncode not in {0, 1} or (done.returncode and not found):
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        found.append(f"the check itself ended early ({last[0]})")
    return found


def verify(snapshot: Path, full: bool = False) -> list[str]:
    """What is wrong with a snapshot; empty if it is sound.

    `full` reads every passage and looks for 1,000. Vectors in a server are left to `served_problems`.
    """
    try:
        manifest = check_files(snapshot, full)
        passages = Passages.read(snapshot / PASSAGES_FILE)
        vectors = None if manifest.collection else Vectors.read(snapshot / VECTORS_FOLDER)
        return [
            *(passages.problems() if full else ()),
            *_counts(manifest, passages, vectors),
            *_canaries(passages, vectors, 1000 if full else CANARIES),
        ]
    except (DamagedError, OSError, sqlite3.Error, ChromaError, KeyError) as error:
        return [str(error)]


def served_problems(snapshot: Path, remote: Remote, full: bool = False) -> list[str]:
    """What is wrong with the vectors of a snapshot that are in a server.

    Raises UnreachableError while that is out of reach.
    """
    manifest = read_manifest(snapshot)
    if not manifest.collection:
        return []
    try:
        passages, vectors = open_files(snapshot, remote)
        with closing(passages), closing(vectors):
            return [
                *_counts(manifest, passages, vectors),
                *_canaries(passages, vectors, 1000 if full else CANARIES),
            ]
    except DamagedError as error:
        return [str(error)]


def _counts(manifest: Manifest, passages: Passages, vectors: Vectors | None) -> Iterator[str]:
    counts = passages.counts()
    if counts != Counts(manifest.documents, manifest.passages, manifest.words):
        yield f"{counts} were counted, but the manifest has {manifest.documents:,} and {manifest.passages:,}"
    if vectors is not None and len(vectors) != passages.vector_count():
        yield f"there are {len(vectors):,} vectors for {passages.vector_count():,} different passages"


def _canaries(passages: Passages, vectors: Vectors | None, count: int) -> Iterator[str]:
    every = passages.passage_ids()
    ids = sorted({*every[:: max(1, len(every) // count)], *every[-5:]})
    vector_of = passages.vector_ids(ids)
    stored = vectors.get(sorted(set(vector_of.values()))) if vectors is not None else {}
    missed: list[str] = []
    for passage in passages.passages(ids):
        if not passages.has_words(passage.passage_id, searched_text(passage), passage.language):
            yield f"the words of a passage of {passage.source!r} do not find it"
        vector_id = vector_of[passage.passage_id]
        if vectors is None:
            continue
        if vector_id not in stored:
            yield f"a passage of {passage.source!r} has no vector"
        elif not _finds_itself(vectors, vector_id, stored[vector_id]):
            missed.append(f"the vector of a passage of {passage.source!r} does not find it")
    if len(missed) > _MISSED * len(ids):
        yield from missed


def _finds_itself(vectors: Vectors, vector_id: int, vector: Floats) -> bool:
    found = vectors.nearest(vector, _AMONG)
    return vector_id in {i for i, cosine in found if cosine > _SAME} or bool(found and found[-1][1] > _SAME)


def main() -> int:
    """Print what is wrong, a line each; the exit code is 0 or 1."""
    parser = argparse.ArgumentParser(prog="python -m rag.index.health", description="Check a snapshot of the index.")
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--full", action="store_true", help="read every passage")
    arguments = parser.parse_args()
    found = verify(arguments.snapshot, arguments.full)
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    for problem in found:
        print(_one_line(problem))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
