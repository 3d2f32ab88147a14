"""How fast the embedder is, and how much of an update's time is spent embedding."""

import random
import time
from collections.abc import Callable
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings

from rag.documents.loader import Loader
from rag.documents.splitter import sentence_spans
from rag.index.builder import BuildOptions, update
from rag.index.health import verify_apart
from rag.index.index import PASSAGES_FILE
from rag.index.manifest import Corpus
from rag.index.passage_editor import PassageEditor
from rag.index.snapshot import snapshots
from rag.models.embedder import PACKAGE, make_embedder
from rag.settings import Settings
from trials.finding import Finding
from trials.library import EMBEDDER, HashEmbedder

_ROOT = Path(__file__).parents[2]
WORDS = 110
_TARGET = 0.9
_FASTER = 1.8
_NEAR = 0.99
_COMPARED = 500
"""Of the passages, so many are embedded by sentence-transformers, which takes longer."""


def throughput(folder: Path, short: bool) -> Finding:
    """Embed passages by sentence-transformers in fp32, alone, and within an update, by turns; all is loaded and warm."""
    count, times = (20, 1) if short else (10_000, 3)
    write(folder / "texts", count)
    _update(folder / "counted", folder / "texts", HashEmbedder(), verify=lambda snapshot: [])
    with closing(PassageEditor.read(snapshots(folder / "counted")[0] / PASSAGES_FILE)) as passages:
        texts = [one.text for batch in passages.pending(0, 1000) for one in batch]
    some = texts[:_COMPARED]
    embedder, plain = make_embedder(Settings(_env_file=None, embedder="")), _plain_embedder()
    cosines = (np.array(embedder.embed_documents(texts[:64])) * plain(texts[:64])).sum(axis=1)
    ratios, faster, alone, whole = [], [], [], []
    for number in range(times):
        began = time.perf_counter()
        plain(some)
        plainly = (time.perf_counter() - began) / len(some)
        began = time.perf_counter()
        embedder.embed_documents(texts)
        alone.append(time.perf_counter() - began)
        faster.append(plainly * len(texts) / alone[-1])
        began = time.perf_counter()
        _update(folder / f"index {number}", folder / "texts", embedder)
        whole.append(time.perf_counter() - began)
        ratios.append(alone[-1] / whole[-1])
    wrong = [] if cosines.min() >= _NEAR else [f"a cosine to fp32 is {cosines.min():.4f}"]
    for reached, target in ((median(ratios), _TARGET), (median(faster), _FASTER)):
        wrong += [] if short or reached >= target else [f"{reached:.3f} is less than {target}"]
    return Finding(
        f"{len(texts):,} passages of about {WORDS} words embedded alone and in an update, {len(some)} of them by "
        f"sentence-transformers in fp32, {times} times by turns",
        f"{median(faster):.2f} times as fast as sentence-transformers ({min(faster):.2f} to {max(faster):.2f}), cosine "
        f"{cosines.min():.4f} or more; alone {median(alone):.1f} s, in an update {median(whole):.1f} s: {median(ratios):.3f} of its throughput "
        f"({min(ratios):.3f} to {max(ratios):.3f})",
        tuple(wrong),
    )


def _plain_embedder() -> Callable[[list[str]], Any]:
    """What sentence-transformers makes of texts in fp32, warmed up."""
    import torch
    from sentence_transformers import SentenceTransformer

    folder = files(PACKAGE) / "model"
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
    model.encode(["warm"])
    return lambda texts: model.encode(texts, normalize_embeddings=True, show_progress_bar=False)


def write(folder: Path, count: int) -> None:
    """Documents of ten passages or so each, made of the sentences of this project's own texts."""
    rng = random.Random(4)
    sources = [(_ROOT / name).read_text(encoding="utf-8") for name in ("data/article.txt", "README.md", "LICENSE")]
    sentences = [text[span.start : span.end] for text in sources for span in sentence_spans(text)]
    sentences = [" ".join(one.split()) for one in sentences if one[-1:] == "." and 8 <= len(one.split()) <= 40]
    folder.mkdir()
    for number in range(count // 10):
        paragraphs: list[str] = []
        while sum(len(one.split()) for one in paragraphs) < 10 * WORDS:
            paragraphs.append(" ".join(rng.sample(sentences, 5)))
        (folder / f"text-{number}.txt").write_text("\n\n".join(paragraphs), encoding="utf-8")


def _update(index: Path, texts: Path, embedder: Embeddings, verify: Callable[[Path], list[str]] = verify_apart) -> None:
    with Loader() as loader:
        build_options = BuildOptions(WORDS, EMBEDDER, lambda: embedder)
        update(index, Corpus((str(texts),)), build_options, loader, verify=verify)
