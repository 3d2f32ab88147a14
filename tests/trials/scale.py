"""Large indexes: what a small change costs, and how much memory an update takes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rag.index.index import open_index
from trials.finding import Finding
from trials.library import EMBEDDER, Library, differences, make_library
from trials.process import updated

_SHARE = 0.1
"""Of the time of the first run, the most that a run may take after 1% of the documents were changed."""
_VECTOR = 1700
"""Bytes a passage that the search graph (HNSW) itself needs."""
_BESIDE = 500
"""Bytes a passage that everything else may need."""
_NOISE = 16_000_000
"""Bytes by which the memory of two equal runs may differ."""


def incremental(folder: Path, short: bool) -> Finding:
    """Build a large index, then update it with nothing changed, with 1% changed, and with one document renamed."""
    documents, passages = (50, 10) if short else (2000, 50)
    library = make_library(folder / "texts", documents, passages)
    index, wrong = folder / "index", list[str]()
    first = _run(index, library, wrong, documents * passages, apart=not short)
    unchanged = _run(index, library, wrong, 0)
    changed = sorted(library.texts)[:: documents // max(1, documents // 100)][: max(1, documents // 100)]
    library.rewrite(changed)
    small = _run(index, library, wrong, len(changed) * passages, changed, apart=not short)
    renamed = library.rename(max(library.texts))
    _run(index, library, wrong, 0, [renamed], apart=not short)
    ratio = small["seconds"] / first["seconds"]
    if not short and ratio > _SHARE:
        wrong.append(f"1% changed took {ratio:.1%} of the first run")
    return Finding(
        f"{documents * passages:,} passages; then nothing changed, {len(changed)} of {documents} documents rewritten, "
        "one renamed",
        f"first run {first['seconds']:.1f} s, unchanged {unchanged['seconds']:.2f} s; rewritten {small['seconds']:.1f} s "
        f"({ratio:.1%} of the first run), {small['embedded']:,} passages embedded; renamed: 0 embedded",
        tuple(wrong),
    )


def _run(
    index: Path, library: Library, wrong: list[str], embedded: int, first: Sequence[str] = (), apart: bool = True
) -> dict[str, Any]:
    """Update and look; returns what the child measured."""
    child = updated(index, library.folder, seconds=1500, apart=apart)
    done: dict[str, Any] = child.events[-1].get("done", {})
    if not done:
        raise RuntimeError(f"an update ended with {child.events[-1]}")
    if done["embedded"] != embedded:
        wrong.append(f"{done['embedded']} passages were embedded instead of {embedded}")
    wrong += differences(open_index(index, EMBEDDER), library, library.texts, first)
    return done


def memory(folder: Path, short: bool) -> Finding:
    """Build a small and a large index in processes of their own, and compare the most memory that each had."""
    sizes = (1000, 3000) if short else (5000, 50_000)
    peaks: list[int] = []
    wrong: list[str] = []
    for size in sizes:
        library = make_library(folder / f"texts {size}", size // 50, 50)
        peaks.append(_run(folder / f"index {size}", library, wrong, size)["peak"])
    more = sizes[1] - sizes[0]
    each = (peaks[1] - peaks[0]) / more
    if peaks[1] - peaks[0] > more * (_VECTOR + _BESIDE) + _NOISE:
        wrong.append(f"{each:,.0f} bytes for each further passage")
    return Finding(
        f"indexes of {sizes[0]:,} and {sizes[1]:,} passages made",
        f"at most {peaks[0] / 1e6:,.0f} and {peaks[1] / 1e6:,.0f} MB: {each:,.0f} bytes for each further passage, "
        f"of which the search graph takes about {_VECTOR:,}",
        tuple(wrong),
    )
