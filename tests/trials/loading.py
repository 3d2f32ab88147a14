"""Documents of all formats, sound, broken and mutated."""

import random
import time
from collections import Counter
from pathlib import Path

from formats import SOUND, fuzz, write_mixed

from rag.documents.loader import Loader
from rag.documents.sources import find_sources
from rag.errors import DocumentError
from rag.index.index import open_index
from rag.types import Loaded
from trials.finding import Finding
from trials.library import EMBEDDER
from trials.process import updated

_SECONDS = 10.0
"""The longest that a document may take."""


def mixed(folder: Path, short: bool) -> Finding:
    """Ingest a folder of all formats with broken documents among them."""
    count = 240 if short else 1000
    broken = write_mixed(folder / "texts", count, 5)
    sources = find_sources([str(folder / "texts")])
    child = updated(folder / "index", folder / "texts", seconds=900, apart=not short)
    done = child.events[-1].get("done")
    if not done:
        raise RuntimeError(f"the update ended with {child.events[-1]}")
    named = {source for source in sources if any(_names(problem, source) for problem in done["problems"])}
    listed = open_index(folder / "index", EMBEDDER).documents.listed()
    held = {one.source if one.source in sources else one.source.rpartition("#")[0] for one in listed if one.passages}
    wrong = [f"{source} was not named" for source in sorted(broken - named)]
    wrong += [f"{source} was named" for source in sorted(named - broken)]
    wrong += [f"{source} is not in the index" for source in sorted(set(sources) - broken - held)]
    if len(sources) != count:
        wrong.append(f"{len(sources)} documents were found instead of {count}")
    return Finding(
        f"{count:,} documents of all formats ingested, {len(broken)} of them broken",
        f"all {len(broken)} named, the other {count - len(broken)} in the index, in {done['seconds']:.1f} s",
        tuple(wrong),
    )


def _names(problem: str, source: str) -> bool:
    return problem.startswith((f"{source!r} ", f"{repr(source)[:-1]}#"))


def fuzzed(folder: Path, short: bool) -> Finding:
    """Load mutated documents: each gives texts or one of our own errors, in time."""
    count = 300 if short else 3000
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    slowest = 0.0
    with Loader(seconds=_SECONDS) as loader:
        for number in range(count):
            name = list(SOUND)[number % len(SOUND)]
            suffix, make = SOUND[name]
            path = folder / f"{number}{suffix}"
            path.write_bytes(fuzz(make(random.Random(number)), number))
            began = time.perf_counter()
            try:
                items = list(loader.load(str(path), 110))
            except Exception as error:  # noqa: BLE001 - no other error may come out
                wrong.append(f"{name}, seed {number}: {type(error).__name__}: {error}")
                continue
            seconds = time.perf_counter() - began
            slowest = max(slowest, seconds)
            counts.update(_kind(item) for item in items)
            if not items or seconds > 2 * _SECONDS:
                wrong.append(f"{name}, seed {number}: {len(items)} items after {seconds:.1f} s")
            path.unlink()
    wrong += [f"there were no {kind}" for kind in ("texts", "errors") if not counts[kind]]
    wrong += [f"{number} items were neither" for kind, number in counts.items() if kind not in {"texts", "errors"}]
    return Finding(
        f"{count:,} mutated documents of {len(SOUND)} formats loaded",
        f"{counts['texts']:,} texts, {counts['errors']:,} errors of our own, nothing else; the slowest {slowest:.1f} s",
        tuple(wrong),
    )


def _kind(item: object) -> str:
    """What came of a document; a text must be one that can be written and searched."""
    if isinstance(item, DocumentError):
        return "errors" if str(item).strip() and "\n" not in str(item) else "broken errors"
    if isinstance(item, Loaded):
        text = item.document.text
        text.encode("utf-8")
        return "texts" if text.strip() and "\0" not in text and item.spans else "broken texts"
    return type(item).__name__
