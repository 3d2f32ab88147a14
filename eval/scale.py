"""`python -m eval bench --scale`: building and searching made indexes of growing size."""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from eval.dataset import Question, corpus_of
from eval.fresh import BUILD, SEARCH, measured
from eval.results import write, writing
from eval.scale_corpus import PASSAGE_WORDS, sentences_of, write_corpus
from eval.scale_steps import CORPUS, QUESTIONS, SENTENCES
from eval.table import aligned
from rag.documents.loader import Loader
from rag.documents.sources import survey
from rag.index.vectors import Floats
from rag.models.embedder import make_embedder
from rag.settings import Settings
from rag.types import Loaded

SENTENCES_USED = 15_000
QUESTIONS_ASKED = 200
_BATCH = 256
WAYS = {"fused": "both, fused", "words": "by words", "meaning": "by meaning", "chroma": "one Chroma query alone"}


@dataclass(frozen=True)
class Size:
    """What was measured of one index; the times are lists of milliseconds by way."""

    passages: int
    build_s: float
    stages_s: dict[str, float]
    peak_mb: float | None
    index_mb: float
    open_s: float
    reader_mb: float
    recall: float
    times_ms: dict[str, list[float]]

    def ms(self, way: str, percent: int) -> float:
        """A percentile of the milliseconds of one way to search."""
        return float(np.percentile(self.times_ms[way], percent))


def measure_sizes(
    sets: Sequence[tuple[str, Path, list[Question]]], settings: Settings, options: argparse.Namespace
) -> int:
    """Measure each size, print the table, write figures and plot. Raises RagError."""
    embedder = make_embedder(settings)
    texts = [text for _, folder, _ in sets for text in _texts(folder)]
    sentences = sentences_of(texts, SENTENCES_USED)
    vectors = _remembered(options.out / "scale-vectors.npz", sentences, embedder.embed_documents)
    every = list(dict.fromkeys(one.question for _, _, questions in sets for one in questions if not one.history))
    asked = every[:: max(1, len(every) // QUESTIONS_ASKED)][:QUESTIONS_ASKED]
    questions = dict(zip(asked, embedder.embed_documents(asked), strict=True))
    found: list[Size] = []
    for passages in sorted(options.sizes):
        with tempfile.TemporaryDirectory(prefix="scale-", dir=options.out) as scratch:
            found.append(measure(Path(scratch), passages, sentences, vectors, questions, options.seed))
        print(f"{table(found)}\n", flush=True)
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        write(options.out / "scale.json", json.dumps({"made": now, "sizes": [asdict(one) for one in found]}) + "\n")
        plot(found, options.out / "scale.png")
    print(f"Results: {options.out / 'scale.json'}, {options.out / 'scale.png'}")
    return 0


def _texts(folder: Path) -> list[str]:
    """The texts of the documents in a folder, without what cannot be read."""
    corpus = corpus_of(folder)
    with Loader() as loader:
        sources = survey(corpus.paths, corpus.include, corpus.exclude).documents
        found = [one for source in sources for one in loader.load(source, PASSAGE_WORDS)]
    return [one.document.text for one in found if isinstance(one, Loaded)]


def _remembered(path: Path, sentences: Sequence[str], embed: Callable[[list[str]], list[list[float]]]) -> Floats:
    """The vectors of the sentences, from the file if it is theirs."""
    digest = hashlib.sha256("\n".join(sentences).encode()).hexdigest()
    if path.exists():
        with np.load(path) as kept:
            if kept["digest"] == digest:
                return np.asarray(kept["vectors"], dtype=np.float32)
    parts = range(0, len(sentences), _BATCH)
    rows = [embed(list(sentences[at : at + _BATCH])) for at in tqdm(parts, "Embedding sentences", unit="batch")]
    vectors = np.concatenate([np.asarray(part, dtype=np.float32) for part in rows])
    np.savez(path, vectors=vectors, digest=digest)
    return vectors


def measure(
    scratch: Path, passages: int, sentences: Sequence[str], vectors: Floats, questions: Mapping[str, list[float]],
    seed: int,
) -> Size:  # fmt: skip
    """Build and search an index of about so many passages. Raises BenchError."""
    write_corpus(scratch / CORPUS, sentences, passages, seed)
    np.save(scratch / SENTENCES, vectors)
    (scratch / QUESTIONS).write_text(json.dumps(questions), encoding="utf-8")
    index = scratch / "index"
    built = measured(BUILD, scratch, index)
    searched = measured(SEARCH, scratch, index).said
    said = built.said
    return Size(
        said["passages"], said["build_s"], said["stages_s"], built.peak_mb, said["index_mb"],
        searched["open_s"], searched["reader_mb"], searched["recall"], searched["times_ms"],
    )  # fmt: skip


def table(sizes: Sequence[Size]) -> str:
    """The figures as text, a line for each size."""
    rows = [["passages", "built / s", "peak MB", "index MB", "open, s", "reader MB", "meaning p50", "p95", "words p50",
             "p95", "fused p95, ms", "Chroma alone p95", "recall@10"]]  # fmt: skip
    for one in sizes:
        peak = "–" if one.peak_mb is None else f"{one.peak_mb:,.0f}"
        spans = [f"{one.ms(way, percent):.1f}" for way in ("meaning", "words") for percent in (50, 95)]
        rows.append([
            f"{one.passages:,}", f"{one.passages / one.build_s:,.0f}", peak, f"{one.index_mb:,.0f}",
            f"{one.open_s:.2f}", f"{one.reader_mb:,.0f}", *spans, f"{one.ms('fused', 95):.1f}",
            f"{one.ms('chroma', 95):.1f}", f"{one.recall:.3f}",
        ])  # fmt: skip
    return aligned(rows, 0)


def plot(sizes: Sequence[Size], path: Path) -> None:
    """Draw the times and the recall by the number of passages."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    times, recall = figure.subplots(1, 2)
    passages = [one.passages for one in sizes]
    for way, label in WAYS.items():
        times.plot(passages, [one.ms(way, 95) for one in sizes], marker="o", label=label)
    times.set(xscale="log", yscale="log", xlabel="passages", ylabel="milliseconds, p95", title="Search")
    times.legend(frameon=False)
    recall.plot(passages, [one.recall for one in sizes], marker="o")
    recall.set(xscale="log", ylim=(0.9, 1.002), xlabel="passages", title="Recall@10 against comparing all")
    for axes in (times, recall):
        axes.grid(alpha=0.3)
    with writing(path):
        figure.savefig(path, dpi=110)
